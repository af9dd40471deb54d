/* jg_run: a loop and its scheduler, from the first task to the end of the last one. */
#include "task/runner.h"

#include "coro/overflow.h"

int jg_run_with(jg_coroutine fn, void *arg, const jg_run_options *options)
{
    jg_runner runner;
    int before = errno;
    if (jg__runner_open(&runner, options) < 0)
        return -1;
    if (jg__runner_enter("jg_run", &runner) < 0) {
        jg__scheduler_close(&runner.scheduler);
        return -1;
    }
    errno = before;
    runner.scheduler.ends_with_main = true;
    int result = jg__runner_run("jg_run", &runner, fn, arg);
    int after = errno;
    jg__runner_shut(&runner);
    errno = result < 0 ? after : before;
    return result;
}
