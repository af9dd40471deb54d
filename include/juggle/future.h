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
    struct jg__future_callback *callbacks;
    void *reserved[1];
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

/* Completes it with ECANCELED. Returns false if it was completed before. From the loop's thread. Never waits. asyncio:
 * Future.cancel. */
JG_API bool jg_future_cancel(jg_future *future);

/* Is it completed? Is it completed with ECANCELED? Never wait. asyncio: Future.done, Future.cancelled. */
JG_API bool jg_future_done(const jg_future *future);
JG_API bool jg_future_cancelled(const jg_future *future);

/* The value that it was completed with (if `value` is not NULL): returns 0; -1 with the error that it was completed
 * with, or with EINPROGRESS when it is not completed yet. Never waits. asyncio: Future.result. */
JG_API int jg_future_result(const jg_future *future, void **value);

/* The errno that it was completed with; 0 when it has a value; -1 with EINPROGRESS when it is not completed yet. Never
 * waits. asyncio: Future.exception. */
JG_API int jg_future_error(const jg_future *future);

/* Calls fn(future, arg) from a turn after its completion, on the loop's stack; if it is completed, from the next turn.
 * The future must stay until then. Inside a loop that runs, or before. Never waits. Returns 0, or -1 with ENOMEM.
 * asyncio: Future.add_done_callback. */
JG_API int jg_future_add_done_callback(jg_future *future, void (*fn)(jg_future *future, void *arg), void *arg);

/* Takes back all callbacks of this fn and arg that were not called yet, and returns how many there were. Never waits.
 * asyncio: Future.remove_done_callback. */
JG_API size_t jg_future_remove_done_callback(jg_future *future, void (*fn)(jg_future *future, void *arg), void *arg);

/* For threads: the future is bound to the running loop first, by the task that will wait; then one thread, or a signal
 * handler, may complete it once with the _threadsafe forms. The future may be freed as soon as jg_future_wait has
 * returned its result. Never waits. */
JG_API void jg_future_bind(jg_future *future);
JG_API int jg_future_set_result_threadsafe(jg_future *future, void *value);
JG_API int jg_future_set_error_threadsafe(jg_future *future, int error);

JG_END

#endif
