/* Callbacks at the completion of a future, run by the loop on its own stack. */
#include "task/future.h"

#include "base/diagnostics.h"
#include "base/list.h"
#include "base/memory.h"

#include <errno.h>

struct jg__future_callback {
    jg_handle handle;
    struct jg__future_callback *next; /* of the same future, in the order in which they were added */
    jg_future *future;
    void (*fn)(jg_future *future, void *arg);
    void *arg;
};

static void run_callback(void *arg)
{
    struct jg__future_callback *callback = arg, called = *callback;
    called.future->callbacks = called.next; /* it was the first: they are queued in the order of this list */
    jg__release(callback);
    called.fn(called.future, called.arg);
}

static void queue(struct jg__future_callback *callback)
{
    jg_loop *loop = jg_get_running_loop();
    if (!loop)
        jg__die("jg_future_add_done_callback: the future is completed while no loop runs");
    jg_call_soon(loop, &callback->handle);
}

void jg__future_callbacks_queue(jg_future *future)
{
    for (struct jg__future_callback *callback = future->callbacks; callback; callback = callback->next)
        queue(callback);
}

int jg_future_add_done_callback(jg_future *future, void (*fn)(jg_future *future, void *arg), void *arg)
{
    struct jg__future_callback *callback = jg__allocate(sizeof *callback);
    if (!callback)
        return jg_fail(ENOMEM, "jg_future_add_done_callback: out of memory");
    *callback = (struct jg__future_callback){
        .handle = {.fn = run_callback, .arg = callback}, .future = future, .fn = fn, .arg = arg};
    struct jg__future_callback **end = &future->callbacks;
    while (*end)
        end = &(*end)->next;
    *end = callback;
    if (jg_future_done(future))
        queue(callback);
    return 0;
}

size_t jg_future_remove_done_callback(jg_future *future, void (*fn)(jg_future *future, void *arg), void *arg)
{
    size_t count = 0;
    for (struct jg__future_callback **link = &future->callbacks; *link;) {
        struct jg__future_callback *callback = *link;
        if (callback->fn != fn || callback->arg != arg) {
            link = &callback->next;
            continue;
        }
        *link = callback->next;
        if (jg_handle_pending(&callback->handle))
            jg_handle_cancel(jg_get_running_loop(), &callback->handle);
        jg__release(callback);
        count++;
    }
    return count;
}
