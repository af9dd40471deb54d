#include "host/signal.h"

#include "base/diagnostics.h"
#include "base/memory.h"
#include "host/disposition.h"
#include "loop/internal.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

/* Of a loop; from the first time that somebody listens there until it is closed. What the signal handler touches is
 * atomic. */
struct jg__signals {
    struct jg__resident resident;
    jg_loop *loop;
    _Atomic(struct jg__signals *) next; /* of the next loop */
    atomic_uint_fast64_t wanted, pending;
    atomic_bool queued;
    jg_handle arrival;
    struct jg__list listeners;
    struct handler *handlers[64]; /* those of jg_add_signal_handler */
};

static struct jg__signal_listener *listener_of(struct jg__list *node)
{
    return jg__container_of(node, struct jg__signal_listener, node);
}

/* The loops; changed with the lock held, read by the signal handler. */
static _Atomic(struct jg__signals *) all_loops;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- In the signal handler ---- */

static bool tell_loop(struct jg__signals *signals, uint64_t bit)
{
    if (!(atomic_load(&signals->wanted) & bit))
        return false;
    atomic_fetch_or(&signals->pending, bit);
    if (!atomic_exchange(&signals->queued, true))
        jg_call_soon_threadsafe(signals->loop, &signals->arrival);
    return true;
}

bool jg__signal_tell(int signum)
{
    bool told = false;
    for (struct jg__signals *signals = atomic_load(&all_loops); signals; signals = atomic_load(&signals->next))
        told |= tell_loop(signals, jg__signal_bit(signum));
    return told;
}

void jg__signal_forget_loops(void)
{
    atomic_store(&all_loops, NULL);
    pthread_mutex_init(&lock, NULL);
}

/* ---- On the loop ---- */

/* Each goes to the end of the list before it is told, behind a mark: so any may leave meanwhile, and who joins is not
 * told. */
static void tell_listeners(struct jg__signals *signals, int signum)
{
    struct jg__signal_listener mark = {0}, *listener;
    jg__list_append(&signals->listeners, &mark.node);
    while ((listener = listener_of(signals->listeners.next)) != &mark) {
        jg__list_remove(&listener->node);
        jg__list_append(&signals->listeners, &listener->node);
        if (listener->wanted & jg__signal_bit(signum))
            listener->came(listener, signum);
    }
    jg__list_remove(&mark.node);
}

static void arrive(void *arg)
{
    struct jg__signals *signals = arg;
    atomic_store(&signals->queued, false);
    uint64_t pending = atomic_exchange(&signals->pending, 0);
    for (; pending; pending &= pending - 1)
        tell_listeners(signals, __builtin_ctzll(pending) + 1);
}

/* ---- The signals of a loop ---- */

static void let_go(uint64_t wanted)
{
    for (; wanted; wanted &= wanted - 1)
        jg__signal_let_go(__builtin_ctzll(wanted) + 1);
}

/* From here on no signal handler knows of the loop. */
static void unlink_loop(struct jg__signals *signals)
{
    pthread_mutex_lock(&lock);
    _Atomic(struct jg__signals *) *link = &all_loops;
    while (atomic_load(link) != signals)
        link = &atomic_load(link)->next;
    atomic_store(link, atomic_load(&signals->next));
    pthread_mutex_unlock(&lock);
    jg__signal_handlers_left();
    jg_handle_cancel(signals->loop, &signals->arrival);
}

static void evict(struct jg__resident *resident)
{
    struct jg__signals *signals = jg__container_of(resident, struct jg__signals, resident);
    for (struct jg__list *node = signals->listeners.next; node != &signals->listeners; node = node->next)
        let_go(listener_of(node)->wanted);
    unlink_loop(signals);
    while (!jg__list_empty(&signals->listeners)) {
        struct jg__signal_listener *listener = listener_of(signals->listeners.next);
        jg__list_remove(&listener->node);
        listener->evicted(listener);
    }
    signals->loop->signals = NULL;
    jg__release(signals);
}

static struct jg__signals *signals_of(jg_loop *loop)
{
    if (loop->signals)
        return loop->signals;
    struct jg__signals *signals = jg__allocate_zeroed(sizeof *signals);
    if (!signals)
        return NULL;
    signals->loop = loop;
    signals->arrival = (jg_handle){.fn = arrive, .arg = signals};
    signals->resident.evict = evict;
    jg__list_init(&signals->listeners);
    jg__list_append(&loop->residents, &signals->resident.node);
    pthread_mutex_lock(&lock);
    atomic_store(&signals->next, atomic_load(&all_loops));
    atomic_store(&all_loops, signals);
    pthread_mutex_unlock(&lock);
    return loop->signals = signals;
}

/* ---- Listening ---- */

int jg__signal_refuse(const char *call, int signum)
{
    if (signum == SIGKILL || signum == SIGSTOP)
        return jg_fail(EINVAL, "%s: SIG%s cannot be caught", call, sigabbrev_np(signum));
    if (signum == SIGSEGV || signum == SIGBUS || signum == SIGFPE || signum == SIGILL)
        return jg_fail(EINVAL, "%s: SIG%s comes from a broken instruction, not from outside", call,
                       sigabbrev_np(signum));
    return jg_fail(EINVAL, "%s: there is no signal %d", call, signum);
}

/* Holds each of the signals; returns 0, or the first that cannot be held, and then holds none. */
static int hold_all(uint64_t wanted)
{
    for (uint64_t left = wanted; left; left &= left - 1) {
        int signum = __builtin_ctzll(left) + 1;
        if (jg__signal_hold(signum)) {
            let_go(wanted & (jg__signal_bit(signum) - 1));
            return signum;
        }
    }
    return 0;
}

static void leave(struct jg__signals *signals, struct jg__signal_listener *listener)
{
    uint64_t wanted = 0;
    jg__list_remove(&listener->node);
    for (struct jg__list *node = signals->listeners.next; node != &signals->listeners; node = node->next)
        wanted |= listener_of(node)->wanted;
    atomic_store(&signals->wanted, wanted);
}

/* First the ear, then the handler, so that no signal falls between the two; and the other way round at the end. */
int jg__signal_listen(jg_loop *loop, struct jg__signal_listener *listener, const char *call)
{
    struct jg__signals *signals = signals_of(loop);
    if (!signals)
        return jg_fail(ENOMEM, "%s: out of memory", call);
    jg__list_append(&signals->listeners, &listener->node);
    atomic_fetch_or(&signals->wanted, listener->wanted);
    int refused = hold_all(listener->wanted);
    if (!refused)
        return 0;
    leave(signals, listener);
    return jg__signal_refuse(call, refused);
}

void jg__signal_unlisten(jg_loop *loop, struct jg__signal_listener *listener)
{
    let_go(listener->wanted);
    leave(loop->signals, listener);
}

bool jg__signal_on_its_way(const jg_loop *loop, int signum)
{
    return loop->signals && atomic_load(&loop->signals->pending) & jg__signal_bit(signum);
}

/* ---- Handlers of the program's ---- */

struct handler {
    struct jg__signal_listener listener;
    void (*fn)(int signum, void *arg);
    void *arg;
};

static void call_handler(struct jg__signal_listener *listener, int signum)
{
    struct handler *handler = jg__container_of(listener, struct handler, listener);
    handler->fn(signum, handler->arg);
}

static void free_handler(struct jg__signal_listener *listener)
{
    jg__release(jg__container_of(listener, struct handler, listener));
}

static int add_handler(jg_loop *loop, int signum, void (*fn)(int signum, void *arg), void *arg)
{
    struct handler *handler = jg__allocate_zeroed(sizeof *handler);
    if (!handler)
        return jg_fail(ENOMEM, "jg_add_signal_handler: out of memory");
    *handler = (struct handler){
        .listener = {.wanted = jg__signal_bit(signum), .came = call_handler, .evicted = free_handler},
        .fn = fn,
        .arg = arg,
    };
    if (jg__signal_listen(loop, &handler->listener, "jg_add_signal_handler") < 0) {
        jg__release(handler);
        return -1;
    }
    loop->signals->handlers[signum - 1] = handler;
    return 0;
}

int jg_add_signal_handler(jg_loop *loop, int signum, void (*fn)(int signum, void *arg), void *arg)
{
    if (!jg__signal_bit(signum))
        return jg__signal_refuse("jg_add_signal_handler", signum);
    struct handler *handler = loop->signals ? loop->signals->handlers[signum - 1] : NULL;
    if (!handler)
        return add_handler(loop, signum, fn, arg);
    handler->fn = fn;
    handler->arg = arg;
    return 0;
}

bool jg_remove_signal_handler(jg_loop *loop, int signum)
{
    struct handler *handler = loop->signals && jg__signal_bit(signum) ? loop->signals->handlers[signum - 1] : NULL;
    if (!handler)
        return false;
    loop->signals->handlers[signum - 1] = NULL;
    jg__signal_unlisten(loop, &handler->listener);
    jg__release(handler);
    return true;
}
