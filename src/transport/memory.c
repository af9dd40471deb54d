#include "transport/memory.h"

#include "base/memory.h"
#include "loop/perform.h"

#include <errno.h>
#include <string.h>

enum { STEP = 64 * 1024 }; /* bytes until others get their turn, and a pause takes effect */

/* There is no buffer between the two: a send lasts until the peer has received all of it. */
struct jg__memory_end {
    jg_loop *loop;
    struct jg__memory_end *peer; /* NULL: it is closed */
    jg_operation *receiving, *sending;
    jg_handle handle; /* something can be received, or has ended */
    bool shut;        /* nothing more will be sent */
    bool reset;       /* the peer was closed with a reset */
};

static void look_soon(struct jg__memory_end *end)
{
    jg_call_soon(end->loop, &end->handle);
}

/* ---- Moving ---- */

/* What the send has next. */
static struct iovec next_piece(jg_operation *send)
{
    if (send->opcode == JG_OP_SEND)
        return (struct iovec){(char *)send->buffer + send->result, send->length - (size_t)send->result};
    jg__message_advance(send->message, 0); /* past pieces that are empty */
    return *send->message->msg_iov;
}

/* Into the owner's memory if it offers any, else shown where it lies; at most so many bytes. Returns how many. */
static size_t receive_piece(jg_operation *receive, jg_operation *send, size_t most, bool *goes_on)
{
    struct iovec piece = next_piece(send);
    size_t room = 0, part = piece.iov_len < most ? piece.iov_len : most;
    void *buffer = receive->offer ? receive->offer(receive, &room) : NULL;
    if (buffer && room) {
        part = part < room ? part : room;
        memcpy(buffer, piece.iov_base, part);
    }
    receive->buffer = buffer && room ? buffer : piece.iov_base;
    receive->length = part;
    receive->more = true;
    *goes_on = jg__send_goes_on(send, part);
    receive->done(receive, (int)part);
    return part;
}

/* The owners may cancel either operation meanwhile. */
static void receive(struct jg__memory_end *end)
{
    struct jg__memory_end *peer = end->peer;
    jg_operation *receiving = end->receiving, *sending = peer->sending;
    size_t left = STEP;
    while (left && end->receiving == receiving && peer->sending == sending) {
        bool goes_on;
        left -= receive_piece(receiving, sending, left, &goes_on);
        if (goes_on || peer->sending != sending)
            continue;
        peer->sending = NULL;
        jg__operation_done(sending, sending->result);
        break;
    }
    if (end->receiving)
        look_soon(end);
}

/* ---- Ending ---- */

static void finish_receiving(struct jg__memory_end *end, int result)
{
    jg_operation *operation = end->receiving;
    end->receiving = NULL;
    jg__operation_done(operation, result);
}

static void finish_sending(struct jg__memory_end *end, int error)
{
    jg_operation *operation = end->sending;
    end->sending = NULL;
    jg__operation_done(operation, operation->result > 0 ? operation->result : -error);
}

static void look(void *arg)
{
    struct jg__memory_end *end = arg;
    if (!end->peer) {
        int error = end->reset ? ECONNRESET : 0;
        if (end->sending)
            finish_sending(end, error ? error : EPIPE);
        if (end->receiving)
            finish_receiving(end, -error);
    } else if (end->receiving && end->peer->sending) {
        receive(end);
    } else if (end->receiving && end->peer->shut) {
        finish_receiving(end, 0);
    }
}

/* ---- For transports ---- */

bool jg__memory_pair(jg_loop *loop, struct jg__memory_end *ends[2])
{
    for (int i = 0; i < 2; i++) {
        ends[i] = jg__allocate_zeroed(sizeof *ends[i]);
        if (!ends[i]) {
            jg__release(ends[0]);
            return false;
        }
        ends[i]->loop = loop;
        ends[i]->handle = (jg_handle){.fn = look, .arg = ends[i]};
    }
    ends[0]->peer = ends[1];
    ends[1]->peer = ends[0];
    return true;
}

void jg__memory_submit(struct jg__memory_end *end, jg_operation *operation)
{
    bool receives = operation->opcode == JG_OP_RECV;
    operation->result = 0;
    operation->flags = 0;
    operation->state = JG__SUBMITTED;
    *(receives ? &end->receiving : &end->sending) = operation;
    look_soon(receives || !end->peer ? end : end->peer);
}

void jg__memory_cancel(struct jg__memory_end *end, jg_operation *operation)
{
    if (operation == end->receiving)
        end->receiving = NULL;
    else if (operation == end->sending)
        end->sending = NULL;
    else
        return;
    jg__operation_complete(end->loop, operation, operation->result > 0 ? operation->result : -ECANCELED);
}

void jg__memory_shut(struct jg__memory_end *end)
{
    end->shut = true;
    if (end->peer)
        look_soon(end->peer);
}

void jg__memory_close(struct jg__memory_end *end, bool reset)
{
    jg_handle_cancel(end->loop, &end->handle);
    if (end->peer) {
        end->peer->peer = NULL;
        end->peer->reset = reset;
        look_soon(end->peer);
    }
    jg__release(end);
}
