/* connect and accept, for which there is no MSG_DONTWAIT. */
#include "posix/interpose.h"

#include <errno.h>
#include <fcntl.h>

static const double FIRST_PAUSE = 0.001, LONGEST_PAUSE = 0.05;

/* The socket is about to be connected, so that nobody else has a use for it: it is non-blocking for the moment of one
 * system call. */
static int start_to_connect(int fd, const struct sockaddr *address, socklen_t length)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -1;
    int result = JG__REAL(connect)(fd, address, length);
    int error = errno;
    fcntl(fd, F_SETFL, flags);
    errno = error;
    return result;
}

/* As for a socket that blocks: a time limit of its own ends with EINPROGRESS. */
static int finish_connecting(int fd, double until)
{
    int error = 0, result = jg__posix_wait(fd, POLLOUT, until);
    if (result < 0)
        return -1;
    if (result == 0)
        error = EINPROGRESS;
    else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){sizeof error}) < 0)
        return -1;
    if (!error)
        return 0;
    errno = error;
    return -1;
}

/* A Unix socket whose listener is busy can't be waited for. */
static int connect_when_there_is_room(int fd, const struct sockaddr *address, socklen_t length, double until)
{
    double pause = FIRST_PAUSE;
    int result;
    while ((result = start_to_connect(fd, address, length)) < 0 && errno == EAGAIN && jg_time() < until) {
        if (jg_sleep(pause) < 0)
            return -1;
        pause = 2 * pause < LONGEST_PAUSE ? 2 * pause : LONGEST_PAUSE;
    }
    return result;
}

static int connect_parked(int fd, const struct sockaddr *address, socklen_t length)
{
    int saved = errno;
    if (jg__posix_enter() < 0)
        return -1;
    double until = jg__posix_socket_limit(fd, SO_SNDTIMEO);
    int result = connect_when_there_is_room(fd, address, length, until);
    if (result < 0 && (errno == EINPROGRESS || errno == EALREADY))
        result = finish_connecting(fd, until);
    if (result == 0)
        errno = saved;
    return result;
}

JG__EXPORT int connect(int fd, const struct sockaddr *address, socklen_t length)
{
    return JG__PARKS() && !jg__posix_nonblocking(fd) ? connect_parked(fd, address, length)
                                                     : JG__REAL(connect)(fd, address, length);
}

/* A listener is shared more often: it stays as it is, and is asked first. */
static int wait_for_connection(int fd)
{
    int saved = errno;
    double until = jg__posix_socket_limit(fd, SO_RCVTIMEO);
    struct pollfd listener = {.fd = fd, .events = POLLIN};
    int ready = jg__posix_poll(&listener, 1, until);
    errno = ready == 0 ? EAGAIN : ready < 0 ? errno : saved;
    return ready > 0 ? 0 : -1;
}

JG__EXPORT int accept(int fd, struct sockaddr *address, socklen_t *length)
{
    if (JG__PARKS() && !jg__posix_nonblocking(fd) && wait_for_connection(fd) < 0)
        return -1;
    return JG__REAL(accept)(fd, address, length);
}

JG__EXPORT int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    if (JG__PARKS() && !jg__posix_nonblocking(fd) && wait_for_connection(fd) < 0)
        return -1;
    return JG__REAL(accept4)(fd, address, length, flags);
}
