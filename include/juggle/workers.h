/* A loop for each processor: the same coroutine in several threads. asyncio has no counterpart (it starts processes).
 */
#ifndef JUGGLE_WORKERS_H
#define JUGGLE_WORKERS_H

#include <juggle/task.h>

JG_BEGIN

typedef struct jg_workers_options {
    size_t size;
    unsigned workers;     /* threads; 0: one for each processor that this process may use */
    bool pin;             /* keep each on one processor, in turn */
    bool no_signals;      /* leave SIGINT and SIGTERM alone */
    const char *poller;   /* as in jg_loop_options */
    const char *name;     /* of the main tasks and threads, which get their index behind it; default "worker" */
    size_t stack_size;    /* of the main tasks, bytes; 0: 192 KiB */
    int *failed;          /* gets the index of the worker that failed first, or -1 */
    const char *function; /* private: set by the macro, as in jg_task_options */
} jg_workers_options;

/* Runs fn(arg) in several threads, in a jg_run of its own each, until all of them have ended. Servers of the workers
 * share an address by .reuse_port: the kernel spreads the connections. What the workers share besides, and what arg
 * points at, needs locks or channels.
 *
 * The first failure in time cancels the mains of the other workers and is returned, when all have ended: -1 with its
 * errno; jg_error_text names the worker. A worker that cannot start is such a failure: EAGAIN (no thread), ENOMEM,
 * EMFILE, ENFILE, ENOTSUP, as for jg_run.
 *
 * SIGINT and SIGTERM, where their dispositions are the default, cancel all mains; if that ends one of them with
 * ECANCELED, the call returns -1 with EINTR when all have ended. A second one, a tenth of a second later or more, kills
 * the process, even when a loop is stuck. EINVAL for more than 4,096 workers; ENOMEM. Blocks the thread; aborts inside
 * of jg_run and of a loop. Returns 0 when no main has failed. */
#define jg_run_workers(fn, arg, ...) \
    jg_run_workers_with(fn, arg,     \
                        &(jg_workers_options){.size = sizeof(jg_workers_options), JG_TASK_NAME(#fn) __VA_ARGS__})
JG_API int jg_run_workers_with(jg_coroutine fn, void *arg, const jg_workers_options *options);

/* The index of this thread's worker, from 0, and how many there are. Outside of workers 0 and 1, so that a coroutine
 * for workers also runs alone. Never waits. */
JG_API int jg_worker_index(void);
JG_API int jg_worker_count(void);

JG_END

#endif
