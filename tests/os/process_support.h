/* What the tests of processes share. */
#ifndef JUGGLE_TESTS_OS_PROCESS_SUPPORT_H
#define JUGGLE_TESTS_OS_PROCESS_SUPPORT_H

#include "harness.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* A test whose body is the main task, and that must leave no child behind. */
#define PROCESS_TEST(name)                                \
    static int task_##name(void *arg);                    \
    TEST(name)                                            \
    {                                                     \
        RUN(task_##name, NULL);                           \
        ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1); \
        ck_assert_int_eq(errno, ECHILD);                  \
    }                                                     \
    static int task_##name(__attribute__((unused)) void *arg)

#define FAILS(call, error)                                                                                   \
    do {                                                                                                     \
        errno = 0;                                                                                           \
        long fails_result = (long)(call);                                                                    \
        int fails_errno = errno;                                                                             \
        ck_assert_msg(fails_result == -1, "%s returned %ld", #call, fails_result);                           \
        ck_assert_msg(fails_errno == (error), "%s: %s (%s)", #call, strerror(fails_errno), jg_error_text()); \
    } while (0)

#define TEXT_HAS(words) ck_assert_msg(strstr(jg_error_text(), words), "\"%s\" in \"%s\"", words, jg_error_text())

/* It must have been started. */
static inline jg_process *started(jg_process *process)
{
    ck_assert_msg(process != NULL, "%s", jg_error_text());
    return process;
}

#define SHELL(command, ...) started(jg_create_subprocess_shell(command, __VA_ARGS__))
#define START(...) started(jg_create_subprocess_exec(__VA_ARGS__))

/* Waits for its end and returns how it ended. */
static inline int end_of(jg_process *process)
{
    int returncode = -1000;
    ck_assert_msg(jg_process_wait(process, &returncode) == 0, "%s", jg_error_text());
    return returncode;
}

#endif
