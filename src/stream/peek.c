/* Looking at what was received without copying it. */
#include "stream/input.h"
#include "stream/reader.h"

#include <errno.h>
#include <limits.h>

ssize_t jg_peek(jg_stream *handle, const void **data, size_t least)
{
    static const char call[] = "jg_peek";
    struct jg__stream *stream = jg__reader_enter(handle, call);
    if (!stream)
        return -1;
    if (!data || least > SSIZE_MAX)
        return jg_fail(EINVAL, "%s: %s", call, data ? "more than SSIZE_MAX bytes" : "no place for the address");
    if (jg__input_count(stream) < least && !stream->at_end) {
        int result = jg__reader_wait_buffered(stream, least, call);
        if (result < 0)
            return jg__wait_failed(call, -result);
    }
    size_t count = jg__input_count(stream);
    if (count < least && jg__reader_error(stream, call) < 0)
        return -1;
    *data = count ? jg__input_bytes(stream) : "";
    stream->shown = stream->input;
    return (ssize_t)count;
}

void jg_consume(jg_stream *handle, size_t bytes)
{
    struct jg__stream *stream = jg__stream_of(handle, "jg_consume");
    jg__reader_check(stream, "jg_consume"); /* whose search would go on behind what is left */
    if (bytes > jg__input_count(stream))
        jg__die("jg_consume: %zu bytes are more than the %zu that were received", bytes, jg__input_count(stream));
    jg__input_drop(stream, bytes);
}
