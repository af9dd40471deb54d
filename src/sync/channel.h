/* What select needs of channels. */
#ifndef JUGGLE_SYNC_CHANNEL_H
#define JUGGLE_SYNC_CHANNEL_H

#include "sync/queue.h"

#include <juggle/channel.h>
#include <pthread.h>
#include <stdatomic.h>

#pragma GCC visibility push(hidden)

/* A queue whose lines are shared between threads: everything in it, the places in its lines too, is guarded by the
 * lock. */
struct jg_channel {
    pthread_mutex_t lock;
    jg_queue queue;
    atomic_uint inside; /* threads and visitors that still touch it; jg_channel_free waits for them */
};

void jg__channel_lock(jg_channel *channel);
void jg__channel_unlock(jg_channel *channel);

/* A task that waits in a channel, maybe in others too. It counts as inside until it has departed: it was found in its
 * line by whoever serves it, or has left by itself. From then on it doesn't touch the channel. */
struct jg__visitor {
    struct jg__place place;
    jg_channel *channel;
    atomic_bool departed;
};

/* Puts it at the end of a line of its channel, which is locked. */
void jg__visit(struct jg__visitor *visitor, void *line[2]);

/* For `claim`, with the channel locked: true if it didn't depart before. If it has nothing else to wait for, it may be
 * gone afterwards. */
bool jg__visitor_found(struct jg__visitor *visitor);

/* Takes it out of its line; false if it was found before. */
bool jg__visitor_leaves(struct jg__visitor *visitor);

#pragma GCC visibility pop

#endif
