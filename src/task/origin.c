#include "task/origin.h"

#include "base/memory.h"
#include "coro/backtrace.h"
#include "task/debug.h"

#include <string.h>

enum { FRAMES = 12 };

struct jg__origin {
    struct jg__origin *next;
    const void *object;
    char task[JG__NAME_SIZE];
    void *addresses[FRAMES];
    size_t count;
};

void jg__origin_note(struct jg__origin **all, const void *object)
{
    int saved = errno;
    struct jg__origin *origin = jg__debugging() && jg__here.task ? jg__allocate_zeroed(sizeof *origin) : NULL;
    errno = saved;
    if (!origin)
        return;
    origin->object = object;
    strncpy(origin->task, jg__here.task->name, sizeof origin->task - 1);
    origin->count = jg__backtrace(origin->addresses, FRAMES);
    origin->next = *all;
    *all = origin;
}

static struct jg__origin **find(struct jg__origin **all, const void *object)
{
    while (*all && (*all)->object != object)
        all = &(*all)->next;
    return all;
}

void jg__origin_forget(struct jg__origin **all, const void *object)
{
    struct jg__origin **link = find(all, object), *origin = *link;
    if (!origin)
        return;
    *link = origin->next;
    jg__release(origin);
}

void jg__origin_tell(struct jg__origin **all, const void *object, const char *what)
{
    const struct jg__origin *origin = *find(all, object);
    char calls[320];
    if (!jg__debugging())
        return;
    if (!origin)
        jg__report(NULL, 0, "%s was never closed", what);
    else
        jg__report(origin->task, 0, "%s was never closed; made in %s", what,
                   jg__describe_calls(calls, sizeof calls, origin->addresses, origin->count));
}

void jg__origins_free(struct jg__origin **all)
{
    while (*all)
        jg__origin_forget(all, (*all)->object);
}
