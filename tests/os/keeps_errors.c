/* Clean-up by scope does not take the place of the reason for it: errno and the error text stay. */
#include "harness.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static int fail_myself(void)
{
    return jg_fail(EPROTO, "my own reason");
}

/* The coroutine must have failed with that. */
static void check(jg_coroutine coroutine, void *arg)
{
    errno = 0;
    ck_assert_int_eq(coroutine(arg), -1);
    ck_assert_int_eq(errno, EPROTO);
    ck_assert_str_eq(jg_error_text(), "my own reason");
}

/* ---- Streams, servers, endpoints ---- */

static int abort_soon(jg_stream *client, void *arg)
{
    (void)arg;
    char bytes[10];
    (void)!jg_read(client, bytes, sizeof bytes);
    jg_abort(client);
    return 0;
}

static int wait_for_end(jg_stream *client, void *arg)
{
    (void)arg;
    char bytes[10];
    while (jg_read(client, bytes, sizeof bytes) > 0)
        ;
    return fail_myself();
}

static char much[4000000];

static int leave_stream(void *arg)
{
    jg_autoptr(jg_stream) stream = jg_open_connection("127.0.0.1", *(int *)arg, .high_water = 2 * sizeof much);
    ck_assert_ptr_nonnull(stream);
    (void)!jg_write(stream, much, sizeof much); /* the peer may have reset the connection already */
    return fail_myself();
}

static int close_stream(void *arg)
{
    jg_stream *stream = jg_open_connection("127.0.0.1", *(int *)arg, .high_water = 2 * sizeof much);
    ck_assert_ptr_nonnull(stream);
    (void)!jg_write(stream, much, sizeof much);
    int result = fail_myself();
    jg_abort(stream);
    return result;
}

static int leave_server(void *arg)
{
    (void)arg;
    jg_autoptr(jg_server) server = jg_start_server(wait_for_end, NULL, "127.0.0.1", 0);
    ck_assert_ptr_nonnull(server);
    jg_autoptr(jg_stream) stream = jg_open_connection("127.0.0.1", jg_server_port(server));
    ck_assert_ptr_nonnull(stream);
    while (jg_server_connections(server) == 0)
        (void)!jg_yield();
    return fail_myself();
}

static int leave_endpoint(void *arg)
{
    (void)arg;
    jg_autoptr(jg_endpoint) endpoint = jg_open_endpoint("127.0.0.1", 0);
    ck_assert_ptr_nonnull(endpoint);
    return fail_myself();
}

static int with_streams(void *arg)
{
    (void)arg;
    jg_autoptr(jg_server) server = jg_start_server(abort_soon, NULL, "127.0.0.1", 0);
    ck_assert_ptr_nonnull(server);
    int port = jg_server_port(server);
    for (int i = 0; i < 20; i++) {
        check(leave_stream, &port);
        check(close_stream, &port);
    }
    check(leave_server, NULL);
    check(leave_endpoint, NULL);
    return 0;
}

static void ignore(const jg_report *report, void *arg)
{
    (void)report;
    (void)arg;
    jg_fail(EIO, "words of the error handler");
}

TEST(streams_that_are_left_keep_the_reason)
{
    jg_set_error_handler(ignore, NULL);
    RUN(with_streams, NULL);
}

/* ---- Tasks ---- */

static int fail_otherwise(void *arg)
{
    (void)arg;
    return jg_fail(EIO, "the child's reason");
}

static int sleep_long(void *arg)
{
    (void)arg;
    return jg_sleep(1000);
}

static int leave_group(void *arg)
{
    (void)arg;
    jg_autogroup group = {0};
    ck_assert_int_eq(jg_group_start(&group, fail_otherwise, NULL), 0);
    ck_assert_int_eq(jg_group_start(&group, sleep_long, NULL), 0);
    return fail_myself();
}

static int cancel_and_wait(void *arg)
{
    jg_task *task = jg_create_task(fail_otherwise, arg);
    int result = fail_myself();
    jg_cancel_and_wait(task);
    return result;
}

static int leave_locks(void *arg)
{
    jg_lock lock = {0};
    JG_TIMEOUT(deadline, 1000);
    JG_SHIELD(shield, 1000);
    JG_LOCKED(held, &lock);
    ck_assert_ptr_nonnull(held);
    (void)arg;
    return fail_myself();
}

static int leave_queue(void *arg)
{
    (void)arg;
    jg_autoqueue queue = JG_QUEUE(int, 10);
    ck_assert_int_eq(jg_queue_put(&queue, &(int){1}), 0);
    return fail_myself();
}

static int with_tasks(void *arg)
{
    check(leave_group, arg);
    check(cancel_and_wait, arg);
    check(leave_locks, arg);
    check(leave_queue, arg);
    return 0;
}

TEST(tasks_that_are_left_keep_the_reason)
{
    jg_set_error_handler(ignore, NULL);
    RUN(with_tasks, NULL);
}

/* An interruption has no words yet when the clean-up begins. */
static int interrupted_with_children(void *arg)
{
    (void)arg;
    jg_autogroup group = {0};
    ck_assert_int_eq(jg_group_start(&group, sleep_long, NULL), 0);
    JG_TIMEOUT(deadline, 0.01);
    return jg_sleep(1000);
}

static int with_interruption(void *arg)
{
    errno = 0;
    ck_assert_int_eq(interrupted_with_children(arg), -1);
    ck_assert_int_eq(errno, ETIMEDOUT);
    ck_assert_str_eq(jg_error_text(), "jg_sleep: Connection timed out");
    return 0;
}

TEST(an_interruption_keeps_its_words_through_clean_up)
{
    RUN(with_interruption, NULL);
}

/* ---- The rest ---- */

static int leave_process(void *arg)
{
    (void)arg;
    jg_autoptr(jg_process) process =
        jg_create_subprocess_exec(JG_ARGV("sleep", "1000"), .in = JG_PIPE, .out = JG_PIPE, .grace = -1);
    ck_assert_ptr_nonnull(process);
    return fail_myself();
}

static int leave_watch(void *arg)
{
    (void)arg;
    jg_autoptr(jg_watch) watch = jg_watch_path("/tmp");
    jg_autoptr(jg_signals) signals = jg_watch_signals(SIGUSR1);
    jg_autoptr(jg_directory) directory = jg_list_directory("/");
    ck_assert(watch && signals && directory);
    return fail_myself();
}

static int leave_what_has_no_loop(void *arg)
{
    (void)arg;
    jg_autoptr(jg_channel) channel = jg_channel_new(sizeof(int), 1);
    jg_autoptr(jg_executor) executor = jg_executor_new();
    ck_assert(channel && executor);
    return fail_myself();
}

static int succeed(void *arg)
{
    (void)arg;
    return 0;
}

static int leave_future(void *arg)
{
    (void)arg;
    jg_autoptr(jg_concurrent_future) future = jg_run_coroutine_threadsafe(jg_get_running_loop(), fail_otherwise, NULL);
    ck_assert_ptr_nonnull(future);
    while (!jg_concurrent_future_done(future))
        (void)!jg_yield();
    return fail_myself();
}

static int with_the_rest(void *arg)
{
    check(leave_process, arg);
    check(leave_watch, arg);
    check(leave_what_has_no_loop, arg);
    check(leave_future, arg);
    return 0;
}

TEST(whatever_is_left_keeps_the_reason)
{
    jg_set_error_handler(ignore, NULL);
    RUN(with_the_rest, NULL);
}

static int detach_sleeper(void *arg)
{
    jg_detach(jg_create_task(sleep_long, arg));
    return 0;
}

static int leave_runner(void *arg)
{
    jg_autoptr(jg_runner) runner = jg_runner_new();
    jg_autoptr(jg_loop) loop = jg_loop_new();
    ck_assert(runner && loop);
    ck_assert_int_eq(jg_runner_run(runner, succeed, arg), 0);
    ck_assert_int_eq(jg_runner_run(runner, detach_sleeper, arg), 0);
    return fail_myself();
}

TEST(outside_of_tasks_too)
{
    jg_set_error_handler(ignore, NULL);
    check(leave_runner, NULL);
    check(leave_what_has_no_loop, NULL);
}
