/* Writing: what is small is copied and leaves when the turn ends; what is large, or more than may be queued, goes
 * straight from the caller's memory, which makes the writer wait for a slow peer. The transport's queue keeps both in
 * the order of the calls. */
#include "stream/write.h"
#include "stream/waiter.h"
#include "stream/writer.h"

#include <errno.h>
#include <limits.h>

enum { DIRECT_LEAST = 32 * 1024 };

bool jg__may_copy(const struct jg__stream *stream, size_t bytes)
{
    const jg_transport *transport = &stream->transport;
    return bytes < DIRECT_LEAST && bytes <= transport->high_water &&
           transport->pending <= transport->high_water - bytes;
}

int jg__write_vector(struct jg__stream *stream, const struct iovec *vector, int count, size_t bytes, const char *call)
{
    if (bytes == 0)
        return 0;
    if (!jg__may_copy(stream, bytes))
        return jg__write_directly(stream, vector, count, bytes, call);
    int saved = errno;
    if (jg_transport_writev(&stream->transport, vector, count) < 0)
        return jg_fail(errno, "%s: %s", call, errno == ENOMEM ? "out of memory" : "the connection is lost");
    errno = saved;
    return 0;
}

struct jg__stream *jg__writer_enter(const jg_stream *handle, const char *call)
{
    struct jg__stream *stream = jg__stream_enter(handle, call);
    return stream && jg__check_writable(stream, call) == 0 ? stream : NULL;
}

/* How many bytes the vector has; -1 with EINVAL. */
static ssize_t length_of(const struct iovec *vector, int count, const char *call)
{
    size_t bytes = 0;
    if (count < 0 || (count && !vector))
        return jg_fail(EINVAL, "%s: %d pieces at %p", call, count, (const void *)vector);
    for (int i = 0; i < count; i++) {
        if (__builtin_add_overflow(bytes, vector[i].iov_len, &bytes) || bytes > SSIZE_MAX)
            return jg_fail(EINVAL, "%s: more than SSIZE_MAX bytes", call);
        if (vector[i].iov_len && !vector[i].iov_base)
            return jg_fail(EINVAL, "%s: the data is NULL", call);
    }
    return (ssize_t)bytes;
}

static int write_checked(jg_stream *handle, const struct iovec *vector, int count, const char *call)
{
    struct jg__stream *stream = jg__writer_enter(handle, call);
    ssize_t bytes = stream ? length_of(vector, count, call) : -1;
    return bytes < 0 ? -1 : jg__write_vector(stream, vector, count, (size_t)bytes, call);
}

int jg_write(jg_stream *stream, const void *data, size_t bytes)
{
    return write_checked(stream, &(struct iovec){(void *)(uintptr_t)data, bytes}, 1, "jg_write");
}

int jg_writev(jg_stream *stream, const struct iovec *vector, int count)
{
    return write_checked(stream, vector, count, "jg_writev");
}

int jg_try_write(jg_stream *handle, const void *data, size_t bytes)
{
    static const char call[] = "jg_try_write";
    struct jg__stream *stream = jg__stream_of(handle, call);
    jg_transport *transport = &stream->transport;
    if (jg__check_writable(stream, call) < 0 || length_of(&(struct iovec){(void *)(uintptr_t)data, bytes}, 1, call) < 0)
        return -1;
    int saved = errno;
    if (jg_transport_try_write(transport, data, bytes) < 0)
        return errno == EAGAIN ? jg_fail(EAGAIN, "%s: %zu bytes to %zu would exceed the high-water mark of %zu", call,
                                         bytes, transport->pending, transport->high_water)
                               : jg_fail(errno, "%s: out of memory", call);
    errno = saved;
    return 0;
}
