/* Waiting for several tasks. asyncio's counterparts: gather, wait. */
#ifndef JUGGLE_GATHER_H
#define JUGGLE_GATHER_H

#include <juggle/task.h>

JG_BEGIN

/* Waits for all tasks, consumes them, and returns 0. The first failure in time cancels the rest; when all have ended,
 * it is returned: -1 with its errno. A NULL among them is a child that failed with the errno of its creation. Tasks
 * created among the arguments start in the order in which they stand. When the waiter is interrupted, the tasks are
 * cancelled and waited for; the result is their first failure, unless that is ECANCELED: then the waiter's own reason.
 * asyncio: gather. */
#define jg_gather(...) \
    jg_gather_with((jg_task *[]){__VA_ARGS__}, sizeof((jg_task *[]){__VA_ARGS__}) / sizeof(jg_task *), NULL)

typedef struct jg_gather_options {
    size_t size;
    int *results; /* an int for each task: what it returned, or its negated errno; NULL: not wanted */
    bool all;     /* a failure cancels nothing and is no failure of gather's: look at the results; what
                     jg_error_text had to say of them is lost. asyncio: return_exceptions */
} jg_gather_options;

/* The same for an array, with options. */
#define jg_gatherv(tasks, count, ...) jg_gather_with(tasks, count, JG_OPTIONS(jg_gather_options, __VA_ARGS__))
JG_API int jg_gather_with(jg_task *const *tasks, size_t count, const jg_gather_options *options) JG_MUST_USE;

typedef enum jg_wait_until {
    JG_ALL_COMPLETED,
    JG_FIRST_COMPLETED,
    JG_FIRST_FAILURE, /* or all completed. asyncio: FIRST_EXCEPTION */
} jg_wait_until;

/* Waits until as many of the tasks have ended as asked. Borrows: consumes and cancels nothing, also when interrupted.
 * Returns how many of them have ended by now (see jg_task_done); -1 with ECANCELED, ETIMEDOUT; EINVAL when count is 0
 * or a task is NULL, ENOMEM for more than 16 tasks. asyncio: wait. */
JG_API int jg_wait(jg_task *const *tasks, size_t count, jg_wait_until until) JG_MUST_USE;

JG_END

#endif
