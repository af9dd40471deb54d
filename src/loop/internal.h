/* What the loop shows to the files of its own floor and, in its inline part, to the floors above. */
#ifndef JUGGLE_LOOP_INTERNAL_H
#define JUGGLE_LOOP_INTERNAL_H

#include "base/clock.h"
#include "base/list.h"
#include "loop/poller.h"
#include "loop/timers.h"

#include <stdatomic.h>

struct jg__watch;

/* Part of an object that jg_loop_close has to release: `evict` is called when no operation is in the kernel any more,
 * after the poller was closed. */
struct jg__resident {
    struct jg__list node;
    void (*evict)(struct jg__resident *resident);
};

struct jg_loop {
    /* The ready queue. `turn_end` stands in it behind the last callback of the current batch. */
    jg_handle ready;
    jg_handle turn_end;
    void (*task_fn)(void *arg); /* the callback that marks a handle as that of a task; see jg__next_batch */
    unsigned batches;           /* how many more batches of tasks may run before the clock is asked... */
    unsigned batches_allowed;   /* ...out of so many: adapted to how long they take */
    int64_t batches_since;
    unsigned forks; /* how often the process had forked when the loop was made */
    bool running, stopping;
    bool ending_turn;      /* see jg__end_turn */
    jg_handle before_poll; /* handles that run when the turn ends, before the poll: writes that leave together */
    int64_t now;           /* when the last poll ended */
    bool turned;           /* in this run */
    struct jg__timers timers;

    _Atomic(jg_handle *) inbox; /* from other threads, last in first */
    atomic_bool asleep;         /* a thread-safe call has to write to wake_fd */
    atomic_uint senders;        /* threads inside jg_call_soon_threadsafe */
    int wake_fd;

    const struct jg__poller *poller;
    void *poller_state;
    struct jg__watch **watches; /* a reader and a writer for each fd */
    size_t watch_count;
    struct jg__list all_watches;
    jg_loop_hooks hooks;
    jg_loop_statistics statistics;
    int (*call_deep)(int (*fn)(void *arg), void *arg); /* jg_call_deep, where there are tasks */
    void *tasks;                                       /* the scheduler of the tasks, if there is one */
    struct jg__list listeners_without_fds;             /* retried when an fd is closed; see transport/listener.c */
    struct jg__list residents;                         /* what lives in the loop and is released with it */
    void (*finish)(jg_loop *loop);   /* what is to be flushed when the tasks have ended; see stream/standard.c */
    struct jg__pools *pools;         /* of streams and servers; see stream/pool.c */
    size_t lingering;                /* connections that were closed and wait for their peers' ends, a second at most */
    struct jg__chunks *chunks;       /* spare memory of the transports; see transport/chunk.c */
    struct jg__datagrams *datagrams; /* and of datagram transports; see transport/datagram_batch.c */
    struct jg__resident *jobs;       /* on threads, evicted behind all residents, which own them; see host/job.c */
    struct jg__resolver *resolver;   /* its name look-ups; see host/resolver.c */
    struct jg__signals *signals;     /* what it listens for; see host/signal.c */
};

/* Runs fn(arg) on the thread's own stack, also when a task calls it. fn must not wait. */
static inline int jg__call_deep(const jg_loop *loop, int (*fn)(void *arg), void *arg)
{
    return loop && loop->call_deep ? loop->call_deep(fn, arg) : fn(arg);
}

/* Other tasks may run before the kernel is asked again: called when `turn_end` is at the head of the ready queue. If
 * the next one is a task and the budget lasts, opens a batch of everything that is ready now and returns true. */
bool jg__budget_lasts(jg_loop *loop);
static inline bool jg__next_batch(jg_loop *loop)
{
    if (loop->turn_end.next->fn != loop->task_fn)
        return false;
    if (__builtin_expect(loop->batches-- == 0, 0) && !jg__budget_lasts(loop))
        return false;
    jg__queue_append(&loop->ready, jg__queue_pop(&loop->ready));
    return true;
}

/* No further batch before the kernel was asked. */
static inline void jg__end_turn(jg_loop *loop)
{
    loop->batches = 0;
    loop->ending_turn = true;
}

/* Queues a handle to run once when this turn's callbacks and tasks are done, before the poll; already queued: nothing.
 */
static inline void jg__call_before_poll(jg_loop *loop, jg_handle *handle)
{
    if (!handle->next)
        jg__queue_append(&loop->before_poll, handle);
}

/* The states of an operation. */
enum jg__operation_state {
    JG__IDLE,      /* the owner's */
    JG__SUBMITTED, /* the poller's */
    JG__COMPLETED, /* `done` is queued */
};

/* Its flags; a poller may use those from JG__POLLER_FLAG on. */
enum jg__operation_flags {
    JG__CANCELLED = 1,
    JG__OWN_FD = 2, /* POLL: the fd is not closed while it is used, so what epoll was told of it still holds */
    JG__LAZY = 4,   /* SEND: nobody waits for its end; io_uring may tell of it together with the next event */
    JG__POLLER_FLAG = 8,
};

/* Moves what a message tells of past its first bytes. */
void jg__message_advance(struct msghdr *message, size_t bytes);

/* jg_submit with flags. */
void jg__submit(jg_loop *loop, jg_operation *operation, unsigned char flags);

/* An operation that only a ring has; its owner fills the slot. The memory that this names stays until `done`. */
struct io_uring_sqe;
enum { JG__OP_RING = 64 };
struct jg__ring_operation {
    jg_operation operation; /* with .opcode = (jg_opcode)JG__OP_RING */
    void (*prepare)(struct jg__ring_operation *ring, struct io_uring_sqe *slot);
};

/* Has this loop a ring, of a kernel that knows this opcode of io_uring's (below 64)? */
bool jg__ring_supports(jg_loop *loop, unsigned opcode);

/* Performs a RECV, SEND or SENDMSG at once if that is possible without waiting and without the kernel's keeping it
 * (epoll; io_uring never): returns true with operation->result set; `done` is not called and the operation is the
 * owner's. Else false: submit it, but of a send only what is left after the operation->result bytes that have been
 * sent. Saves the turn that a completion takes, and the call where the fd is known to be empty or full. */
bool jg__operation_try(jg_loop *loop, jg_operation *operation);

/* Hands submitted operations to the kernel now, where that costs a system call of its own (io_uring), instead of with
 * the next poll. */
void jg__operations_flush(jg_loop *loop);

/* An operation that has completed, but whose `done` was not called yet, is the owner's again: true, with its result. */
bool jg__operation_take(jg_operation *operation, int *result);

/* jg_forget_fd; `shared`: others keep the open file when the fd is closed. */
void jg__forget_fd(jg_loop *loop, int fd, bool shared);

/* For the pollers: `done` is called from the ready queue. */
void jg__operation_complete(jg_loop *loop, jg_operation *operation, int result);

/* For the pollers: calls `done` now, as the last call of this operation. */
void jg__operation_done(jg_operation *operation, int result);

/* Timers in the loop's own unit. */
void jg__call_at(jg_loop *loop, jg_timer *timer, int64_t when);

/* Moves what other threads have sent to the ready queue. */
void jg__take_inbox(jg_loop *loop);

void jg__watches_free(jg_loop *loop);

#endif
