/* Sockets of the caller's own: the system calls of these names, that let other tasks run instead of blocking. asyncio's
 * counterparts: loop.sock_connect and its kin.
 *
 * The fd may be non-blocking or not, and stays the caller's; it must not be closed while a task waits on it. Each call
 * tries first and waits for the fd only when the kernel says EAGAIN. Each can fail, besides ECANCELED and ETIMEDOUT,
 * with the errno of the system call. Interrupted, none has an effect, but for what is told of jg_sock_connect,
 * jg_sock_sendall and jg_sock_sendfile. */
#ifndef JUGGLE_SOCKET_H
#define JUGGLE_SOCKET_H

#include <juggle/task.h>

JG_BEGIN

/* Connects. Waits. Returns 0; -1 with ECONNREFUSED, ENETUNREACH, EISCONN, ENOENT, ... as connect(2) has them.
 * Interrupted, the kernel goes on connecting: close the socket. asyncio: sock_connect. */
JG_API int jg_sock_connect(int fd, const struct sockaddr *address, socklen_t length) JG_MUST_USE;

/* Accepts a connection on a listening socket; returns its fd, which is non-blocking and CLOEXEC. `address`, `length`:
 * the peer's, as in accept(2); both may be NULL. Waits. Returns -1 with EMFILE, ENFILE, EINVAL (it does not listen),
 * ... Connections that were given up before they were accepted are passed over. asyncio: sock_accept. */
JG_API int jg_sock_accept(int fd, struct sockaddr *address, socklen_t *length) JG_MUST_USE;

/* Receives what is there, at most `size` bytes; waits only when nothing is. Returns the count, 0 at the end of file of
 * a stream or for an empty datagram; -1 with ECONNRESET, ENOTCONN, ... asyncio: sock_recv, sock_recv_into. */
JG_API ssize_t jg_sock_recv(int fd, void *buffer, size_t size) JG_MUST_USE;

/* The same with the sender's address, as recvfrom(2) has it. asyncio: sock_recvfrom, sock_recvfrom_into. */
JG_API ssize_t jg_sock_recvfrom(int fd, void *buffer, size_t size, struct sockaddr *address,
                                socklen_t *length) JG_MUST_USE;

/* Sends everything on a stream socket. Waits for room as often as it takes. Returns 0; -1 with EPIPE, ECONNRESET, ...
 * Interrupted or failed, a part may have been sent: jg_error_text says how much. asyncio: sock_sendall. */
JG_API int jg_sock_sendall(int fd, const void *data, size_t bytes) JG_MUST_USE;

/* Sends one datagram, to the address, or with NULL to the one that the socket is connected to. Waits while there is no
 * room. Returns the bytes sent; -1 with EMSGSIZE, EACCES, ECONNREFUSED, EDESTADDRREQ, ... asyncio: sock_sendto. */
JG_API ssize_t jg_sock_sendto(int fd, const void *data, size_t bytes, const struct sockaddr *address, socklen_t length);

/* Sends `count` bytes (0: up to the end) of a file from `offset` on, on a stream socket; by sendfile(2) where the file
 * allows that, else by reading it. The file's own position is neither used nor moved. Reading from a slow disk holds up
 * the loop, at most 256 KiB at a time. Waits. Returns the bytes sent, fewer than count only at the end of the file; -1
 * as jg_sock_sendall, or with EBADF, EINVAL (offset), EISDIR, EIO, ... of the file. asyncio: sock_sendfile. */
JG_API ssize_t jg_sock_sendfile(int fd, int file, off_t offset, size_t count) JG_MUST_USE;

JG_END

#endif
