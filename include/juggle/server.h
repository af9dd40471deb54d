/* Servers: a task for each connection. Over TCP here, over Unix sockets in <juggle/unix.h>. asyncio's counterparts:
 * start_server, Server. */
#ifndef JUGGLE_SERVER_H
#define JUGGLE_SERVER_H

#include <juggle/stream.h>

JG_BEGIN

typedef struct jg_server jg_server;

/* Serves one connection, in a task of its own. The stream is flushed and closed when the
 * handler returns, unless the handler or another task has closed or aborted it; to reset instead of closing, jg_abort
 * it. When the server closes, handlers that are left are cancelled: their waits fail. One that wants to say good-bye
 * does so under JG_SHIELD(name, seconds). A handler that fails ends its stream as one that succeeds. A failure (-1)
 * goes to the error handler; one with EBADF of a handler whose stream another task has closed or aborted goes there as
 * ECANCELED, which the default one leaves out. */
typedef int (*jg_connection_handler)(jg_stream *client, void *arg);

typedef struct jg_server_options {
    size_t size;
    const char *const *hosts; /* more addresses to listen on, ended by NULL */
    int family;               /* AF_INET, AF_INET6; 0: both */
    int backlog;              /* 0: SOMAXCONN */
    bool reuse_port;          /* SO_REUSEPORT */
    bool paused;              /* begin with jg_start_serving or jg_serve_forever instead of at once */
    bool keep_alive;          /* SO_KEEPALIVE on connections */
    int fd; /* above 0: serve this listening socket instead of host and port; the server's, unless starting fails */
    size_t max_connections; /* 0: no limit; above it, connections wait in the backlog */
    double idle_timeout;    /* seconds a read may wait before it fails with ETIMEDOUT; 0: no limit */
    double write_timeout;   /* seconds a write, drain, flush or close may wait; 0: no limit */
    double grace;      /* seconds that handlers get to finish when the server closes; 0: cancel at once; default 0 */
    size_t stack_size; /* of handlers, bytes; 0: 192 KiB */
    size_t high_water; /* as in jg_stream_options */
    size_t low_water;
    struct jg_tls *tls;       /* speak TLS, see tls.h: the handler is called after the handshake. Handshakes that fail
                                 are reported once a minute, summed up; peers that send nothing are not failures. */
    double handshake_timeout; /* seconds; 0: 60 */
    double shutdown_timeout;  /* seconds that a connection with TLS lingers after closing; 0: 1 */
    mode_t mode;              /* jg_start_unix_server: of the file, such as 0600; 0: what the umask leaves */
    bool receive_fds;         /* jg_start_unix_server: as in jg_stream_options */
    const char *name;         /* of the handlers' tasks; default: the handler's */
    const char *function;     /* private: set by the macro, as in jg_task_options */
} jg_server_options;

/* Listens on host and port, accepts, and runs handler(client, arg) for each connection. host: a name or address; NULL:
 * all interfaces, IPv4 and IPv6. port 0: one that is free, the same on each address. Waits (for the name). Returns NULL
 * with ECANCELED, ETIMEDOUT, EADDRINUSE, EADDRNOTAVAIL, EACCES, EAFNOSUPPORT, ENOENT and EAGAIN (as
 * jg_open_connection), ENAMETOOLONG, EINVAL (port, or a handler that is NULL), EMFILE, ENFILE, ENOMEM. When fds run out
 * while serving, it keeps its listeners and resumes by itself when one is free. asyncio: start_server. */
#define jg_start_server(handler, arg, host, port, ...) \
    jg_start_server_with(handler, arg, host, port,     \
                         &(jg_server_options){.size = sizeof(jg_server_options), JG_TASK_NAME(#handler) __VA_ARGS__})
JG_API jg_server *jg_start_server_with(jg_connection_handler handler, void *arg, const char *host, int port,
                                       const jg_server_options *options) JG_MUST_USE;

/* Begins to accept, for a server created with .paused. Never waits. asyncio: start_serving. */
JG_API void jg_start_serving(jg_server *server);

/* Serves until the task is interrupted or jg_server_stop is called, then closes as jg_server_close does. Consumes the
 * server. Waits. The interruption that ends it leaves the handlers their grace period. Returns 0 after jg_server_stop;
 * -1 with ECANCELED, ETIMEDOUT. asyncio: serve_forever. */
JG_API int jg_serve_forever(jg_server *server);

/* Makes jg_serve_forever return; any task may ask. Never waits. */
JG_API void jg_server_stop(jg_server *server);

/* Stops accepting, lets the handlers finish for the grace period, cancels and waits for those that are left, and frees
 * the server. A handler that returns within the grace period closes its stream, which may linger for a second more, as
 * with jg_close. Clients that keep idle connections open use up all of it: jg_server_close_clients ends those.
 * Interrupted, the grace period ends. Aborts in a handler of this server and in the tasks that one created: it would
 * wait for itself; see jg_server_stop. Accepts NULL, preserves errno. Waits. asyncio: close and wait_closed.
 */
JG_API void jg_server_close(jg_server *server);
JG_API void jg_server_autoptr(jg_server **server);

/* Waits until the server has been closed, by another task, and its handlers have ended. Waits. Returns 0; -1 with
 * ECANCELED, ETIMEDOUT. asyncio: wait_closed. */
JG_API int jg_server_wait_closed(jg_server *server);

/* Ends the connections that are being served, and leaves the server as it is: their reads find the end of file, their
 * writes fail with EPIPE, what was written before is still sent. abort_clients resets them: reads fail with
 * ECONNRESET. The handlers end as they see fit. Never wait. asyncio: Server.close_clients, abort_clients. */
JG_API void jg_server_close_clients(jg_server *server);
JG_API void jg_server_abort_clients(jg_server *server);

/* Does it accept: not before jg_start_serving, not while it closes. Never waits. asyncio: is_serving. */
JG_API bool jg_server_is_serving(jg_server *server);

/* The port of the first address (0 for a Unix socket), and "127.0.0.1:8888" of each; NULL past the last. Valid while
 * the server is. Never wait. asyncio: sockets. */
JG_API int jg_server_port(jg_server *server);
JG_API const char *jg_server_address(jg_server *server, size_t index);

/* How many connections are being served. Never waits. */
JG_API size_t jg_server_connections(jg_server *server);

JG_END

#endif
