/* Files, sent by the kernel where it can, else read and written. */
#include "base/memory.h"
#include "stream/special.h"
#include "stream/write.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { AT_ONCE = 1 << 30, COPIED_AT_ONCE = 128 * 1024 };

static const char call[] = "jg_sendfile";

/* How many bytes are to be sent, at most; -1 with EBADF, EINVAL. */
static ssize_t size_of(int fd, off_t offset, size_t count)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return jg_fail(errno, "%s: fd %d: %s", call, fd, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return jg_fail(EINVAL, "%s: fd %d is no regular file", call, fd);
    if (offset < 0 || count > SSIZE_MAX)
        return jg_fail(EINVAL, "%s: %zu bytes from %lld on", call, count, (long long)offset);
    if (count)
        return (ssize_t)count;
    return status.st_size > offset ? (ssize_t)(status.st_size - offset) : 0;
}

/* The whole file is in the queue at once, so that nothing comes between, in pieces that a result can tell of. */
static ssize_t send_by_kernel(struct jg__stream *stream, int fd, off_t offset, size_t count)
{
    size_t total = 0, sent = 0, part;
    do {
        part = count - total < AT_ONCE ? count - total : AT_ONCE;
        struct jg__direct_write write = {
            .sends_file = true, .source = fd, .offset = offset + (off_t)total, .bytes = part};
        if (jg__write_specially(stream, &write, part, &sent, call) < 0)
            return -1;
        total += sent;
    } while (sent == part && total < count);
    return (ssize_t)total;
}

static ssize_t copy_with(struct jg__stream *stream, char *memory, int fd, off_t offset, size_t count)
{
    size_t total = 0;
    while (total < count) {
        size_t part = count - total < COPIED_AT_ONCE ? count - total : COPIED_AT_ONCE;
        ssize_t got = pread(fd, memory, part, offset + (off_t)total);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return jg_fail(errno, "%s: fd %d: %s", call, fd, strerror(errno));
        if (got == 0)
            break;
        if (jg__write_vector(stream, &(struct iovec){memory, (size_t)got}, 1, (size_t)got, call) < 0)
            return -1;
        total += (size_t)got;
    }
    return (ssize_t)total;
}

static ssize_t send_by_copies(struct jg__stream *stream, int fd, off_t offset, size_t count)
{
    char *memory = jg__allocate(COPIED_AT_ONCE);
    if (!memory)
        return jg_fail(ENOMEM, "%s: out of memory", call);
    ssize_t result = copy_with(stream, memory, fd, offset, count);
    jg__release(memory);
    return result;
}

ssize_t jg_sendfile(jg_stream *handle, int fd, off_t offset, size_t count)
{
    struct jg__stream *stream = jg__writer_enter(handle, call);
    int saved = errno;
    ssize_t size = stream ? size_of(fd, offset, count) : -1, result = -1;
    if (size <= 0)
        return size;
    bool plain = jg__is_plain(stream);
    if (plain)
        result = send_by_kernel(stream, fd, offset, (size_t)size);
    if (!plain || (result < 0 && errno == EINVAL)) /* a file system that cannot */
        result = send_by_copies(stream, fd, offset, (size_t)size);
    if (result >= 0)
        errno = saved;
    return result;
}
