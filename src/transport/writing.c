/* What goes out: a queue of chunks of copied bytes and of direct writes; its first part is in the kernel, one operation at a time,
 * and what is written meanwhile gathers in one chunk behind it. */
#include "transport/chunk.h"
#include "transport/internal.h"

#include <limits.h>
#include <string.h>
#include <sys/socket.h>

enum { GATHER_MOST = 64 * 1024 }; /* bytes that wait for the end of the turn */

static struct jg__chunk *chunk_of(struct jg__write *write)
{
    return jg__container_of(write, struct jg__chunk, write);
}

static struct jg__direct_write *direct_of(struct jg__write *write)
{
    return jg__container_of(write, struct jg__direct_write, write);
}

static bool is_direct(const struct jg__write *write)
{
    return write->operation.opcode == JG_OP_SENDMSG;
}

/* ---- The queue ---- */

static void enqueue(jg_transport *transport, struct jg__write *write)
{
    write->next = NULL;
    *(transport->first ? &transport->last->next : &transport->first) = write;
    transport->last = write;
    transport->pending += write->length - write->sent;
}

static void dequeue(jg_transport *transport, struct jg__write *write)
{
    struct jg__write *before = NULL;
    for (struct jg__write *each = transport->first; each != write; each = each->next)
        before = each;
    *(before ? &before->next : &transport->first) = write->next;
    if (transport->last == write)
        transport->last = before;
    transport->pending -= write->length - write->sent;
}

static void finish_direct(struct jg__direct_write *direct, int error)
{
    if (direct->starting)
        direct->finished = true;
    else
        direct->done(direct, error, direct->write.sent);
}

void jg__transport_drop_queue(jg_transport *transport, int error)
{
    while (transport->first) {
        struct jg__write *write = transport->first;
        dequeue(transport, write);
        if (!is_direct(write)) {
            transport->unsent = true;
            jg__release(chunk_of(write));
        } else if (error)
            finish_direct(direct_of(write), write->sent == write->length ? 0 : error);
    }
}

/* ---- Sending ---- */

/* Nothing can be sent any more. The owner is told from a turn. */
static void fail_writing(jg_transport *transport, int error)
{
    transport->write_error = error;
    if (transport->phase == JG__TRANSPORT_FLUSHING)
        jg__transport_end(transport, error);
    else
        jg_call_soon(transport->loop, &transport->timer.handle);
}

/* An operation of the first write has ended. */
static void count_sent(jg_transport *transport, struct jg__write *write, int result)
{
    if (result <= 0) {
        fail_writing(transport, result ? -result : EPIPE);
        return;
    }
    write->sent += (size_t)result;
    transport->pending -= (size_t)result;
    if (write->sent < write->length)
        return;
    dequeue(transport, write);
    if (is_direct(write))
        finish_direct(direct_of(write), 0);
    else
        jg__chunk_free(transport->loop, chunk_of(write));
}

static void sent(jg_operation *operation, int result);

static void prepare(jg_transport *transport, struct jg__write *write)
{
    jg_operation *operation = &write->operation;
    operation->fd = transport->fd;
    operation->done = sent;
    operation->arg = transport;
    operation->result = 0;
    if (is_direct(write))
        return; /* the message was advanced past what was sent */
    operation->opcode = JG_OP_SEND;
    operation->opcode = JG_OP_SEND;
    operation->buffer = chunk_of(write)->data + write->sent;
    operation->length = write->length - write->sent;
}

/* Sends what can be sent at once. Returns false when the rest has to wait. */
static bool send_now(jg_transport *transport, struct jg__write *write)
{
    prepare(transport, write);
    bool complete = jg__operation_try(transport->loop, &write->operation);
    int result = write->operation.result;
    if (complete || result > 0)
        count_sent(transport, write, result);
    return complete;
}

void jg__transport_send(jg_transport *transport)
{
    while (transport->first && !transport->sending && !transport->write_error &&
           (transport->phase == JG__TRANSPORT_OPEN || transport->phase == JG__TRANSPORT_FLUSHING)) {
        struct jg__write *write = transport->first;
        if (send_now(transport, write))
            continue;
        prepare(transport, write);
        transport->sending = true;
        jg_submit(transport->loop, &write->operation);
    }
}

/* A direct write was cancelled while the kernel had it. */
static void cancelled(jg_transport *transport, struct jg__direct_write *direct, int result)
{
    struct jg__write *write = &direct->write;
    dequeue(transport, write);
    if (result > 0)
        write->sent += (size_t)result;
    bool complete = write->sent == write->length;
    if (!complete && write->sent) {
        transport->broken = true;
        fail_writing(transport, EPIPE);
    } else if (result < 0 && result != -ECANCELED) {
        fail_writing(transport, -result);
    }
    finish_direct(direct, complete ? 0 : result < 0 ? -result : ECANCELED);
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
    if (is_direct(write) && direct_of(write)->cancelled)
        cancelled(transport, direct_of(write), result);
    else
        count_sent(transport, write, result);
    jg__transport_send(transport);
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

/* After a reset, what the peer sent before it is still to be read; reading then finds the end. Other errors, and a reset
 * that nobody would read about, end the connection now. */
static void writing_failed(jg_transport *transport)
{
    jg__transport_drop_queue(transport, transport->write_error);
    bool reset = transport->write_error == EPIPE || transport->write_error == ECONNRESET;
    bool reads = !transport->reading_paused && !transport->eof;
    if (transport->phase == JG__TRANSPORT_OPEN && !transport->broken && !(reset && reads))
        jg__transport_end(transport, transport->write_error);
}

static void send_end_of_file(jg_transport *transport)
{
    if (!transport->eof_wanted || transport->eof_sent)
        return;
    transport->eof_sent = true;
    shutdown(transport->fd, SHUT_WR); /* fails only where the connection is lost: reading will tell */
}

void jg__transport_tell_written(jg_transport *transport)
{
    if (transport->write_error)
        writing_failed(transport);
    else if (!transport->first && transport->phase == JG__TRANSPORT_OPEN)
        send_end_of_file(transport);
    if (transport->wants_progress && transport->owner->progress)
        transport->owner->progress(transport, transport->arg);
    if (transport->phase == JG__TRANSPORT_OPEN && !transport->write_error)
        check_water_marks(transport);
    if (transport->phase == JG__TRANSPORT_FLUSHING && !transport->first)
        jg__transport_linger(transport);
}

/* ---- Writing ---- */

static int refuse(const jg_transport *transport, const char *call)
{
    if (transport->phase > JG__TRANSPORT_OPEN)
        return jg__fail(EPIPE, "%s: the connection is closed", call);
    if (transport->write_error)
        return jg__fail(EPIPE, "%s: the connection is lost: %s", call, strerror(transport->write_error));
    return jg__fail(EPIPE, "%s: the connection is half-closed", call);
}

static bool is_writable(const jg_transport *transport)
{
    return transport->phase <= JG__TRANSPORT_OPEN && !transport->write_error && !transport->eof_wanted;
}

/* The chunk at the end of the queue that is still gathering, or NULL. */
static struct jg__chunk *gathering_chunk(const jg_transport *transport)
{
    struct jg__write *last = transport->last;
    return last && !is_direct(last) && !(last == transport->first && transport->sending) ? chunk_of(last) : NULL;
}

/* A chunk at the end of the queue with room for so many bytes, or NULL: then nothing has changed. */
static struct jg__chunk *make_room(jg_transport *transport, size_t bytes)
{
    struct jg__chunk *chunk = gathering_chunk(transport);
    if (!chunk) {
        chunk = jg__chunk_new(transport->loop, bytes);
        if (chunk)
            enqueue(transport, &chunk->write);
        return chunk;
    }
    if (chunk->capacity - chunk->write.length >= bytes)
        return chunk;
    size_t pending = transport->pending;
    dequeue(transport, &chunk->write);
    struct jg__chunk *larger = jg__chunk_grow(chunk, bytes);
    enqueue(transport, larger ? &larger->write : &chunk->write);
    transport->pending = pending;
    return larger;
}

static int append(jg_transport *transport, const char *call, const struct iovec *vector, int count, size_t bytes)
{
    struct jg__chunk *chunk = make_room(transport, bytes);
    if (!chunk)
        return jg__fail(ENOMEM, "%s: out of memory for %zu bytes", call, bytes);
    for (int i = 0; i < count; i++) {
        if (vector[i].iov_len)
            memcpy(chunk->data + chunk->write.length, vector[i].iov_base, vector[i].iov_len);
        chunk->write.length += vector[i].iov_len;
    }
    transport->pending += bytes;
    if (chunk->write.length - chunk->write.sent >= GATHER_MOST)
        jg__transport_send(transport);
    jg__call_before_poll(transport->loop, &transport->timer.handle);
    return 0;
}

static int write_all(jg_transport *transport, const char *call, const struct iovec *vector, int count)
{
    size_t bytes = 0;
    for (int i = 0; i < count; i++)
        if (__builtin_add_overflow(bytes, vector[i].iov_len, &bytes))
            return jg__fail(ENOMEM, "%s: more bytes than memory can hold", call);
    if (!is_writable(transport))
        return refuse(transport, call);
    return bytes ? append(transport, call, vector, count, bytes) : 0;
}

int jg_transport_write(jg_transport *transport, const void *data, size_t bytes)
{
    return write_all(transport, "jg_transport_write", &(struct iovec){(void *)(uintptr_t)data, bytes}, 1);
}

int jg_transport_writev(jg_transport *transport, const struct iovec *vector, int count)
{
    return write_all(transport, "jg_transport_writev", vector, count);
}

int jg_transport_try_write(jg_transport *transport, const void *data, size_t bytes)
{
    bool too_much = bytes > transport->high_water || transport->pending > transport->high_water - bytes;
    if (bytes && too_much && is_writable(transport))
        return jg__fail(EAGAIN, "jg_transport_try_write: %zu bytes would exceed the high-water mark", bytes);
    return write_all(transport, "jg_transport_try_write", &(struct iovec){(void *)(uintptr_t)data, bytes}, 1);
}

void jg_transport_flush(jg_transport *transport)
{
    jg__transport_send(transport);
    if (transport->sending)
        jg__operations_flush(transport->loop);
}

int jg_transport_write_eof(jg_transport *transport)
{
    if (!is_writable(transport))
        return refuse(transport, "jg_transport_write_eof");
    transport->eof_wanted = true;
    if (!transport->first && transport->phase == JG__TRANSPORT_OPEN)
        send_end_of_file(transport);
    return 0;
}

/* ---- Direct writes ---- */

int jg__transport_write_direct(jg_transport *transport, struct jg__direct_write *direct)
{
    size_t bytes = 0;
    for (int i = 0; i < direct->count; i++)
        bytes += direct->vector[i].iov_len;
    if (!is_writable(transport))
        return refuse(transport, "jg_write");
    if (!bytes)
        return 1;
    direct->message = (struct msghdr){.msg_iov = direct->vector, .msg_iovlen = (size_t)direct->count};
    direct->write = (struct jg__write){.length = bytes};
    direct->write.operation = (jg_operation){.opcode = JG_OP_SENDMSG, .message = &direct->message};
    direct->cancelled = direct->finished = false;
    direct->starting = true;
    enqueue(transport, &direct->write);
    jg__transport_send(transport);
    direct->starting = false;
    if (direct->finished)
        return 1;
    if (!transport->write_error)
        return 0;
    dequeue(transport, &direct->write);
    return refuse(transport, "jg_write");
}

bool jg__transport_cancel_direct(jg_transport *transport, struct jg__direct_write *direct)
{
    if (&direct->write == transport->first && transport->sending) {
        direct->cancelled = true;
        jg_cancel_operation(transport->loop, &direct->write.operation);
        return false;
    }
    if (direct->write.sent) /* writing has failed meanwhile */
        return false;
    dequeue(transport, &direct->write);
    return true;
}

/* ---- Water marks ---- */

void jg_transport_set_write_limits(jg_transport *transport, size_t high, size_t low)
{
    transport->high_water = high;
    transport->low_water = low < high ? low : high;
    if (transport->phase == JG__TRANSPORT_OPEN)
        jg__call_before_poll(transport->loop, &transport->timer.handle);
}

size_t jg_transport_pending(const jg_transport *transport)
{
    return transport->pending;
}
