/* The scheduler of one thread: its life, and the two ways between the loop's own flow and the tasks. */
#include "task/scheduler.h"

#include "base/memory.h"

#include <string.h>
#include <unistd.h>

_Thread_local __attribute__((tls_model("initial-exec"))) struct jg__here jg__here;

enum { TRIM_SECONDS = 1 };

struct jg__wait jg__unstarted = {.call = "jg_create_task"};

/* ---- Switching ---- */

void jg__run_task(void *arg)
{
    struct jg__task *task = arg;
    struct jg__scheduler *scheduler = jg__here.scheduler;
    if (JG__UNLIKELY(scheduler->forked))
        jg__die("jg_run: task \"%s\" would go on in a forked child, which may only exec or exit", task->name);
    errno = task->saved_errno;
    jg__here.task = task;
    (void)jg__switch(&scheduler->loop_context, &task->context);
}

static int leave_to_loop(struct jg__task *task)
{
    task->saved_errno = *jg__here.errno_location;
    jg__here.task = NULL;
    return jg__switch(&task->context, &jg__here.scheduler->loop_context);
}

__attribute__((noinline)) int jg__leave_slowly(struct jg__task *task)
{
    jg_loop *loop = jg__here.loop;
    bool alone = loop->turn_end.next == &task->handle && loop->ready.previous == &task->handle;
    if (alone) /* whatever it waits for can only come from the kernel */
        jg__end_turn(loop);
    if (loop->ready.next != &loop->turn_end || !jg__next_batch(loop))
        return leave_to_loop(task);
    return jg__leave_for(task, jg__take_first(loop, loop->ready.next), false);
}

/* ---- Stacks ---- */

static void trim(void *arg)
{
    struct jg__scheduler *scheduler = arg;
    if (jg__stacks_trim(scheduler->stacks))
        scheduler->trims = JG__TRIMS;
    if (--scheduler->trims)
        jg_call_later(scheduler->loop, &scheduler->trimmer, TRIM_SECONDS);
}

void jg__scheduler_trim_later(struct jg__scheduler *scheduler)
{
    if (!scheduler->trims)
        jg_call_later(scheduler->loop, &scheduler->trimmer, TRIM_SECONDS);
    scheduler->trims = JG__TRIMS;
}

/* ---- Life ---- */

int jg__scheduler_open(struct jg__scheduler *scheduler, const jg_run_options *options)
{
    memset(scheduler, 0, sizeof *scheduler);
    scheduler->loop = jg_loop_new(.poller = options->poller);
    if (!scheduler->loop)
        return -1;
    scheduler->stacks = jg__stacks_new();
    if (!scheduler->stacks) {
        jg_loop_close(scheduler->loop);
        return jg_fail(ENOMEM, "jg_run: out of memory");
    }
    scheduler->last_interrupted = &scheduler->interrupted;
    scheduler->trimmer.handle = (jg_handle){.fn = trim, .arg = scheduler};
    jg__list_init(&scheduler->roots);
    scheduler->loop->tasks = scheduler;
    scheduler->loop->task_fn = jg__run_task;
    scheduler->loop->call_deep = jg_call_deep;
    jg__guests_open(&scheduler->guests, scheduler->loop);
    return 0;
}

void jg__scheduler_enter(struct jg__scheduler *scheduler)
{
    jg__context_init_thread(&scheduler->loop_context);
    scheduler->here = &jg__here;
    scheduler->thread = gettid();
    pthread_mutex_lock(&jg__schedulers_lock);
    jg__list_append(&jg__schedulers, &scheduler->node);
    pthread_mutex_unlock(&jg__schedulers_lock);
    jg__here = (struct jg__here){.loop = scheduler->loop, .errno_location = &errno, .scheduler = scheduler};
    jg__slow_steps_enter();
}

void jg__scheduler_leave(struct jg__scheduler *scheduler)
{
    jg__slow_steps_leave();
    jg__here = (struct jg__here){0};
    pthread_mutex_lock(&jg__schedulers_lock);
    jg__list_remove(&scheduler->node);
    pthread_mutex_unlock(&jg__schedulers_lock);
}

void jg__scheduler_end(struct jg__scheduler *scheduler)
{
    jg__guests_shut(&scheduler->guests);
    scheduler->closing = true;
    for (struct jg__list *node = scheduler->roots.next; node != &scheduler->roots; node = node->next)
        jg__cancel(jg__container_of(node, struct jg__task, siblings));
}

void jg__scheduler_close(struct jg__scheduler *scheduler)
{
    jg__guests_close(&scheduler->guests);
    jg_timer_cancel(scheduler->loop, &scheduler->trimmer);
    jg_loop_close(scheduler->loop);
    jg__stacks_free(scheduler->stacks);
}
