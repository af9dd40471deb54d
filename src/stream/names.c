#include "stream/names.h"

#include "base/memory.h"
#include "host/address.h"
#include "stream/stream.h"

#include <errno.h>
#include <string.h>

union address {
    struct sockaddr any;
    struct sockaddr_storage storage;
};

typedef int get_address(int fd, struct sockaddr *address, socklen_t *length);

static int peer_of(int fd, struct sockaddr *address, socklen_t *length)
{
    return getpeername(fd, address, length);
}

static int own_of(int fd, struct sockaddr *address, socklen_t *length)
{
    return getsockname(fd, address, length);
}

const char *jg__end_name(char **names, int fd, bool peer)
{
    union address address;
    socklen_t length = sizeof address;
    int saved = errno;
    if (!*names)
        *names = jg__allocate_zeroed(2 * JG__ADDRESS_TEXT);
    char *name = *names ? *names + peer * JG__ADDRESS_TEXT : NULL;
    if (name && !*name && (peer ? peer_of : own_of)(fd, &address.any, &length) == 0)
        jg__address_text(&address.any, length, name);
    errno = saved;
    return name ? name : "";
}

const char *jg_peername(jg_stream *handle)
{
    struct jg__stream *stream = jg__stream_of(handle, "jg_peername");
    return jg__end_name(&stream->names, stream->transport.fd, true);
}

const char *jg_sockname(jg_stream *handle)
{
    struct jg__stream *stream = jg__stream_of(handle, "jg_sockname");
    return jg__end_name(&stream->names, stream->transport.fd, false);
}

static int address_at(const struct jg__stream *stream, struct sockaddr *address, socklen_t *length, get_address *get,
                      const char *call)
{
    if (stream->lost)
        return jg_fail(ENOTCONN, "%s: the connection is lost", call);
    return get(stream->transport.fd, address, length) < 0 ? jg_fail(errno, "%s: %s", call, strerror(errno)) : 0;
}

int jg_peer_address(jg_stream *stream, struct sockaddr *address, socklen_t *length)
{
    return address_at(jg__stream_of(stream, "jg_peer_address"), address, length, peer_of, "jg_peer_address");
}

int jg_own_address(jg_stream *stream, struct sockaddr *address, socklen_t *length)
{
    return address_at(jg__stream_of(stream, "jg_own_address"), address, length, own_of, "jg_own_address");
}

int jg_fileno(const jg_stream *stream)
{
    return jg__stream_of(stream, "jg_fileno")->transport.fd;
}
