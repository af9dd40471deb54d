/* The end of a stream. */
#include "stream/waiter.h"
#include "task/error_text.h"

#include <errno.h>
#include <string.h>

/* Everybody else leaves; nobody can come. */
static void wait_until_alone(struct jg__stream *stream)
{
    struct jg__wait wait = {.call = "jg_close", .object = stream, .interrupt = jg__not_now};
    jg__stream_expel(stream);
    if (stream->users == 1)
        return;
    stream->closer = &wait;
    jg__park(&wait);
    stream->closer = NULL;
}

static int wait_until_sent(struct jg__stream *stream)
{
    return stream->transport.pending ? jg__wait_for_progress(stream, 0, "jg_close") : 0;
}

/* Sends what is queued and begins to linger. Returns 0, or a negated errno. */
static int finish_sending(struct jg__stream *stream, double grace)
{
    jg_transport *transport = &stream->transport;
    if (stream->torn || transport->write_error)
        return -EPIPE;
    if (stream->lost)
        return transport->unsent ? -EPIPE : 0;
    jg_transport_close(transport);
    int result = wait_until_sent(stream);
    if (result == -ECANCELED && grace > 0) {
        JG_SHIELD(shield, grace);
        result = wait_until_sent(stream);
    }
    return transport->unsent ? -EPIPE : result;
}

int jg__stream_close(struct jg__stream *stream, double grace)
{
    JG__KEEP_REASON(reason);
    stream->users++;
    jg__stream_retire(stream);
    wait_until_alone(stream);
    int result = finish_sending(stream, grace);
    if (result < 0 && !stream->lost)
        jg_transport_abort(&stream->transport);
    jg__stream_leave(stream);
    return -result;
}

int jg_close(jg_stream *handle)
{
    static const char call[] = "jg_close";
    if (!handle)
        return 0;
    jg__running(call);
    int error = jg__stream_close(jg__stream_of(handle, call), 0);
    if (error == EPIPE)
        return jg_fail(EPIPE, "%s: the connection was lost before everything was sent", call);
    return error ? jg__fail_interrupted(call, error) : 0;
}

void jg_stream_autoptr(jg_stream **stream)
{
    JG__KEEP_REASON(reason);
    JG_SHIELD(shield, JG__AUTOPTR_SECONDS);
    jg_close(*stream);
}

void jg_abort(jg_stream *handle)
{
    if (!handle)
        return;
    struct jg__stream *stream = jg__stream_of(handle, "jg_abort");
    JG__KEEP_REASON(reason);
    stream->users++;
    jg__stream_retire(stream);
    jg__stream_expel(stream);
    if (!stream->lost)
        jg_transport_abort(&stream->transport);
    jg__stream_leave(stream);
}
