/* jg_sendto, and waiting until what was sent has left. */
#include "stream/endpoint.h"

#include <string.h>

void jg__endpoint_progress(jg_datagram_transport *transport, void *arg)
{
    struct jg__endpoint *endpoint = arg;
    if (transport->connected && transport->send_error && jg__endpoint_tell_receiver(endpoint, transport->send_error))
        transport->send_error = 0;
    for (struct jg__list *node = endpoint->senders.next; node != &endpoint->senders; node = node->next) {
        struct jg__endpoint_waiter *waiter = jg__container_of(node, struct jg__endpoint_waiter, node);
        if (transport->pending <= waiter->most)
            jg__wake(&waiter->wait, 0);
    }
}

int jg__endpoint_check_sent(struct jg__endpoint *endpoint, const char *call)
{
    int error = endpoint->transport.send_error;
    endpoint->transport.send_error = 0;
    return error ? jg_fail(error, "%s: of a datagram sent before: %s", call, strerror(error)) : 0;
}

int jg__endpoint_wait_for_room(struct jg__endpoint *endpoint, size_t most, const char *call)
{
    struct jg__endpoint_waiter waiter = {.wait = {.call = call, .object = endpoint}, .most = most};
    return jg__endpoint_park(endpoint, &endpoint->senders, &waiter);
}

int jg_sendto(jg_endpoint *handle, const void *data, size_t bytes, const struct sockaddr *address, socklen_t length)
{
    static const char call[] = "jg_sendto";
    struct jg__endpoint *endpoint = jg__endpoint_enter(handle, call);
    if (!endpoint || jg__endpoint_check_sent(endpoint, call) < 0)
        return -1;
    jg_datagram_transport *transport = &endpoint->transport;
    if (jg__datagram_queue(transport, data, bytes, address, length, call) < 0)
        return -1;
    if (JG__LIKELY(transport->pending <= transport->high_water))
        return 0;
    jg__datagram_send(transport);
    if (transport->pending <= transport->high_water)
        return 0;
    int result = jg__endpoint_wait_for_room(endpoint, transport->low_water, call);
    return result < 0 ? jg__endpoint_wait_failed(call, -result) : 0;
}

int jg_endpoint_flush(jg_endpoint *handle)
{
    static const char call[] = "jg_endpoint_flush";
    struct jg__endpoint *endpoint = jg__endpoint_enter(handle, call);
    if (!endpoint)
        return -1;
    jg__datagram_send(&endpoint->transport);
    int result = endpoint->transport.pending ? jg__endpoint_wait_for_room(endpoint, 0, call) : 0;
    return result < 0 ? jg__endpoint_wait_failed(call, -result) : jg__endpoint_check_sent(endpoint, call);
}
