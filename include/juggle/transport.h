/* Connections and listeners with callbacks (TCP, Unix sockets, pipes), on a loop, without coroutines. asyncio's
 * counterpart: transports and protocols.
 *
 * A transport pushes what happens into its protocol, from turns of its loop, never from inside a call into the
 * transport. Nothing in this header waits. All calls belong to the loop's thread. */
#ifndef JUGGLE_TRANSPORT_H
#define JUGGLE_TRANSPORT_H

#include <juggle/loop.h>
#include <netinet/in.h>

JG_BEGIN

typedef struct jg_transport jg_transport;
typedef struct jg_listener jg_listener;

/* The owner's callbacks; each may be NULL. `arg` is what the transport was created with. asyncio: Protocol,
 * BufferedProtocol. */
typedef struct jg_protocol {
    /* The connection stands; the first call. */
    void (*connection_made)(jg_transport *transport, void *arg);
    /* Where shall the next bytes go? Returns memory and sets *size, or returns NULL for none: then data_received gets
     * them. The memory is the transport's until the next buffer_updated, eof_received or connection_lost. */
    void *(*get_buffer)(jg_transport *transport, void *arg, size_t *size);
    void (*buffer_updated)(jg_transport *transport, void *arg, size_t bytes);
    /* Bytes came; valid during the call. */
    void (*data_received)(jg_transport *transport, void *arg, const void *data, size_t bytes);
    /* The peer has half-closed: nothing more will come. Writing goes on until the owner closes. */
    void (*eof_received)(jg_transport *transport, void *arg);
    /* More than the high-water mark is queued; less than or as much as the low-water mark again. */
    void (*pause_writing)(jg_transport *transport, void *arg);
    void (*resume_writing)(jg_transport *transport, void *arg);
    /* The last call: the fd is closed and the transport is freed when this returns. `error` is 0 after a close or an
     * abort of the owner's own, else the errno: ECONNRESET, EPIPE, ETIMEDOUT, ECONNREFUSED (connect), ENOMEM, ... */
    void (*connection_lost)(jg_transport *transport, void *arg, int error);
    /* With .receive_fds: an fd of the callee's came, with the last of the bytes that were handed over just now; or a
     * negated errno for one that got lost: -EMFILE. Without the callback they are closed. */
    void (*fd_received)(jg_transport *transport, void *arg, int fd);
} jg_protocol;

typedef struct jg_transport_options {
    size_t size;
    const struct sockaddr *local_address; /* connect: bind to it first */
    socklen_t local_address_length;
    bool keep_alive;  /* SO_KEEPALIVE */
    bool delay;       /* leave Nagle's algorithm on; by default TCP_NODELAY is set */
    bool receive_fds; /* Unix sockets: take the fds that the peer passes; by default the kernel discards them */
    bool shared;      /* from_fd: others have this open file too; leave it in blocking mode and don't shut it down */
} jg_transport_options;

/* Starts to connect; connection_made or connection_lost follows. The address is copied. On a Unix socket whose backlog
 * is full it tries again until it is aborted.
 * Returns NULL with ENOMEM, EMFILE, ENFILE, EAFNOSUPPORT, or bind's EADDRINUSE, EADDRNOTAVAIL, EACCES; no callback
 * then. asyncio: loop.create_connection. */
#define jg_transport_connect(loop, address, length, protocol, arg, ...) \
    jg_transport_connect_with(loop, address, length, protocol, arg, JG_OPTIONS(jg_transport_options, __VA_ARGS__))
JG_API jg_transport *jg_transport_connect_with(jg_loop *loop, const struct sockaddr *address, socklen_t length,
                                               const jg_protocol *protocol, void *arg,
                                               const jg_transport_options *options) JG_MUST_USE;

/* Takes over a connected stream socket, a pipe, a FIFO, a character device or a file, and makes it non-blocking unless
 * it is `shared`; connection_made follows. On success the fd is the transport's, on failure still the caller's. What
 * the fd isn't open for fails with EBADF; eof_received doesn't come where there is nothing to read. Who writes to a
 * pipe is told by connection_lost with EPIPE when nobody reads it any more; SIGPIPE is ignored from the first pipe on,
 * if it was at its default. Returns NULL with ENOMEM, EBADF, ENOTSOCK (a socket that is no stream socket), EINVAL (a
 * directory, or what else is no stream of bytes). asyncio: create_connection(sock=...), connect_accepted_socket,
 * connect_read_pipe, connect_write_pipe. */
#define jg_transport_from_fd(loop, fd, protocol, arg, ...) \
    jg_transport_from_fd_with(loop, fd, protocol, arg, JG_OPTIONS(jg_transport_options, __VA_ARGS__))
JG_API jg_transport *jg_transport_from_fd_with(jg_loop *loop, int fd, const jg_protocol *protocol, void *arg,
                                               const jg_transport_options *options) JG_MUST_USE;

/* Sends, or queues (copies) what can't leave at once; the writes of a turn leave together when it ends. Never fails for
 * being slow: mind pause_writing. Returns 0, or -1 with ENOMEM (nothing queued), EPIPE (closed, half-closed or lost).
 * asyncio: transport.write, writelines. */
JG_API int jg_transport_write(jg_transport *transport, const void *data, size_t bytes);
JG_API int jg_transport_writev(jg_transport *transport, const struct iovec *vector, int count);

/* Takes all, or nothing with EAGAIN if that would exceed the high-water mark. */
JG_API int jg_transport_try_write(jg_transport *transport, const void *data, size_t bytes);

/* Hands what is queued to the kernel now instead of when the turn ends. */
JG_API void jg_transport_flush(jg_transport *transport);

/* Sends FIN after what is queued; reading goes on. The writing end of a pipe is closed, connection_lost follows.
 * Returns 0, or -1 with EPIPE, or EOPNOTSUPP where can_write_eof is false: on terminals and on what is shared. asyncio:
 * write_eof, can_write_eof. */
JG_API int jg_transport_write_eof(jg_transport *transport);
JG_API bool jg_transport_can_write_eof(const jg_transport *transport);

/* Sends what is queued, shuts down writing, discards what still comes for at most 1 second and 1 MiB (else unread input
 * makes the kernel reset the connection and the peer loses the end of the answer), then closes. No data is delivered
 * any more; connection_lost follows. asyncio: transport.close. */
JG_API void jg_transport_close(jg_transport *transport);

/* Drops what is queued and resets the connection (RST); connection_lost follows. asyncio: transport.abort. */
JG_API void jg_transport_abort(jg_transport *transport);

JG_API bool jg_transport_is_closing(const jg_transport *transport);

/* Stops and resumes delivery. Bytes that came before the pause took effect may still be delivered. asyncio:
 * pause_reading, resume_reading. */
JG_API void jg_transport_pause_reading(jg_transport *transport);
JG_API void jg_transport_resume_reading(jg_transport *transport);

/* Is it open for what comes: not paused, not at the end, not closing? asyncio: is_reading. */
JG_API bool jg_transport_is_reading(const jg_transport *transport);

/* Water marks in bytes; 64 KiB and 16 KiB by default. Low is clamped to high. asyncio: set_write_buffer_limits,
 * get_write_buffer_limits. */
JG_API void jg_transport_set_write_limits(jg_transport *transport, size_t high, size_t low);
JG_API void jg_transport_get_write_limits(const jg_transport *transport, size_t *high, size_t *low);

/* Who is told, and with what. From now on it is another one, also for what was received but not delivered yet;
 * connection_made is not called again. asyncio: get_protocol, set_protocol. */
JG_API const jg_protocol *jg_transport_get_protocol(const jg_transport *transport, void **arg);
JG_API void jg_transport_set_protocol(jg_transport *transport, const jg_protocol *protocol, void *arg);

/* As getpeername(2) and getsockname(2) have it. Return 0, or -1 with their errno, ENOTCONN when the fd is closed.
 * asyncio: get_extra_info("peername"), ("sockname"). */
JG_API int jg_transport_peer_address(const jg_transport *transport, struct sockaddr *address, socklen_t *length);
JG_API int jg_transport_own_address(const jg_transport *transport, struct sockaddr *address, socklen_t *length);

/* Bytes accepted by write that the kernel has not taken yet. asyncio: get_write_buffer_size. */
JG_API size_t jg_transport_pending(const jg_transport *transport);

JG_API int jg_transport_fileno(const jg_transport *transport);
JG_API jg_loop *jg_transport_loop(const jg_transport *transport);

/* ---- Listening ---- */

/* A connection came; the fd is the callee's: jg_transport_from_fd, or close. */
typedef void (*jg_accept_fn)(jg_listener *listener, int fd, void *arg);

typedef struct jg_listener_options {
    size_t size;
    int backlog;     /* 0: SOMAXCONN */
    bool reuse_port; /* SO_REUSEPORT, to share the port between loops */
    bool dual_stack; /* an IPv6 wildcard address takes IPv4 too; by default IPV6_V6ONLY is set */
    bool paused;     /* don't accept before jg_listener_resume */
    mode_t mode;     /* Unix sockets: of the file; 0: what the umask leaves */
} jg_listener_options;

/* Binds (SO_REUSEADDR) and listens. A Unix socket's file at which nobody answers is replaced; the listener's own is
 * removed when it closes. When fds run out (EMFILE, ENFILE, ENOBUFS, ENOMEM) it keeps the listener, backs
 * off, retries as soon as a transport of this loop is closed and at least every 100 ms, and reports once a minute to
 * the error handler. Returns NULL with EADDRINUSE, EADDRNOTAVAIL, EACCES, EAFNOSUPPORT, EMFILE, ENFILE, ENOMEM.
 * asyncio: loop.create_server. */
#define jg_listen(loop, address, length, accepted, arg, ...) \
    jg_listen_with(loop, address, length, accepted, arg, JG_OPTIONS(jg_listener_options, __VA_ARGS__))
JG_API jg_listener *jg_listen_with(jg_loop *loop, const struct sockaddr *address, socklen_t length,
                                   jg_accept_fn accepted, void *arg, const jg_listener_options *options) JG_MUST_USE;

/* The same on a socket that listens already; on success the fd is the listener's. Closing it leaves the socket
 * listening for others who have it. NULL with EBADF, ENOTSOCK, EINVAL (it does not listen), ENOMEM. */
#define jg_listen_fd(loop, fd, accepted, arg, ...) \
    jg_listen_fd_with(loop, fd, accepted, arg, JG_OPTIONS(jg_listener_options, __VA_ARGS__))
JG_API jg_listener *jg_listen_fd_with(jg_loop *loop, int fd, jg_accept_fn accepted, void *arg,
                                      const jg_listener_options *options) JG_MUST_USE;

/* Stops and resumes accepting; connections wait in the backlog meanwhile. One that was already on its way may still be
 * handed out. */
JG_API void jg_listener_pause(jg_listener *listener);
JG_API void jg_listener_resume(jg_listener *listener);

/* Stops listening, closes the fd and frees; `accepted` is not called any more. Accepts NULL, preserves errno. */
JG_API void jg_listener_close(jg_listener *listener);
static inline void jg_listener_autoptr(jg_listener **listener)
{
    jg_listener_close(*listener);
}

JG_API int jg_listener_fileno(const jg_listener *listener);

/* The port of an IPv4 or IPv6 listener, in host order; for port 0 the one that the kernel chose. */
JG_API int jg_listener_port(const jg_listener *listener);

JG_END

#endif
