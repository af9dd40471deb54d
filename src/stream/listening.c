/* The listeners of a server: one for each of its addresses, all on one port. */
#include "base/memory.h"
#include "stream/candidates.h"
#include "stream/server.h"
#include "transport/unix_path.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>

static const char call[] = "jg_start_server";

enum { PORT_ATTEMPTS = 16 };

static bool add_room(struct jg__server *server)
{
    struct jg__listening *more =
        jg__reallocate(server->listening, (server->listening_count + 1) * sizeof *server->listening);
    if (!more)
        return false;
    server->listening = more;
    return true;
}

static void add(struct jg__server *server, jg_listener *listener)
{
    union {
        struct sockaddr any;
        struct sockaddr_storage storage;
    } address;
    socklen_t length = sizeof address;
    struct jg__listening *listening = &server->listening[server->listening_count++];
    int fd = jg_listener_fileno(listener);
    listening->listener = listener;
    listening->port = jg_listener_port(listener);
    if (getsockname(fd, &address.any, &length) < 0)
        length = 0;
    jg__address_text(&address.any, length, listening->text);
    if (server->options.keep_alive) /* connections inherit it */
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &(int){1}, sizeof(int));
}

/* All addresses share the port that the first one got. */
static void set_port(struct jg__server *server, struct jg__candidate *candidate)
{
    if (server->listening_count == 0)
        return;
    in_port_t port = htons((uint16_t)server->listening[0].port);
    memcpy(candidate->address.any.sa_data, &port, sizeof port);
}

static bool listens_on(const struct jg__server *server, const char *text)
{
    for (size_t i = 0; i < server->listening_count; i++)
        if (!strcmp(server->listening[i].text, text))
            return true;
    return false;
}

/* Returns 0, or -1 with errno. Names may share an address, and one name may have it twice. */
static int listen_on(struct jg__server *server, struct jg__candidate *candidate, const char *host)
{
    char text[JG__ADDRESS_TEXT];
    set_port(server, candidate);
    jg__address_text(&candidate->address.any, candidate->length, text);
    if (listens_on(server, text))
        return 0;
    if (!add_room(server))
        return jg_fail(ENOMEM, "%s: out of memory", call);
    jg_listener *listener =
        jg_listen(server->loop, &candidate->address.any, candidate->length, jg__server_accepted, server,
                  .backlog = server->options.backlog, .reuse_port = server->options.reuse_port, .paused = true);
    if (listener) {
        add(server, listener);
        return 0;
    }
    bool name = host && !jg__address_text_tells(text, host);
    return jg_fail(errno, "%s %s%s%s: %s", call, name ? host : "", name ? ": " : "", text, strerror(errno));
}

/* This machine lacks the address or its family: no failure while the host has others. */
static bool is_missing(int error)
{
    return error == EAFNOSUPPORT || error == EADDRNOTAVAIL;
}

static int listen_on_candidates(struct jg__server *server, struct jg__candidates *candidates, const char *host)
{
    int result = -1;
    for (size_t i = 0; i < candidates->count; i++)
        if (listen_on(server, &candidates->list[i], host) == 0)
            result = 0;
        else if (!is_missing(errno))
            return -1;
    return result;
}

static int listen_on_host(struct jg__server *server, const char *host, int port)
{
    struct jg__candidates candidates;
    if (jg__candidates_find(&candidates, host, port, server->options.family, AI_PASSIVE, call) < 0)
        return -1;
    int result = listen_on_candidates(server, &candidates, host);
    jg__candidates_free(&candidates);
    return result;
}

static int listen_on_all(struct jg__server *server, const char *host, int port, const char *const *more)
{
    if (listen_on_host(server, host, port) < 0)
        return -1;
    while (more && *more)
        if (listen_on_host(server, *more++, port) < 0)
            return -1;
    return 0;
}

static int listen_on_fd(struct jg__server *server, int fd, const char *caller)
{
    if (!add_room(server))
        return jg_fail(ENOMEM, "%s: out of memory", caller);
    jg_listener *listener = jg_listen_fd(server->loop, fd, jg__server_accepted, server, .paused = true);
    if (!listener)
        return jg_fail(errno, "%s: fd %d: %s", caller, fd, strerror(errno));
    add(server, listener);
    return 0;
}

/* The port that the first address got may be taken at another one: then a few more are tried. */
static int listen_on_hosts(struct jg__server *server, const char *host, int port, const char *const *more)
{
    int attempts = port == 0 ? PORT_ATTEMPTS : 1;
    for (;;) {
        if (listen_on_all(server, host, port, more) == 0)
            return 0;
        jg__server_close_listeners(server);
        server->listening_count = 0;
        if (errno != EADDRINUSE || --attempts == 0)
            return -1;
    }
}

static int listen_at(struct jg__server *server, const char *path, const jg_server_options *options, const char *caller)
{
    struct sockaddr_un address;
    socklen_t length;
    if (jg__unix_address(path, &address, &length, caller) < 0)
        return -1;
    if (!add_room(server))
        return jg_fail(ENOMEM, "%s: out of memory", caller);
    jg_listener *listener = jg_listen(server->loop, (const struct sockaddr *)&address, length, jg__server_accepted,
                                      server, .backlog = options->backlog, .mode = options->mode, .paused = true);
    if (!listener)
        return jg_fail(errno, "%s %s: %s", caller, path, strerror(errno));
    add(server, listener);
    return 0;
}

int jg__server_listen(struct jg__server *server, const struct jg__place *place, const jg_server_options *options,
                      const char *caller)
{
    int saved = errno;
    int result = options->fd > 0 ? listen_on_fd(server, options->fd, caller)
                 : place->path   ? listen_at(server, place->path, options, caller)
                                 : listen_on_hosts(server, place->host, place->port, options->hosts);
    if (result == 0)
        errno = saved;
    return result;
}

void jg__server_close_listeners(struct jg__server *server)
{
    server->accepting = false;
    for (size_t i = 0; i < server->listening_count; i++)
        jg_listener_close(server->listening[i].listener);
}
