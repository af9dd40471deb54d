/* What comes in: a poll, then one recvmmsg for everything that is there. While reading is paused, what comes waits in
 * the kernel, which drops and counts what is too much. */
#include "transport/datagram_internal.h"

#include <sys/socket.h>

/* ---- Handing out ---- */

bool jg__datagram_next(jg_datagram_transport *transport, struct jg__datagram *datagram)
{
    struct jg__batch *batch = transport->batch;
    if (!batch)
        return false;
    const struct mmsghdr *message = &batch->messages[batch->taken];
    size_t length = message->msg_len;
    datagram->data = batch->pieces[batch->taken].iov_base;
    datagram->bytes = length < batch->slot ? length : batch->slot;
    datagram->lost = length - datagram->bytes;
    datagram->from = message->msg_hdr.msg_name;
    datagram->length = message->msg_hdr.msg_namelen;
    if (datagram->length == 0) { /* a Unix socket without a name */
        batch->names[batch->taken].ss_family = transport->family;
        datagram->length = sizeof(sa_family_t);
    }
    return true;
}

void jg__datagram_taken(jg_datagram_transport *transport)
{
    struct jg__batch *batch = transport->batch;
    if (++batch->taken < batch->count)
        return;
    transport->batch = NULL;
    jg__batch_free(transport->loop, batch);
}

void jg__datagram_deliver(jg_datagram_transport *transport)
{
    struct jg__datagram datagram;
    while (transport->phase == JG__DATAGRAM_OPEN && !transport->reading_paused &&
           jg__datagram_next(transport, &datagram)) {
        if (transport->protocol->datagram_received)
            transport->protocol->datagram_received(transport, transport->arg, datagram.data, datagram.bytes,
                                                   datagram.lost, datagram.from, datagram.length);
        jg__datagram_taken(transport);
    }
}

/* ---- Receiving ---- */

static void receive_failed(jg_datagram_transport *transport, int error)
{
    if (error != EAGAIN && error != EINTR && transport->protocol->error_received)
        transport->protocol->error_received(transport, transport->arg, error);
}

/* There is no memory for it; left where it is, it would be announced for ever. */
static void drop_one(jg_datagram_transport *transport)
{
    if (recv(transport->fd, NULL, 0, MSG_DONTWAIT | MSG_TRUNC) < 0) {
        receive_failed(transport, errno);
    } else {
        transport->dropped++;
        receive_failed(transport, ENOMEM);
    }
}

static void receive(jg_datagram_transport *transport)
{
    struct jg__batch *batch = jg__batch_new(transport->loop, transport->family);
    if (!batch) {
        drop_one(transport);
        return;
    }
    int count = recvmmsg(transport->fd, batch->messages, batch->slots, MSG_DONTWAIT | MSG_TRUNC, NULL);
    int error = errno;
    if (count <= 0) {
        jg__batch_free(transport->loop, batch);
        receive_failed(transport, error);
        return;
    }
    batch->count = (unsigned)count;
    transport->batch = batch;
    jg__datagram_deliver(transport);
}

static void ready_to_read(jg_operation *operation, int events)
{
    jg_datagram_transport *transport = operation->arg;
    transport->awaiting_input = false;
    if (transport->phase == JG__DATAGRAM_ENDING) {
        jg__datagram_end_if_idle(transport);
        return;
    }
    int saved = errno;
    if (events < 0 && events != -ECANCELED)
        jg__datagram_end(transport, -events);
    else if (events > 0 && transport->phase == JG__DATAGRAM_OPEN && !transport->reading_paused && !transport->batch)
        receive(transport);
    jg__datagram_await_input(transport);
    errno = saved;
}

void jg__datagram_await_input(jg_datagram_transport *transport)
{
    if (transport->phase != JG__DATAGRAM_OPEN || transport->reading_paused || transport->awaiting_input ||
        transport->batch)
        return;
    transport->awaiting_input = true;
    transport->input = (jg_operation){
        .opcode = JG_OP_POLL, .fd = transport->fd, .events = POLLIN, .done = ready_to_read, .arg = transport};
    jg__submit(transport->loop, &transport->input, JG__OWN_FD);
}

/* ---- Pausing ---- */

void jg_datagram_pause_reading(jg_datagram_transport *transport)
{
    transport->reading_paused = true; /* a poll that is under way finds out */
}

void jg_datagram_resume_reading(jg_datagram_transport *transport)
{
    transport->reading_paused = false;
    if (transport->phase == JG__DATAGRAM_OPEN && transport->batch)
        jg_call_soon(transport->loop, &transport->soon);
    jg__datagram_await_input(transport);
}
