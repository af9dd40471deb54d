/* The life of an endpoint, and questions to it. */
#include "stream/endpoint.h"

#include "base/memory.h"
#include "base/options.h"
#include "stream/names.h"
#include "task/error_text.h"

#include <string.h>
#include <sys/socket.h>

enum { AUTOPTR_SECONDS = 1 };

/* ---- What the transport tells ---- */

static void wake_all(struct jg__list *list, int result)
{
    for (struct jg__list *node = list->next; node != list; node = node->next)
        jg__wake(&jg__container_of(node, struct jg__endpoint_waiter, node)->wait, result);
}

static void expel(struct jg__endpoint *endpoint, int result)
{
    wake_all(&endpoint->receivers, result);
    wake_all(&endpoint->senders, result);
}

static void free_if_unused(struct jg__endpoint *endpoint)
{
    if (endpoint->closed && endpoint->lost && endpoint->users == 0)
        jg__endpoint_put_back(endpoint);
}

static void released(jg_datagram_transport *transport)
{
    struct jg__endpoint *endpoint = transport->arg;
    endpoint->lost = true;
    expel(endpoint, transport->error ? -transport->error : -EBADF);
    if (endpoint->closer)
        jg__wake(endpoint->closer, 0);
    free_if_unused(endpoint);
}

static const jg_datagram_protocol protocol = {
    .datagram_received = jg__endpoint_received,
    .error_received = jg__endpoint_failed,
};

static const struct jg__datagram_owner owner = {.progress = jg__endpoint_progress, .released = released};

/* ---- Life ---- */

struct jg__endpoint *jg__endpoint_new(jg_loop *loop, const jg_datagram_options *options)
{
    struct jg__pools *pools = jg__pools_of(loop);
    struct jg__endpoint *endpoint = pools ? jg__pool_get(&pools->endpoints) : NULL;
    if (!endpoint)
        return NULL;
    jg__list_init(&endpoint->receivers);
    jg__list_init(&endpoint->senders);
    jg__datagram_init(&endpoint->transport, loop, &protocol, &owner, endpoint, options);
    endpoint->transport.reading_paused = true; /* until somebody receives */
    return endpoint;
}

void jg__endpoint_free_heap(struct jg__pooled *pooled)
{
    struct jg__endpoint *endpoint = (struct jg__endpoint *)pooled;
    jg__release(endpoint->names);
    endpoint->names = NULL;
}

void jg__endpoint_put_back(struct jg__endpoint *endpoint)
{
    jg__endpoint_free_heap(&endpoint->pooled);
    jg__pool_put(&endpoint->transport.loop->pools->endpoints, &endpoint->pooled);
}

void jg__endpoint_leave(struct jg__endpoint *endpoint)
{
    endpoint->users--;
    if (endpoint->closer && endpoint->users == 1)
        jg__wake(endpoint->closer, 0);
    free_if_unused(endpoint);
}

jg_endpoint *jg_endpoint_from_fd_with(int fd, const jg_endpoint_options *options)
{
    static const char call[] = "jg_endpoint_from_fd";
    jg_endpoint_options whole;
    options = jg__whole_options(options, &whole, sizeof whole);
    jg_datagram_options transport_options = {
        .size = sizeof transport_options,
        .receive_limit = options->receive_limit,
        .high_water = options->high_water,
        .low_water = options->low_water,
    };
    struct jg__endpoint *endpoint = jg__endpoint_new(jg__loop_of(jg__running(call)), &transport_options);
    if (!endpoint) {
        jg_fail(ENOMEM, "%s: out of memory", call);
        return NULL;
    }
    if (jg__datagram_adopt(&endpoint->transport, fd, &transport_options, call) < 0) {
        jg__endpoint_put_back(endpoint);
        return NULL;
    }
    return jg__handle_of(&endpoint->pooled);
}

/* ---- Entering ---- */

static struct jg__endpoint *behind(const jg_endpoint *handle)
{
    return (struct jg__endpoint *)jg__pooled_of(handle);
}

static _Noreturn void wrong_endpoint(const jg_endpoint *handle, const char *call)
{
    if (!jg_get_running_loop())
        jg__die("%s: called outside jg_run", call);
    if (!handle)
        jg__die("%s: the endpoint is NULL", call);
    if (behind(handle))
        jg__die("%s: the endpoint belongs to another thread", call);
    jg__die("%s: the endpoint was closed", call);
}

struct jg__endpoint *jg__endpoint_of(const jg_endpoint *handle, const char *call)
{
    const jg_loop *loop = jg_get_running_loop();
    struct jg__endpoint *endpoint = loop ? behind(handle) : NULL;
    if (JG__UNLIKELY(!endpoint || endpoint->transport.loop != loop))
        wrong_endpoint(handle, call);
    return endpoint;
}

struct jg__endpoint *jg__endpoint_enter(const jg_endpoint *handle, const char *call)
{
    struct jg__endpoint *endpoint = jg__endpoint_of(handle, call);
    if (JG__UNLIKELY(jg__enter_wait(call) < 0))
        return NULL;
    if (JG__UNLIKELY(behind(handle) != endpoint)) {
        jg__endpoint_wait_failed(call, EBADF);
        return NULL;
    }
    if (JG__UNLIKELY(endpoint->transport.phase == JG__DATAGRAM_ENDING)) { /* by itself */
        jg_fail(endpoint->transport.error, "%s: the endpoint is lost: %s", call, strerror(endpoint->transport.error));
        return NULL;
    }
    return endpoint;
}

int jg__endpoint_wait_failed(const char *call, int error)
{
    if (error == EBADF)
        return jg_fail(EBADF, "%s: the endpoint was closed meanwhile", call);
    if (error == ECANCELED || error == ETIMEDOUT)
        return jg__fail_interrupted(call, error);
    return jg_fail(error, "%s: %s", call, strerror(error));
}

int jg__endpoint_park(struct jg__endpoint *endpoint, struct jg__list *list, struct jg__endpoint_waiter *waiter)
{
    jg__list_append(list, &waiter->node);
    endpoint->users++;
    int result = jg__park(&waiter->wait);
    jg__list_remove(&waiter->node);
    jg__endpoint_leave(endpoint);
    return result;
}

/* ---- Closing ---- */

static void retire(struct jg__endpoint *endpoint)
{
    endpoint->users++;
    jg__pool_retire(&endpoint->pooled);
    endpoint->closed = true;
    jg_datagram_pause_reading(&endpoint->transport);
    expel(endpoint, -EBADF);
}

static bool is_alone(const struct jg__endpoint *endpoint)
{
    return endpoint->users == 1;
}

static bool is_lost(const struct jg__endpoint *endpoint)
{
    return endpoint->lost;
}

static void wait_until(struct jg__endpoint *endpoint, bool (*holds)(const struct jg__endpoint *endpoint))
{
    while (!holds(endpoint)) {
        struct jg__wait wait = {.call = "jg_endpoint_close", .object = endpoint, .interrupt = jg__not_now};
        endpoint->closer = &wait;
        jg__park(&wait);
        endpoint->closer = NULL;
    }
}

/* Sends what is queued; what cannot be sent in time is dropped. */
static int finish_sending(struct jg__endpoint *endpoint, const char *call)
{
    jg_datagram_transport *transport = &endpoint->transport;
    int result = 0;
    if (!endpoint->lost)
        jg_datagram_close(transport);
    if (transport->pending)
        result = jg__endpoint_wait_for_room(endpoint, 0, call);
    if (transport->pending && !endpoint->lost)
        jg_datagram_abort(transport);
    return result < 0 ? jg__endpoint_wait_failed(call, -result) : jg__endpoint_check_sent(endpoint, call);
}

int jg_endpoint_close(jg_endpoint *handle)
{
    static const char call[] = "jg_endpoint_close";
    if (!handle)
        return 0;
    jg__running(call);
    struct jg__endpoint *endpoint = jg__endpoint_of(handle, call);
    int saved = errno;
    retire(endpoint);
    wait_until(endpoint, is_alone);
    int result = finish_sending(endpoint, call);
    int error = errno;
    wait_until(endpoint, is_lost); /* its address is free again */
    jg__endpoint_leave(endpoint);
    errno = result == 0 ? saved : error;
    return result;
}

void jg_endpoint_autoptr(jg_endpoint **endpoint)
{
    JG__KEEP_REASON(reason);
    JG_SHIELD(shield, AUTOPTR_SECONDS);
    jg_endpoint_close(*endpoint);
}

void jg_endpoint_abort(jg_endpoint *handle)
{
    if (!handle)
        return;
    struct jg__endpoint *endpoint = jg__endpoint_of(handle, "jg_endpoint_abort");
    int saved = errno;
    retire(endpoint);
    if (!endpoint->lost)
        jg_datagram_abort(&endpoint->transport);
    jg__endpoint_leave(endpoint);
    errno = saved;
}

/* ---- Questions ---- */

const char *jg_endpoint_sockname(jg_endpoint *handle)
{
    struct jg__endpoint *endpoint = jg__endpoint_of(handle, "jg_endpoint_sockname");
    return jg__end_name(&endpoint->names, endpoint->transport.fd, false);
}

const char *jg_endpoint_peername(jg_endpoint *handle)
{
    struct jg__endpoint *endpoint = jg__endpoint_of(handle, "jg_endpoint_peername");
    return jg__end_name(&endpoint->names, endpoint->transport.fd, true);
}

int jg_endpoint_own_address(const jg_endpoint *endpoint, struct sockaddr *address, socklen_t *length)
{
    static const char call[] = "jg_endpoint_own_address";
    int fd = jg__endpoint_of(endpoint, call)->transport.fd;
    return getsockname(fd, address, length) < 0 ? jg_fail(errno, "%s: %s", call, strerror(errno)) : 0;
}

int jg_endpoint_peer_address(const jg_endpoint *endpoint, struct sockaddr *address, socklen_t *length)
{
    static const char call[] = "jg_endpoint_peer_address";
    int fd = jg__endpoint_of(endpoint, call)->transport.fd;
    return getpeername(fd, address, length) < 0 ? jg_fail(errno, "%s: %s", call, strerror(errno)) : 0;
}

uint64_t jg_endpoint_dropped(const jg_endpoint *endpoint)
{
    return jg_datagram_dropped(&jg__endpoint_of(endpoint, "jg_endpoint_dropped")->transport);
}

size_t jg_endpoint_pending(const jg_endpoint *endpoint)
{
    return jg__endpoint_of(endpoint, "jg_endpoint_pending")->transport.pending;
}

int jg_endpoint_fileno(const jg_endpoint *endpoint)
{
    return jg__endpoint_of(endpoint, "jg_endpoint_fileno")->transport.fd;
}
