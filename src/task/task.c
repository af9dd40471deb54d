/* The life of a task's record: created, entered, freed. How it ends is in end.c. */
#include "task/scheduler.h"

#include "base/memory.h"

#include <string.h>

enum { STACK_LEFT_BY_COPY = 8 * 1024 };

/* ---- Handles ---- */

void jg__refuse_handle(const jg_task *handle, const char *call)
{
    if (!jg__here.scheduler)
        jg__die("%s: called outside jg_run", call);
    if (!handle)
        jg__die("%s: the task is NULL", call);
    jg__die("%s: the task is gone: it was awaited, or ended after jg_detach", call);
}

void jg__refuse_to_consume(const struct jg__task *task, const char *call)
{
    if (task == jg__here.task)
        jg__die("%s: task \"%s\" would wait for itself", call, task->name);
    if (task->parent != jg__here.task || !task->parent)
        jg__die("%s: task \"%s\" is not this task's: it was detached, or another task created it", call, task->name);
    jg__die("%s: task \"%s\" is awaited already, or belongs to a group", call, task->name);
}

static uint32_t next_generation(struct jg__scheduler *scheduler)
{
    uint32_t generation = (scheduler->generation + 1) & ((1u << JG__GENERATION_BITS) - 1);
    return scheduler->generation = generation + (generation == 0);
}

/* ---- Creating ---- */

static void set_name(struct jg__task *task, const char *name)
{
    size_t length = strnlen(name, JG__NAME_SIZE - 1);
    memcpy(task->own_name, name, length);
    task->own_name[length] = '\0';
    task->name = task->own_name;
}

static __attribute__((noinline)) bool copy_fits(const char *call, const struct jg__task *task, size_t copy)
{
    size_t size = (size_t)((char *)task - task->stack.bottom);
    if (copy <= size && size - copy >= STACK_LEFT_BY_COPY)
        return true;
    jg__fail(EINVAL, "%s: a copy of %zu bytes does not fit a stack of %zu: see .stack_size", call, copy,
             jg__stack_size(&task->stack));
    return false;
}

/* The record at the top of a new stack. */
static inline struct jg__task *new_record(struct jg__scheduler *scheduler, const char *call,
                                          const jg_task_options *options)
{
    struct jg__stack stack;
    if (!jg__stacks_get(scheduler->stacks, options->stack_size, &stack))
        return NULL;
    struct jg__task *task = (struct jg__task *)(void *)(stack.top - sizeof *task);
    task->stack.top = stack.top; /* one by one: a copy of the struct would go through memory */
    task->stack.bottom = stack.bottom;
    task->stack.class = stack.class;
    if (JG__UNLIKELY(options->copy) && !copy_fits(call, task, options->copy)) {
        jg__stacks_put(scheduler->stacks, &task->stack);
        return NULL;
    }
    return task;
}

/* By hand, since memset takes longer to begin than this takes. */
static inline void clear(struct jg__task *task)
{
    typedef long long pair __attribute__((vector_size(16), aligned(8), may_alias));
    pair *zero = (pair *)(void *)&task->joiner;
    zero[0] = zero[1] = zero[2] = zero[3] = zero[4] = (pair){0};
    _Static_assert(JG__ZERO_PAIRS == 5, "all of them");
}

static inline void init_record(struct jg__task *task, uint32_t generation)
{
    task->context.result = 0;
    task->handle.fn = jg__run_task;
    task->handle.arg = task;
    task->wait = NULL;
    task->interrupted = 0;
    task->saved_errno = 0;
    jg__list_init(&task->children);
    task->generation = generation;
    task->budget = JG__BUDGET;
    clear(task);
}

/* What most tasks do without: a name of their own, a copy of the argument, task-locals. */
static __attribute__((noinline)) void add_extras(struct jg__task *task, const jg_task_options *options)
{
    if (options->name)
        set_name(task, options->name);
    if (options->copy) {
        task->copied = (uint32_t)options->copy;
        memcpy(jg__task_copy(task), task->arg, options->copy);
    }
    if (jg__here.task)
        task->values = jg__context_share(jg__here.task->values);
}

static inline __attribute__((always_inline)) struct jg__task *create(const char *call, struct jg__task *creator,
                                                                     struct jg__task *parent, jg_coroutine fn,
                                                                     void *arg, const jg_task_options *options)
{
    struct jg__scheduler *scheduler = jg__here.scheduler;
    struct jg__task *task = new_record(scheduler, call, options);
    if (!task)
        return NULL;
    init_record(task, next_generation(scheduler));
    task->fn = fn;
    task->arg = arg;
    task->parent = parent;
    task->name = options->function ? options->function : "task";
    char *top = (char *)task;
    if (JG__UNLIKELY(options->name || options->copy || (creator && creator->values))) {
        add_extras(task, options);
        top = jg__task_copy(task);
    }
    jg__list_append(parent ? &parent->children : &scheduler->roots, &task->siblings);
    jg__context_init(&task->context, task->stack.bottom, top, jg__task_entry, task);
    jg__append_task(scheduler->loop, task);
    return task;
}

struct jg__task *jg__task_new(const char *call, struct jg__task *parent, jg_coroutine fn, void *arg,
                              const jg_task_options *options)
{
    jg_task_options whole;
    return create(call, jg__here.task, parent, fn, arg, jg__whole_options(options, &whole, sizeof whole));
}

jg_task *jg_create_task_with(jg_coroutine fn, void *arg, const jg_task_options *options)
{
    struct jg__task *task = jg__here.task;
    if (JG__UNLIKELY(task ? task->interrupted < 0 : !jg__here.scheduler))
        jg__running("jg_create_task");
    if (JG__LIKELY(options && options->size == sizeof *options))
        task = create("jg_create_task", task, task, fn, arg, options);
    else
        task = jg__task_new("jg_create_task", task, fn, arg, options);
    if (!task)
        return NULL;
    if (JG__UNLIKELY(!task->parent && jg__here.scheduler->closing))
        jg__cancel(task);
    return jg__task_handle(task);
}

void jg__task_make_root(struct jg__task *task)
{
    jg__list_remove(&task->siblings);
    jg__list_append(&jg__here.scheduler->roots, &task->siblings);
    task->parent = NULL;
}

/* ---- Looking ---- */

jg_task *jg_current_task(void)
{
    return jg__here.task ? jg__task_handle(jg__here.task) : NULL;
}

bool jg_task_done(jg_task *task)
{
    return jg__task_of(task, "jg_task_done")->ended;
}

bool jg_task_cancelled(jg_task *task)
{
    return jg__task_of(task, "jg_task_cancelled")->cancelled;
}

const char *jg_task_name(jg_task *task)
{
    return jg__task_of(task, "jg_task_name")->name;
}

void jg_task_set_name(jg_task *task, const char *name)
{
    set_name(jg__task_of(task, "jg_task_set_name"), name);
}

jg_loop *jg_task_loop(void)
{
    jg__running("jg_task_loop");
    return jg__here.loop;
}

jg_loop *jg__loop_of(const struct jg__task *task)
{
    (void)task;
    return jg__here.loop;
}
