/* A folder for a test's files. */
#ifndef JUGGLE_TESTS_OS_SUPPORT_H
#define JUGGLE_TESTS_OS_SUPPORT_H

#include "harness.h"

/* Fails unless the call returned -1 with this errno. */
#define FAILS(call, error)                                                             \
    do {                                                                               \
        errno = 0;                                                                     \
        long fails_result = (long)(call);                                              \
        int fails_errno = errno;                                                       \
        ck_assert_msg(fails_result == -1, "%s returned %ld", #call, fails_result);     \
        ck_assert_msg(fails_errno == (error), "%s: %s", #call, strerror(fails_errno)); \
    } while (0)

/* Runs the coroutine with the path of a new, empty folder as its argument, and removes that again with what is in it.
 */
#define IN_FOLDER(fn) run_in_folder(fn, #fn)
void run_in_folder(jg_coroutine fn, const char *name);

/* folder/name; valid until the eighth call from here. */
const char *file_in(const char *folder, const char *name);

#endif
