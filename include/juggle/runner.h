/* Several main tasks, one after the other, in one loop. asyncio's counterpart: Runner. */
#ifndef JUGGLE_RUNNER_H
#define JUGGLE_RUNNER_H

#include <juggle/task.h>

JG_BEGIN

/* jg_run in its parts. What a main leaves behind (detached tasks, streams, servers) stays, does not run between the
 * runs, and goes on in the next one. */
typedef struct jg_runner jg_runner;

/* Creates a runner and its loop; the options are those of jg_run. jg_runner_close frees it. Never waits. Returns NULL
 * with ENOMEM, EMFILE, ENFILE, ENOTSUP, EINVAL as jg_loop_new. asyncio: Runner(). */
#define jg_runner_new(...) jg_runner_new_with(JG_OPTIONS(jg_run_options, __VA_ARGS__))
JG_API jg_runner *jg_runner_new_with(const jg_run_options *options) JG_MUST_USE;

/* Runs fn(arg) as the main task until it has ended, and returns its result, with its errno and error text. SIGINT is
 * treated as by jg_run. A runner belongs to the thread of its first run. Blocks the thread; aborts inside of jg_run or
 * of a loop. Returns -1 with ENOMEM when there is no memory for the task. asyncio: Runner.run. */
JG_API int jg_runner_run(jg_runner *runner, jg_coroutine fn, void *arg);

/* Its loop. Never waits. asyncio: Runner.get_loop. */
JG_API jg_loop *jg_runner_get_loop(jg_runner *runner);

/* Cancels every task that is left, waits for them and for streams that linger, closes the loop and frees the runner.
 * Blocks the thread; aborts inside of jg_run or of a loop. Accepts NULL, preserves errno. asyncio: Runner.close. */
JG_API void jg_runner_close(jg_runner *runner);
static inline void jg_runner_autoptr(jg_runner **runner)
{
    jg_runner_close(*runner);
}

JG_END

#endif
