/* Timers: insertion, removal and the next in time in O(1), in the exact order of their times, then of their age. */
#ifndef JUGGLE_LOOP_TIMERS_H
#define JUGGLE_LOOP_TIMERS_H

#include <juggle/loop.h>

/* A radix queue over time: a timer stands on the level of the highest 6-bit digit in which its time differs from
 * `base`, in the slot of that digit. `base` only grows; when it enters a slot, the slot's timers move down to finer
 * levels. Times that are equal always share a slot, so each slot's list is in the order of age. */
enum { JG__TIMER_BITS = 6, JG__TIMER_SLOTS = 1 << JG__TIMER_BITS, JG__TIMER_LEVELS = 11 };

struct jg_timer_slot {
    jg_handle list;   /* of the timers' handles */
    int64_t earliest; /* no timer in it is earlier */
};

struct jg__timers {
    int64_t base;
    size_t count;
    uint64_t occupied[JG__TIMER_LEVELS];
    uint16_t levels; /* a bit for each level that has an occupied slot */
    struct jg_timer_slot slots[JG__TIMER_LEVELS][JG__TIMER_SLOTS];
    struct jg_timer_slot overdue; /* earlier than base, sorted */
};

void jg__timers_init(struct jg__timers *timers, int64_t now);

/* The timer is in no queue. */
void jg__timers_add(struct jg__timers *timers, jg_timer *timer, int64_t when);

/* The timer is in this one. */
void jg__timers_remove(struct jg__timers *timers, jg_timer *timer);

/* No timer is due before this time; JG__NEVER without timers. Early by a little after a cancellation, never late. */
int64_t jg__timers_next(const struct jg__timers *timers);

/* Moves the handles of all timers that are due to the end of `ready`; returns how many. */
size_t jg__timers_expire(struct jg__timers *timers, int64_t now, jg_handle *ready);

#endif
