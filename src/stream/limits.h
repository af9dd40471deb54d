/* Parking with a limit. */
#ifndef JUGGLE_STREAM_LIMITS_H
#define JUGGLE_STREAM_LIMITS_H

#include "stream/stream.h"

/* jg__park, ended with -ETIMEDOUT after so many seconds; 0: no limit. */
static inline int jg__park_at_most(struct jg__wait *wait, double seconds)
{
    if (__builtin_expect(!(seconds > 0), 1))
        return jg__park(wait);
    JG_TIMEOUT(limit, seconds);
    return jg__park(wait);
}

#endif
