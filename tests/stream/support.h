/* What the tests of streams share: tests that are tasks, and peers that are bare sockets. */
#ifndef JUGGLE_TESTS_STREAM_SUPPORT_H
#define JUGGLE_TESTS_STREAM_SUPPORT_H

#include "harness.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* A test whose body is the main task: `return 0` at its end. */
#define TASK_TEST(name) TASK_TEST_AS(TEST(name), name)
#define TASK_TEST_ABORTS(name, text) TASK_TEST_AS(TEST_ABORTS(name, text), name)
#define TASK_TEST_AS(test, name)       \
    static int task_##name(void *arg); \
    test                               \
    {                                  \
        RUN(task_##name, NULL);        \
    }                                  \
    static int task_##name(__attribute__((unused)) void *arg)

/* The call must fail with that errno. */
#define FAILS(expression, error)                                                                                   \
    do {                                                                                                           \
        errno = 0;                                                                                                 \
        long long fails_result = (long long)(expression);                                                          \
        int fails_errno = errno;                                                                                   \
        ck_assert_msg(fails_result == -1, "%s returned %lld", #expression, fails_result);                          \
        ck_assert_msg(fails_errno == (error), "%s: %s (%s)", #expression, strerror(fails_errno), jg_error_text()); \
    } while (0)

/* The same for a call that returns a pointer. */
#define FAILS_WITH_NULL(expression, error)                                                                         \
    do {                                                                                                           \
        errno = 0;                                                                                                 \
        const void *fails_result = (expression);                                                                   \
        int fails_errno = errno;                                                                                   \
        ck_assert_msg(fails_result == NULL, "%s is not NULL", #expression);                                        \
        ck_assert_msg(fails_errno == (error), "%s: %s (%s)", #expression, strerror(fails_errno), jg_error_text()); \
    } while (0)

/* The error text must contain that. */
#define TEXT_HAS(word) ck_assert_msg(strstr(jg_error_text(), word), "\"%s\" is not in \"%s\"", word, jg_error_text())

/* Lets others run until the condition holds. */
#define YIELD_UNTIL(condition)                                             \
    do {                                                                   \
        int yields_left = 2000000;                                         \
        while (!(condition) && yields_left-- > 0 && jg_yield() == 0) {     \
        }                                                                  \
        ck_assert_msg(condition, "it never came to this: %s", #condition); \
    } while (0)

/* A connected pair of TCP sockets on loopback, the second one non-blocking. `small`: with small buffers. */
void tcp_pair(int pair[2], bool small);

/* A stream and its peer, a bare non-blocking socket. */
jg_stream *stream_with_peer(int *peer);
jg_stream *stream_with_small_buffers(int *peer, size_t high_water);

/* Two streams at the ends of one connection. */
void stream_pair(jg_stream *pair[2]);

/* Sends all, or receives exactly so many; wait like tasks. */
void peer_send(int peer, const void *data, size_t bytes);
void peer_receive(int peer, void *data, size_t bytes);

/* Receives to the end and closes: 0, or its errno; counts the bytes, which continue the pattern at *count. */
int peer_receive_end(int peer, size_t *count);

/* The same as a task; it succeeds when the end was an orderly one. */
struct receiver {
    int peer;
    size_t count;
};
int receive_to_end(void *arg);

/* Closes with a reset. */
void reset_peer(int peer);

/* A bare listening socket on a free port of 127.0.0.1 (or ::1). */
int bare_listener(int family, int *port);

/* A port of 127.0.0.1 on which nobody listens. */
int free_port(void);

/* Waits until the kernel has received so many bytes for the fd. */
void wait_until_received(int fd, int bytes);

/* Bytes that tell their place. */
static inline char byte_at(size_t place)
{
    return (char)(place * 2654435761u >> 13);
}
void fill_pattern(char *data, size_t from, size_t bytes);
void check_pattern(const char *data, size_t from, size_t bytes);
char *pattern(size_t bytes);

bool on_epoll(void);

/* From now on every allocation after the next `count` fails; negative: none. Before the first use of the library. */
void install_failing_allocator(void);
void fail_allocations_after(long count);
void fail_only_one(bool one);
bool allocation_failed(void); /* since the last one was let pass */

/* Keeps the reports of the error handler. */
extern int reports;
extern char last_report[512], last_report_task[64];
extern int last_report_error;
void keep_reports(void);

/* Starts fn(arg) and lets it run until it waits. */
jg_task *start(jg_coroutine fn, void *arg);

#endif
