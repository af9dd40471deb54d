/* A result that comes later, from plain code or from another thread. asyncio's counterpart: Future. */
#ifndef JUGGLE_FUTURE_H
#define JUGGLE_FUTURE_H

#include <juggle/task.h>

JG_BEGIN

/* Ready to use when zero. All fields are private. It must outlive its waiters and every thread that still completes it.
 */
typedef struct jg_future {
    void *waiters[2];
    jg_loop *loop;
    jg_handle wake;
    void *value;
    int error;
    unsigned state;
    void *reserved[2];
} jg_future;

/* Completes it with a value, or with an errno; wakes every waiter in the order of their arrival. From the loop's
 * thread. Never waits. Returns 0; -1 with EALREADY if it was completed before (the first stays); EINVAL when the error
 * is not above 0. asyncio: set_result, set_exception. */
JG_API int jg_future_set_result(jg_future *future, void *value);
JG_API int jg_future_set_error(jg_future *future, int error);

/* Waits until it is completed. Any number of tasks may wait. Returns 0 and stores the value (if `value` is not NULL);
 * -1 with the error it was completed with, or ECANCELED, ETIMEDOUT of the waiter's own: the future stays as it is.
 * asyncio: await future. */
JG_API int jg_future_wait(jg_future *future, void **value) JG_MUST_USE;

/* asyncio: Future.done. */
JG_API bool jg_future_done(const jg_future *future);

/* For threads: the future is bound to the running loop first, by the task that will wait; then one thread, or a signal
 * handler, may complete it once with the _threadsafe forms. The future may be freed as soon as jg_future_wait has
 * returned its result. Never waits. */
JG_API void jg_future_bind(jg_future *future);
JG_API int jg_future_set_result_threadsafe(jg_future *future, void *value);
JG_API int jg_future_set_error_threadsafe(jg_future *future, int error);

JG_END

#endif
