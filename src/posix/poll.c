/* poll, select, epoll_wait and their kin. */
#include "posix/interpose.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/time.h>

int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t size);
int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask, size_t size);

/* ---- poll ---- */

int jg__posix_poll(struct pollfd *fds, nfds_t count, double until)
{
    if (jg__posix_enter() < 0)
        return -1;
    for (;;) {
        int ready = JG__REAL(poll)(fds, count, 0);
        if (ready != 0)
            return ready;
        int result = jg__posix_wait_any(fds, count, until);
        if (result <= 0)
            return result;
    }
}

static double seconds_of(const struct timespec *time)
{
    return time ? (double)time->tv_sec + (double)time->tv_nsec / 1e9 : INFINITY;
}

static int poll_for(struct pollfd *fds, nfds_t count, int milliseconds)
{
    return jg__posix_poll(fds, count, jg__posix_until(milliseconds < 0 ? INFINITY : milliseconds / 1e3));
}

JG__EXPORT int poll(struct pollfd *fds, nfds_t count, int timeout)
{
    return timeout && JG__PARKS() ? poll_for(fds, count, timeout) : JG__REAL(poll)(fds, count, timeout);
}

JG__EXPORT int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t size)
{
    if (!timeout || size / sizeof *fds < count || !JG__PARKS())
        return JG__REAL(__poll_chk)(fds, count, timeout, size);
    return poll_for(fds, count, timeout);
}

/* With a signal mask it is meant to be ended by a signal, which no other task may see unblocked: then it blocks. */
static bool may_park(const struct timespec *timeout, const sigset_t *mask)
{
    return !mask && !(timeout && (timeout->tv_sec <= 0 && timeout->tv_nsec <= 0)) &&
           !(timeout && (timeout->tv_nsec < 0 || timeout->tv_nsec > 999999999));
}

JG__EXPORT int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
    if (!may_park(timeout, mask) || !JG__PARKS())
        return JG__REAL(ppoll)(fds, count, timeout, mask);
    return jg__posix_poll(fds, count, jg__posix_until(seconds_of(timeout)));
}

JG__EXPORT int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask,
                           size_t size)
{
    if (size / sizeof *fds < count || !may_park(timeout, mask) || !JG__PARKS())
        return JG__REAL(__ppoll_chk)(fds, count, timeout, mask, size);
    return jg__posix_poll(fds, count, jg__posix_until(seconds_of(timeout)));
}

/* ---- select, by way of poll ---- */

enum { READ_EVENTS = POLLIN | POLLRDNORM | POLLRDBAND | POLLHUP | POLLERR };
enum { WRITE_EVENTS = POLLOUT | POLLWRNORM | POLLWRBAND | POLLERR };

static bool is_set(int fd, const fd_set *set)
{
    return set && FD_ISSET(fd, set);
}

static short events_of(int fd, const fd_set *in, const fd_set *out, const fd_set *exceptional)
{
    return (short)((is_set(fd, in) ? POLLIN : 0) | (is_set(fd, out) ? POLLOUT : 0) |
                   (is_set(fd, exceptional) ? POLLPRI : 0));
}

static int keep(int fd, fd_set *set, bool ready)
{
    if (!is_set(fd, set))
        return 0;
    if (!ready)
        FD_CLR(fd, set);
    return ready;
}

static int write_back(const struct pollfd *fds, nfds_t count, fd_set *in, fd_set *out, fd_set *exceptional)
{
    int bits = 0;
    for (nfds_t i = 0; i < count; i++) {
        bits += keep(fds[i].fd, in, fds[i].revents & READ_EVENTS);
        bits += keep(fds[i].fd, out, fds[i].revents & WRITE_EVENTS);
        bits += keep(fds[i].fd, exceptional, fds[i].revents & POLLPRI);
    }
    return bits;
}

static bool any_invalid(const struct pollfd *fds, nfds_t count)
{
    for (nfds_t i = 0; i < count; i++)
        if (fds[i].revents & POLLNVAL)
            return true;
    return false;
}

static int select_until(int limit, fd_set *in, fd_set *out, fd_set *exceptional, double until)
{
    struct pollfd *fds = calloc((size_t)limit + 1, sizeof *fds);
    nfds_t count = 0;
    if (!fds)
        return -1;
    for (int fd = 0; fd < limit; fd++) {
        short events = events_of(fd, in, out, exceptional);
        if (events)
            fds[count++] = (struct pollfd){.fd = fd, .events = events};
    }
    int result = jg__posix_poll(fds, count, until);
    if (result >= 0 && any_invalid(fds, count)) {
        errno = EBADF;
        result = -1;
    }
    if (result >= 0)
        result = write_back(fds, count, in, out, exceptional);
    free(fds);
    return result;
}

/* As Linux does, but not POSIX: what is left of the time. */
static void leave_rest(struct timeval *timeout, double until)
{
    double left = until - jg_time();
    left = left > 0 ? left : 0;
    timeout->tv_sec = (time_t)left;
    timeout->tv_usec = (suseconds_t)((left - (double)timeout->tv_sec) * 1e6);
}

static bool sensible(int limit, const struct timeval *timeout)
{
    return limit >= 0 && limit <= FD_SETSIZE &&
           (!timeout || (timeout->tv_sec >= 0 && timeout->tv_usec >= 0 && timerisset(timeout)));
}

JG__EXPORT int select(int limit, fd_set *in, fd_set *out, fd_set *exceptional, struct timeval *timeout)
{
    if (!sensible(limit, timeout) || !JG__PARKS())
        return JG__REAL(select)(limit, in, out, exceptional, timeout);
    double seconds = timeout ? (double)timeout->tv_sec + (double)timeout->tv_usec / 1e6 : INFINITY;
    double until = jg__posix_until(seconds);
    int result = select_until(limit, in, out, exceptional, until);
    if (timeout)
        leave_rest(timeout, until);
    return result;
}

JG__EXPORT int pselect(int limit, fd_set *in, fd_set *out, fd_set *exceptional, const struct timespec *timeout,
                       const sigset_t *mask)
{
    if (!may_park(timeout, mask) || !sensible(limit, NULL) || !JG__PARKS())
        return JG__REAL(pselect)(limit, in, out, exceptional, timeout, mask);
    return select_until(limit, in, out, exceptional, jg__posix_until(seconds_of(timeout)));
}

/* ---- epoll, which is readable when one of its fds is ready ---- */

static int wait_on_epoll(int epoll, struct epoll_event *events, int most, int milliseconds)
{
    double until = jg__posix_until(milliseconds < 0 ? INFINITY : milliseconds / 1e3);
    if (jg__posix_enter() < 0)
        return -1;
    for (;;) {
        int count = JG__REAL(epoll_wait)(epoll, events, most, 0);
        if (count != 0)
            return count;
        int result = jg__posix_wait(epoll, POLLIN, until);
        if (result <= 0)
            return result;
    }
}

JG__EXPORT int epoll_wait(int epoll, struct epoll_event *events, int most, int timeout)
{
    return timeout && JG__PARKS() ? wait_on_epoll(epoll, events, most, timeout)
                                  : JG__REAL(epoll_wait)(epoll, events, most, timeout);
}

JG__EXPORT int epoll_pwait(int epoll, struct epoll_event *events, int most, int timeout, const sigset_t *mask)
{
    return timeout && !mask && JG__PARKS() ? wait_on_epoll(epoll, events, most, timeout)
                                           : JG__REAL(epoll_pwait)(epoll, events, most, timeout, mask);
}
