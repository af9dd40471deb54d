/* Steps that take too long: what a task, or a callback of the loop, does between two waits. In debug mode a thread
 * looks at every loop several times in that time; a loop that is where it was all the time is in such a step. */
#ifndef JUGGLE_TASK_SLOW_STEP_H
#define JUGGLE_TASK_SLOW_STEP_H

#include <stdbool.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

/* Where a loop was when it was looked at last. All the same means: still in the same step. A task runs once in a batch,
 * a batch is one of a turn. */
struct jg__step {
    const void *task;
    uint64_t turns, callbacks;
    unsigned batches;
    int64_t since; /* when it was seen first; 0: it is not in a step */
    bool told;     /* that it is slow... */
    bool reported; /* ...and it was one of those that are reported: so is its end, with the name of its task */
    char name[32];
};

/* Turns the looking on or off. Returns 0 or an errno: EAGAIN, EBUSY when no real-time signal is free. */
int jg__slow_steps_watch(bool on);

/* A scheduler has come, or is to go. */
void jg__slow_steps_enter(void);
void jg__slow_steps_leave(void);

/* In a forked child, which has neither the thread that looks nor others' loops. */
void jg__slow_steps_after_fork(void);

/* At most so many reports in so much time. */
enum { JG__REPORTS_MOST = 5 };
static const int64_t JG__REPORTS_PERIOD = 60 * INT64_C(1000000000);
struct jg__rate {
    int64_t since; /* of the period, 0: none has begun */
    unsigned told, left_out;
};

/* May one more be told? */
static inline bool jg__rate_allows(struct jg__rate *rate, int64_t now)
{
    if (rate->told == 0)
        rate->since = now;
    if (rate->told == JG__REPORTS_MOST) {
        rate->left_out++;
        return false;
    }
    rate->told++;
    return true;
}

/* Is the period over? How many were left out is the caller's to tell. */
static inline bool jg__rate_over(struct jg__rate *rate, int64_t now, unsigned *left_out)
{
    if (rate->told == 0 || now - rate->since < JG__REPORTS_PERIOD)
        return false;
    *left_out = rate->left_out;
    *rate = (struct jg__rate){0};
    return true;
}

#pragma GCC visibility pop

#endif
