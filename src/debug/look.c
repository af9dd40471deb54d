#include "debug/look.h"

#include "coro/backtrace.h"

_Static_assert((int)JG__FRAME_SIZE == (int)JG__FUNCTION_SIZE, "the name of a function fits a frame");

static enum jg__state state_of(const struct jg__task *task)
{
    if (task->ended)
        return JG__ENDED;
    if (task == jg__here.task)
        return JG__RUNS;
    if (task->wait == &jg__unstarted)
        return JG__NOT_BEGUN;
    return task->wait && task->wait->task ? JG__WAITS : JG__READY;
}

void jg__look(const struct jg__task *task, struct jg__seen *seen)
{
    *seen = (struct jg__seen){
        .name = task->name,
        .created_at = jg__task_created_at(task),
        .state = state_of(task),
        .cancelled = task->cancelled,
    };
    if (seen->state != JG__WAITS)
        return;
    const struct jg__wait *wait = task->wait;
    seen->call = wait->call;
    seen->object = (uintptr_t)wait->object;
    if (wait->interrupt == jg__interrupt_join)
        seen->awaits = ((const struct jg__task *)wait->object)->name;
    seen->waiting = jg__clock() - wait->since;
}

size_t jg__look_at_stack(const struct jg__task *task, void **addresses, size_t capacity)
{
    enum jg__state state = state_of(task);
    if (state == JG__RUNS)
        return jg__backtrace(addresses, capacity);
    return state == JG__WAITS || state == JG__READY ? jg__context_backtrace(&task->context, addresses, capacity) : 0;
}

void jg__look_at_frames(const struct jg__task *task, const char *call, struct jg__symbols *symbols,
                        struct jg__frames *frames)
{
    void *addresses[JG__FRAMES_MOST];
    size_t count = jg__look_at_stack(task, addresses, JG__FRAMES_MOST);
    for (size_t i = 0; i < count; i++)
        jg__function_name(symbols, addresses[i], frames->names[i]);
    jg__trim_frames(frames, count, call);
}
