/* Datagrams: UDP and Unix. Endpoints for tasks, and below them datagram transports with callbacks. asyncio's
 * counterparts: create_datagram_endpoint, DatagramTransport, DatagramProtocol.
 *
 * What is sent is copied, and leaves in one system call (sendmmsg) with everything else that was sent in the turn; what
 * came is fetched in batches (recvmmsg). The largest datagram has 65,507 bytes over IPv4, 65,527 over IPv6, and 262,144
 * between Unix sockets, where the sender's send buffer limits it too. */
#ifndef JUGGLE_DATAGRAM_H
#define JUGGLE_DATAGRAM_H

#include <juggle/task.h>

JG_BEGIN

/* ---- Endpoints, for tasks ----
 *
 * Any number of tasks may receive and send on an endpoint; those that wait to receive get one datagram each, first
 * come, first served. Unless said otherwise each call that waits can fail with ECANCELED and ETIMEDOUT, and with EBADF
 * when the endpoint is closed meanwhile by another task. A call on an endpoint that was closed before it began aborts
 * with a sentence. */

typedef struct jg_endpoint jg_endpoint;

typedef struct jg_endpoint_options {
    size_t size;
    const char *remote_host; /* connect to it: only its datagrams come, and jg_sendto needs no address */
    int remote_port;         /* with remote_host NULL: of 127.0.0.1, or ::1 if that is the family; 0: not connected */
    int family;              /* AF_INET, AF_INET6; 0: that of the first address that fits */
    bool reuse_port;         /* SO_REUSEPORT: several endpoints share the port, the kernel spreads the senders */
    bool reuse_address;      /* SO_REUSEADDR; on with a multicast_group, so that several programs may listen */
    bool broadcast;          /* SO_BROADCAST: without it sending to a broadcast address fails with EACCES */
    bool multicast_no_loop;  /* what is sent to a group does not come back to this machine */
    int multicast_ttl;       /* of what is sent to a group: how many networks far; 0: the kernel's 1 */
    /* An IPv4 or IPv6 address to receive from; more by setsockopt. Only what is sent to groups that this endpoint has
     * joined comes (IP_MULTICAST_ALL is off). */
    const char *multicast_group;
    const char *multicast_interface; /* "eth0", for receiving from the group and sending to groups; NULL: any */
    const char *path; /* a Unix endpoint of this path, or "@name" for an abstract one; then host is NULL, port 0 */
    /* A Unix endpoint that is connected to this one. Without a path the kernel chooses an abstract name, so that the
     * peer can answer. */
    const char *remote_path;
    /* Bytes of what came and nobody has received yet (SO_RCVBUF: the kernel counts its own overhead, and
     * net.core.rmem_max limits it); 0: the kernel's default. */
    size_t receive_limit;
    size_t high_water; /* bytes; 0: 64 KiB. See jg_sendto. */
    size_t low_water;  /* bytes; 0: a quarter of high_water */
} jg_endpoint_options;

/* Opens a UDP endpoint bound to host (a name, an IPv4 or IPv6 address; NULL: all interfaces, of IPv4 unless the options
 * say otherwise) and port (0: one that is free), or a Unix one. A path that a dead program has left behind is taken
 * over; the file is removed when the endpoint is closed, if it is still the same. Waits, for names. Returns NULL with
 * ENOENT, EAGAIN, EAFNOSUPPORT, ENAMETOOLONG (as jg_open_connection; a path of more than 107 bytes), EINVAL (port,
 * group, options that contradict each other), ENODEV (interface), EADDRINUSE, EADDRNOTAVAIL, EACCES, EMFILE, ENFILE,
 * ENOMEM; connecting: ENETUNREACH, ECONNREFUSED (nobody has that path), ... asyncio: create_datagram_endpoint. */
#define jg_open_endpoint(host, port, ...) \
    jg_open_endpoint_with(host, port, JG_OPTIONS(jg_endpoint_options, __VA_ARGS__))
JG_API jg_endpoint *jg_open_endpoint_with(const char *host, int port, const jg_endpoint_options *options) JG_MUST_USE;

/* An endpoint on a datagram socket, which it owns from now on; on failure the fd is still the caller's. Only
 * receive_limit and the water marks of the options count. Never waits. Returns NULL with EBADF, ENOTSOCK (or not a
 * datagram socket), ENOMEM. asyncio: create_datagram_endpoint(sock=...). */
#define jg_endpoint_from_fd(fd, ...) jg_endpoint_from_fd_with(fd, JG_OPTIONS(jg_endpoint_options, __VA_ARGS__))
JG_API jg_endpoint *jg_endpoint_from_fd_with(int fd, const jg_endpoint_options *options) JG_MUST_USE;

/* Receives one datagram: copies at most `size` bytes and returns how many; 0 for an empty one. What does not fit is
 * lost; jg_endpoint_truncated tells. `address`, `length`: as in recvfrom(2), whose it is; both may be NULL. A Unix peer
 * that has no name of its own has the length sizeof(sa_family_t). Waits when nothing is there. What nobody receives
 * waits in the kernel, up to the receive_limit: then UDP datagrams are lost and counted (jg_endpoint_dropped), senders
 * to a Unix endpoint wait. Returns -1 with ECONNREFUSED and the like on a connected endpoint, once for each answer of
 * ICMP that nobody is there; ENOMEM; EINVAL. Interrupted, no datagram is lost. asyncio: datagram_received. */
JG_API ssize_t jg_recvfrom(jg_endpoint *endpoint, void *buffer, size_t size, struct sockaddr *address,
                           socklen_t *length) JG_MUST_USE;

/* How many bytes of the datagram that jg_recvfrom returned last on this endpoint did not fit; 0: it was whole. Ask
 * before the next wait. Never waits. POSIX: MSG_TRUNC. */
JG_API size_t jg_endpoint_truncated(const jg_endpoint *endpoint);

/* Sends a datagram to this address, or with NULL to the one that the endpoint is connected to. The data is copied, and
 * leaves when the turn ends together with what else was sent in it. Waits while more than the high-water mark is
 * queued, which happens when the kernel takes no more: a Unix receiver that is behind, a full send buffer. Returns 0;
 * -1 with EMSGSIZE (over the limit of the family), EDESTADDRREQ (no address and not connected), EAFNOSUPPORT (an
 * address of another family), EINVAL, ENOMEM: then nothing was sent. Interrupted, the datagram may be sent or not.
 *
 * Errors that the kernel finds when a datagram leaves (EACCES, ENETUNREACH, EHOSTUNREACH, EPERM; on a connected
 * endpoint ECONNREFUSED; between Unix sockets ENOENT, ECONNREFUSED, EMSGSIZE) cost that datagram only, and are told
 * once: by the next jg_sendto, which then has sent nothing, or by jg_endpoint_flush; on a connected endpoint also by
 * jg_recvfrom. asyncio: DatagramTransport.sendto, error_received. */
JG_API int jg_sendto(jg_endpoint *endpoint, const void *data, size_t bytes, const struct sockaddr *address,
                     socklen_t length);

/* Sends now and waits until the kernel has everything. Returns 0; -1 with the error of what was sent before, as told
 * for jg_sendto. */
JG_API int jg_endpoint_flush(jg_endpoint *endpoint);

/* Sends what is queued within the task's deadlines, and frees the endpoint. Tasks that wait on it are woken with EBADF
 * and have left when this returns; its address is free again. Interrupted, what is queued is dropped. Accepts NULL.
 * Waits. Returns 0, and errno is as it was; -1 with ECANCELED, ETIMEDOUT when something was dropped, or the error of
 * what was sent, as told for jg_sendto: the endpoint is gone all the same. asyncio: DatagramTransport.close. */
JG_API int jg_endpoint_close(jg_endpoint *endpoint);
JG_API void jg_endpoint_autoptr(jg_endpoint **endpoint);

/* Drops what is queued, wakes tasks that wait on it with EBADF and frees the endpoint once they have left. Accepts
 * NULL, preserves errno. Never waits. asyncio: DatagramTransport.abort. */
JG_API void jg_endpoint_abort(jg_endpoint *endpoint);

/* ---- Looking; none waits ---- */

/* "127.0.0.1:9999", "[::1]:9999", "/run/log", "@name" of this end, and of the end it is connected to; "" if there is
 * none. Valid while the endpoint is. asyncio: get_extra_info("sockname"), ("peername"). */
JG_API const char *jg_endpoint_sockname(jg_endpoint *endpoint);
JG_API const char *jg_endpoint_peername(jg_endpoint *endpoint);

/* The same as getsockname(2) and getpeername(2) have it. Return 0, or -1 with their errno. */
JG_API int jg_endpoint_own_address(const jg_endpoint *endpoint, struct sockaddr *address, socklen_t *length);
JG_API int jg_endpoint_peer_address(const jg_endpoint *endpoint, struct sockaddr *address, socklen_t *length);

/* Datagrams that were lost since the endpoint was opened because nobody received them: the kernel's count
 * (SO_MEMINFO), which includes damaged ones, modulo 2^32, and those that there was no memory for. */
JG_API uint64_t jg_endpoint_dropped(const jg_endpoint *endpoint);

/* Bytes that were sent but not yet taken by the kernel, with what each datagram takes besides its data. asyncio:
 * get_write_buffer_size. */
JG_API size_t jg_endpoint_pending(const jg_endpoint *endpoint);

/* The socket, for setsockopt and the like; it stays the endpoint's. */
JG_API int jg_endpoint_fileno(const jg_endpoint *endpoint);

/* ---- Transports, with callbacks ----
 *
 * On a loop, without tasks. A transport pushes what happens into its protocol, from turns of its loop, never from
 * inside a call into the transport. Nothing here waits. All calls belong to the loop's thread. */

typedef struct jg_datagram_transport jg_datagram_transport;

/* The owner's callbacks; each may be NULL. `arg` is what the transport was created with. asyncio: DatagramProtocol. */
typedef struct jg_datagram_protocol {
    /* The transport is open; the first call. */
    void (*connection_made)(jg_datagram_transport *transport, void *arg);
    /* A datagram came: `bytes` of it; `lost` more did not fit into the largest size told above. The data and the
     * address are valid during the call. */
    void (*datagram_received)(jg_datagram_transport *transport, void *arg, const void *data, size_t bytes, size_t lost,
                              const struct sockaddr *from, socklen_t length);
    /* Sending or receiving has failed; the transport goes on. ECONNREFUSED: nobody is there, of a connected transport.
     * ENOMEM: datagrams came that there was no memory for. */
    void (*error_received)(jg_datagram_transport *transport, void *arg, int error);
    /* More than the high-water mark is queued; less than or as much as the low-water mark again. */
    void (*pause_writing)(jg_datagram_transport *transport, void *arg);
    void (*resume_writing)(jg_datagram_transport *transport, void *arg);
    /* The last call: the fd is closed and the transport is freed when this returns. `error` is 0 after a close or an
     * abort, else an errno. */
    void (*connection_lost)(jg_datagram_transport *transport, void *arg, int error);
} jg_datagram_protocol;

typedef struct jg_datagram_options {
    size_t size;
    const struct sockaddr *remote_address; /* connect to it */
    socklen_t remote_address_length;
    bool reuse_port; /* these as in jg_endpoint_options */
    bool reuse_address;
    bool broadcast;
    bool multicast_no_loop;
    int multicast_ttl;
    unsigned multicast_interface;           /* its index; 0: the kernel's choice */
    const struct sockaddr *multicast_group; /* of the same family */
    size_t receive_limit;
    size_t high_water;
    size_t low_water;
} jg_datagram_options;

/* Opens a datagram socket bound to this address (NULL with length 0: not bound, for one that has a remote_address; it
 * gets its address from the kernel); connection_made follows. The addresses are copied. Returns NULL with ENOMEM,
 * EMFILE, ENFILE, EAFNOSUPPORT, EINVAL, or the errno of bind, connect or setsockopt; no callback then. asyncio:
 * loop.create_datagram_endpoint. */
#define jg_datagram_open(loop, address, length, protocol, arg, ...) \
    jg_datagram_open_with(loop, address, length, protocol, arg, JG_OPTIONS(jg_datagram_options, __VA_ARGS__))
JG_API jg_datagram_transport *jg_datagram_open_with(jg_loop *loop, const struct sockaddr *address, socklen_t length,
                                                    const jg_datagram_protocol *protocol, void *arg,
                                                    const jg_datagram_options *options) JG_MUST_USE;

/* Takes over a datagram socket; connection_made follows. On success the fd is the transport's, on failure still the
 * caller's. Of the options, receive_limit and the water marks count. Returns NULL with EBADF, ENOTSOCK, ENOMEM. */
#define jg_datagram_from_fd(loop, fd, protocol, arg, ...) \
    jg_datagram_from_fd_with(loop, fd, protocol, arg, JG_OPTIONS(jg_datagram_options, __VA_ARGS__))
JG_API jg_datagram_transport *jg_datagram_from_fd_with(jg_loop *loop, int fd, const jg_datagram_protocol *protocol,
                                                       void *arg, const jg_datagram_options *options) JG_MUST_USE;

/* Queues (copies) a datagram, which leaves when the turn ends. Never fails for being slow: mind pause_writing. Returns
 * 0, or -1 with EMSGSIZE, EDESTADDRREQ, EAFNOSUPPORT, EINVAL (as jg_sendto), EPIPE (closing), ENOMEM: nothing
 * is queued. Other errors come as error_received. asyncio: DatagramTransport.sendto. */
JG_API int jg_datagram_sendto(jg_datagram_transport *transport, const void *data, size_t bytes,
                              const struct sockaddr *address, socklen_t length);

/* Hands what is queued to the kernel now instead of when the turn ends. */
JG_API void jg_datagram_flush(jg_datagram_transport *transport);

/* Sends what is queued, then closes; nothing is delivered any more, connection_lost follows. Abort drops what is
 * queued. asyncio: DatagramTransport.close, abort, is_closing. */
JG_API void jg_datagram_close(jg_datagram_transport *transport);
JG_API void jg_datagram_abort(jg_datagram_transport *transport);
JG_API bool jg_datagram_is_closing(const jg_datagram_transport *transport);

/* Stops and resumes delivery, at once. What comes meanwhile waits in the kernel, up to the receive_limit. */
JG_API void jg_datagram_pause_reading(jg_datagram_transport *transport);
JG_API void jg_datagram_resume_reading(jg_datagram_transport *transport);

/* Water marks in bytes; 64 KiB and 16 KiB by default. Low is clamped to high. */
JG_API void jg_datagram_set_write_limits(jg_datagram_transport *transport, size_t high, size_t low);

/* As jg_endpoint_pending, jg_endpoint_dropped. */
JG_API size_t jg_datagram_pending(const jg_datagram_transport *transport);
JG_API uint64_t jg_datagram_dropped(const jg_datagram_transport *transport);

JG_API int jg_datagram_fileno(const jg_datagram_transport *transport);
JG_API jg_loop *jg_datagram_loop(const jg_datagram_transport *transport);

JG_END

#endif
