/* The connections of a server: each is served in a task of its own, which belongs to nobody. */
#include "base/diagnostics.h"
#include "stream/server.h"
#include "stream/tls.h"
#include "task/scheduler.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { REPORT_SECONDS = 60 };
static const double LAST_FLUSH = 1; /* seconds, for the streams of handlers that are cancelled */

/* At the top of the stack of the task that serves it. */
struct connection {
    struct jg__list node; /* in server->connections */
    struct jg__server *server;
    struct jg__stream *stream; /* as long as the handle is valid */
    jg_stream *handle;
    struct jg__task *task;
    struct jg__served served;
};

static struct connection *connection_at(struct jg__list *node)
{
    return jg__container_of(node, struct connection, node);
}

/* ---- Serving ---- */

static void connection_ended(struct jg__server *server);

/* Peers that send nothing are port scans, and no failure. */
static void report_handshake(struct jg__server *server, struct jg__stream *stream)
{
    const struct jg__layer *layer = stream->transport.layer;
    int64_t now = server->loop->now;
    if (errno == ECANCELED || (layer && !layer->heard))
        return;
    server->failed_handshakes++;
    if (server->handshakes_reported && now - server->handshakes_reported < REPORT_SECONDS * JG__SECOND)
        return;
    jg__report(server->name, errno, "%u handshakes have failed since the last report, the last one was with %s: %s",
               server->failed_handshakes, jg_peername(jg__stream_handle(stream)), jg_error_text());
    server->failed_handshakes = 0;
    server->handshakes_reported = now;
}

/* Goes over to TLS, if the server does. Returns false when the stream is closed instead. */
static bool shake_hands(struct jg__server *server, struct jg__stream *stream)
{
    jg_start_tls_options options = {
        .size = sizeof options,
        .handshake_timeout = server->options.handshake_timeout,
        .shutdown_timeout = server->options.shutdown_timeout,
    };
    if (!server->options.tls ||
        jg__stream_shake_hands(stream, server->options.tls, &options, "jg_start_server", NULL) == 0)
        return true;
    report_handshake(server, stream);
    jg__stream_give_up(stream);
    return false;
}

/* Who ends the work of another one has no need to hear that it did not get to its end. */
static int ended_by_others(const struct connection *connection, int error)
{
    if (error != EBADF || !connection->served.taken)
        return error;
    jg_fail(ECANCELED, "%s", jg_error_text());
    return ECANCELED;
}

/* Runs the handler and closes its stream; sets errno for -1. */
static int handle(struct connection *connection)
{
    struct jg__server *server = connection->server;
    struct jg__stream *stream = connection->stream;
    jg_stream *client = connection->handle;
    int result = server->handler(client, server->arg), error = errno;
    if (result < 0)
        error = ended_by_others(connection, error);
    int unsent = jg__stream_behind(client) ? jg__stream_close(stream, LAST_FLUSH) : 0;
    errno = result >= 0 && unsent ? unsent : error;
    return result >= 0 && unsent ? -1 : result;
}

static int serve(void *arg)
{
    struct connection *connection = arg;
    struct jg__server *server = connection->server;
    int result = shake_hands(server, connection->stream) ? handle(connection) : 0, error = errno;
    jg__list_remove(&connection->node);
    connection_ended(server);
    errno = error;
    return result;
}

/* Starts the task. Returns 0, or -1 with errno. */
static int start_serving(struct jg__server *server, struct jg__stream *stream)
{
    struct connection first = {.server = server, .stream = stream, .handle = jg__stream_handle(stream)};
    jg_task_options options = {
        .size = sizeof options,
        .name = server->name,
        .stack_size = server->options.stack_size,
        .copy = sizeof first,
        .function = server->options.function,
    };
    struct jg__task *task = jg__task_new("jg_start_server", NULL, serve, &first, &options);
    if (!task)
        return -1;
    if (!task->values && server->values)
        task->values = jg__context_share(server->values);
    struct connection *connection = (struct connection *)(void *)jg__task_copy(task);
    connection->task = task;
    connection->served.task = task;
    stream->served = &connection->served;
    jg__list_append(&server->connections, &connection->node);
    server->connection_count++;
    return 0;
}

static void start_connection(struct jg__server *server, struct jg__stream *stream, int fd)
{
    int saved = errno;
    if (start_serving(server, stream) == 0) {
        jg__transport_attach(&stream->transport, fd);
    } else {
        jg__report(server->name, errno, "a connection cannot be served: %s", strerror(errno));
        jg__stream_put_back(stream);
        close(fd);
    }
    errno = saved;
}

/* ---- Accepting ---- */

static bool is_full(const struct jg__server *server)
{
    return server->options.max_connections && server->connection_count >= server->options.max_connections;
}

void jg__server_update_listeners(struct jg__server *server)
{
    bool accepting = !server->closing && server->serving && !is_full(server);
    if (accepting == server->accepting)
        return;
    server->accepting = accepting;
    for (size_t i = 0; i < server->listening_count; i++)
        if (accepting)
            jg_listener_resume(server->listening[i].listener);
        else
            jg_listener_pause(server->listening[i].listener);
}

void jg__server_accepted(jg_listener *listener, int fd, void *arg)
{
    (void)listener;
    struct jg__server *server = arg;
    const jg_server_options *options = &server->options;
    if (server->closing || jg__here.scheduler->closing) {
        close(fd);
        return;
    }
    int saved = errno;
    struct jg__stream *stream = jg__stream_new(server->loop, false, options->high_water, options->low_water);
    if (!stream) {
        jg__report(server->name, ENOMEM, "a connection cannot be served: %s", strerror(ENOMEM));
        close(fd);
        errno = saved;
        return;
    }
    if (options->receive_fds)
        stream->transport.kind |= JG__RECEIVES_FDS;
    stream->read_limit = options->idle_timeout;
    stream->write_limit = options->write_timeout;
    if (is_full(server)) { /* it was on its way when the listener was paused */
        stream->transport.fd = fd;
        jg__list_append(&server->waiting, &stream->node);
    } else {
        start_connection(server, stream, fd);
    }
    jg__server_update_listeners(server);
    errno = saved;
}

static struct jg__stream *take_waiting(struct jg__server *server)
{
    struct jg__stream *stream = jg__container_of(server->waiting.next, struct jg__stream, node);
    jg__list_remove(&stream->node);
    return stream;
}

static void connection_ended(struct jg__server *server)
{
    server->connection_count--;
    while (!jg__list_empty(&server->waiting) && !is_full(server) && !jg__here.scheduler->closing) {
        struct jg__stream *stream = take_waiting(server);
        start_connection(server, stream, stream->transport.fd);
    }
    jg__server_update_listeners(server);
    if (server->closing && server->connection_count == 0 && server->waiter)
        jg__wake(server->waiter, 0);
}

/* ---- Closing ---- */

void jg__server_drop_waiting(struct jg__server *server)
{
    while (!jg__list_empty(&server->waiting)) {
        struct jg__stream *stream = take_waiting(server);
        close(stream->transport.fd);
        jg__stream_put_back(stream);
    }
}

/* The streams stay those of their handlers, who find out at their next calls. */
static void end_connections(struct jg__server *server, int error, void (*end)(jg_transport *))
{
    for (struct jg__list *node = server->connections.next; node != &server->connections; node = node->next) {
        struct jg__stream *stream = jg__stream_behind(connection_at(node)->handle);
        if (!stream || stream->lost)
            continue;
        jg__stream_end_input(stream, error);
        end(&stream->transport);
    }
}

void jg_server_close_clients(jg_server *server)
{
    end_connections(jg__server_of(server, "jg_server_close_clients"), 0, jg_transport_close);
}

void jg_server_abort_clients(jg_server *server)
{
    end_connections(jg__server_of(server, "jg_server_abort_clients"), ECONNRESET, jg_transport_abort);
}

void jg__server_cancel_connections(struct jg__server *server)
{
    for (struct jg__list *node = server->connections.next; node != &server->connections; node = node->next)
        jg__cancel(connection_at(node)->task);
}

bool jg__server_is_served_by_caller(const struct jg__server *server)
{
    for (struct jg__list *node = server->connections.next; node != &server->connections; node = node->next)
        for (const struct jg__task *task = jg__here.task; task; task = task->parent)
            if (connection_at(node)->task == task)
                return true;
    return false;
}
