/* The life of a datagram transport, and questions to it. */
#include "base/options.h"
#include "transport/internal.h"

#include "transport/datagram_internal.h"

#include <linux/sock_diag.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HIGH_WATER = 64 * 1024 };

/* ---- Ending ---- */

void jg__datagram_end_if_idle(jg_datagram_transport *transport)
{
    if (!transport->awaiting_input && !transport->awaiting_room)
        jg_call_soon(transport->loop, &transport->soon);
}

void jg__datagram_end(jg_datagram_transport *transport, int error)
{
    if (transport->phase == JG__DATAGRAM_ENDING)
        return;
    transport->phase = JG__DATAGRAM_ENDING;
    transport->error = error;
    jg_handle_cancel(transport->loop, &transport->turn_end);
    jg_timer_cancel(transport->loop, &transport->retry);
    if (transport->awaiting_input)
        jg_cancel_operation(transport->loop, &transport->input);
    if (transport->awaiting_room)
        jg_cancel_operation(transport->loop, &transport->output);
    jg__datagram_end_if_idle(transport);
}

static void close_fd(jg_datagram_transport *transport)
{
    jg__unix_unlink(transport->fd, transport->file);
    close(transport->fd);
    transport->fd = -1;
}

static void release(jg_datagram_transport *transport)
{
    jg__datagram_drop_queue(transport);
    if (transport->batch)
        jg__batch_free(transport->loop, transport->batch);
    transport->batch = NULL;
    if (!transport->owner)
        jg__release(transport);
    else
        transport->owner->released(transport);
}

static void finish(jg_datagram_transport *transport)
{
    jg__forget_fd(transport->loop, transport->fd, transport->adopted);
    close_fd(transport);
    jg__list_remove(&transport->resident.node);
    jg__listeners_retry(transport->loop);
    if (transport->protocol->connection_lost)
        transport->protocol->connection_lost(transport, transport->arg, transport->error);
    release(transport);
}

static void evict(struct jg__resident *resident)
{
    jg_datagram_transport *transport = jg__container_of(resident, jg_datagram_transport, resident);
    close_fd(transport);
    release(transport);
}

void jg_datagram_close(jg_datagram_transport *transport)
{
    int saved = errno;
    if (transport->phase <= JG__DATAGRAM_OPEN) {
        transport->phase = JG__DATAGRAM_FLUSHING;
        jg__datagram_send(transport);
        if (!transport->first)
            jg__datagram_end(transport, 0);
    }
    errno = saved;
}

void jg_datagram_abort(jg_datagram_transport *transport)
{
    int saved = errno;
    jg__datagram_end(transport, 0);
    errno = saved;
}

bool jg_datagram_is_closing(const jg_datagram_transport *transport)
{
    return transport->phase > JG__DATAGRAM_OPEN;
}

/* ---- Opening ---- */

static void start(jg_datagram_transport *transport)
{
    transport->phase = JG__DATAGRAM_OPEN;
    if (transport->protocol->connection_made)
        transport->protocol->connection_made(transport, transport->arg);
    jg__datagram_tell_sent(transport); /* sending was allowed before */
    jg__datagram_await_input(transport);
}

/* In a turn of its own. */
static void soon(void *arg)
{
    jg_datagram_transport *transport = arg;
    int saved = errno;
    switch (transport->phase) {
    case JG__DATAGRAM_OPENING:
        start(transport);
        break;
    case JG__DATAGRAM_OPEN:
        jg__datagram_tell_sent(transport);
        jg__datagram_deliver(transport);
        jg__datagram_await_input(transport);
        break;
    case JG__DATAGRAM_FLUSHING: /* everything happens when there is room */
        break;
    case JG__DATAGRAM_ENDING:
        finish(transport);
        break;
    }
    errno = saved;
}

void jg__datagram_init(jg_datagram_transport *transport, jg_loop *loop, const jg_datagram_protocol *protocol,
                       const struct jg__datagram_owner *owner, void *arg, const jg_datagram_options *options)
{
    *transport = (jg_datagram_transport){
        .resident.evict = evict,
        .loop = loop,
        .protocol = protocol,
        .owner = owner,
        .arg = arg,
        .fd = -1,
        .high_water = options->high_water ? options->high_water : HIGH_WATER,
        .soon = {.fn = soon, .arg = transport},
        .turn_end = {.fn = jg__datagram_turn_ends, .arg = transport},
        .retry.handle = {.fn = jg__datagram_retry, .arg = transport},
    };
    size_t low = options->low_water ? options->low_water : transport->high_water / 4;
    transport->low_water = low < transport->high_water ? low : transport->high_water;
}

/* From here on it is the loop's to free. */
static void take_fd(jg_datagram_transport *transport, int fd)
{
    struct sockaddr_storage address = {0};
    transport->fd = fd;
    if (getsockname(fd, (struct sockaddr *)&address, &(socklen_t){sizeof address}) == 0)
        transport->family = address.ss_family;
    transport->connected = getpeername(fd, (struct sockaddr *)&address, &(socklen_t){sizeof address}) == 0;
    jg__list_append(&transport->loop->residents, &transport->resident.node);
    if (transport->protocol->connection_made)
        jg_call_soon(transport->loop, &transport->soon);
    else
        start(transport);
}

int jg__datagram_open(jg_datagram_transport *transport, const struct sockaddr *address, socklen_t length,
                      const jg_datagram_options *options, const char *call)
{
    if (!jg__datagrams_of(transport->loop))
        return jg_fail(ENOMEM, "%s: out of memory", call);
    int fd = jg__datagram_socket(address, length, options, &transport->file, call);
    if (fd < 0)
        return -1;
    take_fd(transport, fd);
    return 0;
}

int jg__datagram_adopt(jg_datagram_transport *transport, int fd, const jg_datagram_options *options, const char *call)
{
    if (!jg__datagrams_of(transport->loop))
        return jg_fail(ENOMEM, "%s: out of memory", call);
    if (jg__datagram_socket_adopt(fd, options, call) < 0)
        return -1;
    transport->adopted = true;
    take_fd(transport, fd);
    return 0;
}

static jg_datagram_transport *allocate(jg_loop *loop, const jg_datagram_protocol *protocol, void *arg,
                                       const jg_datagram_options *options, const char *call)
{
    jg_datagram_transport *transport = jg__allocate(sizeof *transport);
    if (transport)
        jg__datagram_init(transport, loop, protocol, NULL, arg, options);
    else
        jg_fail(ENOMEM, "%s: out of memory", call);
    return transport;
}

jg_datagram_transport *jg_datagram_open_with(jg_loop *loop, const struct sockaddr *address, socklen_t length,
                                             const jg_datagram_protocol *protocol, void *arg,
                                             const jg_datagram_options *options)
{
    static const char call[] = "jg_datagram_open";
    jg_datagram_options whole;
    options = jg__whole_options(options, &whole, sizeof whole);
    jg_datagram_transport *transport = allocate(loop, protocol, arg, options, call);
    if (transport && jg__datagram_open(transport, address, length, options, call) < 0) {
        jg__release(transport);
        return NULL;
    }
    return transport;
}

jg_datagram_transport *jg_datagram_from_fd_with(jg_loop *loop, int fd, const jg_datagram_protocol *protocol, void *arg,
                                                const jg_datagram_options *options)
{
    static const char call[] = "jg_datagram_from_fd";
    jg_datagram_options whole;
    options = jg__whole_options(options, &whole, sizeof whole);
    jg_datagram_transport *transport = allocate(loop, protocol, arg, options, call);
    if (transport && jg__datagram_adopt(transport, fd, options, call) < 0) {
        jg__release(transport);
        return NULL;
    }
    return transport;
}

/* ---- Questions ---- */

uint64_t jg_datagram_dropped(const jg_datagram_transport *transport)
{
    uint32_t counters[SK_MEMINFO_VARS] = {0};
    int saved = errno;
    if (transport->fd >= 0)
        getsockopt(transport->fd, SOL_SOCKET, SO_MEMINFO, counters, &(socklen_t){sizeof counters});
    errno = saved;
    return counters[SK_MEMINFO_DROPS] + transport->dropped;
}

int jg_datagram_fileno(const jg_datagram_transport *transport)
{
    return transport->fd;
}

jg_loop *jg_datagram_loop(const jg_datagram_transport *transport)
{
    return transport->loop;
}
