/* Signals for tasks. */
#include "host/signal.h"

#include "base/memory.h"
#include "task/internal.h"

/* ---- One signal, for one call ---- */

struct signal_wait {
    struct jg__wait wait;
    struct jg__signal_listener listener;
    bool came;
};

static void wake_waiter(struct jg__signal_listener *listener, int signum)
{
    struct signal_wait *waiting = jg__container_of(listener, struct signal_wait, listener);
    waiting->came = true;
    jg__wake(&waiting->wait, signum);
}

int jg_wait_signal(int signum)
{
    jg_loop *loop = jg__here.loop;
    if (jg__enter_wait("jg_wait_signal") < 0)
        return -1;
    struct signal_wait waiting = {.wait = {.call = "jg_wait_signal"},
                                  .listener = {.wanted = jg__signal_bit(signum), .came = wake_waiter}};
    if (!waiting.listener.wanted)
        return jg__signal_refuse("jg_wait_signal", signum);
    if (jg__signal_listen(loop, &waiting.listener, "jg_wait_signal") < 0)
        return -1;
    int result = jg__park(&waiting.wait);
    jg__signal_unlisten(loop, &waiting.listener);
    if (waiting.came || jg__signal_on_its_way(loop, signum)) /* caught: nobody else might ever hear of it */
        return signum;
    return jg__fail_interrupted("jg_wait_signal", -result);
}

/* ---- Signals that are kept until somebody asks ---- */

struct jg_signals {
    struct jg__signal_listener listener;
    jg_loop *loop;
    uint64_t pending;
    struct jg__list waiters;
    unsigned entering; /* tasks that may have let others run before they wait... */
    bool closed;       /* ...the last of which frees it */
};

struct waiter {
    struct jg__wait wait;
    struct jg__list node;
};

/* Whoever is woken is off the list: it does not touch the object any more. */
static bool wake_first(jg_signals *signals, int result)
{
    while (!jg__list_empty(&signals->waiters)) {
        struct waiter *waiter = jg__container_of(signals->waiters.next, struct waiter, node);
        jg__list_remove(&waiter->node);
        if (jg__wake(&waiter->wait, result))
            return true;
    }
    return false;
}

static void hand_out(struct jg__signal_listener *listener, int signum)
{
    jg_signals *signals = jg__container_of(listener, jg_signals, listener);
    if (!wake_first(signals, signum))
        signals->pending |= jg__signal_bit(signum);
}

static void free_signals(struct jg__signal_listener *listener)
{
    jg__release(jg__container_of(listener, jg_signals, listener));
}

static int start_to_listen(jg_signals *signals, const int *signums)
{
    for (; *signums; signums++) {
        uint64_t bit = jg__signal_bit(*signums);
        if (!bit)
            return jg__signal_refuse("jg_watch_signals", *signums);
        signals->listener.wanted |= bit;
    }
    if (!signals->listener.wanted)
        return jg_fail(EINVAL, "jg_watch_signals: no signal is named");
    return jg__signal_listen(signals->loop, &signals->listener, "jg_watch_signals");
}

jg_signals *jg_watch_signals_in(const int *signums)
{
    jg__running("jg_watch_signals");
    jg_signals *signals = jg__allocate_zeroed(sizeof *signals);
    if (!signals) {
        jg_fail(ENOMEM, "jg_watch_signals: out of memory");
        return NULL;
    }
    signals->listener.came = hand_out;
    signals->listener.evicted = free_signals;
    signals->loop = jg__here.loop;
    jg__list_init(&signals->waiters);
    if (start_to_listen(signals, signums) == 0)
        return signals;
    jg__release(signals);
    return NULL;
}

static int fail_closed(void)
{
    return jg_fail(EBADF, "jg_next_signal: it was closed meanwhile");
}

static int enter(jg_signals *signals)
{
    signals->entering++;
    int result = jg__enter_wait("jg_next_signal");
    signals->entering--;
    if (!signals->closed)
        return result;
    if (!signals->entering)
        jg__release(signals);
    return fail_closed();
}

int jg_next_signal(jg_signals *signals)
{
    jg__refuse_null(signals, "jg_next_signal", "jg_signals");
    if (enter(signals) < 0)
        return -1;
    if (signals->pending) {
        int signum = __builtin_ctzll(signals->pending) + 1;
        signals->pending &= signals->pending - 1;
        return signum;
    }
    struct waiter waiter = {.wait = {.call = "jg_next_signal", .object = signals}};
    jg__list_append(&signals->waiters, &waiter.node);
    int result = jg__park(&waiter.wait);
    if (result > 0)
        return result;
    if (result == -EBADF)
        return fail_closed();
    if (jg__listed(&waiter.node))
        jg__list_remove(&waiter.node);
    return jg__fail_interrupted("jg_next_signal", -result);
}

void jg_signals_close(jg_signals *signals)
{
    if (!signals)
        return;
    while (wake_first(signals, -EBADF))
        ;
    jg__signal_unlisten(signals->loop, &signals->listener);
    signals->closed = true;
    if (!signals->entering)
        jg__release(signals);
}
