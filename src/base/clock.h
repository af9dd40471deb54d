/* Time: nanoseconds of CLOCK_MONOTONIC inside, seconds as double outside. */
#ifndef JUGGLE_BASE_CLOCK_H
#define JUGGLE_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define JG__SECOND INT64_C(1000000000)
#define JG__NEVER INT64_MAX

static inline int64_t jg__clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * JG__SECOND + now.tv_nsec;
}

/* Rounded up, so that nothing comes early; NaN and what is too far away are never. */
static inline int64_t jg__nanoseconds(double seconds)
{
    double nanoseconds = seconds * 1e9;
    if (!(nanoseconds < 9.2e18))
        return JG__NEVER;
    if (nanoseconds <= -9.2e18)
        return -JG__NEVER;
    int64_t whole = (int64_t)nanoseconds;
    return whole + ((double)whole < nanoseconds);
}

static inline double jg__seconds(int64_t nanoseconds)
{
    return (double)nanoseconds / 1e9;
}

/* base + nanoseconds, or never. */
static inline int64_t jg__later(int64_t base, int64_t nanoseconds)
{
    int64_t sum;
    if (nanoseconds == JG__NEVER || __builtin_add_overflow(base, nanoseconds, &sum))
        return nanoseconds < 0 ? -JG__NEVER : JG__NEVER;
    return sum;
}

#endif
