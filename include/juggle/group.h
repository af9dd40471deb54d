/* A group of tasks that end together. asyncio's counterparts: TaskGroup, as_completed. */
#ifndef JUGGLE_GROUP_H
#define JUGGLE_GROUP_H

#include <juggle/task.h>

JG_BEGIN

/* Ready to use when zero; belongs to the task that first starts a child in it. A child that has ended keeps its stack
 * until jg_group_next or jg_group_wait has taken it: whoever starts children without end takes them now and then, or
 * detaches tasks instead. All fields are private. */
typedef struct jg_group {
    void *owner;
    void *children[2];
    void *finished[2];
    void *waiter;
    size_t running;
    int error;
    int flags;
    void *reserved[4];
} jg_group;

/* A group that is left together with its scope: it cancels what still runs and waits for it, shielded, without a limit.
 * Declare it after what its children use: C cleans up in reverse order. */
#define jg_autogroup __attribute__((cleanup(jg_group_autoptr))) jg_group

/* Workers of a group that share a jg_queue: each calls jg_queue_task_done for what it got, also when it fails or is
 * cancelled, and then, before it returns -1, jg_queue_shutdown(&jobs, .immediate = true). Else who waits in
 * jg_queue_join or jg_queue_put waits for ever: the group's failure shows only in jg_group_wait. */

/* Starts fn(arg) as a child; the options are those of jg_create_task. Never waits.
 * Returns 0; -1 with ENOMEM, EINVAL; the failure sticks, cancels the rest, and is what jg_group_wait returns. In a
 * group that is cancelled the child starts cancelled. Other than in asyncio, a failing child does not interrupt the
 * task that owns the group: it hears of it in jg_group_wait. asyncio: TaskGroup.create_task. */
#define jg_group_start(group, fn, arg, ...) \
    jg_group_start_with(group, fn, arg,     \
                        &(jg_task_options){.size = sizeof(jg_task_options), JG_TASK_NAME(#fn) __VA_ARGS__})
JG_API int jg_group_start_with(jg_group *group, jg_coroutine fn, void *arg, const jg_task_options *options);

/* Waits for all children; the group is as new afterwards. Returns 0; -1 with the errno of the first failure in time,
 * which cancelled the rest. When the waiter is interrupted: as jg_await. ECANCELED from a child that the group
 * cancelled is no failure. asyncio: the end of `async with TaskGroup()`. */
JG_API int jg_group_wait(jg_group *group) JG_MUST_USE;

/* Waits for the next child to end and hands it out: *result (if not NULL) gets what it returned or its negated errno,
 * *arg (if not NULL) the argument it was started with; of one that failed, errno and jg_error_text are left as that
 * child's, although the call returns 1. From the first call on, a child's failure no longer cancels the
 * rest: the caller decides. (A failure before that call does.) A child that was cancelled is handed out too. Returns 1;
 * 0 when there are no more; -1 with ECANCELED, ETIMEDOUT, nothing handed out and the children left running. asyncio:
 * as_completed. */
JG_API int jg_group_next(jg_group *group, int *result, void **arg) JG_MUST_USE;

/* Cancels all children, those to come included, until jg_group_wait. Never waits. */
JG_API void jg_group_cancel(jg_group *group);

/* How many children have not ended yet. */
JG_API size_t jg_group_running(const jg_group *group);

/* What jg_autogroup calls. */
JG_API void jg_group_autoptr(jg_group *group);

JG_END

#endif
