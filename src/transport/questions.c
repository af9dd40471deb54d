/* Questions to a transport, and who is told. */
#include "transport/internal.h"
#include "transport/layer.h"

#include <string.h>
#include <sys/socket.h>

bool jg_transport_is_closing(const jg_transport *transport)
{
    return transport->phase > JG__TRANSPORT_OPEN;
}

bool jg_transport_is_reading(const jg_transport *transport)
{
    return transport->phase <= JG__TRANSPORT_OPEN && transport->kind & JG__READS && !transport->reading_paused &&
           !transport->eof;
}

void jg_transport_get_write_limits(const jg_transport *transport, size_t *high, size_t *low)
{
    *high = transport->high_water;
    *low = transport->low_water;
}

int jg_transport_fileno(const jg_transport *transport)
{
    return transport->fd;
}

jg_loop *jg_transport_loop(const jg_transport *transport)
{
    return transport->loop;
}

/* ---- Addresses ---- */

typedef int get_address(int fd, struct sockaddr *address, socklen_t *length);

static int ask(const jg_transport *transport, struct sockaddr *address, socklen_t *length, get_address *get,
               const char *call)
{
    if (transport->fd < 0)
        return jg_fail(ENOTCONN, "%s: there is no fd", call);
    return get(transport->fd, address, length) < 0 ? jg_fail(errno, "%s: %s", call, strerror(errno)) : 0;
}

/* The C library declares them with a union in the place of the pointer. */
static int peer_of(int fd, struct sockaddr *address, socklen_t *length)
{
    return getpeername(fd, address, length);
}

static int own_of(int fd, struct sockaddr *address, socklen_t *length)
{
    return getsockname(fd, address, length);
}

int jg_transport_peer_address(const jg_transport *transport, struct sockaddr *address, socklen_t *length)
{
    return ask(transport, address, length, peer_of, "jg_transport_peer_address");
}

int jg_transport_own_address(const jg_transport *transport, struct sockaddr *address, socklen_t *length)
{
    return ask(transport, address, length, own_of, "jg_transport_own_address");
}

/* ---- Who is told ---- */

const jg_protocol *jg_transport_get_protocol(const jg_transport *transport, void **arg)
{
    void **owner;
    const jg_protocol **protocol = jg__transport_protocol((jg_transport *)(uintptr_t)transport, &owner);
    if (arg)
        *arg = *owner;
    return *protocol;
}

void jg_transport_set_protocol(jg_transport *transport, const jg_protocol *protocol, void *arg)
{
    void **owner;
    *jg__transport_protocol(transport, &owner) = protocol;
    *owner = arg;
}
