/* Tasks that wait for the fate of what was written to a stream. */
#ifndef JUGGLE_STREAM_WAITER_H
#define JUGGLE_STREAM_WAITER_H

#include "stream/stream.h"

/* On the task's stack. */
struct jg__waiter {
    struct jg__wait wait;
    struct jg__list node; /* in stream->waiters */
    bool for_progress;    /* until not more than `most` bytes are pending; else it is woken by its own callbacks */
    size_t most;
};

/* Parks the running task among the stream's waiters. Returns 0 or a negated errno; -EPIPE when writing has ended. After
 * -EBADF the stream may be gone. */
int jg__waiter_park(struct jg__stream *stream, struct jg__waiter *waiter);

/* The same, until not more than `most` bytes are pending. */
int jg__wait_for_progress(struct jg__stream *stream, size_t most, const char *call);

/* Wakes everybody who waits on the stream, the reader too, with -EBADF; who writes from its own memory as soon as the
 * kernel has let go. */
void jg__stream_expel(struct jg__stream *stream);

/* Can what is queued still be sent? Can more be written? 0, or -1 with EPIPE. */
int jg__check_sending(const struct jg__stream *stream, const char *call);
int jg__check_writable(const struct jg__stream *stream, const char *call);

#endif
