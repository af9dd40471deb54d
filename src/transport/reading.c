/* What comes in: one multishot receive for as long as reading goes on. */
#include "transport/internal.h"

#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

static void *offer(jg_operation *operation, size_t *length)
{
    jg_transport *transport = operation->arg;
    transport->offered = false;
    if (transport->phase != JG__TRANSPORT_OPEN)
        return NULL;
    const jg_protocol *protocol = transport->protocol; /* which may be another one by now */
    void *memory = protocol->get_buffer ? protocol->get_buffer(transport, transport->arg, length) : NULL;
    transport->offered = memory && *length;
    return memory;
}

static void deliver(jg_transport *transport, const char *data, size_t bytes)
{
    while (bytes && transport->phase == JG__TRANSPORT_OPEN) {
        const jg_protocol *protocol = transport->protocol;
        size_t size = 0;
        void *memory = protocol->get_buffer ? protocol->get_buffer(transport, transport->arg, &size) : NULL;
        if (!memory || !size) {
            if (protocol->data_received)
                protocol->data_received(transport, transport->arg, data, bytes);
            return;
        }
        size_t part = size < bytes ? size : bytes;
        memcpy(memory, data, part);
        protocol->buffer_updated(transport, transport->arg, part);
        data += part;
        bytes -= part;
    }
}

static void input_came(jg_transport *transport, jg_operation *operation, size_t bytes)
{
    if (transport->offered)
        transport->protocol->buffer_updated(transport, transport->arg, bytes);
    else
        deliver(transport, operation->buffer, bytes);
}

/* The end of the input, after a failed write: now everything that came before was delivered. */
static bool was_lost_before(jg_transport *transport, int error)
{
    if (!transport->write_error || transport->broken)
        return false;
    bool vague = transport->write_error == EPIPE && error;
    jg__transport_end(transport, vague ? error : transport->write_error);
    return true;
}

static void input_ended(jg_transport *transport)
{
    transport->eof = true;
    if (!was_lost_before(transport, 0) && transport->protocol->eof_received)
        transport->protocol->eof_received(transport, transport->arg);
}

static void input_failed(jg_transport *transport, int error)
{
    if (!was_lost_before(transport, error))
        jg__transport_end(transport, error);
}

/* io_uring's send swallows the error that ended it when it had sent a part: then the receive finds an end that is none
 * of a file. */
static bool was_reset(const jg_transport *transport)
{
    struct tcp_info info;
    return transport->first && !transport->eof_sent &&
           getsockopt(transport->fd, IPPROTO_TCP, TCP_INFO, &info, &(socklen_t){sizeof info}) == 0 &&
           info.tcpi_state == TCP_CLOSE;
}

static void receive_in_open(jg_transport *transport, jg_operation *operation, int result)
{
    if (result > 0)
        input_came(transport, operation, (size_t)result);
    else if (result == 0 && !transport->eof && was_reset(transport))
        input_failed(transport, ECONNRESET);
    else if (result == 0 && !transport->eof)
        input_ended(transport);
    else if (result < 0 && result != -ECANCELED)
        input_failed(transport, -result);
    if (transport->phase != JG__TRANSPORT_OPEN)
        return;
    jg__transport_receive(transport);
    jg__transport_stop_receiving(transport);
}

/* Nobody reads the pipe any more. */
static void reader_left(jg_operation *operation, int result)
{
    jg_transport *transport = operation->arg;
    transport->receiving = false;
    if (transport->phase == JG__TRANSPORT_ENDING)
        jg__transport_end_if_idle(transport);
    else if (result >= 0)
        jg__transport_end(transport, EPIPE);
}

static void watch_reader(jg_transport *transport)
{
    transport->receiving = true;
    transport->input = (jg_operation){
        .opcode = JG_OP_POLL, .fd = transport->fd, .done = reader_left, .arg = transport, .events = POLLERR};
    jg__submit(transport->loop, &transport->input, JG__OWN_FD);
}

void jg__transport_received(jg_operation *operation, int result)
{
    jg_transport *transport = operation->arg;
    transport->receiving = operation->more;
    if (transport->phase == JG__TRANSPORT_OPEN)
        receive_in_open(transport, operation, result);
    else if (transport->phase == JG__TRANSPORT_ENDING)
        jg__transport_end_if_idle(transport);
    else
        jg__transport_discard(transport, result);
}

/* When it is closing, what comes is only discarded. */
static bool is_announced(const jg_transport *transport)
{
    return transport->phase == JG__TRANSPORT_OPEN && (transport->kind & JG__RECEIVES_FDS || transport->only_announced);
}

void jg__transport_receive(jg_transport *transport)
{
    bool wanted =
        transport->phase == JG__TRANSPORT_OPEN ? !transport->reading_paused : transport->phase != JG__TRANSPORT_ENDING;
    if (!wanted || transport->receiving || transport->eof)
        return;
    if (!(transport->kind & JG__READS)) {
        if (transport->kind & JG__PIPE)
            watch_reader(transport);
        return;
    }
    transport->offered = false;
    transport->receiving = true;
    if (is_announced(transport)) {
        jg__transport_announce(transport);
        return;
    }
    transport->input = (jg_operation){
        .opcode = transport->kind & JG__FILE ? JG_OP_READ : JG_OP_RECV,
        .fd = transport->fd,
        .done = jg__transport_received,
        .arg = transport,
        .multishot = true,
        .blocking = transport->kind & JG__BLOCKING,
        .offer = offer,
    };
    jg__transport_submit(transport, &transport->input, 0);
}

void jg__transport_stop_receiving(jg_transport *transport)
{
    if (transport->reading_paused && transport->receiving)
        jg__transport_cancel(transport, &transport->input);
}

void jg_transport_pause_reading(jg_transport *transport)
{
    if (transport->reading_paused)
        return;
    transport->reading_paused = true;
    if (transport->receiving) /* not at once: it may be resumed in the same turn */
        jg__transport_at_turn_end(transport);
}

void jg_transport_resume_reading(jg_transport *transport)
{
    transport->reading_paused = false;
    if (transport->phase == JG__TRANSPORT_OPEN)
        jg__transport_receive(transport);
}

ssize_t jg__transport_read_now(jg_transport *transport, void *buffer, size_t size)
{
    if (transport->phase == JG__TRANSPORT_OPEN && transport->eof && !transport->layer)
        return 0;
    jg_operation receive = {
        .opcode = transport->kind & JG__FILE ? JG_OP_READ : JG_OP_RECV,
        .fd = transport->fd,
        .buffer = buffer,
        .length = size,
        .blocking = transport->kind & JG__BLOCKING,
    };
    if (transport->phase != JG__TRANSPORT_OPEN || transport->layer || is_announced(transport) || !size ||
        !jg__transport_try(transport, &receive)) {
        errno = EAGAIN;
        return -1;
    }
    if (receive.result > 0)
        return receive.result;
    if (receive.result < 0) {
        input_failed(transport, -receive.result);
        errno = -receive.result;
        return -1;
    }
    transport->eof = true;
    if (was_lost_before(transport, 0)) {
        errno = transport->error;
        return -1;
    }
    if (transport->receiving)
        jg__transport_cancel(transport, &transport->input);
    return 0;
}
