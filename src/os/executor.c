/* Waiting for the end of an executor, and for that of a loop's jobs. */
#include "host/executor.h"

#include "task/internal.h"

struct end {
    struct jg__executor_watcher watcher;
    struct jg__wait wait;
    jg_loop *loop;
    jg_handle handle;
};

/* On its last thread. */
static void ended(struct jg__executor_watcher *watcher)
{
    struct end *end = jg__container_of(watcher, struct end, watcher);
    jg_call_soon_threadsafe(end->loop, &end->handle);
}

static void wake(void *arg)
{
    struct end *end = arg;
    jg__wake(&end->wait, 0);
}

static int wait_for_end(const char *call, jg_executor *executor)
{
    struct end end = {
        .watcher.ended = ended,
        .wait = {.call = call, .object = executor},
        .loop = jg__here.loop,
        .handle = {.fn = wake, .arg = &end},
    };
    if (!jg__executor_watch(executor, &end.watcher))
        return 0;
    int reason = jg__park(&end.wait);
    jg__executor_unwatch(executor, &end.watcher);
    jg_handle_cancel(end.loop, &end.handle);
    return reason ? jg__fail_interrupted(call, -reason) : 0;
}

int jg_executor_shutdown(jg_executor *executor, bool wait)
{
    if (wait && jg__executor_owns_thread(executor))
        jg__die("jg_executor_shutdown: a job of the executor \"%s\" waits for its own end", executor->name);
    jg__executor_shut(executor);
    if (!wait)
        return 0;
    if (jg_may_wait())
        return jg__enter_wait("jg_executor_shutdown") < 0 ? -1 : wait_for_end("jg_executor_shutdown", executor);
    jg__executor_wait(executor);
    return 0;
}

/* ---- The default executor of a loop ---- */

struct jobs_wait {
    struct jg__job_watcher watcher;
    struct jg__wait wait;
};

static void job_done(struct jg__job_watcher *watcher)
{
    struct jobs_wait *waiting = jg__container_of(watcher, struct jobs_wait, watcher);
    if (!jg__loop_jobs_pending(jg__here.loop, waiting->wait.object))
        jg__wake(&waiting->wait, 0);
}

static int wait_for_jobs(jg_executor *executor)
{
    struct jobs_wait waiting = {
        .watcher.job_done = job_done,
        .wait = {.call = "jg_shutdown_default_executor", .object = executor},
    };
    jg__loop_jobs_watch(jg__here.loop, &waiting.watcher);
    int reason = jg__loop_jobs_pending(jg__here.loop, executor) ? jg__park(&waiting.wait) : 0;
    jg__list_remove(&waiting.watcher.node);
    return reason ? jg__fail_interrupted("jg_shutdown_default_executor", -reason) : 0;
}

int jg_shutdown_default_executor(void)
{
    if (jg__enter_wait("jg_shutdown_default_executor") < 0 || jg__loop_jobs_shut(jg__here.loop) < 0)
        return -1;
    jg_executor *executor = jg__loop_executor(jg__here.loop);
    if (executor == jg__executor_for_users())
        return wait_for_jobs(executor);
    jg__executor_shut(executor);
    return wait_for_end("jg_shutdown_default_executor", executor);
}
