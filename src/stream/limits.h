/* How long a server lets its connections wait, and parking with such a limit. */
#ifndef JUGGLE_STREAM_LIMITS_H
#define JUGGLE_STREAM_LIMITS_H

#include "stream/server.h"
#include "stream/stream.h"

/* In seconds; 0: no limit. Where another task than the handler closes the stream, the server may be gone by then: its
 * memory is still one of a server, being the pool's. */
static inline double jg__read_limit(const struct jg__stream *stream)
{
    return stream->server ? stream->server->options.idle_timeout : 0;
}

static inline double jg__write_limit(const struct jg__stream *stream)
{
    return stream->server ? stream->server->options.write_timeout : 0;
}

/* jg__park, ended with -ETIMEDOUT after so many seconds. */
static inline int jg__park_at_most(struct jg__wait *wait, double seconds)
{
    if (__builtin_expect(!(seconds > 0), 1))
        return jg__park(wait);
    JG_TIMEOUT(limit, seconds);
    return jg__park(wait);
}

#endif
