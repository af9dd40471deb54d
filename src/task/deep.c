/* jg_call_deep: the loop's own stack, the thread's, for callees that need more than a task has. */
#include "task/scheduler.h"

int jg_call_deep(jg_coroutine fn, void *arg)
{
    struct jg__task *task = jg__here.task;
    if (!task || task->forbidden)
        return fn(arg); /* it is on that stack already, or may be: a forked child does not know */
    task->forbidden = JG__IN_CALL_DEEP;
    jg__interruption_changed(task);
    int result = jg__context_call_on(&jg__here.scheduler->loop_context, fn, arg);
    if (task->forbidden == JG__IN_CALL_DEEP)
        task->forbidden = JG__WAITING_ALLOWED;
    jg__interruption_changed(task);
    return result;
}
