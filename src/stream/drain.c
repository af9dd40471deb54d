/* Waiting until what was written has left, and what concerns writing besides. */
#include "stream/waiter.h"

#include <errno.h>

static int wait_until_pending(const jg_stream *handle, bool flush, const char *call)
{
    struct jg__stream *stream = jg__stream_enter(handle, call);
    if (!stream || jg__check_sending(stream, call) < 0)
        return -1;
    jg_transport *transport = &stream->transport;
    int saved = errno;
    if (flush)
        jg__transport_send(transport, false);
    size_t most = flush ? 0 : transport->low_water;
    int result = transport->pending > most ? jg__wait_for_progress(stream, most, call) : 0;
    errno = saved;
    if (result == -EPIPE)
        return jg_fail(EPIPE, "%s: the connection was lost", call);
    return result < 0 ? jg__wait_failed(call, -result) : 0;
}

int jg_drain(jg_stream *stream)
{
    return wait_until_pending(stream, false, "jg_drain");
}

int jg_flush(jg_stream *stream)
{
    return wait_until_pending(stream, true, "jg_flush");
}

int jg_write_eof(jg_stream *handle)
{
    struct jg__stream *stream = jg__stream_of(handle, "jg_write_eof");
    if (jg__check_sending(stream, "jg_write_eof") < 0)
        return -1;
    if (!(stream->transport.kind & JG__WRITES))
        return jg_fail(EBADF, "jg_write_eof: the stream is not open for writing");
    if (!jg_transport_can_write_eof(&stream->transport))
        return jg_fail(EOPNOTSUPP, "jg_write_eof: only jg_close ends what is written to this stream");
    int saved = errno;
    if (!stream->transport.eof_wanted)
        jg_transport_write_eof(&stream->transport);
    errno = saved;
    return 0;
}

bool jg_can_write_eof(const jg_stream *stream)
{
    return jg_transport_can_write_eof(&jg__stream_of(stream, "jg_can_write_eof")->transport);
}

size_t jg_write_pending(const jg_stream *stream)
{
    return jg__stream_of(stream, "jg_write_pending")->transport.pending;
}

void jg_set_write_limits(jg_stream *handle, size_t high, size_t low)
{
    struct jg__stream *stream = jg__stream_of(handle, "jg_set_write_limits");
    jg_transport_set_write_limits(&stream->transport, high, low);
}
