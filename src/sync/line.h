/* The line in which tasks wait for something, first come, first served. */
#ifndef JUGGLE_SYNC_LINE_H
#define JUGGLE_SYNC_LINE_H

#include "task/internal.h"

#pragma GCC visibility push(hidden)

/* jg__enter_wait, with its most likely way inline. */
static inline __attribute__((always_inline)) int jg__enter(const char *call)
{
    struct jg__task *task = jg__here.task;
    if (JG__UNLIKELY(!task || task->interrupted || task->spent >= JG__BUDGET))
        return jg__enter_wait(call);
    task->spent++;
    return 0;
}

/* Who stands in a line, if it isn't just a task of this thread that is parked in place->wait. */
struct jg__place;
struct jg__standing {
    bool (*claim)(struct jg__place *place); /* is it still waiting? Then it is the caller's to wake. */
    void (*wake)(struct jg__place *place, int result);
};

/* A place in a line, on the stack of who waits. */
struct jg__place {
    struct jg__wait wait;
    struct jg__list node;                /* in the line, until it is woken or interrupted */
    void *element;                       /* queues: what is put, or where what is got goes */
    const struct jg__standing *standing; /* NULL: a task of this thread */
};

/* A line is a list in two pointers of a public struct, which are zero at first. */
static inline bool jg__line_empty(void *const line[2])
{
    return !line[0] || line[0] == (const void *)line;
}

static inline void jg__line_append(void *line[2], struct jg__place *place)
{
    struct jg__list *list = (struct jg__list *)(void *)line;
    if (!list->next)
        jg__list_init(list);
    jg__list_append(list, &place->node);
}

/* The first who is still waiting, taken out of the line; has to be woken. NULL: nobody is. */
static inline struct jg__place *jg__line_next(void *line[2])
{
    struct jg__list *list = (struct jg__list *)(void *)line;
    while (list->next && list->next != list) {
        struct jg__place *place = jg__container_of(list->next, struct jg__place, node);
        jg__list_remove(&place->node);
        if (JG__LIKELY(!place->standing) || place->standing->claim(place))
            return place;
    }
    return NULL;
}

_Noreturn void jg__refuse_to_wake(const struct jg__place *place);
static inline void jg__place_wake(struct jg__place *place, int result)
{
    if (JG__UNLIKELY(place->standing != NULL))
        place->standing->wake(place, result);
    else if (JG__LIKELY(jg__here.loop != NULL))
        jg__wake(&place->wait, result);
    else
        jg__refuse_to_wake(place);
}

static inline void jg__line_wake_all(void *line[2], int result)
{
    struct jg__place *place;
    while ((place = jg__line_next(line)))
        jg__place_wake(place, result);
}

/* The `interrupt` of a place: takes it out of its line and wakes its task. */
void jg__line_leave(struct jg__wait *wait, int reason);

/* The running task's place in a line, to be parked in. */
#define JG__PLACE(name, of)                                                    \
    {                                                                          \
        .wait = {.call = (name), .object = (of), .interrupt = jg__line_leave } \
    }

/* The running task goes to the end of the line. Returns what it was woken with, or a negated reason. */
static inline __attribute__((always_inline)) int jg__line_park(void *line[2], struct jg__place *place)
{
    jg__line_append(line, place);
    return jg__park(&place->wait);
}

/* The same, where it can only be woken with success: 0, or -1 with ECANCELED, ETIMEDOUT. */
static inline __attribute__((always_inline)) int jg__line_wait(const char *call, const void *object, void *line[2])
{
    struct jg__place place = JG__PLACE(call, object);
    int result = jg__line_park(line, &place);
    return JG__LIKELY(result == 0) ? 0 : jg__fail_interrupted(call, -result);
}

/* The failure of a call that would have to wait: -1 with EAGAIN, at almost no cost. */
int jg__fail_again(const char *call);

#pragma GCC visibility pop

#endif
