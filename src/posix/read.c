/* read and write: on sockets, on what else can be waited for, and on files, which can't. */
#include "posix/interpose.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

ssize_t __read_chk(int fd, void *buffer, size_t size, size_t room);

enum kind { SOCKET, PIPE, OTHER, FILE_OR_NONE };

static enum kind kind_of(int fd)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return FILE_OR_NONE;
    switch (status.st_mode & S_IFMT) {
    case S_IFSOCK:
        return SOCKET;
    case S_IFIFO:
        return PIPE;
    case S_IFREG:
    case S_IFDIR:
    case S_IFBLK:
        return FILE_OR_NONE;
    default: /* terminals and other character devices; an eventfd and the like have no type */
        return OTHER;
    }
}

static bool cannot_say(ssize_t result)
{
    return result < 0 && (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL);
}

static bool is_ready(int fd, short events)
{
    struct pollfd one = {.fd = fd, .events = events};
    return JG__REAL(poll)(&one, 1, 0) != 0;
}

static void would_block(ssize_t *result)
{
    errno = EAGAIN;
    *result = -1;
}

/* ---- Reading ---- */

static ssize_t read_at_once(int fd, const struct iovec *vector, int count)
{
    ssize_t n = preadv2(fd, vector, count, -1, RWF_NOWAIT);
    if (!cannot_say(n))
        return n;
    if (is_ready(fd, POLLIN))
        return JG__REAL(readv)(fd, vector, count);
    would_block(&n);
    return n;
}

static ssize_t read_parked(int fd, const struct iovec *vector, int count)
{
    int saved = errno;
    if (jg__posix_enter() < 0)
        return -1;
    for (;;) {
        ssize_t n = read_at_once(fd, vector, count);
        if (n >= 0)
            errno = saved;
        if (n >= 0 || errno != EAGAIN)
            return n;
        if (jg__posix_wait(fd, POLLIN, INFINITY) < 0)
            return -1;
        errno = saved;
    }
}

static ssize_t read_pieces(int fd, enum kind kind, const struct iovec *vector, int count)
{
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)vector, .msg_iovlen = (size_t)count};
    return kind == SOCKET ? jg__posix_receive(fd, &message, 0) : read_parked(fd, vector, count);
}

static bool read_parks(int fd, size_t bytes, enum kind *kind)
{
    return bytes && !jg__posix_nonblocking(fd) && (*kind = kind_of(fd)) != FILE_OR_NONE;
}

JG__EXPORT ssize_t read(int fd, void *buffer, size_t size)
{
    enum kind kind;
    if (JG__PARKS() && read_parks(fd, size, &kind))
        return read_pieces(fd, kind, &(struct iovec){buffer, size}, 1);
    return JG__REAL(read)(fd, buffer, size);
}

JG__EXPORT ssize_t __read_chk(int fd, void *buffer, size_t size, size_t room)
{
    enum kind kind;
    if (size <= room && JG__PARKS() && read_parks(fd, size, &kind))
        return read_pieces(fd, kind, &(struct iovec){buffer, size}, 1);
    return JG__REAL(__read_chk)(fd, buffer, size, room);
}

JG__EXPORT ssize_t readv(int fd, const struct iovec *vector, int count)
{
    enum kind kind;
    if (JG__PARKS() && count > 0 && count <= IOV_MAX && read_parks(fd, jg__posix_bytes(vector, (size_t)count), &kind))
        return read_pieces(fd, kind, vector, count);
    return JG__REAL(readv)(fd, vector, count);
}

/* ---- Writing ---- */

/* A pipe that poll calls writable takes PIPE_BUF bytes, but not always more. */
static ssize_t write_at_once(int fd, enum kind kind, const struct iovec *vector, int count)
{
    ssize_t n = pwritev2(fd, vector, count, -1, RWF_NOWAIT);
    if (!cannot_say(n))
        return n;
    if (!is_ready(fd, POLLOUT)) {
        would_block(&n);
        return n;
    }
    if (kind != PIPE)
        return JG__REAL(writev)(fd, vector, count);
    return JG__REAL(write)(fd, vector->iov_base, vector->iov_len < PIPE_BUF ? vector->iov_len : PIPE_BUF);
}

static ssize_t write_some(int fd, enum kind kind, const struct iovec *vector, int count)
{
    int saved = errno;
    for (;;) {
        ssize_t n = write_at_once(fd, kind, vector, count);
        if (n >= 0)
            errno = saved;
        if (n >= 0 || errno != EAGAIN)
            return n;
        if (jg__posix_wait(fd, POLLOUT, INFINITY) < 0)
            return -1;
        errno = saved;
    }
}

/* What blocks takes all. */
static ssize_t write_parked(int fd, enum kind kind, const struct iovec *vector, int count)
{
    struct jg__pieces pieces;
    size_t total = 0, bytes = jg__posix_bytes(vector, (size_t)count);
    if (jg__posix_enter() < 0 || jg__pieces_copy(&pieces, vector, (size_t)count) < 0)
        return -1;
    int saved = errno;
    ssize_t n = 0;
    while (total < bytes && (n = write_some(fd, kind, pieces.next, (int)pieces.count)) > 0) {
        total += (size_t)n;
        jg__pieces_advance(&pieces, (size_t)n);
    }
    jg__pieces_free(&pieces);
    if (!total)
        return n;
    errno = saved;
    return (ssize_t)total;
}

static ssize_t write_pieces(int fd, enum kind kind, const struct iovec *vector, int count)
{
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)vector, .msg_iovlen = (size_t)count};
    return kind == SOCKET ? jg__posix_send(fd, &message, 0) : write_parked(fd, kind, vector, count);
}

JG__EXPORT ssize_t write(int fd, const void *data, size_t bytes)
{
    enum kind kind;
    if (JG__PARKS() && read_parks(fd, bytes, &kind))
        return write_pieces(fd, kind, &(struct iovec){(void *)(uintptr_t)data, bytes}, 1);
    return JG__REAL(write)(fd, data, bytes);
}

JG__EXPORT ssize_t writev(int fd, const struct iovec *vector, int count)
{
    enum kind kind;
    if (JG__PARKS() && count > 0 && count <= IOV_MAX && read_parks(fd, jg__posix_bytes(vector, (size_t)count), &kind))
        return write_pieces(fd, kind, vector, count);
    return JG__REAL(writev)(fd, vector, count);
}
