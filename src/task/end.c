/* The end of a task: it waits for the children that it left behind, tells whoever waits for it, and leaves for good. */
#include "task/error_text.h"
#include "task/scheduler.h"

#include "base/memory.h"
#include "base/probes.h"

void jg__task_release_slowly(struct jg__task *task)
{
    if (task->callbacks) {
        jg__task_make_root(task);
        task->consumed = true;
        return;
    }
    jg__release(task->error_text);
    task->error_text = NULL;
    jg__scheduler_trim_later(jg__here.scheduler);
    jg__task_release(task);
}

static void disown(struct jg__task *child)
{
    child->child_ended = NULL;
    child->joiner = NULL; /* a group that is no more */
    jg__cancel(child);
}

static void wait_for_abandoned_children(struct jg__task *task)
{
    task->ending = true;
    for (struct jg__list *node = task->children.next; node != &task->children; node = node->next)
        disown(jg__container_of(node, struct jg__task, siblings));
    while (!jg__list_empty(&task->children)) {
        struct jg__task *child = jg__container_of(task->children.next, struct jg__task, siblings);
        disown(child);
        jg__join(child, "the end of its creator");
        jg__report_abandoned(child, task);
        jg__task_release(child);
    }
}

void jg__root_ended(struct jg__task *task)
{
    if (task->result < 0)
        jg__report_failure(task, "failed: ");
    jg__task_release(task);
}

/* On the loop's stack: a task cannot free the stack that it stands on. */
static void bury_root(void *arg)
{
    jg__root_ended(arg);
}

static void bury_main(void *arg)
{
    struct jg__task *task = arg;
    struct jg__scheduler *scheduler = jg__here.scheduler;
    scheduler->main_result = task->result;
    scheduler->main_error = task->error;
    if (task->result < 0)
        jg__error_text_hand_up(task);
    scheduler->main = NULL;
    jg__task_release(task);
    if (scheduler->ends_with_main)
        jg__scheduler_end(scheduler);
}

static void tell(struct jg__task *task)
{
    if (task->callbacks)
        jg__done_callbacks_queue(task);
    if (task->watchers)
        jg__watchers_tell(task);
    if (task->child_ended) {
        task->child_ended(task->joiner, task);
    } else if (task->joiner) {
        jg__wake_task(task->joiner, task->parent, 0);
    } else if (!task->parent) {
        task->handle.fn = task->is_main ? bury_main : bury_root;
        jg__queue_append(&jg__here.loop->ready, &task->handle);
    }
}

static __attribute__((noinline)) void leave_behind(struct jg__task *task)
{
    if (task->scopes)
        jg__die("jg_timeout_enter: task \"%s\" ended inside the scope that it entered", task->name);
    if (task->forbidden == JG__IN_FORKED_CHILD)
        jg__die("jg_run: task \"%s\" ended in a forked child, which may only exec or exit", task->name);
    if (!jg__list_empty(&task->children))
        wait_for_abandoned_children(task);
    if (task->values)
        jg__context_drop(task->values);
    task->values = NULL;
}

static __attribute__((noinline)) void note_failure(struct jg__task *task)
{
    task->result = -1;
    task->error = errno ? errno : EIO; /* so that 0 always means success */
    task->failure_order = jg__here.scheduler->failures++;
}

void jg__task_entry(void *arg)
{
    struct jg__task *task = arg;
    task->wait = NULL;
    int result = task->fn(JG__UNLIKELY(task->copied) ? jg__task_copy(task) : task->arg);
    task->result = result;
    if (JG__UNLIKELY(result < 0))
        note_failure(task);
    if (JG__UNLIKELY((uintptr_t)task->scopes | (uintptr_t)task->values | task->forbidden) ||
        JG__UNLIKELY(!jg__list_empty(&task->children)))
        leave_behind(task);
    task->ended = true;
    JG__PROBE2(task_end, task, task->result);
    tell(task);
    jg__leave(task, task->parent, true);
}
