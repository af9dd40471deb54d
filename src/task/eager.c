/* How a task begins: from a later turn, or at once; and who may decide that. */
#include "task/scheduler.h"

/* ---- The task factory ---- */

static struct jg__scheduler *scheduler_of(const jg_loop *loop, const char *call)
{
    if (!loop || !loop->tasks)
        jg__die("%s: the loop is not one of jg_run, or of a runner", call);
    return loop->tasks;
}

void jg_set_task_factory(jg_loop *loop, jg_task_factory factory, void *factory_arg)
{
    struct jg__scheduler *scheduler = scheduler_of(loop, "jg_set_task_factory");
    scheduler->factory = factory;
    scheduler->factory_arg = factory_arg;
}

jg_task_factory jg_get_task_factory(jg_loop *loop, void **factory_arg)
{
    const struct jg__scheduler *scheduler = scheduler_of(loop, "jg_get_task_factory");
    if (factory_arg)
        *factory_arg = scheduler->factory_arg;
    return scheduler->factory;
}

int jg_eager_task_factory(jg_coroutine fn, void *arg, jg_task_options *options, void *factory_arg)
{
    (void)fn;
    (void)arg;
    (void)factory_arg;
    options->eager = true;
    return 0;
}

const jg_task_options *jg__options_by_factory(jg_coroutine fn, void *arg, const jg_task_options *options,
                                              jg_task_options *whole)
{
    const struct jg__scheduler *scheduler = jg__here.scheduler;
    options = jg__whole_options(options, whole, sizeof *whole);
    if (!scheduler->factory)
        return options;
    *whole = *options;
    return scheduler->factory(fn, arg, whole, scheduler->factory_arg) < 0 ? NULL : whole;
}

/* ---- Beginning ---- */

/* Where the creator goes on when the child first waits: before all others. */
static void prepend(jg_loop *loop, struct jg__task *task)
{
    jg_handle *first = loop->ready.next;
    task->handle.next = first;
    if (first->fn != jg__run_task && first != &loop->turn_end)
        first->previous = &task->handle;
    loop->ready.next = &task->handle;
}

/* Switches to the child. Who interrupts the creator meanwhile finds it as if it were woken from a wait. */
static void begin_now(struct jg__task *creator, struct jg__task *child)
{
    struct jg__wait wait = {.call = "jg_create_task", .object = child};
    creator->wait = &wait;
    prepend(jg__here.loop, creator);
    jg__leave_for(creator, child, false);
    creator->wait = NULL;
}

void jg__task_begin(struct jg__task *task, bool eager)
{
    struct jg__task *creator = jg__here.task;
    if (eager && creator && !creator->forbidden)
        begin_now(creator, task);
    else
        jg__append_task(jg__here.loop, task);
}
