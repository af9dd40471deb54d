#include "task/runner.h"

#include "base/memory.h"
#include "coro/overflow.h"
#include "task/sigint.h"

#include <string.h>

/* ---- Inside ---- */

int jg__runner_enter(const char *call, jg_runner *runner)
{
    if (jg__here.scheduler)
        jg__die("%s: called inside jg_run: a coroutine that another one calls is awaited", call);
    if (jg_get_running_loop())
        jg__die("%s: another loop is running on this thread", call);
    if (jg__set_up_overflow() < 0)
        return -1;
    jg__scheduler_enter(&runner->scheduler);
    return 0;
}

void jg__runner_leave(jg_runner *runner)
{
    jg__scheduler_leave(&runner->scheduler);
    jg__overflow_uninstall();
}

static int create_main(const char *call, jg_runner *runner, jg_coroutine fn, void *arg)
{
    const jg_run_options *options = &runner->options;
    jg_task_options task_options = {
        .size = sizeof task_options,
        .name = *runner->name ? runner->name : "main",
        .stack_size = options->stack_size,
        .function = options->function,
    };
    struct jg__task *main = jg__task_new(call, NULL, fn, arg, &task_options);
    if (!main)
        return -1;
    main->is_main = true;
    runner->scheduler.main = main;
    return 0;
}

/* ---- How long it runs ---- */

/* What was written to the standard streams, and what was closed last, must still reach its peer: to close an fd with
 * unread input would reset the connection. Whoever pressed Ctrl-C does not want to wait for that. */
static bool all_gone(void *arg)
{
    const struct jg__scheduler *scheduler = arg;
    if (!jg__list_empty(&scheduler->roots) || jg__guests_left(scheduler))
        return false;
    if (scheduler->loop->finish)
        scheduler->loop->finish(scheduler->loop);
    return scheduler->loop->lingering == 0 || scheduler->ctrl_c;
}

static bool main_gone(void *arg)
{
    const struct jg__scheduler *scheduler = arg;
    return !scheduler->main;
}

static void run_until(struct jg__scheduler *scheduler, bool (*done)(void *arg))
{
    while (!done(scheduler))
        if (jg_loop_run_until(scheduler->loop, done, scheduler) < 0)
            jg__die("jg_run: the tasks cannot go on: %s", strerror(errno));
}

int jg__runner_run(const char *call, jg_runner *runner, jg_coroutine fn, void *arg)
{
    struct jg__scheduler *scheduler = &runner->scheduler;
    if (create_main(call, runner, fn, arg) < 0)
        return -1;
    scheduler->ctrl_c = false;
    bool interruptible = !runner->options.no_sigint && jg__sigint_take(scheduler);
    run_until(scheduler, scheduler->ends_with_main ? all_gone : main_gone);
    if (interruptible)
        jg__sigint_give_back(scheduler);
    if (scheduler->main_result >= 0)
        return scheduler->main_result;
    if (scheduler->ctrl_c && scheduler->main_error == ECANCELED)
        return jg_fail(EINTR, "%s: interrupted by SIGINT", call);
    errno = scheduler->main_error;
    return -1;
}

/* ---- Life ---- */

int jg__runner_open(jg_runner *runner, const jg_run_options *options)
{
    jg_run_options whole;
    jg__set_up_process();
    runner->options = *(const jg_run_options *)jg__whole_options(options, &whole, sizeof whole);
    size_t length = runner->options.name ? strnlen(runner->options.name, sizeof runner->name - 1) : 0;
    if (length)
        memcpy(runner->name, runner->options.name, length);
    runner->name[length] = '\0';
    return jg__scheduler_open(&runner->scheduler, &runner->options);
}

void jg__runner_shut(jg_runner *runner)
{
    jg__scheduler_end(&runner->scheduler);
    run_until(&runner->scheduler, all_gone);
    jg__runner_leave(runner);
    jg__scheduler_close(&runner->scheduler);
}

jg_runner *jg_runner_new_with(const jg_run_options *options)
{
    jg_runner *runner = jg__allocate(sizeof *runner);
    if (!runner) {
        jg_fail(ENOMEM, "jg_runner_new: out of memory");
        return NULL;
    }
    if (jg__runner_open(runner, options) == 0)
        return runner;
    jg__release(runner);
    return NULL;
}

int jg_runner_run(jg_runner *runner, jg_coroutine fn, void *arg)
{
    int before = errno;
    if (jg__runner_enter("jg_runner_run", runner) < 0)
        return -1;
    errno = before;
    int result = jg__runner_run("jg_runner_run", runner, fn, arg);
    int after = errno;
    jg__runner_leave(runner);
    errno = result < 0 ? after : before;
    return result;
}

jg_loop *jg_runner_get_loop(jg_runner *runner)
{
    return runner->scheduler.loop;
}

void jg_runner_close(jg_runner *runner)
{
    if (!runner)
        return;
    int saved = errno;
    struct jg__error_text words = *jg__thread_text(); /* the callbacks of the loop may fail meanwhile */
    if (jg__runner_enter("jg_runner_close", runner) < 0)
        jg__die("jg_runner_close: %s", jg_error_text());
    jg__runner_shut(runner);
    jg__release(runner);
    *jg__thread_text() = words;
    errno = saved;
}
