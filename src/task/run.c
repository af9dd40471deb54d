/* jg_run: a loop and its scheduler, from the first task to the end of the last one. */
#include "task/error_text.h"
#include "task/scheduler.h"
#include "task/sigint.h"

#include "coro/overflow.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

/* ---- Once in a process ---- */

/* The loop and its tasks stay with the parent. */
static void after_fork_in_child(void)
{
    if (jg__here.scheduler)
        jg__here.scheduler->forked = true;
    if (!jg__here.task)
        return;
    jg__here.task->forbidden = JG__IN_FORKED_CHILD;
    jg__interruption_changed(jg__here.task);
}

static void ignore_sigpipe(void)
{
    struct sigaction action;
    if (sigaction(SIGPIPE, NULL, &action) == 0 && !(action.sa_flags & SA_SIGINFO) && action.sa_handler == SIG_DFL)
        signal(SIGPIPE, SIG_IGN);
}

static void set_up_process(void)
{
    ignore_sigpipe();
    jg__error_text_setup();
    pthread_atfork(NULL, NULL, after_fork_in_child);
}

/* ---- A run ---- */

static bool describe_overflow(const void *address, struct jg__overflow *overflow)
{
    const struct jg__task *task = jg__here.task;
    if (!task || !jg__stack_guards(&task->stack, address))
        return false;
    overflow->task = task->name;
    overflow->stack_size = jg__stack_size(&task->stack);
    overflow->remedy = task->is_main ? "run it with a larger .stack_size" : "create it with a larger .stack_size";
    return true;
}

static int create_main(struct jg__scheduler *scheduler, jg_coroutine fn, void *arg, const jg_run_options *options)
{
    const char *name = options->name ? options->name : "main";
    jg_task_options task_options = {.size = sizeof task_options, .name = name, .stack_size = options->stack_size};
    scheduler->main = jg__task_new("jg_run", NULL, fn, arg, &task_options);
    if (!scheduler->main)
        return -1;
    scheduler->main->is_main = true;
    return 0;
}

/* What was closed last must still reach its peer: to close an fd with unread input would reset the connection. Whoever
 * pressed Ctrl-C does not want to wait for that. */
static bool all_gone(void *arg)
{
    const struct jg__scheduler *scheduler = arg;
    return jg__list_empty(&scheduler->roots) && (scheduler->loop->lingering == 0 || scheduler->ctrl_c);
}

static void run_to_the_end(struct jg__scheduler *scheduler)
{
    while (!all_gone(scheduler))
        if (jg_loop_run_until(scheduler->loop, all_gone, scheduler) < 0)
            jg__die("jg_run: the tasks cannot go on: %s", strerror(errno));
}

static int run_main(struct jg__scheduler *scheduler, jg_coroutine fn, void *arg, const jg_run_options *options)
{
    if (create_main(scheduler, fn, arg, options) < 0)
        return -1;
    bool interruptible = !options->no_sigint && jg__sigint_take(scheduler);
    run_to_the_end(scheduler);
    if (interruptible)
        jg__sigint_give_back();
    if (scheduler->main_result >= 0)
        return scheduler->main_result;
    if (scheduler->ctrl_c && scheduler->main_error == ECANCELED)
        return jg_fail(EINTR, "jg_run: interrupted by SIGINT");
    errno = scheduler->main_error;
    return -1;
}

int jg_run_with(jg_coroutine fn, void *arg, const jg_run_options *options)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct jg__scheduler scheduler;
    jg_run_options whole;
    int before = errno;
    options = jg__whole_options(options, &whole, sizeof whole);
    if (jg__here.scheduler)
        jg__die("jg_run: called inside jg_run: a coroutine that another one calls is awaited");
    if (jg_get_running_loop())
        jg__die("jg_run: another loop is running on this thread");
    pthread_once(&once, set_up_process);
    if (jg__overflow_install(describe_overflow) < 0)
        return -1;
    if (jg__scheduler_open(&scheduler, options) < 0) {
        jg__overflow_uninstall();
        return -1;
    }
    errno = before;
    int result = run_main(&scheduler, fn, arg, options);
    int after = errno;
    jg__scheduler_close(&scheduler);
    jg__overflow_uninstall();
    errno = result < 0 ? after : before;
    return result;
}
