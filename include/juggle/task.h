/* Tasks: coroutines that run concurrently in one thread. asyncio's counterparts: run, Task, sleep, and the functions on
 * tasks.
 *
 * A coroutine is `int fn(void *arg)`; it returns 0 or more for success, or -1 with errno. Call it and you await it;
 * hand it to jg_create_task and it runs concurrently. Every call says whether it waits. Those that wait return -1 with
 * ECANCELED once the task is cancelled and ETIMEDOUT once an enclosing deadline has passed, checked before anything
 * else; after that an effect that happened is returned as success, and the next wait reports the interruption. Calling
 * one of them outside jg_run aborts with a sentence. */
#ifndef JUGGLE_TASK_H
#define JUGGLE_TASK_H

#include <juggle/common.h>
#include <juggle/error.h>
#include <juggle/loop.h>

JG_BEGIN

typedef int (*jg_coroutine)(void *arg);

/* A handle of a task: not a pointer to be looked through, but compared with NULL. It carries a generation; using it
 * after it was consumed aborts with a sentence, except by jg_cancel. */
typedef struct jg_task jg_task;

/* ---- Running ---- */

typedef struct jg_run_options {
    size_t size;
    const char *poller;   /* as in jg_loop_options */
    const char *name;     /* of the main task; default "main" */
    size_t stack_size;    /* of the main task, bytes; 0: 192 KiB */
    bool no_sigint;       /* leave Ctrl-C alone */
    const char *function; /* private: set by the macro, as in jg_task_options */
} jg_run_options;

/* Runs fn(arg) as the main task of a new loop, until it has ended. Then every task that is left is cancelled and waited
 * for, streams that linger (see jg_close) are given their second unless SIGINT came, the loop is closed, and main's
 * result is returned, with its errno and error text. SIGINT, where its disposition is the default, cancels main; if
 * main then ends with ECANCELED, jg_run returns -1 with EINTR. A second SIGINT, a tenth of a second later or more,
 * kills the process, even when the loop is stuck. SIGTERM is left alone: see jg_watch_signals (signal.h), and
 * jg_run_workers, which takes it as well. A coroutine that ignores the failures of its waits runs on to its
 * end, and jg_run returns what it returns. SIGPIPE is ignored from the first run on where it was at its default. Blocks
 * the thread. One run a thread at a time; several threads may run one each. Returns -1 with ENOMEM, EMFILE, ENFILE,
 * ENOTSUP when the loop can't be made. asyncio: run, Runner. */
#define jg_run(fn, arg, ...) \
    jg_run_with(fn, arg, &(jg_run_options){.size = sizeof(jg_run_options), JG_TASK_NAME(#fn) __VA_ARGS__})
JG_API int jg_run_with(jg_coroutine fn, void *arg, const jg_run_options *options);

/* Seconds on the clock of every loop, CLOCK_MONOTONIC. Never waits. asyncio: loop.time. */
JG_API double jg_time(void);

/* Waits `seconds` (0 or less: as jg_yield), or until jg_time reads `when`; never shorter. Infinity waits
 * until interrupted. Returns 0; -1 with ECANCELED, ETIMEDOUT; EINVAL for NaN. asyncio: sleep. */
JG_API int jg_sleep(double seconds);
JG_API int jg_sleep_until(double when);

/* Lets every other task that is ready run once; the kernel is asked for events when no other is, and else about once in
 * half a millisecond. Waits. Returns 0; -1 with ECANCELED, ETIMEDOUT. asyncio: sleep(0). */
JG_API int jg_yield(void);

/* Is this task cancelled, or past a deadline? The check that every wait makes first, alone. Never waits. Returns 0; -1
 * with ECANCELED, ETIMEDOUT. */
JG_API int jg_check(void);

/* ---- Creating ---- */

typedef struct jg_task_options {
    size_t size;
    const char *name;     /* copied, cut to 31 bytes; default: the function's */
    size_t stack_size;    /* bytes, rounded up to a power of two, or to the default; 0: 192 KiB. 16 KiB is the least. */
    size_t copy;          /* copy so many bytes from arg to the child's stack and hand it the copy */
    const char *function; /* private: set by the macro: the function, NUL, and where the task was created */
    bool eager;           /* run it at once until its first wait; then the creator goes on. asyncio: eager_start */
} jg_task_options;

/* Creates a task that runs fn(arg) from a later turn on. The handle is consumed exactly once by the creating task: by
 * jg_await, jg_wait_for, jg_gather or jg_detach. A task not consumed when its creator ends is cancelled, waited for and
 * reported; created from a callback of the loop, it belongs to nobody, as after jg_detach. If creating succeeds, fn
 * runs exactly once, even if it is cancelled before it starts: it may own its argument. Never waits. Returns NULL with
 * ENOMEM (also when the kernel's limit of mappings is reached: see jg_error_text), EINVAL for a copy that does not fit
 * the stack; then nothing is owned. asyncio: create_task. */
#define jg_create_task(fn, arg, ...) \
    jg_create_task_with(fn, arg, &(jg_task_options){.size = sizeof(jg_task_options), JG_TASK_NAME(#fn) __VA_ARGS__})
#define JG_TASK_NAME(text) .function = text "\0" __FILE__ ":" JG_TEXT_OF(__LINE__),
#define JG_TEXT_OF(what) JG_TEXT_OF_IT(what)
#define JG_TEXT_OF_IT(what) #what
JG_API jg_task *jg_create_task_with(jg_coroutine fn, void *arg, const jg_task_options *options) JG_MUST_USE;

/* A task factory sees each task of its loop before jg_create_task or jg_group_start makes it, and may change the
 * options; a failure (-1 with errno) is that of the creation. It must not wait, nor create tasks. */
typedef int (*jg_task_factory)(jg_coroutine fn, void *arg, jg_task_options *options, void *factory_arg);

/* Sets the task factory of a loop that runs tasks; NULL: none. jg_get_task_factory returns it and its argument (if
 * `factory_arg` is not NULL). From the loop's thread. Never wait. asyncio: loop.set_task_factory, get_task_factory. */
JG_API void jg_set_task_factory(jg_loop *loop, jg_task_factory factory, void *factory_arg);
JG_API jg_task_factory jg_get_task_factory(jg_loop *loop, void **factory_arg);

/* A task factory that makes every task eager (see .eager): those that a callback of the loop creates, or jg_call_deep,
 * start from a later turn all the same. asyncio: eager_task_factory. */
JG_API int jg_eager_task_factory(jg_coroutine fn, void *arg, jg_task_options *options, void *factory_arg);

/* Waits for the task's end and returns its result; a failure's errno is set. Consumes the handle. Skips the entry
 * check; when interrupted, it cancels the task and goes on waiting until it has ended, then returns the task's outcome,
 * unless that is ECANCELED: then the waiter's own reason. A NULL task returns -1 and leaves errno as its creation set
 * it. Aborts when the caller did not create it or awaits itself. asyncio: await task. */
JG_API int jg_await(jg_task *task) JG_MUST_USE;

/* The same with a deadline of its own, in seconds: -1 with ETIMEDOUT if the task was cancelled by it and ended with
 * ECANCELED. asyncio: wait_for. */
JG_API int jg_wait_for(jg_task *task, double seconds) JG_MUST_USE;

/* Lets the task go its own way, until it ends or jg_run does. Its failure goes to the error handler. Consumes the
 * handle; NULL is ignored. Never waits. */
JG_API void jg_detach(jg_task *task);

/* Asks the task to end: from now on each of its waits fails with ECANCELED, the present one included. Never waits,
 * never kills. Does nothing if the task has ended or is cancelled already, also if it is gone: awaited, or ended after
 * jg_detach (the generation in the handle tells, within one jg_run); NULL is ignored. Any task of the loop may ask,
 * itself included. asyncio: Task.cancel. */
JG_API void jg_cancel(jg_task *task);

/* Takes that back: from now on the task's waits work again; a wait that was interrupted already stays so. Returns
 * whether the task was cancelled; false for one that has ended, and while jg_run ends, which cancels for good. Never
 * waits. asyncio: Task.uncancel. */
JG_API bool jg_uncancel(jg_task *task);

/* Cancels a task of this task's own, waits for its end and consumes it; the outcome is dropped. NULL is ignored.
 * Preserves errno. Waits, and aborts, as jg_await does. */
JG_API void jg_cancel_and_wait(jg_task *task);

/* ---- Looking ---- */

/* The running task, or NULL outside of one. Not to be consumed. asyncio: current_task. */
JG_API jg_task *jg_current_task(void);

/* Has it ended? asyncio: Task.done. */
JG_API bool jg_task_done(jg_task *task);

/* Its result, when it has ended and was not consumed: *result (if not NULL) gets what fn returned, or its negated
 * errno. Consumes nothing. Never waits. Returns 0; -1 with EINPROGRESS when it has not ended. asyncio: Task.result,
 * Task.exception. */
JG_API int jg_task_result(jg_task *task, int *result);

/* Was it asked to end? asyncio: Task.cancelling. */
JG_API bool jg_task_cancelled(jg_task *task);

/* Its name. Valid while the task is. asyncio: Task.get_name, set_name. */
JG_API const char *jg_task_name(jg_task *task);
JG_API void jg_task_set_name(jg_task *task, const char *name);

/* Stores up to `capacity` handles of this loop's unfinished tasks and returns how many there are. Not to be consumed.
 * asyncio: all_tasks. */
JG_API size_t jg_all_tasks(jg_task **tasks, size_t capacity);

/* Calls fn(task, result, arg) from a turn after the task's end, on the loop's stack; if it has ended, from the next
 * turn. `result` is the task's; for -1 errno is set. Never waits. Returns 0, or -1 with ENOMEM. asyncio:
 * Task.add_done_callback. */
JG_API int jg_task_add_done_callback(jg_task *task, void (*fn)(jg_task *task, int result, void *arg), void *arg);

/* Takes back all done callbacks of this fn and arg that were not called yet, and returns how many there were. Never
 * waits. asyncio: Task.remove_done_callback. */
JG_API size_t jg_task_remove_done_callback(jg_task *task, void (*fn)(jg_task *task, int result, void *arg), void *arg);

/* The loop of the running task. */
JG_API jg_loop *jg_task_loop(void);

/* May this place wait? True in a task; false outside of one (in a plain thread, in a callback of the loop), inside
 * jg_call_deep and in a forked child, where a call that waits aborts. For code that is used in both. Never waits. */
JG_API bool jg_may_wait(void);

/* ---- Other libraries ---- */

/* Waits until one of the poll(2) events holds on fd; returns those that do (POLLERR and POLLHUP may be among them). For
 * sockets of other libraries; the fd stays theirs and must stay open meanwhile. Returns -1 with ECANCELED, ETIMEDOUT,
 * EBADF, ENOMEM, EPERM (a file that cannot be polled). asyncio: add_reader with a future. */
JG_API int jg_wait_fd(int fd, short events) JG_MUST_USE;

/* Runs fn(arg) on the thread's own large stack and returns its result: for callees that need more stack than a task
 * has. fn must not wait (it aborts with a sentence if it does). Never waits. */
JG_API int jg_call_deep(jg_coroutine fn, void *arg);

JG_END

#endif
