/* File operations as system calls: on a thread, and at once where nothing has to be waited for. */
#include "host/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { CACHED_MOST = 1024 * 1024 }; /* bytes that are copied at once */

/* For the calls with flags: -1 is the file's own position. */
static off_t place_of(const struct jg__file *file)
{
    return file->offset == JG__FILE_OWN_POSITION ? -1 : file->offset;
}

static bool is_ready(const struct jg__file *file)
{
    struct pollfd one = {.fd = file->fd, .events = file->call == JG__FILE_READ ? POLLIN : POLLOUT};
    return poll(&one, 1, 0) != 0;
}

/* What was ready when it was polled, somebody else may have emptied or filled since. True: *result is the result. */
static bool transfer_at_once(const struct jg__file *file, ssize_t *result)
{
    struct iovec all = {file->buffer, file->length};
    *result = file->call == JG__FILE_READ ? preadv2(file->fd, &all, 1, place_of(file), RWF_NOWAIT)
                                          : pwritev2(file->fd, &all, 1, place_of(file), RWF_NOWAIT);
    if (*result >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL))
        return true;
    errno = EAGAIN;
    return !is_ready(file);
}

static ssize_t transfer(const struct jg__file *file)
{
    ssize_t result;
    if (file->polled && transfer_at_once(file, &result))
        return result;
    bool positioned = file->offset != JG__FILE_OWN_POSITION;
    if (file->call == JG__FILE_READ)
        return positioned ? pread(file->fd, file->buffer, file->length, file->offset)
                          : read(file->fd, file->buffer, file->length);
    return positioned ? pwrite(file->fd, file->buffer, file->length, file->offset)
                      : write(file->fd, file->buffer, file->length);
}

static ssize_t call(struct jg__file *file)
{
    switch (file->call) {
    case JG__FILE_OPEN:
        return open(file->path, file->flags | O_CLOEXEC, file->mode);
    case JG__FILE_CLOSE:
        return close(file->fd) == 0 || errno == EINTR ? 0 : -1; /* Linux has closed it also when it was interrupted */
    case JG__FILE_READ:
    case JG__FILE_WRITE:
        return transfer(file);
    case JG__FILE_FSYNC:
        return fsync(file->fd);
    case JG__FILE_TRUNCATE:
        return ftruncate(file->fd, file->offset);
    case JG__FILE_CHMOD:
        return fchmod(file->fd, file->mode);
    case JG__FILE_STAT:
        return statx(file->fd, file->path, file->flags, STATX_BASIC_STATS, file->status);
    case JG__FILE_RENAME:
        return rename(file->path, file->to);
    case JG__FILE_UNLINK:
        return unlinkat(AT_FDCWD, file->path, file->flags);
    case JG__FILE_MKDIR:
        return mkdir(file->path, file->mode);
    case JG__FILE_WORK:
        break;
    }
    errno = EINVAL;
    return -1;
}

int jg__file_perform(struct jg__file *file)
{
    if (file->call == JG__FILE_WORK)
        return file->work(file);
    ssize_t result = call(file);
    return result < 0 ? -errno : (int)result;
}

/* ---- What is cached ---- */

/* Whatever is wrong, the ordinary call will say. Kernels before 5.12 don't know RESOLVE_CACHED. */
bool jg__file_open_cached(struct jg__file *file)
{
    struct open_how how = {.flags = (unsigned)(file->flags | O_CLOEXEC), .resolve = RESOLVE_CACHED};
    int saved = errno;
    file->result = (int)syscall(SYS_openat2, AT_FDCWD, file->path, &how, sizeof how);
    errno = saved;
    return file->result >= 0;
}

static ssize_t read_cached(const struct jg__file *file, size_t already)
{
    struct iovec rest = {(char *)file->buffer + already, file->length - already};
    off_t own = place_of(file);
    return preadv2(file->fd, &rest, 1, own < 0 ? own : own + (off_t)already, RWF_NOWAIT);
}

static bool is_regular(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

/* A regular file gives less only at its end; others give what they have. */
bool jg__file_read_cached(struct jg__file *file)
{
    int saved = errno;
    file->result = 0;
    if (file->length == 0 || file->length > CACHED_MOST)
        return false;
    size_t already = 0;
    ssize_t count = read_cached(file, 0);
    while (count > 0) {
        already += (size_t)count;
        if (already == file->length || !is_regular(file->fd))
            break;
        count = read_cached(file, already);
    }
    errno = saved;
    file->ended = count == 0;
    file->result = (int)already;
    if (count >= 0)
        return true;
    file->buffer = (char *)file->buffer + already;
    file->length -= already;
    if (file->offset != JG__FILE_OWN_POSITION)
        file->offset += (int64_t)already;
    return false;
}
