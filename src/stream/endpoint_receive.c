/* jg_recvfrom. The transport only delivers while a receiver waits; what else came stays in its batch, or in the kernel.
 */
#include "stream/endpoint.h"

#include <limits.h>
#include <string.h>

/* A task that waits for a datagram. */
struct receiver {
    struct jg__endpoint_waiter waiter;
    void *buffer;
    size_t size;
    struct sockaddr *address;
    socklen_t *length;
    ssize_t count;    /* -1: nothing came yet */
    size_t truncated; /* bytes of it that did not fit */
};

static ssize_t hand_out(const struct jg__datagram *datagram, struct receiver *to)
{
    size_t bytes = datagram->bytes < to->size ? datagram->bytes : to->size;
    if (bytes)
        memcpy(to->buffer, datagram->data, bytes);
    to->truncated = datagram->bytes - bytes + datagram->lost;
    if (to->address && to->length)
        memcpy(to->address, datagram->from, datagram->length < *to->length ? datagram->length : *to->length);
    if (to->length)
        *to->length = datagram->length;
    return (ssize_t)bytes;
}

/* The first one that was not woken yet, or NULL. */
static struct receiver *first_receiver(const struct jg__endpoint *endpoint)
{
    for (struct jg__list *node = endpoint->receivers.next; node != &endpoint->receivers; node = node->next) {
        struct receiver *receiver = jg__container_of(node, struct receiver, waiter.node);
        if (receiver->waiter.wait.task)
            return receiver;
    }
    return NULL;
}

static void wake(struct jg__endpoint *endpoint, struct receiver *receiver, int result)
{
    jg__wake(&receiver->waiter.wait, result);
    if (!first_receiver(endpoint))
        jg_datagram_pause_reading(&endpoint->transport);
}

void jg__endpoint_received(jg_datagram_transport *transport, void *arg, const void *data, size_t bytes, size_t lost,
                           const struct sockaddr *from, socklen_t length)
{
    (void)transport;
    struct jg__endpoint *endpoint = arg;
    struct receiver *receiver = first_receiver(endpoint);
    const struct jg__datagram datagram = {data, bytes, lost, from, length};
    receiver->count = hand_out(&datagram, receiver);
    wake(endpoint, receiver, 0);
}

void jg__endpoint_failed(jg_datagram_transport *transport, void *arg, int error)
{
    (void)transport;
    struct jg__endpoint *endpoint = arg;
    wake(endpoint, first_receiver(endpoint), -error);
}

bool jg__endpoint_tell_receiver(struct jg__endpoint *endpoint, int error)
{
    struct receiver *receiver = first_receiver(endpoint);
    if (receiver)
        wake(endpoint, receiver, -error);
    return receiver;
}

/* No datagram is delivered to one that has left. */
static void interrupt_receiver(struct jg__wait *wait, int reason)
{
    struct receiver *receiver = jg__container_of(wait, struct receiver, waiter.wait);
    wake((struct jg__endpoint *)(uintptr_t)wait->object, receiver, reason);
}

static ssize_t wait_for_one(struct jg__endpoint *endpoint, struct receiver *receiver, const char *call)
{
    receiver->waiter.wait = (struct jg__wait){.call = call, .object = endpoint, .interrupt = interrupt_receiver};
    jg_datagram_resume_reading(&endpoint->transport);
    int result = jg__endpoint_park(endpoint, &endpoint->receivers, &receiver->waiter);
    return receiver->count >= 0 ? receiver->count : jg__endpoint_wait_failed(call, -result);
}

ssize_t jg_recvfrom(jg_endpoint *handle, void *buffer, size_t size, struct sockaddr *address, socklen_t *length)
{
    static const char call[] = "jg_recvfrom";
    struct jg__endpoint *endpoint = jg__endpoint_enter(handle, call);
    if (!endpoint)
        return -1;
    if (!buffer && size)
        return jg_fail(EINVAL, "%s: the buffer is NULL", call);
    jg_datagram_transport *transport = &endpoint->transport;
    if (transport->connected && jg__endpoint_check_sent(endpoint, call) < 0)
        return -1;
    struct receiver receiver = {.buffer = buffer, .size = size, .address = address, .length = length, .count = -1};
    struct jg__datagram datagram;
    ssize_t count;
    if (jg__datagram_next(transport, &datagram)) {
        count = hand_out(&datagram, &receiver);
        jg__datagram_taken(transport);
    } else {
        count = wait_for_one(endpoint, &receiver, call);
    }
    if (count >= 0 && jg__pooled_of(handle) == &endpoint->pooled) /* not before: others receive at the same time */
        endpoint->truncated = receiver.truncated;
    return count;
}

size_t jg_endpoint_truncated(const jg_endpoint *endpoint)
{
    return jg__endpoint_of(endpoint, "jg_endpoint_truncated")->truncated;
}
