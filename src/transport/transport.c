/* The life of a transport, up to its opening. */
#include "base/options.h"
#include "transport/internal.h"
#include "transport/socket.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HIGH_WATER = 64 * 1024, LOW_WATER = 16 * 1024 };

static const double RETRY_SECONDS = 0.01;

void jg__transport_init(jg_transport *transport, jg_loop *loop, const jg_protocol *protocol,
                        const struct jg__transport_owner *owner, void *arg)
{
    memset(transport, 0, sizeof *transport);
    transport->loop = loop;
    transport->protocol = protocol;
    transport->owner = owner;
    transport->arg = arg;
    transport->fd = -1;
    transport->kind = JG__SOCKET;
    transport->high_water = HIGH_WATER;
    transport->low_water = LOW_WATER;
    transport->resident.evict = jg__transport_evict;
    transport->timer.handle.fn = jg__transport_handle;
    transport->timer.handle.arg = transport;
}

/* From here on it is the loop's to free. */
static void take_fd(jg_transport *transport, int fd, enum jg__transport_phase phase)
{
    transport->fd = fd;
    transport->phase = phase;
    jg__list_append(&transport->loop->residents, &transport->resident.node);
}

/* ---- Opening ---- */

static void start(jg_transport *transport)
{
    transport->phase = JG__TRANSPORT_OPEN;
    if (transport->protocol->connection_made)
        transport->protocol->connection_made(transport, transport->arg);
    if (transport->phase != JG__TRANSPORT_OPEN)
        return;
    jg__transport_receive(transport);
    jg__transport_send(transport, false);
    jg__transport_tell_written(transport);
}

void jg__transport_attach(jg_transport *transport, int fd)
{
    if (transport->protocol->connection_made) {
        take_fd(transport, fd, JG__TRANSPORT_OPENING);
        jg_call_soon(transport->loop, &transport->timer.handle);
    } else {
        take_fd(transport, fd, JG__TRANSPORT_OPEN);
        jg__transport_receive(transport);
    }
}

void jg__transport_release_address(jg_transport *transport)
{
    if (transport->input.opcode != JG_OP_CONNECT)
        return;
    jg__release((void *)(uintptr_t)transport->input.address);
    transport->input.address = NULL;
}

/* The backlog of a Unix socket is full, and nobody tells when it is not any more. */
static bool shall_try_again(const jg_transport *transport, int result)
{
    return result == -EAGAIN && transport->phase == JG__TRANSPORT_CONNECTING &&
           transport->input.address->sa_family == AF_UNIX;
}

static void connected(jg_operation *operation, int result)
{
    jg_transport *transport = operation->arg;
    transport->receiving = false;
    if (shall_try_again(transport, result)) {
        jg_call_later(transport->loop, &transport->timer, RETRY_SECONDS);
        return;
    }
    jg__transport_release_address(transport);
    if (transport->phase == JG__TRANSPORT_ENDING)
        jg__transport_end_if_idle(transport);
    else if (result < 0)
        jg__transport_end(transport, -result);
    else
        start(transport);
}

static void start_to_connect(jg_transport *transport)
{
    transport->receiving = true;
    jg__transport_submit(transport, &transport->input, 0);
}

int jg__transport_connect(jg_transport *transport, const struct sockaddr *address, socklen_t length,
                          const jg_transport_options *options)
{
    jg_transport_options whole;
    options = jg__whole_options(options, &whole, sizeof whole);
    void *copy = jg__allocate(length);
    if (!copy)
        return jg_fail(ENOMEM, "jg_transport_connect: out of memory");
    memcpy(copy, address, length);
    int fd = jg__socket_open(address->sa_family, options, "jg_transport_connect");
    if (fd < 0) {
        jg__release(copy);
        return -1;
    }
    if (options->receive_fds)
        transport->kind |= JG__RECEIVES_FDS;
    take_fd(transport, fd, JG__TRANSPORT_CONNECTING);
    transport->input = (jg_operation){
        .opcode = JG_OP_CONNECT,
        .fd = fd,
        .done = connected,
        .arg = transport,
        .address = copy,
        .address_length = length,
    };
    start_to_connect(transport);
    return 0;
}

/* ---- The handle ---- */

/* The turn ends: its writes leave together, and what changed meanwhile takes effect. */
static void end_turn(jg_transport *transport)
{
    jg__transport_stop_receiving(transport);
    jg__transport_send(transport, true);
    jg__transport_tell_written(transport);
}

void jg__transport_handle(void *arg)
{
    jg_transport *transport = arg;
    switch (transport->phase) {
    case JG__TRANSPORT_CONNECTING:
        start_to_connect(transport);
        break;
    case JG__TRANSPORT_FLUSHING: /* everything happens when a send ends */
        break;
    case JG__TRANSPORT_OPENING:
        start(transport);
        break;
    case JG__TRANSPORT_OPEN:
        end_turn(transport);
        break;
    case JG__TRANSPORT_LINGERING: /* the time is over */
        jg__transport_end(transport, 0);
        break;
    case JG__TRANSPORT_ENDING:
        jg__transport_finish(transport);
        break;
    }
}

/* ---- The public ones ---- */

static jg_transport *allocate(jg_loop *loop, const jg_protocol *protocol, void *arg, const char *call)
{
    jg_transport *transport = jg__allocate(sizeof *transport);
    if (transport)
        jg__transport_init(transport, loop, protocol, NULL, arg);
    else
        jg_fail(ENOMEM, "%s: out of memory", call);
    return transport;
}

jg_transport *jg_transport_connect_with(jg_loop *loop, const struct sockaddr *address, socklen_t length,
                                        const jg_protocol *protocol, void *arg, const jg_transport_options *options)
{
    jg_transport *transport = allocate(loop, protocol, arg, "jg_transport_connect");
    if (transport && jg__transport_connect(transport, address, length, options) < 0) {
        jg__release(transport);
        return NULL;
    }
    return transport;
}

jg_transport *jg_transport_from_fd_with(jg_loop *loop, int fd, const jg_protocol *protocol, void *arg,
                                        const jg_transport_options *options)
{
    jg_transport_options whole;
    options = jg__whole_options(options, &whole, sizeof whole);
    int kind = jg__kind_adopt(fd, options, "jg_transport_from_fd");
    if (kind < 0)
        return NULL;
    jg_transport *transport = allocate(loop, protocol, arg, "jg_transport_from_fd");
    if (!transport)
        return NULL;
    transport->kind = (unsigned char)kind;
    jg__transport_attach(transport, fd);
    return transport;
}
