/* Sleeping. */
#include "posix/interpose.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

static double seconds_of(const struct timespec *time)
{
    return (double)time->tv_sec + (double)time->tv_nsec / 1e9;
}

static bool sensible(const struct timespec *time)
{
    return time->tv_sec >= 0 && time->tv_nsec >= 0 && time->tv_nsec < 1000000000;
}

/* Returns how much was not slept, 0 when all was. */
static double sleep_parked(double seconds)
{
    double until = jg_time() + seconds;
    int saved = errno;
    if (jg_sleep(seconds) == 0) {
        errno = saved;
        return 0;
    }
    double left = until - jg_time();
    return left > 1e-9 ? left : 1e-9;
}

static void leave_rest(struct timespec *rest, double seconds)
{
    if (!rest)
        return;
    rest->tv_sec = (time_t)seconds;
    rest->tv_nsec = (long)((seconds - (double)rest->tv_sec) * 1e9);
}

/* Returns 0 or an errno: ECANCELED or ETIMEDOUT, where a signal would be EINTR. */
static int sleep_for(const struct timespec *time, struct timespec *rest)
{
    double left = sleep_parked(seconds_of(time));
    if (left == 0)
        return 0;
    leave_rest(rest, left);
    return errno;
}

JG__EXPORT unsigned sleep(unsigned seconds)
{
    if (!JG__PARKS())
        return JG__REAL(sleep)(seconds);
    double left = sleep_parked(seconds);
    unsigned whole = (unsigned)left;
    return whole + (left > whole);
}

JG__EXPORT int usleep(useconds_t microseconds)
{
    if (!JG__PARKS())
        return JG__REAL(usleep)(microseconds);
    return sleep_parked(microseconds / 1e6) == 0 ? 0 : -1;
}

JG__EXPORT int nanosleep(const struct timespec *time, struct timespec *rest)
{
    if (!JG__PARKS() || !sensible(time))
        return JG__REAL(nanosleep)(time, rest);
    return sleep_for(time, rest) ? -1 : 0;
}

/* The clock may be set meanwhile. */
static int sleep_until(clockid_t clock, const struct timespec *until)
{
    struct timespec now;
    int saved = errno;
    for (;;) {
        clock_gettime(clock, &now);
        double left = (double)(until->tv_sec - now.tv_sec) + (double)(until->tv_nsec - now.tv_nsec) / 1e9;
        if (left <= 0)
            return 0;
        if (jg_sleep(left) < 0) {
            int error = errno;
            errno = saved;
            return error;
        }
    }
}

JG__EXPORT int clock_nanosleep(clockid_t clock, int flags, const struct timespec *time, struct timespec *rest)
{
    bool known = clock == CLOCK_MONOTONIC || clock == CLOCK_REALTIME || clock == CLOCK_BOOTTIME || clock == CLOCK_TAI;
    if (!known || !sensible(time) || !JG__PARKS())
        return JG__REAL(clock_nanosleep)(clock, flags, time, rest);
    if (flags & TIMER_ABSTIME)
        return sleep_until(clock, time);
    int saved = errno;
    int error = sleep_for(time, rest);
    errno = saved;
    return error;
}
