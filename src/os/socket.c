/* The system calls on sockets, for tasks: tried at once, and again when the fd is ready. */
#include "os/socket.h"

#include "loop/perform.h"
#include "task/internal.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

static const double NAP_SECONDS = 0.005;

static int fail(const char *call, int fd, int error)
{
    return jg_fail(error, "%s: fd %d: %s", call, fd, strerror(error));
}

/* ---- Calls that have no flag for not blocking ---- */

bool jg__begin_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && !(flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

void jg__end_nonblocking(int fd, bool undo)
{
    int saved = errno;
    if (undo)
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    errno = saved;
}

static int connect_now(int fd, const struct sockaddr *address, socklen_t length)
{
    bool undo = jg__begin_nonblocking(fd);
    int result = connect(fd, address, length);
    jg__end_nonblocking(fd, undo);
    return result;
}

static int accept_now(int fd, struct sockaddr *address, socklen_t *length)
{
    bool undo = jg__begin_nonblocking(fd);
    int result = jg__accept(fd, address, length);
    jg__end_nonblocking(fd, undo);
    return result;
}

/* ---- Connecting and accepting ---- */

/* Where the kernel has no event for it. */
static int nap(const char *call)
{
    return jg_sleep(NAP_SECONDS) < 0 ? jg__fail_interrupted(call, errno) : 0;
}

static int finish_connecting(int fd, const char *call)
{
    int error = 0;
    if (jg__wait_for_fd(fd, POLLOUT, call) < 0)
        return -1;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){sizeof error}) < 0)
        error = errno;
    return error ? fail(call, fd, error) : 0;
}

int jg_sock_connect(int fd, const struct sockaddr *address, socklen_t length)
{
    static const char call[] = "jg_sock_connect";
    int saved = errno;
    if (jg__enter_wait(call) < 0)
        return -1;
    while (connect_now(fd, address, length) < 0) {
        if (errno == EINPROGRESS || errno == EINTR) {
            if (finish_connecting(fd, call) < 0)
                return -1;
            break;
        }
        if (errno != EAGAIN || address->sa_family != AF_UNIX)
            return fail(call, fd, errno);
        if (nap(call) < 0) /* the backlog is full */
            return -1;
    }
    errno = saved;
    return 0;
}

int jg_sock_accept(int fd, struct sockaddr *address, socklen_t *length)
{
    static const char call[] = "jg_sock_accept";
    int saved = errno, result;
    if (jg__enter_wait(call) < 0)
        return -1;
    while ((result = accept_now(fd, address, length)) == JG__AGAIN)
        if (jg__wait_for_fd(fd, POLLIN, call) < 0)
            return -1;
    if (result < 0)
        return fail(call, fd, -result);
    errno = saved;
    return result;
}

/* ---- Receiving ---- */

static ssize_t receive(int fd, void *buffer, size_t size, struct sockaddr *address, socklen_t *length, const char *call)
{
    int saved = errno;
    ssize_t count;
    if (jg__enter_wait(call) < 0)
        return -1;
    while ((count = recvfrom(fd, buffer, size, MSG_DONTWAIT, address, length)) < 0) {
        if (errno != EAGAIN && errno != EINTR)
            return fail(call, fd, errno);
        if (errno == EAGAIN && jg__wait_for_fd(fd, POLLIN, call) < 0)
            return -1;
    }
    errno = saved;
    return count;
}

ssize_t jg_sock_recv(int fd, void *buffer, size_t size)
{
    return receive(fd, buffer, size, NULL, NULL, "jg_sock_recv");
}

ssize_t jg_sock_recvfrom(int fd, void *buffer, size_t size, struct sockaddr *address, socklen_t *length)
{
    return receive(fd, buffer, size, address, length, "jg_sock_recvfrom");
}

/* ---- Sending ---- */

/* A part was sent, perhaps: -1, with errno kept. */
static int stopped(const char *call, size_t sent, size_t bytes)
{
    return jg_fail(errno, "%s: after %zu of %zu bytes: %s", call, sent, bytes, strerror(errno));
}

size_t jg__sock_send_all(int fd, const char *data, size_t bytes, const char *call)
{
    size_t sent = 0;
    while (sent < bytes) {
        ssize_t count = send(fd, data + sent, bytes - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (count >= 0)
            sent += (size_t)count;
        else if (errno == EAGAIN ? jg__wait_for_fd(fd, POLLOUT, call) < 0 : errno != EINTR)
            break;
    }
    return sent;
}

int jg_sock_sendall(int fd, const void *data, size_t bytes)
{
    static const char call[] = "jg_sock_sendall";
    int saved = errno;
    if (jg__enter_wait(call) < 0)
        return -1;
    size_t sent = jg__sock_send_all(fd, data, bytes, call);
    if (sent < bytes)
        return stopped(call, sent, bytes);
    errno = saved;
    return 0;
}

/* A Unix socket that is not connected polls as writable though the receiver in question is behind. */
static int wait_for_room(int fd, bool again, const char *call)
{
    if (jg__wait_for_fd(fd, POLLOUT, call) < 0)
        return -1;
    return again ? nap(call) : 0;
}

ssize_t jg_sock_sendto(int fd, const void *data, size_t bytes, const struct sockaddr *address, socklen_t length)
{
    static const char call[] = "jg_sock_sendto";
    int saved = errno;
    ssize_t count;
    if (jg__enter_wait(call) < 0)
        return -1;
    for (bool again = false;
         (count = sendto(fd, data, bytes, MSG_DONTWAIT | MSG_NOSIGNAL, address, address ? length : 0)) < 0;) {
        if (errno != EAGAIN && errno != EINTR)
            return fail(call, fd, errno);
        if (errno == EAGAIN && wait_for_room(fd, again, call) < 0)
            return -1;
        again = true;
    }
    errno = saved;
    return count;
}
