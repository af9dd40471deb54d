/* jg_wait_fd. */
#include "support.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static int write_later(void *arg)
{
    if (jg_sleep(0.005) < 0)
        return -1;
    return write(*(int *)arg, "x", 1) == 1 ? 0 : -1;
}

static int wait_for_data(void *arg)
{
    int ends[2];
    char byte;
    (void)arg;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    ck_assert_int_eq(jg_wait_fd(ends[0], POLLOUT), POLLOUT);
    for (int i = 0; i < 3; i++) {
        jg_task *writer = jg_create_task(write_later, &ends[1]);
        ck_assert_int_eq(jg_wait_fd(ends[0], POLLIN), POLLIN);
        ck_assert_int_eq(read(ends[0], &byte, 1), 1);
        ck_assert_int_eq(jg_await(writer), 0);
    }
    close(ends[1]);
    ck_assert_int_ne(jg_wait_fd(ends[0], POLLIN) & (POLLIN | POLLHUP), 0);
    close(ends[0]);
    return 0;
}

TEST(wait_fd_waits_until_the_fd_is_ready)
{
    RUN(wait_for_data, NULL);
}

static int wait_in_vain(void *arg)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    {
        JG_TIMEOUT(deadline, 0.005);
        FAILS(jg_wait_fd(ends[0], POLLIN), ETIMEDOUT);
    }
    jg_task *writer = jg_create_task(write_later, &ends[1]);
    ck_assert_int_eq(jg_wait_fd(ends[0], POLLIN), POLLIN);
    close(ends[0]);
    close(ends[1]);
    (void)arg;
    return jg_await(writer);
}

TEST(an_interrupted_wait_fd_can_be_repeated)
{
    RUN(wait_in_vain, NULL);
}

static int wait_for_arg(void *arg)
{
    return jg_wait_fd(*(int *)arg, POLLIN);
}

static int cancel_wait(void *arg)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    jg_task *task = jg_create_task(wait_for_arg, &ends[0]);
    let_others_run(2);
    jg_cancel(task);
    FAILS(jg_await(task), ECANCELED);
    close(ends[0]);
    close(ends[1]);
    return arg != NULL;
}

TEST(a_cancelled_wait_fd_is_ecanceled)
{
    RUN(cancel_wait, NULL);
}

static int wait_for_bad_fds(void *arg)
{
    FAILS(jg_wait_fd(-1, POLLIN), EBADF);
    FAILS(jg_wait_fd(1000, POLLIN), EBADF);
    ck_assert_ptr_nonnull(strstr(jg_error_text(), "1000"));
    return arg != NULL;
}

TEST(waiting_for_no_fd_is_ebadf)
{
    RUN(wait_for_bad_fds, NULL);
}

static int wait_for_file(void *arg)
{
    FILE *file = tmpfile();
    FAILS(jg_wait_fd(fileno(file), POLLIN), EPERM);
    fclose(file);
    return arg != NULL;
}

TEST(waiting_for_a_file_is_eperm)
{
    RUN(wait_for_file, NULL);
}

static int wait_from_two_sides(void *arg)
{
    int ends[2];
    char bytes[4096] = {0};
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    while (write(ends[0], bytes, sizeof bytes) > 0)
        ;
    jg_task *reader = jg_create_task(wait_for_arg, &ends[0]);
    let_others_run(2);
    {
        JG_TIMEOUT(deadline, 0.002);
        FAILS(jg_wait_fd(ends[0], POLLOUT), ETIMEDOUT);
    }
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    ck_assert_int_eq(jg_await(reader), POLLIN);
    close(ends[0]);
    close(ends[1]);
    return arg != NULL;
}

TEST(one_task_may_wait_to_read_and_another_to_write)
{
    RUN(wait_from_two_sides, NULL);
}

static uint64_t polls(void)
{
    jg_loop_statistics statistics;
    jg_loop_get_statistics(jg_get_running_loop(), &statistics);
    return statistics.polls;
}

static int received_bytes;

static void received(jg_operation *operation, int result)
{
    (void)operation;
    received_bytes = result;
}

static int wait_beside_a_receive(void *arg)
{
    int ends[2];
    char byte;
    jg_operation receive = {.opcode = JG_OP_RECV, .buffer = &byte, .length = 1, .done = received};
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    received_bytes = 0;
    receive.fd = ends[0];
    jg_submit(jg_get_running_loop(), &receive);
    uint64_t before = polls();
    for (int i = 0; i < 3; i++) {
        JG_TIMEOUT(deadline, 0.02);
        FAILS(jg_wait_fd(ends[0], POLLPRI), ETIMEDOUT);
    }
    ck_assert_uint_lt(polls() - before, 30); /* it sleeps */
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    for (int i = 0; i < 1000 && !received_bytes; i++)
        ck_assert_int_eq(jg_sleep(0.001), 0);
    ck_assert_int_eq(received_bytes, 1);
    jg_forget_fd(jg_get_running_loop(), ends[0]);
    close(ends[0]);
    close(ends[1]);
    return arg != NULL;
}

TEST(wait_fd_leaves_who_else_uses_the_fd_alone)
{
    RUN(wait_beside_a_receive, NULL);
}
