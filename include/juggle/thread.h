/* Blocking functions on threads of their own, and threads that hand coroutines to a loop. asyncio's counterparts:
 * to_thread, loop.run_in_executor, run_coroutine_threadsafe; concurrent.futures' ThreadPoolExecutor and Future. */
#ifndef JUGGLE_THREAD_H
#define JUGGLE_THREAD_H

#include <juggle/task.h>

JG_BEGIN

/* ---- Executors ---- */

/* A pool of threads with a queue before them. It starts a thread when a job finds none idle, up to its limit, and ends
 * those that were idle for a while. All signals are blocked in its threads: they are for the program's own. The calls
 * on executors may be made from any thread. */
typedef struct jg_executor jg_executor;

typedef struct jg_executor_options {
    size_t size;
    unsigned max_threads; /* at most so many threads; 0: four more than there are processors, but no more than 32 */
    unsigned queue;       /* at most so many jobs that wait for a thread; 0: 16,384 */
    double idle_seconds;  /* a thread that had nothing to do for so long ends; 0: 5. Infinity: never. */
    const char *name;     /* of the threads too; copied, cut to 15 bytes; default "juggle" */
    size_t stack_size;    /* of each thread, bytes; 0: 1 MiB */
} jg_executor_options;

/* Creates an executor; it starts no thread yet. jg_executor_free frees it. Never waits. Returns NULL with ENOMEM;
 * EINVAL for idle_seconds below 0 or NaN. asyncio: concurrent.futures.ThreadPoolExecutor. */
#define jg_executor_new(...) jg_executor_new_with(JG_OPTIONS(jg_executor_options, __VA_ARGS__))
JG_API jg_executor *jg_executor_new_with(const jg_executor_options *options) JG_MUST_USE;

/* From now on it takes no more jobs (ESHUTDOWN); those that are queued and those that run go on to their ends, and then
 * its threads end. With `wait` the call returns when the last one has: in a task it waits as a task, elsewhere it
 * blocks the thread. Returns 0, at once where it was shut down before and no thread is left; -1 with ECANCELED,
 * ETIMEDOUT: then the shutdown goes on without the caller. Aborts when a thread of the executor itself waits for it.
 * asyncio: Executor.shutdown. */
JG_API int jg_executor_shutdown(jg_executor *executor, bool wait);

/* Shuts it down without waiting and gives it up: jobs that are queued or running still end as they would have, and its
 * memory is freed by the last of its threads. Accepts NULL, preserves errno. Never waits. */
JG_API void jg_executor_free(jg_executor *executor);
static inline void jg_executor_autoptr(jg_executor **executor)
{
    jg_executor_free(*executor);
}

/* At this moment: threads, of those the ones that work, and jobs that wait for one. Never waits. */
typedef struct jg_executor_statistics {
    unsigned threads, busy;
    unsigned queued;
} jg_executor_statistics;
JG_API void jg_executor_get_statistics(jg_executor *executor, jg_executor_statistics *statistics);

/* The executor that jobs of this loop go to when none is named. It is borrowed: it must live until the loop is closed
 * or has another one. NULL is the process's own, with default options, which ends its idle threads when the last loop
 * that used it is closed. From the loop's thread. Never waits. Returns 0, or -1 with ENOMEM. asyncio:
 * loop.set_default_executor. */
JG_API int jg_set_default_executor(jg_loop *loop, jg_executor *executor);

/* From now on the running loop gives its default executor no more jobs (ESHUTDOWN); waits until those that it has
 * given it have ended (those that were left to their threads, by .abandon, are not waited for). An executor that is
 * not the process's own is shut down. Waits. Returns 0; -1 with ECANCELED, ETIMEDOUT: the jobs go on. asyncio:
 * loop.shutdown_default_executor. */
JG_API int jg_shutdown_default_executor(void);

/* ---- Blocking functions, for tasks ---- */

typedef struct jg_to_thread_options {
    size_t size;
    jg_executor *executor;      /* NULL: the default of the loop */
    void (*abandon)(void *arg); /* frees arg, which is on the heap, so that an interrupted call returns at once */
} jg_to_thread_options;

/* Runs fn(arg) on a thread and waits for it; returns what it returned, a failure with its errno and error text. fn may
 * block, in channels too; other calls that wait abort in it. Interrupted while the job is queued, the call takes it
 * back: fn does not run. Interrupted while fn runs, jg_thread_cancelled() is true in it, and the call goes on waiting
 * until it has returned; the result is fn's, and the next wait reports the interruption. (If fn gives up with
 * ECANCELED, the call fails with its own reason, which may be ETIMEDOUT.)
 *
 * With .abandon an interrupted call returns at once, and arg is the job's: abandon(arg) is called when nobody uses it
 * any more, on the thread when fn has returned, or in this call when fn did not run. The rule is: after -1 with
 * ECANCELED or ETIMEDOUT, whatever the reason, arg is gone; after anything else it is the caller's. abandon must not
 * wait.
 *
 * Task-locals do not show in fn. Returns -1 with EAGAIN when the executor's queue is full or it has no thread and none
 * can be started (jg_error_text tells), ESHUTDOWN when it is shut down, ENOMEM; then fn does not run. asyncio:
 * to_thread. */
#define jg_to_thread(fn, arg, ...) jg_to_thread_with(fn, arg, JG_OPTIONS(jg_to_thread_options, __VA_ARGS__))
JG_API int jg_to_thread_with(jg_coroutine fn, void *arg, const jg_to_thread_options *options) JG_MUST_USE;

/* In a job of an executor: does nobody want its result any more? For loops that can end early. Elsewhere false. From
 * then on a channel in which the job blocks, or would have to, fails with ECANCELED: see channel.h. Never waits. */
JG_API bool jg_thread_cancelled(void);

/* ---- Blocking functions, for callbacks ---- */

typedef struct jg_job jg_job;

/* A job: a struct of the caller's, which stays where it is until `done` or `abandoned` was called, or until
 * jg_job_cancel or jg_job_abandon has given it back. Zero-initialise it and set the public fields. */
struct jg_job {
    void (*work)(jg_job *job);      /* on a thread */
    void (*done)(jg_job *job);      /* then, from a turn of the loop */
    void (*abandoned)(jg_job *job); /* instead of done, on the thread, if the job was abandoned while it ran; must not
                                       block */
    void *arg;                      /* the owner's */
    jg_handle handle;               /* private */
    jg_loop *loop;                  /* private */
    jg_executor *executor;          /* private */
    void *links[4];                 /* private */
    int state;                      /* private */
    bool cancelled;                 /* private */
    void *wait;                     /* private */
    void *reserved;                 /* private */
};

/* Queues a job; NULL is the loop's default executor. From the loop's thread. jg_loop_close drops jobs that are queued,
 * without a call; jobs that run are abandoned where they can be, and else waited for, and `done` is not called. Never
 * waits. Returns 0; -1 with EAGAIN, ESHUTDOWN, ENOMEM as jg_to_thread. asyncio: loop.run_in_executor. */
JG_API int jg_run_in_executor(jg_loop *loop, jg_executor *executor, jg_job *job);

/* Takes a job back that is still queued: true, and neither `work` nor `done` will be called. Else false: `done`
 * follows, and where `work` is running, jg_thread_cancelled() is true in it. From the loop's thread. Never waits. */
JG_API bool jg_job_cancel(jg_job *job);

/* Lets go of a job, which must have `abandoned`. True: it is running, and the thread's from now on;
 * jg_thread_cancelled() is true in it and `abandoned` follows. False: it is the caller's again, and nothing will be
 * called: it was still queued, or `work` had returned. From the loop's thread. Never waits. */
JG_API bool jg_job_abandon(jg_job *job);

/* ---- Coroutines, for threads ---- */

/* The end of a coroutine in another thread's loop. Belongs to who started it; its calls may be made from any thread. */
typedef struct jg_concurrent_future jg_concurrent_future;

typedef struct jg_threadsafe_options {
    size_t size;
    const char *name;     /* of the task, as in jg_task_options */
    size_t stack_size;    /* of the task, as in jg_task_options */
    const char *function; /* private: set by the macro */
} jg_threadsafe_options;

/* Starts fn(arg) as a task of that loop, from any thread; no task consumes it. If this succeeds, fn runs exactly once,
 * except that the future fails with ENOMEM when there is no memory for its task; if main has ended, it starts
 * cancelled, and the run waits for its end. A loop that takes no more such calls, because its main has ended, is told
 * by ESRCH, and so is one that is gone or is not a loop of jg_run or of a runner: `loop` is only compared with the
 * loops there are. (If another one was made at the same address meanwhile, it is that one.) Never waits. Returns NULL
 * with ESRCH, ENOMEM. asyncio: run_coroutine_threadsafe. */
#define jg_run_coroutine_threadsafe(loop, fn, arg, ...) \
    jg_run_coroutine_threadsafe_with(                   \
        loop, fn, arg, &(jg_threadsafe_options){.size = sizeof(jg_threadsafe_options), JG_TASK_NAME(#fn) __VA_ARGS__})
JG_API jg_concurrent_future *jg_run_coroutine_threadsafe_with(jg_loop *loop, jg_coroutine fn, void *arg,
                                                              const jg_threadsafe_options *options) JG_MUST_USE;

/* Blocks this thread until the task has ended, at most so many seconds (infinity: without a limit). Returns 0 and
 * stores what fn returned (if `result` is not NULL); -1 with the task's errno and error text, or with ETIMEDOUT: then
 * jg_concurrent_future_done tells whose it was. Aborts in the thread of that loop, which would wait for itself.
 * asyncio: concurrent.futures.Future.result. */
JG_API int jg_concurrent_future_wait(jg_concurrent_future *future, double seconds, int *result) JG_MUST_USE;

/* Cancels the task, as jg_cancel does. Returns false if it has ended. Never waits. asyncio:
 * concurrent.futures.Future.cancel. */
JG_API bool jg_concurrent_future_cancel(jg_concurrent_future *future);

/* Has the task ended? Never waits. asyncio: concurrent.futures.Future.done. */
JG_API bool jg_concurrent_future_done(jg_concurrent_future *future);

/* Gives the future up; a task that has not ended goes on, and its failure goes to the error handler. No thread may be
 * inside its calls. Accepts NULL, preserves errno. Never waits. */
JG_API void jg_concurrent_future_free(jg_concurrent_future *future);
static inline void jg_concurrent_future_autoptr(jg_concurrent_future **future)
{
    jg_concurrent_future_free(*future);
}

JG_END

#endif
