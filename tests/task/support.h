/* What several files of these tests share. */
#ifndef JUGGLE_TESTS_TASK_SUPPORT_H
#define JUGGLE_TESTS_TASK_SUPPORT_H

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

/* The order in which things happened, as text. */
extern char trace[256];
void note(const char *what);
#define TRACED(text) ck_assert_str_eq(trace, text)

/* What the error handler was told, once collect_reports has been called. */
struct collected_report {
    char task[32];
    char message[256];
    int error;
};
extern struct collected_report reports[16];
extern size_t report_count;
void collect_reports(void);

/* Coroutines. */
int succeed(void *arg);             /* returns 0 */
int return_number(void *arg);       /* returns *(int *)arg */
int fail_with(void *arg);           /* fails with *(int *)arg */
int sleep_long(void *arg);          /* sleeps until interrupted, fails with the reason */
int sleep_a_little(void *arg);      /* 1 ms, then 0 */
int ignore_cancellation(void *arg); /* is interrupted, and returns 0 all the same */

/* In how many turns from now? Lets so many pass. */
void let_others_run(int turns);

#endif
