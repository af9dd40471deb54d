/* Waiting for one task, and letting one go. */
#include "task/error_text.h"
#include "task/scheduler.h"

void jg__interrupt_join(struct jg__wait *wait, int reason)
{
    (void)reason;
    jg__cancel((struct jg__task *)(uintptr_t)wait->object); // NOLINT(performance-no-int-to-ptr)
}

static inline __attribute__((always_inline)) int join(struct jg__task *child, const char *call)
{
    if (child->ended)
        return 0;
    struct jg__wait wait = {.call = call, .object = child, .interrupt = jg__interrupt_join};
    jg__task_join(child, NULL, &wait);
    jg__park_for(&wait, child);
    return jg__here.task->interrupted;
}

int jg__join(struct jg__task *child, const char *call)
{
    return join(child, call);
}

static int failure(const char *call, struct jg__task *child, int reason)
{
    int error = child->error;
    if (error != ECANCELED || !reason)
        jg__error_text_hand_up(child);
    jg__task_release(child);
    if (error == ECANCELED && reason)
        return jg__fail_interrupted(call, jg__here.task->interrupted ? jg__here.task->interrupted : reason);
    errno = error;
    return -1;
}

static inline __attribute__((always_inline)) int outcome(const char *call, struct jg__task *child, int reason)
{
    int result = child->result;
    if (JG__UNLIKELY(result < 0))
        return failure(call, child, reason);
    jg__task_release(child);
    return result;
}

int jg__outcome(const char *call, struct jg__task *child, int reason)
{
    return outcome(call, child, reason);
}

int jg_await(jg_task *handle)
{
    struct jg__task *task = jg__running_to_wait("jg_await");
    if (!handle)
        return -1;
    struct jg__task *child = jg__task_to_consume(task, handle, "jg_await");
    return outcome("jg_await", child, join(child, "jg_await"));
}

int jg_wait_for(jg_task *task, double seconds)
{
    struct jg__task *running = jg__running_to_wait("jg_wait_for");
    if (!task)
        return -1;
    struct jg__task *child = jg__task_to_consume(running, task, "jg_wait_for");
    jg_timeout deadline;
    jg_timeout_enter(&deadline, seconds);
    int reason = jg__join(child, "jg_wait_for");
    jg_timeout_leave(&deadline);
    return jg__outcome("jg_wait_for", child, reason);
}

void jg_cancel_and_wait(jg_task *task)
{
    JG__KEEP_REASON(reason);
    jg_cancel(task);
    if (task)
        (void)!jg_await(task);
}

void jg_detach(jg_task *task)
{
    if (!task)
        return;
    if (!jg__here.task && !jg__task_of(task, "jg_detach")->parent)
        return; /* created by a callback of the loop, it is detached already */
    struct jg__task *child = jg__task_to_consume(jg__running("jg_detach"), task, "jg_detach");
    jg__task_make_root(child);
    if (child->ended)
        jg__root_ended(child);
    else if (jg__here.scheduler->closing)
        jg__cancel(child);
}
