/* What tasks need of the process: once, and for each run. */
#include "base/sigpipe.h"
#include "coro/overflow.h"
#include "task/debug.h"
#include "task/error_text.h"
#include "task/runner.h"

#include <pthread.h>

/* The loop and its tasks stay with the parent, and so do the threads that may have held locks. */
static void after_fork_in_child(void)
{
    pthread_mutex_init(&jg__schedulers_lock, NULL);
    jg__list_init(&jg__schedulers);
    jg__slow_steps_after_fork();
    if (jg__here.scheduler)
        jg__here.scheduler->forked = true;
    if (!jg__here.task)
        return;
    jg__here.task->forbidden = JG__IN_FORKED_CHILD;
    jg__interruption_changed(jg__here.task);
}

static void set_up(void)
{
    jg__ignore_sigpipe();
    jg__error_text_setup();
    jg__guests_setup();
    jg__debug_setup();
    pthread_atfork(NULL, NULL, after_fork_in_child);
}

void jg__set_up_process(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, set_up);
}

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

int jg__set_up_overflow(void)
{
    return jg__overflow_install(describe_overflow);
}
