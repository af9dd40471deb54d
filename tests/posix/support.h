/* Tests whose body is the main task, of a program that is linked to the preloadable library. */
#ifndef JUGGLE_TESTS_POSIX_SUPPORT_H
#define JUGGLE_TESTS_POSIX_SUPPORT_H

#include "harness.h"

#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define TASK_TEST(name)                \
    static int task_##name(void *arg); \
    TEST(name)                         \
    {                                  \
        RUN(task_##name, NULL);        \
    }                                  \
    static int task_##name(__attribute__((unused)) void *arg)

/* The call must fail with that errno. */
#define FAILS(call, error)                                                                   \
    do {                                                                                     \
        errno = 0;                                                                           \
        long fails_result = (long)(call);                                                    \
        int fails_errno = errno;                                                             \
        ck_assert_msg(fails_result == -1, "%s returned %ld", #call, fails_result);           \
        ck_assert_msg(fails_errno == (error), "%s: errno %s", #call, strerror(fails_errno)); \
    } while (0)

/* It must succeed and leave errno. */
#define RETURNS(call, result)                                                                         \
    do {                                                                                              \
        errno = EXDEV;                                                                                \
        long returns_result = (long)(call);                                                           \
        ck_assert_msg(returns_result == (long)(result), "%s returned %ld: %s", #call, returns_result, \
                      strerror(errno));                                                               \
        ck_assert_msg(errno == EXDEV, "%s left errno %s", #call, strerror(errno));                    \
    } while (0)

/* A connected pair that blocks. */
static inline void socket_pair(int type, int ends[2])
{
    ck_assert_int_eq(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends), 0);
}

static inline void close_both(const int ends[2])
{
    close(ends[0]);
    close(ends[1]);
}

static inline bool blocks(int fd)
{
    return !(fcntl(fd, F_GETFL) & O_NONBLOCK);
}

#endif
