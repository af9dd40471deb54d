/* Reading what is there, or an exact count. */
#include "stream/input.h"
#include "stream/reader.h"

#include <errno.h>
#include <limits.h>

/* Receives straight into the caller's memory what the kernel is known to have by now: a count, or 0. */
static size_t receive_now(struct jg__stream *stream, void *memory, size_t size)
{
    if (stream->at_end)
        return 0;
    int saved = errno;
    ssize_t count = jg__transport_read_now(&stream->transport, memory, size);
    if (count == 0)
        jg__stream_end_input(stream, 0);
    else if (count < 0 && errno != EAGAIN)
        jg__stream_end_input(stream, errno);
    errno = saved;
    return count > 0 ? (size_t)count : 0;
}

static int check_size(const void *memory, size_t size, const char *call)
{
    if (size > SSIZE_MAX)
        return jg_fail(EINVAL, "%s: %zu bytes are more than SSIZE_MAX", call, size);
    if (!memory && size)
        return jg_fail(EINVAL, "%s: the buffer is NULL", call);
    return 0;
}

ssize_t jg_read(jg_stream *handle, void *buffer, size_t size)
{
    static const char call[] = "jg_read";
    struct jg__stream *stream = jg__reader_enter(handle, call);
    if (!stream || check_size(buffer, size, call) < 0)
        return -1;
    if (size == 0)
        return 0;
    size_t count = stream->input ? jg__input_take(stream, buffer, size) : receive_now(stream, buffer, size);
    if (count)
        return (ssize_t)count;
    struct jg__reader reader = {.memory = buffer, .size = size, .least = 1};
    int result = stream->at_end ? 0 : jg__reader_wait(stream, &reader, call);
    if (result < 0)
        return jg__wait_failed(call, -result);
    return reader.filled ? (ssize_t)reader.filled : jg__reader_error(stream, call);
}

/* What came of a read that failed stays readable. */
static int give_back(struct jg__stream *stream, const struct jg__reader *reader, int error, const char *call)
{
    if (!jg__input_put_back(stream, reader->memory, reader->filled)) {
        jg__stream_lose_input(stream);
        return jg_fail(ENOMEM, "%s: out of memory for %zu bytes that have to be kept", call, reader->filled);
    }
    if (error)
        return jg__wait_failed(call, error);
    if (jg__reader_error(stream, call) < 0)
        return -1;
    return jg_fail(ENODATA, "%s: the end came after %zu of %zu bytes", call, reader->filled, reader->size);
}

ssize_t jg_read_exactly(jg_stream *handle, void *buffer, size_t size)
{
    static const char call[] = "jg_read_exactly";
    struct jg__stream *stream = jg__reader_enter(handle, call);
    if (!stream || check_size(buffer, size, call) < 0)
        return -1;
    struct jg__reader reader = {.memory = buffer, .size = size, .least = size};
    reader.filled = jg__input_take(stream, buffer, size);
    if (reader.filled < size)
        reader.filled += receive_now(stream, reader.memory + reader.filled, size - reader.filled);
    int result = 0;
    if (reader.filled < size && !stream->at_end)
        result = jg__reader_wait(stream, &reader, call);
    if (result == -EBADF)
        return jg__wait_failed(call, EBADF);
    return reader.filled == size ? (ssize_t)size : give_back(stream, &reader, -result, call);
}

bool jg_at_eof(const jg_stream *handle)
{
    const struct jg__stream *stream = jg__stream_of(handle, "jg_at_eof");
    return stream->at_end && !stream->input && !stream->read_error;
}
