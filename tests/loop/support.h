/* What the tests of the loop share. */
#ifndef JUGGLE_TESTS_LOOP_SUPPORT_H
#define JUGGLE_TESTS_LOOP_SUPPORT_H

#include "harness.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static inline jg_loop *new_loop(void)
{
    jg_loop *loop = jg_loop_new();
    ck_assert_msg(loop != NULL, "jg_loop_new: %s", jg_error_text());
    return loop;
}

/* A trace of what ran, as letters. */
struct trace {
    char text[256];
    size_t length;
};

static inline void trace(struct trace *into, char letter)
{
    ck_assert_uint_lt(into->length, sizeof into->text - 1);
    into->text[into->length++] = letter;
    into->text[into->length] = '\0';
}

/* Runs turns that wait for events until `done`; fails the test when nothing happens. */
static inline void run_until(jg_loop *loop, const bool *done)
{
    for (int turns = 0; !*done; turns++) {
        ck_assert_int_lt(turns, 100000);
        ck_assert_int_eq(jg_loop_run_once(loop, 5), 0);
    }
}

static inline void make_pair(int pair[2])
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
}

static inline void close_pair(int pair[2])
{
    close(pair[0]);
    close(pair[1]);
}

#endif
