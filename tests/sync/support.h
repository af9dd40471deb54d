/* What several files of these tests share. */
#ifndef JUGGLE_TESTS_SYNC_SUPPORT_H
#define JUGGLE_TESTS_SYNC_SUPPORT_H

#include "harness.h"

#include <juggle.h>

/* Fails unless the call returned -1 with this errno. */
#define FAILS(call, error)                                                             \
    do {                                                                               \
        errno = 0;                                                                     \
        long fails_result = (long)(call);                                              \
        int fails_errno = errno;                                                       \
        ck_assert_msg(fails_result == -1, "%s returned %ld", #call, fails_result);     \
        ck_assert_msg(fails_errno == (error), "%s: %s", #call, strerror(fails_errno)); \
    } while (0)

/* Fails unless the call returned 0. */
#define OK(call)                                                                                 \
    do {                                                                                         \
        long ok_result = (long)(call);                                                           \
        ck_assert_msg(ok_result == 0, "%s returned %ld: %s", #call, ok_result, jg_error_text()); \
    } while (0)

/* The order in which things happened, as text. */
extern char trace[256];
void note(const char *what);
#define TRACED(text) ck_assert_str_eq(trace, text)

/* Lets so many turns pass. */
void let_others_run(int turns);

/* A task that calls call(object) and notes its name and how that ended: "a" for success, "a!" for ECANCELED, "a?" for
 * ETIMEDOUT, "a#" for EPIPE. Returns what the call returned. */
struct caller {
    int (*call)(void *object);
    void *object;
    const char *name;
};
int call_and_note(void *arg);
jg_task *start_caller(struct caller *caller); /* and lets it run until it waits */

/* The call, interrupted in every way: by a deadline, before and while it waits; by a cancellation, before and while it
 * waits. The object must not let it succeed. */
void interrupt_in_every_way(int (*call)(void *object), void *object);

/* malloc fails from now on; until fail_allocations(false). To be called first without a block allocated. */
void control_allocations(void);
void fail_allocations(bool fail);

#endif
