/* The scheduler of one thread: which task runs, and the switch to the next one. */
#ifndef JUGGLE_TASK_SCHEDULER_H
#define JUGGLE_TASK_SCHEDULER_H

#include "task/guest.h"
#include "task/slow_step.h"
#include "task/task.h"

#include <pthread.h>

#define JG__LIKELY(condition) __builtin_expect(!!(condition), 1)
#define JG__UNLIKELY(condition) __builtin_expect(!!(condition), 0)

#pragma GCC visibility push(hidden)

/* Twice, because the first time that memory still counts as recently used. */
enum { JG__TRIMS = 2 };

/* So many calls of a task may find their data at once before it yields. */
enum { JG__BUDGET = 128 };

struct jg__scheduler {
    jg_loop *loop;
    struct jg__context loop_context; /* the loop's own flow, suspended while a task runs */
    struct jg__stacks *stacks;
    uint32_t generation; /* of the newest task */
    bool closing;        /* main has ended: what is left is cancelled */
    bool interrupting;   /* see interruption.c */
    bool ctrl_c;         /* SIGINT came */
    bool forked;         /* this process is a forked copy */
    uint64_t failures;   /* tasks that have failed */
    struct jg__list roots;
    struct jg__task *main;
    int main_result, main_error;
    struct jg__task *interrupted, **last_interrupted;
    jg_timer trimmer;
    unsigned trims;              /* still to come */
    struct jg__list node;        /* in jg__schedulers */
    const struct jg__here *here; /* of its thread */
    jg_handle dump;              /* from a signal, see debug/dump_signal.c */
    struct jg__step step;        /* the watcher's, see slow_step.h */
    atomic_bool dumping;         /* it is queued */
    pid_t thread;
    bool ends_with_main; /* jg_run: when main ends, so does the rest */
    struct jg__guests guests;
    jg_task_factory factory;
    void *factory_arg;
};

/* What a switch needs, of each thread. Initial-exec: an access is one instruction, not a call. */
struct jg__here {
    struct jg__task *task; /* that runs; NULL outside of tasks */
    jg_loop *loop;
    int *errno_location;             /* a call each time would cost as much as the switch */
    struct jg__scheduler *scheduler; /* NULL outside of jg_run */
};

extern _Thread_local __attribute__((tls_model("initial-exec"))) struct jg__here jg__here;

/* All schedulers of the process, for debuggers and for those that hold the lock. */
extern struct jg__list jg__schedulers;
extern pthread_mutex_t jg__schedulers_lock;

/* What a task that has not begun is parked in. */
extern struct jg__wait jg__unstarted;

/* 0, or -1 with errno of the loop or the stacks. */
int jg__scheduler_open(struct jg__scheduler *scheduler, const jg_run_options *options);
void jg__scheduler_close(struct jg__scheduler *scheduler);

/* Between these it is the scheduler of this thread. */
void jg__scheduler_enter(struct jg__scheduler *scheduler);
void jg__scheduler_leave(struct jg__scheduler *scheduler);

/* From now on what runs in it is cancelled, and nothing is let in. */
void jg__scheduler_end(struct jg__scheduler *scheduler);

/* The memory of stacks goes back to the kernel a while after the peak. */
void jg__scheduler_trim_later(struct jg__scheduler *scheduler);

/* The callback of a ready task's handle: runs the task until it parks. */
void jg__run_task(void *arg);

/* jg__context_switch as a function of int, because gcc makes no tail call where it would have to convert the result. */
#if JG__SANITIZED
#define jg__switch(from, to) ((int)jg__context_switch(from, to))
#else
int jg__switch(struct jg__context *from, struct jg__context *to) __asm__("jg__context_switch")
    __attribute__((visibility("hidden")));
#endif

/* The ready queue. A switch is as short as what it reads and writes there: for tasks no `previous` is kept (nobody
 * takes one out of the middle), and no `next` in the last one. */
static inline void jg__append_task(jg_loop *loop, struct jg__task *task)
{
    jg_handle *last = loop->ready.previous;
    last->next = &task->handle;
    loop->ready.previous = &task->handle;
}

/* `handle`, that of a task, is the first, or the first behind `turn_end`, which has another place by now. */
static inline struct jg__task *jg__take_first(jg_loop *loop, jg_handle *handle)
{
    jg_handle *second = handle->next;
    loop->ready.next = second;
    if (second->fn != jg__run_task && second != &loop->turn_end)
        second->previous = &loop->ready;
    return jg__container_of(handle, struct jg__task, handle);
}

/* Does a new batch of tasks begin behind `turn_end`, at the head of the queue? */
static inline bool jg__batch_begins(jg_loop *loop, jg_handle *handle)
{
    return handle == &loop->turn_end && handle->next->fn == jg__run_task && loop->batches > 0;
}

/* Leaves the running task for the next one. */
static inline __attribute__((always_inline)) int jg__leave_for(struct jg__task *task, struct jg__task *next, bool ended)
{
    int *errno_location = jg__here.errno_location;
    int error = *errno_location;
    if (JG__UNLIKELY(task->saved_errno != error))
        task->saved_errno = error;
    if (JG__UNLIKELY(next->saved_errno != error))
        *errno_location = next->saved_errno;
    jg__here.task = next;
    if (ended && next == task->parent)
        return (int)jg__context_return(&task->context, &next->context);
    if (ended)
        return (int)jg__context_leave(&task->context, &next->context);
    return jg__switch(&task->context, &next->context);
}

/* The rare cases: the batches are used up, or something else than a task is next. */
int jg__leave_slowly(struct jg__task *task);

/* `read`, but where it is `expected` that pointer itself, so that what follows need not wait until memory has handed
 * back what was written a moment ago. */
static inline struct jg__task *jg__foresee(struct jg__task *read, struct jg__task *expected)
{
    if (JG__UNLIKELY(read != expected))
        return read;
    __asm__ volatile("" : "+r"(expected)); /* else the compiler would use `read`, being equal */
    return expected;
}

/* Leaves the running task for whatever is next, most likely `expected`, and returns context.result when it is
 * continued, if it has not ended. Flat and without a call, so that it needs no stack frame and ends in a tail call: a
 * `ret` out of a frame that another task has run over is mispredicted. */
static inline __attribute__((always_inline)) int jg__leave(struct jg__task *task, struct jg__task *expected, bool ended)
{
    jg_loop *loop = jg__here.loop;
    jg_handle *handle = loop->ready.next;
    if (JG__UNLIKELY(handle->fn != jg__run_task)) {
        if (!jg__batch_begins(loop, handle) || handle->next == &task->handle)
            return jg__leave_slowly(task);
        handle = handle->next;
        jg_handle *last = loop->ready.previous;
        loop->batches--;
        loop->turn_end.next = &loop->ready;
        last->next = &loop->turn_end;
        loop->ready.previous = &loop->turn_end;
    }
    struct jg__task *next = jg__take_first(loop, handle);
    return jg__leave_for(task, expected ? jg__foresee(next, expected) : next, ended);
}

/* Lets every other ready task run once. Returns 0, which is context.result of every task that runs, or -1 if it was
 * interrupted meanwhile. */
static inline __attribute__((always_inline)) int jg__yield(struct jg__task *task)
{
    jg_loop *loop = jg__here.loop;
    jg_handle *handle = loop->ready.next;
    if (JG__LIKELY(handle->fn == jg__run_task)) {
        jg__append_task(loop, task);
    } else if (jg__batch_begins(loop, handle)) {
        /* The task and `turn_end` go to the end of the queue at once. */
        jg_handle *last = loop->ready.previous;
        handle = handle->next;
        loop->batches--;
        task->handle.next = &loop->turn_end;
        loop->turn_end.next = &loop->ready;
        loop->ready.previous = &loop->turn_end;
        if (handle == last) { /* two tasks in turns: what would be stored now need not be read again */
            loop->ready.next = &task->handle;
            return jg__leave_for(task, jg__container_of(handle, struct jg__task, handle), false);
        }
        last->next = &task->handle;
    } else {
        jg__append_task(loop, task);
        return jg__leave_slowly(task);
    }
    return jg__leave_for(task, jg__take_first(loop, handle), false);
}

/* The running task of a call that may wait, interrupted or not; aborts with a sentence where it must not. */
struct jg__task *jg__running_not_plainly(const char *call);
static inline struct jg__task *jg__running_to_wait(const char *call)
{
    struct jg__task *task = jg__here.task;
    return JG__LIKELY(task && task->interrupted >= 0) ? task : jg__running_not_plainly(call);
}

/* The task behind a handle, NULL for one that is stale. The memory of tasks stays for as long as their jg_run. */
static inline struct jg__task *jg__task_behind(const jg_task *handle)
{
    uint64_t bits = (uintptr_t)handle;
    uint64_t address = bits & ((UINT64_C(1) << JG__ADDRESS_BITS) - 1) & ~UINT64_C(63);
    uint64_t generation = bits >> JG__ADDRESS_BITS << JG__GENERATION_LOW | (bits & 63);
    struct jg__task *task = (struct jg__task *)(uintptr_t)address; // NOLINT(performance-no-int-to-ptr)
    return JG__LIKELY(task->generation == generation) ? task : NULL;
}

/* The same, but aborts with a sentence that names the call when the handle is NULL or stale. */
_Noreturn void jg__refuse_handle(const jg_task *handle, const char *call);
static inline struct jg__task *jg__task_of(const jg_task *handle, const char *call)
{
    struct jg__task *task = JG__LIKELY(handle && jg__here.scheduler) ? jg__task_behind(handle) : NULL;
    if (JG__UNLIKELY(!task))
        jg__refuse_handle(handle, call);
    return task;
}

/* The same for a call of `running` that consumes it: aborts when that is not the one to do so. */
_Noreturn void jg__refuse_to_consume(const struct jg__task *task, const char *call);
static inline struct jg__task *jg__task_to_consume(struct jg__task *running, const jg_task *handle, const char *call)
{
    struct jg__task *task = jg__task_of(handle, call);
    if (JG__UNLIKELY(task->parent != running || task->joiner))
        jg__refuse_to_consume(task, call);
    return task;
}

/* An entry check that did not pass: -1 with errno. Yields first, and slows down a task that ignores it. */
int jg__refuse(const char *call);

/* Recomputes `interrupted` after something changed, and interrupts the wait the task is parked in. */
void jg__interruption_changed(struct jg__task *task);

/* Frees a task that has ended, now or when its done callbacks have run. Preserves errno. */
void jg__task_release_slowly(struct jg__task *task);
static inline void jg__task_release(struct jg__task *task)
{
    struct jg__scheduler *scheduler = jg__here.scheduler;
    if (JG__UNLIKELY((uintptr_t)task->callbacks | (uintptr_t)task->error_text) || scheduler->trims != JG__TRIMS) {
        jg__task_release_slowly(task);
        return;
    }
    struct jg__list *before = task->siblings.previous, *behind = task->siblings.next;
    before->next = behind;
    behind->previous = before;
    task->generation = 0;
    jg__context_destroy(&task->context);
    struct jg__stack stack = {.top = (char *)(task + 1), .class = task->stack.class};
    jg__stacks_put(scheduler->stacks, &stack);
}

/* Parks the running task until jg__wake and returns what that was given: 0 or more, or a negated errno. `wait` is zero
 * but for what its maker sets. Inline, since every frame between a task and the switch costs a mispredicted return. */
bool jg__park_interrupted(struct jg__task *task, struct jg__wait *wait);
static inline __attribute__((always_inline)) int jg__park_for(struct jg__wait *wait, struct jg__task *expected)
{
    struct jg__task *task = jg__here.task;
    wait->task = task;
    wait->since = jg__here.loop->now;
    task->wait = wait;
    if (task->spent)
        task->spent = 0;
    if (JG__UNLIKELY(task->interrupted) && !jg__park_interrupted(task, wait))
        return -task->interrupted;
    int result = jg__leave(task, expected, false);
    task->wait = NULL;
    if (JG__UNLIKELY(result != 0))
        task->context.result = 0;
    return result;
}

static inline __attribute__((always_inline)) int jg__park(struct jg__wait *wait)
{
    return jg__park_for(wait, NULL);
}

/* Makes a parked task, most likely `expected`, ready. Returns false, and does nothing, when it was woken already: then
 * what it waited for goes to the next in line. */
static inline __attribute__((always_inline)) bool jg__wake_task(struct jg__wait *wait, struct jg__task *expected,
                                                                int result)
{
    struct jg__task *task = wait->task;
    if (!task)
        return false;
    if (expected)
        task = jg__foresee(task, expected);
    wait->task = NULL;
    if (JG__UNLIKELY(result != 0))
        task->context.result = result;
    jg__append_task(jg__here.loop, task);
    return true;
}

static inline bool jg__wake(struct jg__wait *wait, int result)
{
    return jg__wake_task(wait, NULL, result);
}

#pragma GCC visibility pop

#endif
