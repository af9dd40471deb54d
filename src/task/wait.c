/* Waiting: the entry check, parking and waking. */
#include "task/scheduler.h"

enum { REFUSALS_AT_FULL_SPEED = 1000, PARK_MILLISECONDS_MOST = 100 };

/* ---- Who may wait ---- */

static __attribute__((noinline)) struct jg__task *not_plainly_running(const char *call)
{
    struct jg__task *task = jg__here.task;
    if (!jg__here.scheduler)
        jg__die("%s: called outside jg_run", call);
    if (!task)
        jg__die("%s: called outside of a task, from a callback of the loop", call);
    if (task->forbidden == JG__IN_FORKED_CHILD)
        jg__die("%s: called in a forked child, which may only exec or exit", call);
    return task;
}

struct jg__task *jg__running(const char *call)
{
    struct jg__task *task = jg__here.task;
    return JG__LIKELY(task && task->interrupted >= 0) ? task : not_plainly_running(call);
}

struct jg__task *jg__running_not_plainly(const char *call)
{
    struct jg__task *task = jg__running(call);
    if (task->forbidden == JG__IN_CALL_DEEP)
        jg__die("%s: called inside jg_call_deep, where nothing can wait", call);
    return task;
}

bool jg_may_wait(void)
{
    return jg__here.task && !jg__here.task->forbidden;
}

/* ---- The entry check ---- */

static void wake_from_slowness(void *arg)
{
    jg__wake(arg, 0);
}

/* The task does not listen: each of its waits takes a while from now on, and longer every time. */
static void slow_down(struct jg__task *task, const char *call)
{
    struct jg__wait wait = {.call = call, .interrupt = jg__not_now};
    jg_timer timer = {.handle = {.fn = wake_from_slowness, .arg = &wait}};
    int milliseconds = task->refused - REFUSALS_AT_FULL_SPEED;
    if (milliseconds == 1)
        jg__report_deaf(task, call);
    if (milliseconds > PARK_MILLISECONDS_MOST) {
        milliseconds = PARK_MILLISECONDS_MOST;
        task->refused--;
    }
    jg_call_later(jg__here.loop, &timer, milliseconds / 1e3);
    jg__park(&wait);
}

__attribute__((noinline)) int jg__refuse(const char *call)
{
    struct jg__task *task = jg__running_to_wait(call);
    int reason = task->interrupted;
    if (++task->refused <= REFUSALS_AT_FULL_SPEED)
        jg__yield(task);
    else
        slow_down(task, call);
    return jg__fail_interrupted(call, reason);
}

/* The task found its data at once too often: others first. */
static __attribute__((noinline)) int yield_for_budget(struct jg__task *task, const char *call)
{
    task->spent = 0;
    jg__yield(task);
    return task->interrupted ? jg__fail_interrupted(call, task->interrupted) : 0;
}

int jg__enter_wait(const char *call)
{
    struct jg__task *task = jg__here.task;
    if (JG__UNLIKELY(!task || task->interrupted))
        return jg__refuse(call);
    if (JG__UNLIKELY(++task->spent > JG__BUDGET))
        return yield_for_budget(task, call);
    return 0;
}

/* ---- Parking ---- */

/* Is the task to park all the same, until somebody wakes it? */
bool jg__park_interrupted(struct jg__task *task, struct jg__wait *wait)
{
    jg__running_to_wait(wait->call);
    if (wait->interrupt) {
        wait->interrupt(wait, -task->interrupted);
        return true;
    }
    wait->task = NULL;
    task->wait = NULL;
    return false;
}

void jg__not_now(struct jg__wait *wait, int reason)
{
    (void)wait;
    (void)reason;
}
