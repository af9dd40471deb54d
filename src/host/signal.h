/* Signals, told to those on a loop who listen. */
#ifndef JUGGLE_HOST_SIGNAL_H
#define JUGGLE_HOST_SIGNAL_H

#include "base/list.h"

#include <juggle/signal.h>

/* Somebody who listens; embedded in its owner's record. The owner sets `wanted`, `came` and `evicted`. */
struct jg__signal_listener {
    uint64_t wanted; /* jg__signal_bit of each */
    /* A signal has come; from a turn of the loop. May stop any listener, itself included. */
    void (*came)(struct jg__signal_listener *listener, int signum);
    /* The loop is closed, it does not listen any more. */
    void (*evicted)(struct jg__signal_listener *listener);
    struct jg__list node; /* private */
};

/* 0 for what is no signal. */
static inline uint64_t jg__signal_bit(int signum)
{
    return signum >= 1 && signum <= 64 ? UINT64_C(1) << (signum - 1) : 0;
}

/* Starts to listen. Returns 0, or -1 with EINVAL, ENOMEM, and words that begin with `call`. */
int jg__signal_listen(jg_loop *loop, struct jg__signal_listener *listener, const char *call);

/* Stops. Preserves errno. */
void jg__signal_unlisten(jg_loop *loop, struct jg__signal_listener *listener);

/* Has this signal come, but nobody was told yet? */
bool jg__signal_on_its_way(const jg_loop *loop, int signum);

/* Fails with EINVAL in the words of what is wrong with the number. */
int jg__signal_refuse(const char *call, int signum);

#endif
