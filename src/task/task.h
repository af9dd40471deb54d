/* The record of a task: at the top of its own stack, so that a task that sleeps costs one page. */
#ifndef JUGGLE_TASK_TASK_H
#define JUGGLE_TASK_TASK_H

#include "base/options.h"
#include "task/wait.h"

#include <juggle/group.h>

#pragma GCC visibility push(hidden)

struct jg__scheduler;
struct jg__context_value;
struct jg__watcher;
struct jg__done_callback;

enum { JG__NAME_SIZE = 32 };

/* Why a task must not wait at all, whatever happens to it. */
enum jg__forbidden {
    JG__WAITING_ALLOWED,
    JG__IN_CALL_DEEP,    /* it is inside jg_call_deep */
    JG__IN_FORKED_CHILD, /* this process is a forked copy */
};

/* The first cache line is all that a switch touches; the second and third serve creating and joining.
 *
 * For debuggers: from the list jg__schedulers, each scheduler's `roots` and every task's `children` (linked by
 * `siblings`) make the tree of all tasks. A task with `ended` has ended and waits to be consumed. Of the others, the
 * one that jg__here.task of its thread points at runs; one whose `wait` or wait->task is NULL is ready to run; else it
 * waits in the public function wait->call, for wait->object. The registers of a task that does not run are those that
 * jg__context_switch left at context.stack_pointer. */
struct jg__task {
    struct jg__context context;
    jg_handle handle;      /* in the ready queue: fn is jg__run_task, arg the task */
    struct jg__wait *wait; /* what it is parked in, or was woken from but doesn't know yet; NULL: it runs or yields */
    int interrupted;       /* the reason that shows now: 0, ECANCELED, ETIMEDOUT; -1: see `forbidden` */
    int saved_errno;       /* errno, while it doesn't run */

    jg_coroutine fn;
    void *arg;
    struct jg__list siblings; /* in its parent's children, or in the scheduler's roots */
    struct jg__list children; /* that it created and has not consumed */
    struct jg__task *parent;  /* who consumes it: its creator; NULL for main and for detached ones */
    uint32_t generation;      /* that of its handle; 0: no task */
    int result;               /* of fn: 0 or more, or -1 with `error` */

    /* Zero at first: JG__ZERO_PAIRS times 16 bytes from here. */
    _Alignas(16) void *joiner; /* who is told of its end: by child_ended(joiner, task), or woken where that is NULL */
    void (*child_ended)(void *joiner, struct jg__task *child);
    struct jg_timeout *scopes; /* the innermost */
    struct jg__context_value *values;
    struct jg__watcher *watchers; /* jg_wait */
    struct jg__done_callback *callbacks;
    struct jg__error_text *error_text;
    const char *refused_call; /* the wait that was interrupted, if that was its last failure; see error_text.c */
    int refused_error;        /* and with what */
    uint16_t refused;         /* waits refused since it was interrupted */
    uint16_t spent;           /* calls that found their data at once since it waited last: see JG__BUDGET */
    uint32_t copied;          /* bytes of the copy of arg, below the record */
    bool ended;
    bool cancelled;
    unsigned char forbidden;
    bool is_main : 1;
    bool consumed : 1; /* only its done callbacks keep it */
    bool counts : 1;   /* in a group: its failure is one of the group's */
    bool ending : 1;   /* its function has returned, and it waits for the children that it left behind */

    struct jg__list in_group;
    struct jg__stack stack;
    int error;
    int errno_of_yield;                /* saved_errno before its yield was interrupted */
    struct jg__task *next_interrupted; /* see interruption.c */
    uint64_t failure_order;            /* the how manieth task of this loop to fail */
    const char *name;                  /* `own_name`, or the same as `origin` */
    char own_name[JG__NAME_SIZE];      /* set only if `name` points at it; so is `origin`, see jg__task_origin */
    const char *origin;
} __attribute__((aligned(64)));

enum { JG__ZERO_PAIRS = 5 };
_Static_assert(offsetof(struct jg__task, in_group) - offsetof(struct jg__task, joiner) == JG__ZERO_PAIRS * 16,
               "what is zero at first");
_Static_assert(offsetof(struct jg__task, fn) == 64 || JG__SANITIZED, "what a switch touches fits a cache line");

/* The handle that users see: the address, which has 48 bits and is a multiple of 64, with 22 bits of generation in the
 * bits that are free. Never NULL, since the generation is never 0. */
enum { JG__GENERATION_LOW = 6, JG__GENERATION_BITS = 22, JG__ADDRESS_BITS = 48 };

static inline jg_task *jg__task_handle(const struct jg__task *task)
{
    uint64_t generation = task->generation;
    uint64_t low = generation & ((1u << JG__GENERATION_LOW) - 1);
    uint64_t high = generation >> JG__GENERATION_LOW;
    return (jg_task *)((uintptr_t)task | low | high << JG__ADDRESS_BITS); // NOLINT(performance-no-int-to-ptr)
}

/* A literal: the name of the task's function, NUL, and where it was created: "server.c:31", or nothing. */
static inline const char *jg__task_origin(const struct jg__task *task)
{
    return task->name == task->own_name ? task->origin : task->name;
}

/* Where it was created. */
static inline const char *jg__task_created_at(const struct jg__task *task)
{
    const char *origin = jg__task_origin(task);
    return origin + strlen(origin) + 1;
}

/* Creates a task that `parent` will consume (NULL: a root) and makes it ready. NULL with ENOMEM, EINVAL. */
struct jg__task *jg__task_new(const char *call, struct jg__task *parent, jg_coroutine fn, void *arg,
                              const jg_task_options *options);

/* The same, but it is not ready yet: jg__task_begin follows, which runs an eager one until its first wait. */
struct jg__task *jg__task_make(const char *call, struct jg__task *parent, jg_coroutine fn, void *arg,
                               const jg_task_options *options);
void jg__task_begin(struct jg__task *task, bool eager);

/* The options as the loop's task factory wants them, in full, in `whole` if need be; NULL with errno if it refuses. */
const jg_task_options *jg__options_by_factory(jg_coroutine fn, void *arg, const jg_task_options *options,
                                              jg_task_options *whole);

/* Where the copy of its argument lies, if it has one. */
static inline char *jg__task_copy(struct jg__task *task)
{
    return (char *)task - ((task->copied + 15) & ~UINT32_C(15));
}

/* Where every task begins; it returns to nobody. */
void jg__task_entry(void *arg);

/* Makes a task a root: nobody consumes it. */
void jg__task_make_root(struct jg__task *task);

/* Reports the failure of a root that has ended, and frees it. */
void jg__root_ended(struct jg__task *task);

/* Tells the error handler that a task has failed: "failed: Connection refused (its error text)"; that its creator never
 * awaited it; that it does not listen to its cancellation. */
void jg__report_failure(const struct jg__task *task, const char *what);
void jg__report_abandoned(const struct jg__task *task, const struct jg__task *creator);
void jg__report_deaf(const struct jg__task *task, const char *call);

/* The tree of all tasks: the first one, or NULL; the one behind `task`, its children first. Those that have ended and
 * were not consumed yet are among them. */
struct jg__task *jg__first_task(struct jg__scheduler *scheduler);
struct jg__task *jg__next_task(struct jg__scheduler *scheduler, struct jg__task *task);

/* jg_cancel for the floor itself. */
void jg__cancel(struct jg__task *task);

/* From now on `joiner` is told when the child, which has not ended yet, does; without child_ended it is a jg__wait, to
 * be woken. */
static inline void jg__task_join(struct jg__task *child, void (*child_ended)(void *, struct jg__task *), void *joiner)
{
    if (child_ended)
        child->child_ended = child_ended;
    child->joiner = joiner;
}

/* Waits until the child has ended, whatever happens; an interruption cancels it. Returns the reason of the interruption
 * if there was one, or 0. */
int jg__join(struct jg__task *child, const char *call);

/* The `interrupt` of a wait for one task, which is its `object`. */
void jg__interrupt_join(struct jg__wait *wait, int reason);

/* Consumes a child that has ended, and returns its result, with errno; `reason`, if not 0, is why the call was
 * interrupted and takes the place of ECANCELED. */
int jg__outcome(const char *call, struct jg__task *child, int reason);

/* Done callbacks: those of a task that ends are queued. */
void jg__done_callbacks_queue(struct jg__task *task);

/* Who watches a task is told of its end, once, without consuming it. */
struct jg__watcher {
    void (*ended)(struct jg__watcher *watcher, const struct jg__task *task); /* may unwatch any other */
    struct jg__watcher *next, **link; /* in the list of the task; link is NULL when it is in none */
};
void jg__watch_task(struct jg__task *task, struct jg__watcher *watcher);
void jg__unwatch_task(struct jg__watcher *watcher);
void jg__watchers_tell(struct jg__task *task);

/* Task-locals: a reference is taken for a child, or given up. */
struct jg__context_value *jg__context_share(struct jg__context_value *values);
void jg__context_drop(struct jg__context_value *values);

#pragma GCC visibility pop

#endif
