/* Task-locals: a linked map that tasks share and never change in place, unless a task has it to itself. */
#include "task/scheduler.h"

#include "base/memory.h"

#include <juggle/context.h>

struct jg__context_value {
    size_t references; /* tasks that begin here, and values before it in the list */
    const jg_context_var *variable;
    void *value;
    struct jg__context_value *next;
};

struct jg__context_value *jg__context_share(struct jg__context_value *values)
{
    if (values)
        values->references++;
    return values;
}

void jg__context_drop(struct jg__context_value *values)
{
    while (values && --values->references == 0) {
        struct jg__context_value *next = values->next;
        jg__release(values);
        values = next;
    }
}

static struct jg__context_value *find(struct jg__context_value *values, const jg_context_var *variable)
{
    while (values && values->variable != variable)
        values = values->next;
    return values;
}

/* Takes over the reference to `next`. */
static struct jg__context_value *new_value(const jg_context_var *variable, void *value, struct jg__context_value *next)
{
    struct jg__context_value *entry = jg__allocate(sizeof *entry);
    if (entry)
        *entry = (struct jg__context_value){.references = 1, .variable = variable, .value = value, .next = next};
    return entry;
}

/* The values without `old`: those before it are copied, those behind it shared. Returns false when out of memory. */
static bool without(struct jg__context_value *values, struct jg__context_value *old, struct jg__context_value **rest)
{
    *rest = NULL;
    struct jg__context_value **end = rest;
    for (; values != old; values = values->next) {
        *end = new_value(values->variable, values->value, NULL);
        if (!*end) {
            jg__context_drop(*rest);
            return false;
        }
        end = &(*end)->next;
    }
    *end = jg__context_share(old->next);
    return true;
}

static bool owned_up_to(const struct jg__context_value *values, const struct jg__context_value *last)
{
    for (; values->references == 1; values = values->next)
        if (values == last)
            return true;
    return false;
}

static int out_of_memory(const jg_context_var *variable)
{
    return jg_fail(ENOMEM, "jg_context_set %s: out of memory", variable->name ? variable->name : "");
}

int jg_context_set(jg_context_var *variable, void *value)
{
    struct jg__task *task = jg__running("jg_context_set");
    struct jg__context_value *old = find(task->values, variable);
    if (old && owned_up_to(task->values, old)) {
        old->value = value;
        return 0;
    }
    struct jg__context_value *rest = task->values;
    if (old && !without(task->values, old, &rest))
        return out_of_memory(variable);
    struct jg__context_value *entry = new_value(variable, value, rest);
    if (!entry) {
        if (old)
            jg__context_drop(rest);
        return out_of_memory(variable);
    }
    if (old)
        jg__context_drop(task->values);
    task->values = entry;
    return 0;
}

void *jg_context_get(const jg_context_var *variable)
{
    const struct jg__context_value *entry = jg__here.task ? find(jg__here.task->values, variable) : NULL;
    return entry ? entry->value : variable->fallback;
}
