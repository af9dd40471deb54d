/* Sending and receiving on sockets that block: without blocking, and parked in between. */
#include "posix/interpose.h"

#include <errno.h>
#include <stdlib.h>

ssize_t __recv_chk(int fd, void *buffer, size_t size, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void *buffer, size_t size, size_t room, int flags, struct sockaddr *address,
                       socklen_t *length);

static bool would_block(ssize_t result)
{
    return result < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

/* Parks until the socket is ready; at the end of its own time limit EAGAIN, as the kernel has it. */
static int wait_for_socket(int fd, short events, double until)
{
    int result = jg__posix_wait(fd, events, until);
    if (result > 0)
        return 0;
    if (result == 0)
        errno = EAGAIN;
    return -1;
}

static bool is_stream(int fd)
{
    int type = 0;
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &(socklen_t){sizeof type}) == 0 && type == SOCK_STREAM;
}

/* ---- Receiving ---- */

static ssize_t receive_some(int fd, struct msghdr *message, int flags, double until)
{
    int saved = errno;
    for (;;) {
        ssize_t n = JG__REAL(recvmsg)(fd, message, (flags & ~MSG_WAITALL) | MSG_DONTWAIT);
        if (n >= 0)
            errno = saved;
        if (!would_block(n))
            return n;
        if (wait_for_socket(fd, POLLIN, until) < 0)
            return -1;
        errno = saved;
    }
}

/* What the flag MSG_WAITALL asks for: further pieces behind the first one. */
static ssize_t receive_rest(int fd, const struct msghdr *message, size_t received, int flags, double until)
{
    struct jg__pieces pieces;
    size_t total = received, bytes = jg__posix_bytes(message->msg_iov, message->msg_iovlen);
    if (jg__pieces_copy(&pieces, message->msg_iov, message->msg_iovlen) < 0)
        return (ssize_t)total;
    while (total < bytes) {
        jg__pieces_advance(&pieces, received);
        struct msghdr rest = {.msg_iov = pieces.next, .msg_iovlen = pieces.count};
        ssize_t n = receive_some(fd, &rest, flags, until);
        if (n <= 0)
            break;
        received = (size_t)n;
        total += received;
    }
    jg__pieces_free(&pieces);
    return (ssize_t)total;
}

ssize_t jg__posix_receive(int fd, struct msghdr *message, int flags)
{
    if (jg__posix_enter() < 0)
        return -1;
    double until = jg__posix_socket_limit(fd, SO_RCVTIMEO);
    ssize_t n = receive_some(fd, message, flags, until);
    if (n <= 0 || !(flags & MSG_WAITALL) || flags & MSG_PEEK || !is_stream(fd))
        return n;
    int saved = errno;
    n = receive_rest(fd, message, (size_t)n, flags, until);
    errno = saved;
    return n;
}

static bool receive_parks(int fd, int flags)
{
    return !(flags & (MSG_DONTWAIT | MSG_OOB | MSG_ERRQUEUE)) && !jg__posix_nonblocking(fd);
}

static ssize_t receive_from(int fd, void *buffer, size_t size, int flags, struct sockaddr *address, socklen_t *length)
{
    struct iovec piece = {buffer, size};
    struct msghdr message = {
        .msg_name = address, .msg_namelen = address && length ? *length : 0, .msg_iov = &piece, .msg_iovlen = 1};
    ssize_t n = jg__posix_receive(fd, &message, flags);
    if (n >= 0 && address && length)
        *length = message.msg_namelen;
    return n;
}

JG__EXPORT ssize_t recv(int fd, void *buffer, size_t size, int flags)
{
    return JG__PARKS() && receive_parks(fd, flags) ? receive_from(fd, buffer, size, flags, NULL, NULL)
                                                   : JG__REAL(recv)(fd, buffer, size, flags);
}

JG__EXPORT ssize_t __recv_chk(int fd, void *buffer, size_t size, size_t room, int flags)
{
    return size <= room && JG__PARKS() && receive_parks(fd, flags)
               ? receive_from(fd, buffer, size, flags, NULL, NULL)
               : JG__REAL(__recv_chk)(fd, buffer, size, room, flags);
}

JG__EXPORT ssize_t recvfrom(int fd, void *buffer, size_t size, int flags, struct sockaddr *address, socklen_t *length)
{
    return JG__PARKS() && receive_parks(fd, flags) ? receive_from(fd, buffer, size, flags, address, length)
                                                   : JG__REAL(recvfrom)(fd, buffer, size, flags, address, length);
}

JG__EXPORT ssize_t __recvfrom_chk(int fd, void *buffer, size_t size, size_t room, int flags, struct sockaddr *address,
                                  socklen_t *length)
{
    return size <= room && JG__PARKS() && receive_parks(fd, flags)
               ? receive_from(fd, buffer, size, flags, address, length)
               : JG__REAL(__recvfrom_chk)(fd, buffer, size, room, flags, address, length);
}

JG__EXPORT ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    return JG__PARKS() && receive_parks(fd, flags) ? jg__posix_receive(fd, message, flags)
                                                   : JG__REAL(recvmsg)(fd, message, flags);
}

/* ---- Sending ---- */

static ssize_t send_some(int fd, const struct msghdr *message, int flags, double until)
{
    int saved = errno;
    for (;;) {
        ssize_t n = JG__REAL(sendmsg)(fd, message, flags | MSG_DONTWAIT);
        if (n >= 0)
            errno = saved;
        if (!would_block(n))
            return n;
        if (wait_for_socket(fd, POLLOUT, until) < 0)
            return -1;
        errno = saved;
    }
}

/* A socket that blocks takes all. What it could not take is a failure only if it is the first piece. */
static ssize_t send_rest(int fd, const struct msghdr *message, size_t sent, int flags, double until)
{
    struct jg__pieces pieces;
    size_t total = sent, bytes = jg__posix_bytes(message->msg_iov, message->msg_iovlen);
    if (total >= bytes || jg__pieces_copy(&pieces, message->msg_iov, message->msg_iovlen) < 0)
        return (ssize_t)total;
    while (total < bytes) {
        jg__pieces_advance(&pieces, sent);
        struct msghdr rest = {.msg_iov = pieces.next, .msg_iovlen = pieces.count};
        ssize_t n = send_some(fd, &rest, flags, until);
        if (n <= 0)
            break;
        sent = (size_t)n;
        total += sent;
    }
    jg__pieces_free(&pieces);
    return (ssize_t)total;
}

ssize_t jg__posix_send(int fd, const struct msghdr *message, int flags)
{
    if (jg__posix_enter() < 0)
        return -1;
    double until = jg__posix_socket_limit(fd, SO_SNDTIMEO);
    ssize_t n = send_some(fd, message, flags, until);
    if (n <= 0)
        return n;
    int saved = errno;
    n = send_rest(fd, message, (size_t)n, flags, until);
    errno = saved;
    return n;
}

static bool send_parks(int fd, int flags)
{
    return !(flags & MSG_DONTWAIT) && !jg__posix_nonblocking(fd);
}

static ssize_t send_to(int fd, const void *data, size_t bytes, int flags, const struct sockaddr *address,
                       socklen_t length)
{
    struct iovec piece = {(void *)(uintptr_t)data, bytes};
    struct msghdr message = {
        .msg_name = (void *)(uintptr_t)address, .msg_namelen = length, .msg_iov = &piece, .msg_iovlen = 1};
    return jg__posix_send(fd, &message, flags);
}

JG__EXPORT ssize_t send(int fd, const void *data, size_t bytes, int flags)
{
    return JG__PARKS() && send_parks(fd, flags) ? send_to(fd, data, bytes, flags, NULL, 0)
                                                : JG__REAL(send)(fd, data, bytes, flags);
}

JG__EXPORT ssize_t sendto(int fd, const void *data, size_t bytes, int flags, const struct sockaddr *address,
                          socklen_t length)
{
    return JG__PARKS() && send_parks(fd, flags) ? send_to(fd, data, bytes, flags, address, length)
                                                : JG__REAL(sendto)(fd, data, bytes, flags, address, length);
}

JG__EXPORT ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    return JG__PARKS() && send_parks(fd, flags) ? jg__posix_send(fd, message, flags)
                                                : JG__REAL(sendmsg)(fd, message, flags);
}
