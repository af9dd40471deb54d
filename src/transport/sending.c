/* What goes out: a queue of chunks of copied bytes and of direct writes; its first part is in the kernel, one operation
 * at a time, and what is written meanwhile gathers behind it. */
#include "transport/chunk.h"
#include "transport/internal.h"
#include "transport/layer.h"

#include <sys/socket.h>

enum { SEND_MOST = 1 << 30 }; /* by one operation, whose result is an int */

/* ---- The queue ---- */

void jg__transport_enqueue(jg_transport *transport, struct jg__write *write)
{
    write->next = NULL;
    *(transport->first ? &transport->last->next : &transport->first) = write;
    transport->last = write;
    transport->pending += write->length - write->sent;
}

void jg__transport_dequeue(jg_transport *transport, struct jg__write *write)
{
    struct jg__write *before = NULL;
    for (struct jg__write *each = transport->first; each != write; each = each->next)
        before = each;
    *(before ? &before->next : &transport->first) = write->next;
    if (transport->last == write)
        transport->last = before;
    transport->pending -= write->length - write->sent;
}

void jg__direct_finish(struct jg__direct_write *direct, int error)
{
    direct->error = error;
    if (direct->starting)
        direct->finished = true;
    else
        direct->done(direct, error, direct->write.sent);
}

void jg__transport_drop(jg_transport *transport, struct jg__write *write, int error)
{
    if (!jg__write_is_direct(write)) {
        transport->unsent |= write->sent < write->length;
        jg__release(jg__chunk_of(write));
    } else if (error) {
        jg__direct_finish(jg__direct_of(write), write->sent == write->length ? 0 : error);
    }
}

void jg__transport_drop_queue(jg_transport *transport, int error)
{
    while (transport->first) {
        struct jg__write *write = transport->first;
        jg__transport_dequeue(transport, write);
        jg__transport_drop(transport, write, error);
    }
    for (struct jg__layer *each = transport->layer; each; each = each->below)
        jg__layer_drop_queue(each, error);
}

/* ---- Sending ---- */

/* Nothing can be sent any more. The owner is told from a turn. */
static void fail_writing(jg_transport *transport, int error)
{
    if (!transport->write_error)
        transport->write_error = error;
    if (transport->phase == JG__TRANSPORT_FLUSHING)
        jg__transport_end(transport, error);
    else if (transport->phase == JG__TRANSPORT_OPEN)
        jg_call_soon(transport->loop, &transport->timer.handle);
}

void jg__transport_break(jg_transport *transport)
{
    transport->broken = true;
    if (transport->sending)
        jg__transport_cancel(transport, &transport->first->operation);
    fail_writing(transport, EPIPE);
}

/* Is it the file that has ended, or cannot be read, or the fd that cannot be passed, and not the connection? */
static bool concerns_source(const struct jg__direct_write *direct, int error)
{
    return (direct->sends_file || direct->control) && error != EPIPE && error != ECONNRESET && error != ETIMEDOUT &&
           error != ENOTCONN;
}

/* An operation of the first write has ended. */
static void count_sent(jg_transport *transport, struct jg__write *write, int result)
{
    if (result <= 0 && jg__write_is_direct(write) && concerns_source(jg__direct_of(write), -result)) {
        jg__transport_dequeue(transport, write);
        jg__direct_finish(jg__direct_of(write), -result);
        return;
    }
    if (result <= 0) {
        fail_writing(transport, result ? -result : EPIPE);
        return;
    }
    write->sent += (size_t)result;
    transport->pending -= (size_t)result;
    if (write->sent < write->length)
        return;
    jg__transport_dequeue(transport, write);
    if (jg__write_is_direct(write))
        jg__direct_finish(jg__direct_of(write), 0);
    else
        jg__chunk_free(transport->loop, jg__chunk_of(write));
}

static void sent(jg_operation *operation, int result);

static void prepare(jg_transport *transport, struct jg__write *write)
{
    jg_operation *operation = &write->operation;
    operation->fd = transport->fd;
    operation->done = sent;
    operation->arg = transport;
    operation->result = 0;
    bool file = transport->kind & JG__FILE;
    operation->blocking = transport->kind & JG__BLOCKING;
    if (jg__write_is_direct(write) && jg__direct_of(write)->sends_file) {
        const struct jg__direct_write *direct = jg__direct_of(write);
        operation->opcode = JG_OP_SENDFILE;
        operation->source = direct->source;
        operation->offset = direct->offset < 0 ? -1 : direct->offset + (off_t)write->sent;
        operation->count = write->length - write->sent;
        return;
    }
    if (jg__write_is_direct(write)) { /* the message was advanced past what was sent */
        operation->opcode = file ? JG_OP_WRITEV : JG_OP_SENDMSG;
        return;
    }
    operation->opcode = file ? JG_OP_WRITE : JG_OP_SEND;
    operation->buffer = jg__chunk_of(write)->data + write->sent;
    size_t left = write->length - write->sent;
    operation->length = left < SEND_MOST ? left : SEND_MOST;
}

/* Sends what can be sent at once. Returns false when the rest has to wait. */
static bool send_now(jg_transport *transport, struct jg__write *write)
{
    prepare(transport, write);
    bool complete = jg__transport_try(transport, &write->operation);
    int result = write->operation.result;
    if (complete || result > 0)
        count_sent(transport, write, result);
    return complete;
}

/* Does nobody wait for the end of this write? */
static bool is_lazy(const jg_transport *transport, const struct jg__write *write)
{
    return !jg__write_is_direct(write) && !write->next && transport->phase == JG__TRANSPORT_OPEN &&
           !transport->wants_progress && !transport->writing_paused && !transport->eof_wanted;
}

static void send_queue(jg_transport *transport, bool turn_ends)
{
    while (transport->first && !transport->sending && !transport->write_error &&
           (transport->phase == JG__TRANSPORT_OPEN || transport->phase == JG__TRANSPORT_FLUSHING)) {
        struct jg__write *write = transport->first;
        if (send_now(transport, write))
            continue;
        prepare(transport, write);
        transport->sending = true;
        jg__transport_submit(transport, &write->operation, turn_ends && is_lazy(transport, write) ? JG__LAZY : 0);
    }
}

void jg__transport_send(jg_transport *transport, bool turn_ends)
{
    if (__builtin_expect(!transport->layer, 1)) {
        send_queue(transport, turn_ends);
        return;
    }
    do {
        jg__layers_fill(transport);
        if (!transport->first)
            return;
        send_queue(transport, turn_ends);
    } while (!transport->first); /* all of it was sent at once: there may be more */
}

/* A send in the kernel that is over counts at once. */
static bool count_send_in_kernel(jg_transport *transport)
{
    struct jg__write *write = transport->first;
    int result;
    jg__operations_flush(transport->loop);
    if (jg__write_is_direct(write) || !jg__operation_take(&write->operation, &result))
        return false;
    transport->sending = false;
    count_sent(transport, write, result);
    return true;
}

void jg_transport_flush(jg_transport *transport)
{
    do
        jg__transport_send(transport, false);
    while (transport->sending && transport->phase == JG__TRANSPORT_OPEN && count_send_in_kernel(transport));
    jg__transport_at_turn_end(transport);
}

/* A direct write was cancelled while the kernel had it. */
static void cancelled(jg_transport *transport, struct jg__direct_write *direct, int result)
{
    struct jg__write *write = &direct->write;
    jg__transport_dequeue(transport, write);
    if (result > 0)
        write->sent += (size_t)result;
    bool complete = write->sent == write->length;
    bool pipe = direct->sends_file && direct->offset < 0; /* what is left of it is not lost */
    if (!complete && write->sent && !pipe) {
        jg__transport_break(transport);
    } else if (result < 0 && result != -ECANCELED) {
        fail_writing(transport, -result);
    }
    jg__direct_finish(direct, complete ? 0 : result < 0 ? -result : ECANCELED);
}

static void sent(jg_operation *operation, int result)
{
    jg_transport *transport = operation->arg;
    struct jg__write *write = transport->first;
    transport->sending = false;
    if (transport->phase == JG__TRANSPORT_ENDING) {
        if (result > 0) {
            write->sent += (size_t)result;
            transport->pending -= (size_t)result;
        }
        jg__transport_end_if_idle(transport);
        return;
    }
    if (jg__write_is_direct(write) && jg__direct_of(write)->cancelled)
        cancelled(transport, jg__direct_of(write), result);
    else
        count_sent(transport, write, result);
    jg__transport_send(transport, false);
    jg__transport_tell_written(transport);
}

/* ---- What the owner is told ---- */

static void check_water_marks(jg_transport *transport)
{
    const jg_protocol *protocol = transport->protocol;
    if (!transport->writing_paused && transport->pending > transport->high_water) {
        transport->writing_paused = true;
        if (protocol->pause_writing)
            protocol->pause_writing(transport, transport->arg);
    } else if (transport->writing_paused && transport->pending <= transport->low_water) {
        transport->writing_paused = false;
        if (protocol->resume_writing)
            protocol->resume_writing(transport, transport->arg);
    }
}

/* After a reset, what the peer sent before it is still to be read; reading then finds the end. Other errors, and a
 * reset that nobody would read about, end the connection now. A stream that has paused reading will resume. */
static void writing_failed(jg_transport *transport)
{
    if (transport->sending) /* a layer has failed meanwhile */
        return;
    jg__transport_drop_queue(transport, transport->write_error);
    bool reset = transport->write_error == EPIPE || transport->write_error == ECONNRESET;
    bool reads = transport->kind & JG__READS && (!transport->reading_paused || transport->owner) && !transport->eof;
    if (transport->phase == JG__TRANSPORT_OPEN && !transport->broken && !(reset && reads))
        jg__transport_end(transport, transport->write_error);
}

void jg__transport_send_end(jg_transport *transport)
{
    if (!transport->eof_wanted || transport->eof_sent || !jg__layers_have_ended(transport))
        return;
    transport->eof_sent = true;
    if (transport->kind & JG__FILE)
        jg__transport_end(transport, 0);
    else if (transport->memory)
        jg__memory_shut(transport->memory);
    else
        shutdown(transport->fd, SHUT_WR); /* fails only where the connection is lost: reading will tell */
}

void jg__transport_tell_written(jg_transport *transport)
{
    if (transport->write_error)
        writing_failed(transport);
    else if (!transport->first && transport->phase == JG__TRANSPORT_OPEN)
        jg__transport_send_end(transport);
    if (transport->wants_progress && transport->owner->progress)
        transport->owner->progress(transport, transport->arg);
    if (transport->phase == JG__TRANSPORT_OPEN && !transport->write_error)
        check_water_marks(transport);
    if (transport->phase == JG__TRANSPORT_FLUSHING && !transport->first)
        jg__transport_linger(transport);
}
