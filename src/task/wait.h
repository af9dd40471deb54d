/* How to wait: what a task is parked in, and what calls that wait do at their entry. */
#ifndef JUGGLE_TASK_WAIT_H
#define JUGGLE_TASK_WAIT_H

#include "base/diagnostics.h"
#include "base/list.h"
#include "coro/context.h"
#include "coro/stack.h"
#include "loop/internal.h"

#include <errno.h>
#include <juggle/task.h>
#include <juggle/timeout.h>

#pragma GCC visibility push(hidden)

struct jg__task;

/* What a parked task waits for; on its stack. */
struct jg__wait {
    const char *call;   /* the public function, for dumps: "jg_read" */
    const void *object; /* what it waits for, or NULL */
    /* The task is interrupted: `reason` is -ECANCELED or -ETIMEDOUT. NULL: it is woken at once with the reason; the
     * waiter takes itself off whatever list it is on. Else it has to see to it that jg__wake follows, now or when the
     * kernel has let go. */
    void (*interrupt)(struct jg__wait *wait, int reason);
    struct jg__task *task; /* private: who is parked; NULL when it was woken */
    int64_t since;         /* private: when the last poll before that ended */
};

/* The running task; aborts with a sentence that names the call when there is none. */
struct jg__task *jg__running(const char *call);

/* The entry check of every call that waits: 0, or -1 with ECANCELED or ETIMEDOUT. Counts against the turn's budget: a
 * call that finds its data at once yields now and then. */
int jg__enter_wait(const char *call);

/* The failure of a call that was interrupted: sets errno to ECANCELED or ETIMEDOUT and the error text, at almost no
 * cost. Returns -1. */
int jg__fail_interrupted(const char *call, int reason);

/* For the `interrupt` of a wait that must not be: does nothing; the join goes on. */
void jg__not_now(struct jg__wait *wait, int reason);

/* jg_wait_fd in the name of another call, without the entry check. */
int jg__wait_for_fd(int fd, short events, const char *call);

jg_loop *jg__loop_of(const struct jg__task *task);

#pragma GCC visibility pop

#endif
