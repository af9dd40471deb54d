/* The radix queue of timers. */
#include "loop/timers.h"

#include "base/clock.h"
#include "base/list.h"

static jg_timer *timer_of(jg_handle *handle)
{
    return jg__container_of(handle, jg_timer, handle);
}

void jg__timers_init(struct jg__timers *timers, int64_t now)
{
    timers->base = now;
    timers->count = 0;
    timers->levels = 0;
    jg__queue_init(&timers->overdue.list);
    for (int level = 0; level < JG__TIMER_LEVELS; level++) {
        timers->occupied[level] = 0;
        for (int slot = 0; slot < JG__TIMER_SLOTS; slot++)
            jg__queue_init(&timers->slots[level][slot].list);
    }
}

/* A time before `base` has no place in the slots; such timers are few and are kept sorted. */
static void add_overdue(struct jg__timers *timers, jg_timer *timer)
{
    jg_handle *after = timers->overdue.list.previous;
    while (after != &timers->overdue.list && timer_of(after)->when > timer->when)
        after = after->previous;
    jg__queue_append(after->next, &timer->handle);
    timer->slot = &timers->overdue;
}

static void place(struct jg__timers *timers, jg_timer *timer)
{
    uint64_t difference = (uint64_t)timer->when ^ (uint64_t)timers->base;
    int level = difference ? (63 - __builtin_clzll(difference)) / JG__TIMER_BITS : 0;
    int digit = (int)((uint64_t)timer->when >> (level * JG__TIMER_BITS)) & (JG__TIMER_SLOTS - 1);
    struct jg_timer_slot *slot = &timers->slots[level][digit];
    if (jg__queue_empty(&slot->list)) {
        slot->earliest = timer->when;
        timers->occupied[level] |= UINT64_C(1) << digit;
        timers->levels |= (uint16_t)(1 << level);
    } else if (timer->when < slot->earliest) {
        slot->earliest = timer->when;
    }
    jg__queue_append(&slot->list, &timer->handle);
    timer->slot = slot;
}

void jg__timers_add(struct jg__timers *timers, jg_timer *timer, int64_t when)
{
    timer->when = when;
    timers->count++;
    if (when < timers->base)
        add_overdue(timers, timer);
    else
        place(timers, timer);
}

static void mark_empty(struct jg__timers *timers, const struct jg_timer_slot *slot)
{
    size_t index = (size_t)(slot - &timers->slots[0][0]);
    size_t level = index / JG__TIMER_SLOTS;
    timers->occupied[level] &= ~(UINT64_C(1) << (index % JG__TIMER_SLOTS));
    if (!timers->occupied[level])
        timers->levels &= (uint16_t) ~(1 << level);
}

void jg__timers_remove(struct jg__timers *timers, jg_timer *timer)
{
    struct jg_timer_slot *slot = timer->slot;
    jg__queue_remove(&timer->handle);
    timer->slot = NULL;
    timers->count--;
    if (slot != &timers->overdue && jg__queue_empty(&slot->list))
        mark_empty(timers, slot);
}

/* The slot that holds the earliest timer, or NULL: the finest level has the earlier times, and on a level the smaller
 * digit. */
static struct jg_timer_slot *first_slot(const struct jg__timers *timers)
{
    if (!timers->levels)
        return NULL;
    int level = __builtin_ctz(timers->levels);
    return (struct jg_timer_slot *)&timers->slots[level][__builtin_ctzll(timers->occupied[level])];
}

int64_t jg__timers_next(const struct jg__timers *timers)
{
    if (!jg__queue_empty(&timers->overdue.list))
        return timer_of(timers->overdue.list.next)->when;
    const struct jg_timer_slot *slot = first_slot(timers);
    return slot ? slot->earliest : JG__NEVER;
}

static void fire(struct jg__timers *timers, jg_timer *timer, jg_handle *ready)
{
    jg__timers_remove(timers, timer);
    jg__queue_append(ready, &timer->handle);
}

/* The times of this slot have come within reach: its timers move down, and those that share the time `base` end on the
 * finest level. */
static void enter_slot(struct jg__timers *timers, struct jg_timer_slot *slot)
{
    jg_handle list;
    list.next = slot->list.next;
    list.previous = slot->list.previous;
    list.next->previous = list.previous->next = &list;
    jg__queue_init(&slot->list);
    mark_empty(timers, slot);
    timers->base = slot->earliest;
    while (!jg__queue_empty(&list)) {
        jg_timer *timer = timer_of(list.next);
        jg__queue_remove(&timer->handle);
        place(timers, timer);
    }
}

static size_t fire_overdue(struct jg__timers *timers, int64_t now, jg_handle *ready)
{
    size_t fired = 0;
    jg_handle *list = &timers->overdue.list;
    for (; !jg__queue_empty(list) && timer_of(list->next)->when <= now; fired++)
        fire(timers, timer_of(list->next), ready);
    return fired;
}

size_t jg__timers_expire(struct jg__timers *timers, int64_t now, jg_handle *ready)
{
    size_t fired = fire_overdue(timers, now, ready);
    for (;;) {
        struct jg_timer_slot *slot = first_slot(timers);
        if (!slot || slot->earliest > now)
            return fired;
        jg_timer *first = timer_of(slot->list.next);
        bool alone = slot->list.previous == &first->handle;
        if (alone && first->when > now) { /* an earlier one was cancelled */
            slot->earliest = first->when;
        } else if (alone || slot < timers->slots[1]) { /* on the finest level all have the same time */
            timers->base = first->when;
            fire(timers, first, ready);
            fired++;
        } else {
            enter_slot(timers, slot);
        }
    }
}
