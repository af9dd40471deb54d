/* The life of a task's record: created, entered, freed. How it ends is in end.c. */
#include "task/scheduler.h"

#include "base/memory.h"
#include "base/probes.h"

#include <string.h>

enum { STACK_LEFT_BY_COPY = 8 * 1024, COPY_MOST = INT32_MAX }; /* `copied` has 32 bits */

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
    task->origin = jg__task_origin(task);
    memcpy(task->own_name, name, length);
    task->own_name[length] = '\0';
    task->name = task->own_name;
}

static bool copy_fits(const char *call, const struct jg__task *task, size_t copy)
{
    size_t size = (size_t)((char *)task - task->stack.bottom);
    if (copy <= size && size - copy >= STACK_LEFT_BY_COPY && copy <= COPY_MOST)
        return true;
    jg_fail(EINVAL, "%s: a copy of %zu bytes does not fit a stack of %zu: see .stack_size", call, copy,
            jg__stack_size(&task->stack));
    return false;
}

/* The record at the top of a new stack. */
static inline struct jg__task *record_on(const struct jg__stack *stack)
{
    struct jg__task *task = (struct jg__task *)(void *)(stack->top - sizeof *task);
    task->stack.top = stack->top; /* one by one: a copy of the struct would go through memory */
    task->stack.bottom = stack->bottom;
    task->stack.class = stack->class;
    return task;
}

static struct jg__task *new_record(const char *call, const jg_task_options *options)
{
    struct jg__stack stack;
    if (!jg__stacks_get(jg__here.scheduler->stacks, options->stack_size, &stack))
        return NULL;
    struct jg__task *task = record_on(&stack);
    if (options->copy == 0 || copy_fits(call, task, options->copy))
        return task;
    jg__stacks_put(jg__here.scheduler->stacks, &task->stack);
    return NULL;
}

/* By hand, since memset takes longer to begin than this takes. */
static inline void clear(struct jg__task *task)
{
    typedef long long pair __attribute__((vector_size(16), may_alias));
    pair *zero = (pair *)(void *)&task->joiner;
    zero[0] = zero[1] = zero[2] = zero[3] = zero[4] = (pair){0};
    _Static_assert(JG__ZERO_PAIRS == 5, "all of them");
}

_Static_assert(offsetof(struct jg__task, saved_errno) - offsetof(struct jg__task, interrupted) == sizeof(int),
               "cleared by one store");

static inline void init_record(struct jg__task *task, uint32_t generation)
{
    task->context.result = 0;
    task->handle.fn = jg__run_task;
    task->handle.arg = task;
    task->wait = &jg__unstarted;
    memset((char *)task + offsetof(struct jg__task, interrupted), 0,
           sizeof task->interrupted + sizeof task->saved_errno);
    jg__list_init(&task->children);
    task->generation = generation;
    clear(task);
}

/* What most tasks do without: a name of their own, a copy of the argument, task-locals. */
static void add_extras(struct jg__task *task, const jg_task_options *options)
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

/* As the macros would have it: the function and, behind the NUL, the place. */
static const char unknown_origin[] = "task\0";

/* Everything but the extras, and the place in the ready queue. */
static inline __attribute__((always_inline)) void fill_in(struct jg__task *task, struct jg__task *parent,
                                                          jg_coroutine fn, void *arg, const char *name)
{
    struct jg__scheduler *scheduler = jg__here.scheduler;
    init_record(task, next_generation(scheduler));
    task->fn = fn;
    task->arg = arg;
    task->parent = parent;
    task->name = name;
    jg__list_append(parent ? &parent->children : &scheduler->roots, &task->siblings);
    JG__PROBE2(task_create, task, name);
}

static inline void prepare(struct jg__task *task, char *top)
{
    jg__context_prepare(&task->context, task->stack.bottom, top, jg__task_entry, task);
}

struct jg__task *jg__task_make(const char *call, struct jg__task *parent, jg_coroutine fn, void *arg,
                               const jg_task_options *options)
{
    jg_task_options whole;
    options = jg__whole_options(options, &whole, sizeof whole);
    struct jg__task *task = new_record(call, options);
    if (!task)
        return NULL;
    fill_in(task, parent, fn, arg, options->function ? options->function : unknown_origin);
    add_extras(task, options);
    prepare(task, jg__task_copy(task));
    return task;
}

struct jg__task *jg__task_new(const char *call, struct jg__task *parent, jg_coroutine fn, void *arg,
                              const jg_task_options *options)
{
    struct jg__task *task = jg__task_make(call, parent, fn, arg, options);
    if (task)
        jg__append_task(jg__here.loop, task);
    return task;
}

static __attribute__((noinline)) jg_task *create_slowly(jg_coroutine fn, void *arg, const jg_task_options *options)
{
    jg_task_options whole;
    if (!jg__here.scheduler || jg__here.task)
        jg__running("jg_create_task");
    options = jg__options_by_factory(fn, arg, options, &whole);
    struct jg__task *task = options ? jg__task_make("jg_create_task", jg__here.task, fn, arg, options) : NULL;
    if (!task)
        return NULL;
    jg_task *handle = jg__task_handle(task);
    jg__task_begin(task, options->eager);
    if (!task->parent && jg__here.scheduler->closing)
        jg__cancel(task);
    return handle;
}

/* A default task without extras, on a stack that is at hand? */
static inline bool is_plain(const struct jg__task *creator, const jg_task_options *options)
{
    return creator && creator->interrupted >= 0 && options && options->size == sizeof *options &&
           !((uintptr_t)creator->values | (uintptr_t)options->name | options->copy | options->stack_size |
             options->eager | (uintptr_t)jg__here.scheduler->factory) &&
           jg__stacks_at_hand(jg__here.scheduler->stacks);
}

static inline jg_task *create_plain(struct jg__task *creator, jg_coroutine fn, void *arg,
                                    const jg_task_options *options)
{
    struct jg__stack stack;
    jg__stacks_get(jg__here.scheduler->stacks, 0, &stack); /* cannot fail */
    struct jg__task *task = record_on(&stack);
    fill_in(task, creator, fn, arg, options->function ? options->function : unknown_origin);
    prepare(task, (char *)task);
    jg__append_task(jg__here.loop, task);
    return jg__task_handle(task);
}

jg_task *jg_create_task_with(jg_coroutine fn, void *arg, const jg_task_options *options)
{
    struct jg__task *creator = jg__here.task;
    if (JG__LIKELY(is_plain(creator, options)))
        return create_plain(creator, fn, arg, options);
    return create_slowly(fn, arg, options);
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

int jg_task_result(jg_task *handle, int *result)
{
    const struct jg__task *task = jg__task_of(handle, "jg_task_result");
    if (!task->ended)
        return jg_fail(EINPROGRESS, "jg_task_result: task \"%s\" has not ended", task->name);
    if (result)
        *result = task->result < 0 ? -task->error : task->result;
    return 0;
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
