/* Interruption: which reason shows in a task now, and how it reaches the wait that the task is parked in. */
#include "task/scheduler.h"
#include "task/scope.h"

/* From the innermost scope outwards, to the first shield that still holds. */
static int reason_now(const struct jg__task *task)
{
    int reason = 0;
    for (const jg_timeout *scope = task->scopes; scope; scope = scope->outer) {
        if (scope->kind == JG__SHIELD && !scope->expired)
            return reason;
        if (scope->kind == JG__DEADLINE && scope->expired)
            reason = ETIMEDOUT;
    }
    return task->cancelled ? ECANCELED : reason;
}

/* A yield has no effect to lose: it fails even though the task is ready already. */
static void interrupt_yield(struct jg__task *task)
{
    task->context.result = -1;
    task->errno_of_yield = task->saved_errno;
    task->saved_errno = task->interrupted;
    task->refused_call = "jg_yield";
    task->refused_error = task->interrupted;
}

/* Nor has it one if the reason is gone again before it returns. */
static void take_back_from_yield(struct jg__task *task)
{
    if (task->context.result == 0)
        return;
    task->context.result = 0;
    task->saved_errno = task->errno_of_yield;
}

static void interrupt_wait(struct jg__task *task)
{
    struct jg__wait *wait = task->wait;
    if (task->interrupted <= 0 || task == jg__here.task)
        return;
    if (!wait)
        interrupt_yield(task);
    else if (wait->task && wait->interrupt)
        wait->interrupt(wait, -task->interrupted);
    else
        jg__wake(wait, -task->interrupted);
}

/* One after the other, not inside each other: an interrupted join cancels its children, and the tree may be deeper than
 * a stack. */
static void interrupt_later(struct jg__task *task)
{
    struct jg__scheduler *scheduler = jg__here.scheduler;
    task->next_interrupted = NULL;
    *scheduler->last_interrupted = task;
    scheduler->last_interrupted = &task->next_interrupted;
    if (scheduler->interrupting)
        return;
    scheduler->interrupting = true;
    while ((task = scheduler->interrupted)) {
        scheduler->interrupted = task->next_interrupted;
        if (!scheduler->interrupted)
            scheduler->last_interrupted = &scheduler->interrupted;
        interrupt_wait(task);
    }
    scheduler->interrupting = false;
}

void jg__interruption_changed(struct jg__task *task)
{
    int before = task->interrupted;
    task->interrupted = task->forbidden ? -1 : reason_now(task);
    if (!task->interrupted) {
        task->refused = 0;
        if (!task->wait)
            take_back_from_yield(task);
    }
    if (task->interrupted > 0 && before == 0)
        interrupt_later(task);
}

void jg__cancel(struct jg__task *task)
{
    if (task->cancelled || task->ended)
        return;
    task->cancelled = true;
    jg__interruption_changed(task);
}

void jg_cancel(jg_task *task)
{
    if (!task)
        return;
    if (!jg__here.scheduler)
        jg__refuse_handle(task, "jg_cancel");
    struct jg__task *found = jg__task_behind(task);
    if (found)
        jg__cancel(found);
}

bool jg_uncancel(jg_task *handle)
{
    struct jg__task *task = jg__task_of(handle, "jg_uncancel");
    if (!task->cancelled || task->ended || jg__here.scheduler->closing)
        return false;
    task->cancelled = false;
    jg__interruption_changed(task);
    return true;
}

int jg_check(void)
{
    struct jg__task *task = jg__running("jg_check");
    int reason = task->interrupted < 0 ? reason_now(task) : task->interrupted;
    return reason ? jg__fail_interrupted("jg_check", reason) : 0;
}
