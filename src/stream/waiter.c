#include "stream/waiter.h"

#include "stream/limits.h"
#include "transport/tls.h"

#include <errno.h>

/* Why what is queued won't be sent any more, or 0. */
static int sending_error(const struct jg__stream *stream)
{
    const jg_transport *transport = &stream->transport;
    if (stream->torn)
        return EPIPE;
    if (transport->layer && transport->layer->error)
        return transport->layer->error;
    if (transport->write_error || transport->error)
        return transport->write_error ? transport->write_error : transport->error;
    return transport->unsent || (stream->lost && !stream->closed) ? EPIPE : 0;
}

int jg__check_sending(const struct jg__stream *stream, const char *call)
{
    int error = sending_error(stream);
    if (!error)
        return 0;
    if (stream->torn)
        return jg_fail(EPIPE, "%s: an earlier write was interrupted halfway", call);
    return jg_fail(EPIPE, "%s: the connection is lost: %s", call, jg__transport_words(&stream->transport, error));
}

int jg__check_writable(const struct jg__stream *stream, const char *call)
{
    if (__builtin_expect(!(stream->transport.kind & JG__WRITES), 0))
        return jg_fail(EBADF, "%s: the stream is not open for writing", call);
    if (__builtin_expect(stream->transport.eof_wanted, 0))
        return jg_fail(EPIPE, "%s: writing ended with jg_write_eof", call);
    return jg__check_sending(stream, call);
}

int jg__waiter_park(struct jg__stream *stream, struct jg__waiter *waiter)
{
    jg__list_append(&stream->waiters, &waiter->node);
    stream->users++;
    int result = jg__park_at_most(&waiter->wait, stream->write_limit);
    jg__list_remove(&waiter->node);
    jg__stream_leave(stream);
    return result;
}

int jg__wait_for_progress(struct jg__stream *stream, size_t most, const char *call)
{
    struct jg__waiter waiter = {.wait = {.call = call, .object = stream}, .for_progress = true, .most = most};
    stream->transport.wants_progress = true;
    return jg__waiter_park(stream, &waiter);
}

void jg__stream_progress(jg_transport *transport, void *arg)
{
    (void)arg; /* that of whoever stands in the stream's place */
    struct jg__stream *stream = jg__stream_of_transport(transport);
    int error = sending_error(stream);
    bool wanted = false;
    for (struct jg__list *node = stream->waiters.next; node != &stream->waiters; node = node->next) {
        struct jg__waiter *waiter = jg__container_of(node, struct jg__waiter, node);
        if (!waiter->for_progress)
            continue;
        if (error)
            jg__wake(&waiter->wait, -EPIPE);
        else if (transport->pending <= waiter->most)
            jg__wake(&waiter->wait, 0);
        else
            wanted = true;
    }
    transport->wants_progress = wanted;
}

void jg__stream_expel(struct jg__stream *stream)
{
    jg__reader_wake(stream, -EBADF);
    for (struct jg__list *node = stream->waiters.next; node != &stream->waiters; node = node->next) {
        struct jg__waiter *waiter = jg__container_of(node, struct jg__waiter, node);
        if (waiter->wait.interrupt)
            waiter->wait.interrupt(&waiter->wait, -EBADF);
        else
            jg__wake(&waiter->wait, -EBADF);
    }
}
