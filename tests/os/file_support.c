#include "os_support.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

void run_in_folder(jg_coroutine fn, const char *name)
{
    char folder[] = "/tmp/juggle-test-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    int result = jg_run(fn, folder), error = errno;
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    ck_assert_msg(result == 0, "%s returned %d: %s: %s", name, result, strerror(error), jg_error_text());
}

const char *file_in(const char *folder, const char *name)
{
    static char paths[8][512];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof *paths, "%s/%s", folder, name);
    return path;
}
