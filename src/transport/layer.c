#include "transport/layer.h"

#include "transport/chunk.h"
#include "transport/internal.h"

#include <string.h>

/* ---- The stack ---- */

void jg__layer_push(jg_transport *transport, struct jg__layer *layer, const jg_protocol *protocol)
{
    void **arg;
    const jg_protocol **above = jg__transport_protocol(transport, &arg);
    layer->transport = transport;
    layer->below = transport->layer;
    layer->protocol = *above;
    layer->arg = *arg;
    *above = protocol;
    *arg = layer;
    transport->layer = layer;
}

const jg_protocol **jg__transport_protocol(jg_transport *transport, void ***arg)
{
    struct jg__layer *top = transport->layer;
    *arg = top ? &top->arg : &transport->arg;
    return top ? &top->protocol : &transport->protocol;
}

void jg__layers_free(jg_transport *transport)
{
    while (transport->layer) {
        struct jg__layer *layer = transport->layer;
        transport->layer = layer->below;
        layer->kind->free(layer);
    }
}

/* ---- The queue ---- */

void jg__layer_enqueue(struct jg__layer *layer, struct jg__write *write)
{
    write->next = NULL;
    *(layer->first ? &layer->last->next : &layer->first) = write;
    layer->last = write;
    layer->waiting += write->length;
    layer->transport->pending += write->length;
}

void jg__layer_dequeue(struct jg__layer *layer, struct jg__write *write)
{
    struct jg__write *before = NULL;
    for (struct jg__write *each = layer->first; each != write; each = each->next)
        before = each;
    *(before ? &before->next : &layer->first) = write->next;
    if (layer->last == write)
        layer->last = before;
    layer->waiting -= write->length - write->sent;
    layer->transport->pending -= write->length - write->sent;
}

/* The chunk at the end of the queue, with room for so many bytes; NULL when out of memory. */
static struct jg__chunk *make_room(struct jg__layer *layer, size_t bytes)
{
    struct jg__write *last = layer->last;
    struct jg__chunk *chunk = last && !jg__write_is_direct(last) ? jg__chunk_of(last) : NULL;
    if (chunk && chunk->capacity - last->length >= bytes)
        return chunk;
    chunk = jg__chunk_new(layer->transport->loop, bytes);
    if (chunk)
        jg__layer_enqueue(layer, &chunk->write);
    return chunk;
}

int jg__layer_append(struct jg__layer *layer, const struct iovec *vector, int count, size_t bytes)
{
    struct jg__chunk *chunk = make_room(layer, bytes);
    if (!chunk)
        return -1;
    jg__chunk_fill(chunk, vector, count);
    layer->waiting += bytes;
    layer->transport->pending += bytes;
    return 0;
}

bool jg__layer_has(const struct jg__layer *layer, const struct jg__write *write)
{
    const struct jg__write *each = layer->first;
    while (each && each != write)
        each = each->next;
    return each;
}

bool jg__layer_cancel_direct(struct jg__layer *layer, struct jg__direct_write *direct)
{
    if (direct->write.sent) {
        jg__transport_break(layer->transport);
        return false;
    }
    jg__layer_dequeue(layer, &direct->write);
    return true;
}

void jg__layer_drop_queue(struct jg__layer *layer, int error)
{
    while (layer->first) {
        struct jg__write *write = layer->first;
        jg__layer_dequeue(layer, write);
        jg__transport_drop(layer->transport, write, error);
    }
}

/* ---- Taking from it ---- */

static struct msghdr *message_of(const struct jg__write *write)
{
    return &jg__direct_of((struct jg__write *)(uintptr_t)write)->message;
}

/* Of a direct write, the first piece of that. */
static struct iovec unsent_part(const struct jg__write *write)
{
    if (jg__write_is_direct(write))
        return message_of(write)->msg_iov[0];
    const struct jg__chunk *chunk = jg__chunk_of((struct jg__write *)(uintptr_t)write);
    return (struct iovec){(char *)(uintptr_t)chunk->data + write->sent, write->length - write->sent};
}

/* Gathers small pieces: behind the first one, from all writes. */
static size_t gather(const struct jg__layer *layer, char *scratch, size_t size)
{
    size_t count = 0;
    for (const struct jg__write *write = layer->first; write && count < size; write = write->next) {
        struct iovec one = unsent_part(write);
        const struct msghdr *message = jg__write_is_direct(write) ? message_of(write) : NULL;
        const struct iovec *piece = message ? message->msg_iov : &one;
        const struct iovec *end = piece + (message ? message->msg_iovlen : 1);
        for (; piece < end && count < size; piece++) {
            size_t part = piece->iov_len < size - count ? piece->iov_len : size - count;
            if (part)
                memcpy(scratch + count, piece->iov_base, part);
            count += part;
        }
    }
    return count;
}

size_t jg__layer_next(const struct jg__layer *layer, char *scratch, size_t size, const char **data)
{
    struct iovec first = unsent_part(layer->first);
    *data = scratch;
    if (first.iov_len < size && first.iov_len < layer->waiting)
        return gather(layer, scratch, size);
    *data = first.iov_base;
    return first.iov_len < size ? first.iov_len : size;
}

static void took_of(struct jg__layer *layer, struct jg__write *write, size_t bytes)
{
    if (jg__write_is_direct(write))
        jg__message_advance(message_of(write), bytes);
    write->sent += bytes;
    layer->waiting -= bytes;
    layer->transport->pending -= bytes;
}

void jg__layer_took(struct jg__layer *layer, size_t bytes)
{
    while (bytes) {
        struct jg__write *write = layer->first;
        size_t left = write->length - write->sent;
        size_t part = left < bytes ? left : bytes;
        took_of(layer, write, part);
        bytes -= part;
        if (part < left)
            return;
        jg__layer_dequeue(layer, write);
        if (jg__write_is_direct(write))
            jg__direct_finish(jg__direct_of(write), 0);
        else
            jg__chunk_free(layer->transport->loop, jg__chunk_of(write));
    }
}

/* ---- Filling ---- */

bool jg__layer_may_fill(const struct jg__layer *layer)
{
    size_t below = layer->transport->pending;
    for (const struct jg__layer *each = layer->transport->layer; each != layer->below; each = each->below)
        below -= each->waiting;
    return layer->first && (below == 0 || below < layer->transport->high_water);
}

static bool writing_ends(const jg_transport *transport)
{
    return transport->eof_wanted || transport->phase == JG__TRANSPORT_FLUSHING;
}

bool jg__layer_shall_end(const struct jg__layer *layer)
{
    if (layer->ended || layer->first || !writing_ends(layer->transport))
        return false;
    for (const struct jg__layer *each = layer->transport->layer; each != layer; each = each->below)
        if (!each->ended)
            return false;
    return true;
}

bool jg__layers_have_ended(const jg_transport *transport)
{
    const struct jg__layer *each = transport->layer;
    while (each && each->ended)
        each = each->below;
    return !each;
}

static bool is_anything_to_fill(const jg_transport *transport)
{
    bool sends = transport->phase == JG__TRANSPORT_OPEN || transport->phase == JG__TRANSPORT_FLUSHING;
    if (!sends || transport->write_error)
        return false;
    for (const struct jg__layer *each = transport->layer; each; each = each->below)
        if (each->first || (!each->ended && writing_ends(transport)))
            return true;
    return false;
}

static int fill_all(void *arg)
{
    for (struct jg__layer *each = arg; each; each = each->below)
        each->kind->fill(each);
    return 0;
}

void jg__layers_fill(jg_transport *transport)
{
    int saved = errno;
    if (is_anything_to_fill(transport))
        jg__call_deep(transport->loop, fill_all, transport->layer);
    errno = saved;
}

/* ---- Output ---- */

bool jg__layer_reserve(struct jg__layer *layer, size_t bytes)
{
    return layer->below ? make_room(layer->below, bytes) != NULL : jg__transport_reserve(layer->transport, bytes);
}

bool jg__layer_put(struct jg__layer *layer, const void *data, size_t bytes)
{
    struct iovec piece = {(void *)(uintptr_t)data, bytes};
    int saved = errno;
    bool put = layer->below ? jg__layer_append(layer->below, &piece, 1, bytes) == 0
                            : jg__transport_gather(layer->transport, &piece, 1, bytes);
    if (put)
        errno = saved;
    jg__transport_at_turn_end(layer->transport);
    return put;
}
