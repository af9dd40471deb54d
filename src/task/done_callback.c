/* Callbacks at the end of a task, run by the loop on its own stack. */
#include "task/scheduler.h"

#include "base/memory.h"

struct jg__done_callback {
    jg_handle handle;
    struct jg__done_callback *next; /* of the same task, in the order in which they were added */
    struct jg__task *task;
    bool running;
    void (*fn)(jg_task *task, int result, void *arg);
    void *arg;
};

static void run_callback(void *arg)
{
    struct jg__done_callback *callback = arg;
    struct jg__task *task = callback->task;
    if (task->result < 0)
        errno = task->error;
    callback->running = true;
    callback->fn(jg__task_handle(task), task->result, callback->arg);
    task->callbacks = callback->next; /* it was the first: they are queued in the order of this list */
    jg__release(callback);
    if (task->consumed && !task->callbacks)
        jg__task_release(task);
}

void jg__done_callbacks_queue(struct jg__task *task)
{
    for (struct jg__done_callback *callback = task->callbacks; callback; callback = callback->next)
        jg_call_soon(jg__here.loop, &callback->handle);
}

int jg_task_add_done_callback(jg_task *handle, void (*fn)(jg_task *task, int result, void *arg), void *arg)
{
    struct jg__task *task = jg__task_of(handle, "jg_task_add_done_callback");
    struct jg__done_callback *callback = jg__allocate(sizeof *callback);
    if (!callback)
        return jg_fail(ENOMEM, "jg_task_add_done_callback: out of memory");
    *callback =
        (struct jg__done_callback){.handle = {.fn = run_callback, .arg = callback}, .task = task, .fn = fn, .arg = arg};
    struct jg__done_callback **end = &task->callbacks;
    while (*end)
        end = &(*end)->next;
    *end = callback;
    if (task->ended)
        jg_call_soon(jg__here.loop, &callback->handle);
    return 0;
}

size_t jg_task_remove_done_callback(jg_task *handle, void (*fn)(jg_task *task, int result, void *arg), void *arg)
{
    struct jg__task *task = jg__task_of(handle, "jg_task_remove_done_callback");
    size_t count = 0;
    for (struct jg__done_callback **link = &task->callbacks; *link;) {
        struct jg__done_callback *callback = *link;
        if (callback->fn != fn || callback->arg != arg || callback->running) {
            link = &callback->next;
            continue;
        }
        *link = callback->next;
        jg_handle_cancel(jg__here.loop, &callback->handle);
        jg__release(callback);
        count++;
    }
    if (task->consumed && !task->callbacks)
        jg__task_release(task);
    return count;
}
