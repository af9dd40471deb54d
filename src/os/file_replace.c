/* A whole file, written atomically: a new file beside it takes its place when it is complete. */
#include <juggle/file.h>

#include "base/memory.h"
#include "os/file_wait.h"
#include "task/internal.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { SUFFIX_SIZE = sizeof ".juggle-0123456789abcdef", ATTEMPTS = 16 };

static const char call[] = "jg_write_file";

struct replacement {
    const char *path;
    char *folder, *new; /* the path of the directory, "" or with its slash; that of the new file */
    int fd;
    mode_t mode;
    bool exact; /* mode is not subject to the umask */
};

/* Whoever called knows the file that is written, not the new one beside it. */
static int run(const struct replacement *file, struct jg__file step)
{
    step.subject = file->path;
    return jg__enter_wait(call) < 0 ? -1 : jg__file_run(call, &step);
}

/* ---- Names ---- */

static int make_names(struct replacement *file)
{
    const char *slash = strrchr(file->path, '/');
    size_t length = slash ? (size_t)(slash + 1 - file->path) : 0;
    file->folder = jg__allocate_zeroed(length + sizeof ".");
    file->new = jg__allocate_zeroed(length + SUFFIX_SIZE);
    if (!file->folder || !file->new)
        return jg_fail(ENOMEM, "%s: %s: out of memory", call, file->path);
    memcpy(file->folder, file->path, length);
    memcpy(file->new, file->path, length);
    return 0;
}

static void choose_name(struct replacement *file)
{
    uint64_t number;
    if (getrandom(&number, sizeof number, GRND_NONBLOCK) < 0)
        number = (uint64_t)jg__clock();
    snprintf(file->new + strlen(file->folder), SUFFIX_SIZE, ".juggle-%016llx", (unsigned long long)number);
}

/* ---- Steps ---- */

/* To run as its owner was granted by that owner, who need not be us. */
static mode_t mode_of(const struct statx *status)
{
    bool ours = status->stx_uid == geteuid() && status->stx_gid == getegid();
    return status->stx_mode & (ours ? 07777 : 0777);
}

/* The mode of what is replaced; a symbolic link is replaced itself and has none. */
static int choose_mode(struct replacement *file)
{
    struct statx status;
    int saved = errno;
    if (file->exact)
        return 0;
    int result = run(file, (struct jg__file){.call = JG__FILE_STAT,
                                             .fd = AT_FDCWD,
                                             .path = file->path,
                                             .flags = AT_SYMLINK_NOFOLLOW,
                                             .status = &status});
    if (result < 0 && errno != ENOENT)
        return -1;
    errno = saved;
    file->exact = result == 0 && S_ISREG(status.stx_mode);
    file->mode = file->exact ? mode_of(&status) : 0666;
    return 0;
}

/* Nobody may read it before it has its mode. */
static int create(struct replacement *file)
{
    int saved = errno, attempts = 0;
    do {
        choose_name(file);
        file->fd = run(file, (struct jg__file){.call = JG__FILE_OPEN,
                                               .path = file->new,
                                               .flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
                                               .mode = file->exact ? 0600 : file->mode});
    } while (file->fd < 0 && errno == EEXIST && ++attempts < ATTEMPTS);
    if (file->fd < 0)
        return -1;
    errno = saved;
    return 0;
}

static int fill(struct replacement *file, const void *data, size_t bytes, bool sync)
{
    struct jg__file content = {.call = JG__FILE_WRITE,
                               .fd = file->fd,
                               .subject = file->path,
                               .length = bytes,
                               .offset = JG__FILE_OWN_POSITION};
    memcpy(&content.buffer, &data, sizeof data); /* it is only read */
    if (bytes && (jg__enter_wait(call) < 0 || jg__file_write(call, &content) < 0))
        return -1;
    if (file->exact && run(file, (struct jg__file){.call = JG__FILE_CHMOD, .fd = file->fd, .mode = file->mode}) < 0)
        return -1;
    return sync ? run(file, (struct jg__file){.call = JG__FILE_FSYNC, .fd = file->fd}) : 0;
}

/* From here on whatever happens to the task. */
static int finish(const char *subject, struct jg__file step)
{
    int result = jg__file_finish(call, &step);
    return result < 0 ? jg_fail(-result, "%s: %s: %s", call, subject, strerror(-result)) : result;
}

static int close_new(struct replacement *file)
{
    int fd = file->fd;
    file->fd = -1;
    return fd < 0 ? 0 : finish(file->path, (struct jg__file){.call = JG__FILE_CLOSE, .fd = fd});
}

static void remove_new(struct replacement *file)
{
    int saved = errno;
    struct jg__file gone = {.call = JG__FILE_UNLINK, .path = file->new};
    if (file->fd >= 0) {
        struct jg__file closed = {.call = JG__FILE_CLOSE, .fd = file->fd};
        jg__file_finish(call, &closed);
    }
    jg__file_finish(call, &gone);
    errno = saved;
}

/* Some file systems have nothing to sync in a directory. */
static int sync_folder(const char *folder)
{
    int fd = finish(folder, (struct jg__file){.call = JG__FILE_OPEN, .path = folder, .flags = O_RDONLY | O_DIRECTORY});
    if (fd < 0)
        return -1;
    struct jg__file closed = {.call = JG__FILE_CLOSE, .fd = fd}, synced = {.call = JG__FILE_FSYNC, .fd = fd};
    int result = jg__file_finish(call, &synced);
    jg__file_finish(call, &closed);
    if (result < 0 && result != -EINVAL)
        return jg_fail(-result, "%s: the directory %s: %s", call, folder, strerror(-result));
    return 0;
}

static int replace(struct replacement *file, bool sync)
{
    if (jg__enter_wait(call) < 0 || close_new(file) < 0 ||
        finish(file->path, (struct jg__file){.call = JG__FILE_RENAME, .path = file->new, .to = file->path}) < 0) {
        remove_new(file);
        return -1;
    }
    return sync ? sync_folder(*file->folder ? file->folder : ".") : 0;
}

static int write_all(struct replacement *file, const void *data, size_t bytes, bool sync)
{
    if (make_names(file) < 0 || choose_mode(file) < 0 || create(file) < 0)
        return -1;
    if (fill(file, data, bytes, sync) == 0)
        return replace(file, sync);
    remove_new(file);
    return -1;
}

int jg_write_file_with(const char *path, const void *data, size_t bytes, const jg_write_file_options *options)
{
    jg_write_file_options whole;
    options = jg__whole_options(options, &whole, sizeof whole);
    if (jg__enter_wait(call) < 0)
        return -1;
    struct replacement file = {.path = path, .fd = -1, .mode = options->mode, .exact = options->mode != 0};
    int result = write_all(&file, data, bytes, !options->no_sync);
    jg__release(file.folder);
    jg__release(file.new);
    return result;
}
