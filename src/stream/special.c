#include "stream/special.h"

#include "stream/waiter.h"

#include <errno.h>
#include <string.h>

struct special {
    struct jg__waiter waiter;
    struct jg__stream *stream;
    struct jg__direct_write *write;
    size_t sent;
    int error;
    int reason; /* of an interruption, negated errno */
    bool done;
};

static void settle(struct special *special, int result)
{
    special->done = true;
    jg__wake(&special->waiter.wait, result);
}

static void special_done(struct jg__direct_write *write, int error, size_t sent)
{
    struct special *special = write->arg;
    bool whole = sent == write->write.length, pipe = write->sends_file && write->offset < 0;
    special->error = error;
    special->sent = sent;
    if (special->reason && sent && !whole && !pipe)
        special->stream->torn = true;
    settle(special, 0);
}

static void interrupt_special(struct jg__wait *wait, int reason)
{
    struct special *special = jg__container_of(wait, struct special, waiter.wait);
    if (special->reason)
        return;
    special->reason = reason;
    if (jg__transport_cancel_direct(&special->stream->transport, special->write))
        settle(special, reason);
}

/* The stream may be gone when it was closed meanwhile. */
static int outcome(const struct special *special, size_t bytes, const char *call)
{
    if (special->done && special->sent == bytes)
        return 0;
    if (special->reason)
        return jg__wait_failed(call, -special->reason);
    if (special->done && !special->error)
        return 0;
    if (jg__check_sending(special->stream, call) < 0)
        return -1;
    return jg_fail(special->error ? special->error : EPIPE, "%s: %s", call,
                   strerror(special->error ? special->error : EPIPE));
}

ssize_t jg__write_specially(struct jg__stream *stream, struct jg__direct_write *write, size_t bytes, size_t *sent,
                            const char *call)
{
    struct special special = {
        .waiter = {.wait = {.call = call, .object = stream, .interrupt = interrupt_special}},
        .stream = stream,
        .write = write,
    };
    int saved = errno;
    write->done = special_done;
    write->arg = &special;
    int result = jg__transport_write_direct(&stream->transport, write);
    if (result == 0) {
        jg__waiter_park(stream, &special.waiter);
    } else if (result > 0) {
        special.done = true;
        special.error = write->error;
        special.sent = write->write.sent;
    }
    *sent = special.sent;
    if (outcome(&special, bytes, call) < 0)
        return -1;
    errno = saved;
    return (ssize_t)special.sent;
}
