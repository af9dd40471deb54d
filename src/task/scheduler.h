/* The scheduler of one thread: which task runs, and the switch to the next one. */
#ifndef JUGGLE_TASK_SCHEDULER_H
#define JUGGLE_TASK_SCHEDULER_H

#include "task/task.h"

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
    bool ctrl_c;         /* main was cancelled by SIGINT */
    size_t records;      /* tasks that are not freed yet */
    uint64_t ends;       /* tasks that have ended */
    struct jg__list roots;
    struct jg__task *main;
    int main_result, main_error;
    struct jg__task *interrupted, **last_interrupted;
    jg_timer trimmer;
    unsigned trims;       /* still to come */
    struct jg__list node; /* in jg__schedulers */
};

/* What a switch needs, of each thread. Initial-exec: an access is one instruction, not a call. */
struct jg__here {
    struct jg__task *task; /* that runs; NULL outside of tasks */
    jg_loop *loop;
    int *errno_location;             /* a call each time would cost as much as the switch */
    struct jg__scheduler *scheduler; /* NULL outside of jg_run */
};

extern _Thread_local __attribute__((tls_model("initial-exec"))) struct jg__here jg__here;

/* All schedulers of the process, for debuggers. */
extern struct jg__list jg__schedulers;

/* What a task that yields is parked in. */
extern struct jg__wait jg__yielding;

/* 0, or -1 with errno of the loop or the stacks. */
int jg__scheduler_open(struct jg__scheduler *scheduler, const jg_run_options *options);
void jg__scheduler_close(struct jg__scheduler *scheduler);

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

/* The same when `turn_end` is reached and the batches are used up, or something else than a task is next. */
int jg__leave_slowly(struct jg__task *task);

/* Leaves the running task for another one, which was taken out of the ready queue. */
static inline __attribute__((always_inline)) int jg__leave_for(struct jg__task *task, jg_handle *handle)
{
    struct jg__task *next = jg__container_of(handle, struct jg__task, handle);
    int *errno_location = jg__here.errno_location;
    task->saved_errno = *errno_location;
    *errno_location = next->saved_errno;
    jg__here.task = next;
    return jg__switch(&task->context, &next->context);
}

/* Leaves the running task for whatever is next, and returns context.result when it is continued. Flat and without a
 * call, so that it needs no stack frame and ends in a tail call: a `ret` out of a frame that another task has run over
 * is mispredicted. */
static inline __attribute__((always_inline)) int jg__leave(struct jg__task *task)
{
    jg_loop *loop = jg__here.loop;
    jg_handle *handle = loop->ready.next;
    if (JG__UNLIKELY(handle->fn != jg__run_task)) {
        if (handle != &loop->turn_end || handle->next->fn != jg__run_task || loop->batches == 0)
            return jg__leave_slowly(task);
        handle = handle->next;
        if (JG__UNLIKELY(handle == &task->handle))
            return jg__leave_slowly(task);
        loop->batches--;
        jg__queue_append(&loop->ready, &loop->turn_end); /* as jg__next_batch does; its old place is closed below */
    }
    jg_handle *second = handle->next;
    loop->ready.next = second;
    second->previous = &loop->ready;
    handle->next = NULL;
    return jg__leave_for(task, handle);
}

/* Lets every other ready task run once. */
static inline __attribute__((always_inline)) int jg__yield(struct jg__task *task)
{
    task->wait = &jg__yielding;
    task->context.result = 0;
    jg__queue_append(&jg__here.loop->ready, &task->handle);
    return jg__leave(task);
}

/* The running task of a call that may wait, interrupted or not; aborts with a sentence where it must not. */
struct jg__task *jg__running_not_plainly(const char *call);
static inline struct jg__task *jg__running_to_wait(const char *call)
{
    struct jg__task *task = jg__here.task;
    return JG__LIKELY(task && task->interrupted >= 0) ? task : jg__running_not_plainly(call);
}

/* The task behind a handle; aborts with a sentence that names the call when the handle is NULL or stale. */
_Noreturn void jg__refuse_handle(const jg_task *handle, const char *call);
static inline struct jg__task *jg__task_of(const jg_task *handle, const char *call)
{
    uint64_t bits = (uintptr_t)handle;
    uint64_t address = bits & ((UINT64_C(1) << JG__ADDRESS_BITS) - 1) & ~UINT64_C(63);
    uint64_t generation = bits >> JG__ADDRESS_BITS << JG__GENERATION_LOW | (bits & 63);
    struct jg__task *task = (struct jg__task *)(uintptr_t)address; // NOLINT(performance-no-int-to-ptr)
    if (JG__UNLIKELY(!jg__here.scheduler || !task || task->generation != generation))
        jg__refuse_handle(handle, call);
    return task;
}

/* The same for a call that consumes it: aborts when the running task is not the one to do so. */
_Noreturn void jg__refuse_to_consume(const struct jg__task *task, const char *call);
static inline struct jg__task *jg__task_to_consume(const jg_task *handle, const char *call)
{
    struct jg__task *task = jg__task_of(handle, call);
    if (JG__UNLIKELY(!task->parent || task->parent != jg__here.task || task->joiner || task->in_group.next))
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
    if (JG__UNLIKELY(task->callbacks || task->error_text || !scheduler->trims)) {
        jg__task_release_slowly(task);
        return;
    }
    jg__list_remove(&task->siblings);
    task->generation = 0;
    scheduler->trims = JG__TRIMS;
    scheduler->records--;
    jg__context_destroy(&task->context);
    jg__stacks_put(scheduler->stacks, &task->stack);
}

/* jg__park, inlined. */
bool jg__park_interrupted(struct jg__task *task, struct jg__wait *wait);
static inline __attribute__((always_inline)) int jg__park_here(struct jg__task *task, struct jg__wait *wait)
{
    wait->task = task;
    task->wait = wait;
    task->budget = JG__BUDGET;
    if (JG__UNLIKELY(task->interrupted) && !jg__park_interrupted(task, wait))
        return -task->interrupted;
    return jg__leave(task);
}

/* jg__wake, inlined. */
static inline bool jg__make_ready(struct jg__wait *wait, int result)
{
    struct jg__task *task = wait->task;
    if (!task)
        return false;
    wait->task = NULL;
    task->wait = NULL;
    task->context.result = result;
    jg__queue_append(&jg__here.loop->ready, &task->handle);
    return true;
}

#pragma GCC visibility pop

#endif
