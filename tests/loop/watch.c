/* Readers and writers: level-triggered in effect, replaceable, removable at any time. */
#include "support.h"

struct counter {
    jg_loop *loop;
    int fd, calls;
    bool done;
    int stop_after;
};

static void count(void *arg)
{
    struct counter *counter = arg;
    if (++counter->calls == counter->stop_after)
        counter->done = true;
}

static void count_and_read(void *arg)
{
    struct counter *counter = arg;
    char byte;
    ck_assert_int_eq(read(counter->fd, &byte, 1), 1);
    count(arg);
}

TEST(a_reader_is_called_while_there_is_something)
{
    int pair[2];
    make_pair(pair);
    jg_loop *loop = new_loop();
    struct counter counter = {.loop = loop, .fd = pair[0], .stop_after = 3};
    ck_assert_int_eq(jg_add_reader(loop, pair[0], count_and_read, &counter), 0);
    jg_loop_run_once(loop, 0);
    ck_assert_int_eq(counter.calls, 0);
    ck_assert_int_eq(write(pair[1], "abc", 3), 3);
    run_until(loop, &counter.done);
    jg_loop_run_once(loop, 0.001);
    ck_assert_int_eq(counter.calls, 3);
    ck_assert(jg_remove_reader(loop, pair[0]));
    ck_assert(!jg_remove_reader(loop, pair[0]));
    jg_loop_close(loop);
    close_pair(pair);
}

TEST(a_reader_that_does_not_read_is_called_again)
{
    int pair[2];
    make_pair(pair);
    jg_loop *loop = new_loop();
    struct counter counter = {.loop = loop, .stop_after = 5};
    jg_add_reader(loop, pair[0], count, &counter);
    ck_assert_int_eq(write(pair[1], "x", 1), 1);
    run_until(loop, &counter.done);
    jg_remove_reader(loop, pair[0]);
    int calls = counter.calls;
    jg_loop_run_once(loop, 0.001);
    jg_loop_run_once(loop, 0.001);
    ck_assert_int_eq(counter.calls, calls);
    jg_loop_close(loop);
    close_pair(pair);
}

TEST(a_writer_is_called_when_there_is_room)
{
    int pair[2];
    make_pair(pair);
    char block[4096] = {0};
    while (write(pair[0], block, sizeof block) > 0)
        ;
    jg_loop *loop = new_loop();
    struct counter counter = {.loop = loop, .stop_after = 1};
    ck_assert_int_eq(jg_add_writer(loop, pair[0], count, &counter), 0);
    jg_loop_run_once(loop, 0.001);
    ck_assert_int_eq(counter.calls, 0);
    while (read(pair[1], block, sizeof block) > 0)
        ;
    run_until(loop, &counter.done);
    ck_assert(jg_remove_writer(loop, pair[0]));
    jg_loop_close(loop);
    close_pair(pair);
}

TEST(reader_and_writer_of_one_fd_are_independent)
{
    int pair[2];
    make_pair(pair);
    jg_loop *loop = new_loop();
    struct counter reader = {.loop = loop, .stop_after = 2}, writer = {.loop = loop, .stop_after = 2};
    jg_add_reader(loop, pair[0], count, &reader);
    jg_add_writer(loop, pair[0], count, &writer);
    run_until(loop, &writer.done);
    ck_assert_int_eq(reader.calls, 0);
    jg_remove_writer(loop, pair[0]);
    ck_assert_int_eq(write(pair[1], "x", 1), 1);
    run_until(loop, &reader.done);
    jg_remove_reader(loop, pair[0]);
    jg_loop_close(loop);
    close_pair(pair);
}

TEST(setting_a_reader_again_replaces_it)
{
    int pair[2];
    make_pair(pair);
    jg_loop *loop = new_loop();
    struct counter old = {.loop = loop}, new = {.loop = loop, .stop_after = 1};
    jg_add_reader(loop, pair[0], count, &old);
    jg_add_reader(loop, pair[0], count, &new);
    ck_assert_int_eq(write(pair[1], "x", 1), 1);
    run_until(loop, &new.done);
    ck_assert_int_eq(old.calls, 0);
    jg_remove_reader(loop, pair[0]);
    jg_loop_close(loop);
    close_pair(pair);
}

static void remove_myself(void *arg)
{
    struct counter *counter = arg;
    count(arg);
    ck_assert(jg_remove_reader(counter->loop, counter->fd));
}

TEST(a_reader_may_remove_itself)
{
    int pair[2];
    make_pair(pair);
    jg_loop *loop = new_loop();
    struct counter counter = {.loop = loop, .fd = pair[0], .stop_after = 1};
    jg_add_reader(loop, pair[0], remove_myself, &counter);
    ck_assert_int_eq(write(pair[1], "x", 1), 1);
    run_until(loop, &counter.done);
    jg_loop_run_once(loop, 0.001);
    ck_assert_int_eq(counter.calls, 1);
    jg_loop_close(loop);
    close_pair(pair);
}

TEST(a_closed_and_reopened_fd_is_watched_afresh)
{
    jg_loop *loop = new_loop();
    for (int round = 0; round < 3; round++) {
        int pair[2];
        make_pair(pair);
        struct counter counter = {.loop = loop, .fd = pair[0], .stop_after = 1};
        ck_assert_int_eq(jg_add_reader(loop, pair[0], count_and_read, &counter), 0);
        jg_loop_run_once(loop, 0);
        ck_assert_int_eq(write(pair[1], "x", 1), 1);
        run_until(loop, &counter.done);
        jg_remove_reader(loop, pair[0]);
        close_pair(pair);
    }
    jg_loop_close(loop);
}

TEST(end_of_file_calls_the_reader)
{
    int pair[2];
    make_pair(pair);
    jg_loop *loop = new_loop();
    struct counter counter = {.loop = loop, .stop_after = 1};
    jg_add_reader(loop, pair[0], count, &counter);
    close(pair[1]);
    run_until(loop, &counter.done);
    jg_remove_reader(loop, pair[0]);
    close(pair[0]);
    jg_loop_close(loop);
}

TEST(watching_a_regular_file_is_refused)
{
    jg_loop *loop = new_loop();
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(jg_add_reader(loop, fd, count, NULL), -1);
    ck_assert_int_eq(errno, EPERM);
    ck_assert(strstr(jg_error_text(), "jg_add_reader") != NULL);
    close(fd);
    jg_loop_close(loop);
}

TEST(watching_a_bad_fd_is_refused)
{
    jg_loop *loop = new_loop();
    ck_assert_int_eq(jg_add_reader(loop, -1, count, NULL), -1);
    ck_assert_int_eq(errno, EBADF);
    ck_assert_int_eq(jg_add_writer(loop, 9999, count, NULL), -1);
    ck_assert_int_eq(errno, EBADF);
    ck_assert(!jg_remove_reader(loop, -1));
    jg_loop_close(loop);
}

TEST(watches_left_at_close_are_freed)
{
    int pair[2];
    make_pair(pair);
    jg_loop *loop = new_loop();
    jg_add_reader(loop, pair[0], count, NULL);
    jg_add_writer(loop, pair[1], count, NULL);
    jg_add_reader(loop, pair[1], count, NULL);
    jg_remove_reader(loop, pair[1]);
    jg_loop_close(loop);
    close_pair(pair);
}

static void ignore(void *arg)
{
    (void)arg;
}

/* io_uring calls it always ready. */
TEST(a_device_that_epoll_refuses_is_refused_at_once)
{
    jg_loop *loop = new_loop();
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    bool epoll = !strcmp(jg_loop_poller(loop), "epoll");
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(jg_add_reader(loop, fd, ignore, NULL), epoll ? -1 : 0);
        ck_assert(!epoll || errno == EPERM);
        ck_assert_int_eq(jg_remove_reader(loop, fd), !epoll);
    }
    jg_loop_run_once(loop, 0);
    jg_loop_close(loop);
    close(fd);
}
