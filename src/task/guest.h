/* Coroutines that other threads hand to a loop. Each stands in the list of the scheduler whose guest it is until it has
 * ended, and a scheduler does not close before: so who has been let in is never left without an answer. */
#ifndef JUGGLE_TASK_GUEST_H
#define JUGGLE_TASK_GUEST_H

#include "base/list.h"

#pragma GCC visibility push(hidden)

struct jg__scheduler;

/* Part of each scheduler. */
struct jg__guests {
    struct jg__list node; /* among all that are open */
    struct jg__list list;
    const jg_loop *loop;
    bool shut; /* nobody is let in any more */
};

/* From any thread: lets a guest in and queues its handle, if there is such a loop and it still takes guests. */
bool jg__guest_enter(const jg_loop *loop, struct jg__list *guest, jg_handle *handle);

/* From the loop's thread: it has ended. */
void jg__guest_leave(struct jg__list *guest);

void jg__guests_open(struct jg__guests *guests, const jg_loop *loop);
void jg__guests_shut(struct jg__guests *guests);
void jg__guests_close(struct jg__guests *guests);

/* When it is shut: from the loop's thread. */
bool jg__guests_left(const struct jg__scheduler *scheduler);

/* Once in a process. */
void jg__guests_setup(void);

#pragma GCC visibility pop

#endif
