/* jg_read, jg_read_exactly and the end of the input. */
#include "support.h"

TASK_TEST(read_returns_what_is_there)
{
    int peer;
    char data[100];
    jg_stream *stream = stream_with_peer(&peer);
    peer_send(peer, "hello", 5);
    ck_assert_int_eq(jg_read(stream, data, sizeof data), 5);
    ck_assert_mem_eq(data, "hello", 5);
    close(peer);
    return jg_close(stream);
}

TASK_TEST(read_of_less_leaves_the_rest)
{
    int peer;
    char data[3];
    jg_stream *stream = stream_with_peer(&peer);
    peer_send(peer, "abcdefg", 7);
    wait_until_received(jg_fileno(stream), 7);
    for (int i = 0; i < 10; i++) /* now it may be in the stream's own buffer */
        jg_yield();
    ck_assert_int_eq(jg_read(stream, data, 3), 3);
    ck_assert_mem_eq(data, "abc", 3);
    ck_assert_int_eq(jg_read(stream, data, 3), 3);
    ck_assert_mem_eq(data, "def", 3);
    ck_assert_int_eq(jg_read(stream, data, 3), 1);
    ck_assert_mem_eq(data, "g", 1);
    close(peer);
    return jg_close(stream);
}

static int read_five(void *arg)
{
    char data[5];
    ck_assert_int_eq(jg_read(arg, data, sizeof data), 5);
    ck_assert_mem_eq(data, "later", 5);
    return 0;
}

TASK_TEST(read_waits_for_data_that_comes_later)
{
    int peer;
    jg_stream *stream = stream_with_peer(&peer);
    jg_task *reader = start(read_five, stream);
    ck_assert(!jg_task_done(reader));
    peer_send(peer, "later", 5);
    ck_assert_int_eq(jg_await(reader), 0);
    close(peer);
    return jg_close(stream);
}

TASK_TEST(read_returns_0_at_the_end_again_and_again)
{
    int peer;
    char data[10];
    jg_stream *stream = stream_with_peer(&peer);
    peer_send(peer, "x", 1);
    close(peer);
    ck_assert(!jg_at_eof(stream));
    ck_assert_int_eq(jg_read(stream, data, sizeof data), 1);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(jg_read(stream, data, sizeof data), 0);
    ck_assert(jg_at_eof(stream));
    return jg_close(stream);
}

TASK_TEST(at_eof_only_after_everything_was_read)
{
    int peer;
    char data[2];
    jg_stream *stream = stream_with_peer(&peer);
    peer_send(peer, "abc", 3);
    close(peer);
    jg_sleep(0.02);
    ck_assert(!jg_at_eof(stream));
    ck_assert_int_eq(jg_read(stream, data, 2), 2);
    ck_assert(!jg_at_eof(stream));
    ck_assert_int_eq(jg_read(stream, data, 2), 1);
    ck_assert_int_eq(jg_read(stream, data, 2), 0);
    ck_assert(jg_at_eof(stream));
    return jg_close(stream);
}

TASK_TEST(read_of_nothing_returns_0_and_waits_for_nothing)
{
    int peer;
    jg_stream *stream = stream_with_peer(&peer);
    ck_assert_int_eq(jg_read(stream, NULL, 0), 0);
    ck_assert_int_eq(jg_read_exactly(stream, NULL, 0), 0);
    ck_assert(!jg_at_eof(stream));
    close(peer);
    return jg_close(stream);
}

TASK_TEST(read_checks_its_arguments)
{
    int peer;
    char data[1];
    jg_stream *stream = stream_with_peer(&peer);
    FAILS(jg_read(stream, NULL, 5), EINVAL);
    FAILS(jg_read(stream, data, SIZE_MAX), EINVAL);
    FAILS(jg_read_exactly(stream, NULL, 5), EINVAL);
    FAILS(jg_read_exactly(stream, data, SIZE_MAX), EINVAL);
    TEXT_HAS("jg_read_exactly");
    close(peer);
    return jg_close(stream);
}

TASK_TEST(reading_leaves_errno_as_it_was)
{
    int peer;
    char data[10];
    jg_stream *stream = stream_with_peer(&peer);
    peer_send(peer, "abcdef", 6);
    errno = EXDEV;
    ck_assert_int_eq(jg_read(stream, data, 1), 1);
    ck_assert_int_eq(errno, EXDEV);
    ck_assert_int_eq(jg_read_exactly(stream, data, 5), 5);
    ck_assert_int_eq(errno, EXDEV);
    close(peer);
    ck_assert_int_eq(jg_read(stream, data, 5), 0);
    ck_assert_int_eq(errno, EXDEV);
    ck_assert_int_eq(jg_close(stream), 0);
    ck_assert_int_eq(errno, EXDEV);
    return 0;
}

struct dribble {
    int peer;
    const char *data;
    size_t bytes, step;
};

static int dribble(void *arg)
{
    const struct dribble *dribble = arg;
    for (size_t sent = 0; sent < dribble->bytes; sent += dribble->step) {
        size_t left = dribble->bytes - sent;
        peer_send(dribble->peer, dribble->data + sent, left < dribble->step ? left : dribble->step);
        for (int i = 0; i < 3; i++)
            jg_yield();
    }
    return 0;
}

TASK_TEST(read_exactly_gathers_single_bytes)
{
    int peer;
    char data[500];
    jg_stream *stream = stream_with_peer(&peer);
    char *bytes = pattern(1000);
    jg_task *sender = start(dribble, &(struct dribble){peer, bytes, 1000, 1});
    ck_assert_int_eq(jg_read_exactly(stream, data, 500), 500);
    check_pattern(data, 0, 500);
    ck_assert_int_eq(jg_read_exactly(stream, data, 500), 500);
    check_pattern(data, 500, 500);
    ck_assert_int_eq(jg_await(sender), 0);
    free(bytes);
    close(peer);
    return jg_close(stream);
}

TASK_TEST(read_exactly_at_odd_sizes)
{
    static const size_t sizes[] = {1, 2, 4095, 4096, 4097, 16383, 65535, 65536, 65537, 200000, 1, 131072};
    int peer;
    size_t total = 0, place = 0;
    jg_stream *stream = stream_with_peer(&peer);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        total += sizes[i];
    char *bytes = pattern(total), *data = malloc(total);
    struct dribble job = {peer, bytes, total, 30011};
    jg_task *sender = jg_create_task(dribble, &job);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        ck_assert_int_eq(jg_read_exactly(stream, data, sizes[i]), (ssize_t)sizes[i]);
        check_pattern(data, place, sizes[i]);
        place += sizes[i];
    }
    ck_assert_int_eq(jg_await(sender), 0);
    free(bytes);
    free(data);
    close(peer);
    return jg_close(stream);
}

TASK_TEST(read_exactly_short_fails_with_ENODATA_and_keeps_what_came)
{
    int peer;
    char data[10];
    jg_stream *stream = stream_with_peer(&peer);
    peer_send(peer, "abcd", 4);
    close(peer);
    FAILS(jg_read_exactly(stream, data, 10), ENODATA);
    TEXT_HAS("4 of 10");
    ck_assert(!jg_at_eof(stream));
    ck_assert_int_eq(jg_read_exactly(stream, data, 2), 2);
    ck_assert_mem_eq(data, "ab", 2);
    ck_assert_int_eq(jg_read(stream, data, 10), 2);
    ck_assert_mem_eq(data, "cd", 2);
    FAILS(jg_read_exactly(stream, data, 1), ENODATA);
    return jg_close(stream);
}

TASK_TEST(read_exactly_interrupted_keeps_what_came_in_order)
{
    int peer;
    char data[100];
    jg_stream *stream = stream_with_peer(&peer);
    peer_send(peer, "first ", 6);
    {
        JG_TIMEOUT(deadline, 0.02);
        FAILS(jg_read_exactly(stream, data, 50), ETIMEDOUT);
        ck_assert(jg_timeout_expired(&deadline));
    }
    peer_send(peer, "second", 6);
    ck_assert_int_eq(jg_read_exactly(stream, data, 12), 12);
    ck_assert_mem_eq(data, "first second", 12);
    close(peer);
    return jg_close(stream);
}

static int send_a_megabyte(void *arg)
{
    char *bytes = pattern(1 << 20);
    peer_send(*(int *)arg, bytes, 1 << 20);
    free(bytes);
    return 0;
}

TASK_TEST(read_exactly_interrupted_keeps_more_than_the_buffer_limit)
{
    enum { SIZE = 1 << 20 };
    int peer;
    char *data = malloc(2 * SIZE);
    jg_stream *stream = stream_with_peer(&peer);
    jg_task *sender = start(send_a_megabyte, &peer);
    {
        JG_TIMEOUT(deadline, 0.2 * harness_slowness());
        FAILS(jg_read_exactly(stream, data, 2 * SIZE), ETIMEDOUT);
    }
    ck_assert_int_eq(jg_read_exactly(stream, data, SIZE), SIZE);
    check_pattern(data, 0, SIZE);
    ck_assert_int_eq(jg_await(sender), 0);
    peer_send(peer, "and on", 6);
    ck_assert_int_eq(jg_read_exactly(stream, data, 6), 6);
    ck_assert_mem_eq(data, "and on", 6);
    free(data);
    close(peer);
    return jg_close(stream);
}

/* A peer that sends more than anybody reads must not fill the memory. */
TASK_TEST(receiving_pauses_while_nobody_reads_and_goes_on_later)
{
    enum { SIZE = 32 << 20 };
    int peer;
    static char zeros[65536];
    jg_stream *stream = stream_with_peer(&peer);
    size_t sent = 0;
    for (int quiet = 0; quiet < 200;) {
        ssize_t n = send(peer, zeros, sizeof zeros, MSG_DONTWAIT | MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
        quiet = n > 0 ? 0 : quiet + 1;
        ck_assert_msg(sent < SIZE, "%zu bytes were taken though nobody reads", sent);
        if (n < 0)
            jg_sleep(0.0005);
    }
    shutdown(peer, SHUT_WR);
    char *data = malloc(100000);
    size_t received = 0;
    for (ssize_t n; (n = jg_read(stream, data, 100000)) != 0; received += (size_t)n)
        ck_assert_int_gt(n, 0);
    ck_assert_uint_eq(received, sent);
    free(data);
    close(peer);
    return jg_close(stream);
}

struct count {
    jg_stream *stream;
    size_t bytes;
    int others;
    bool done;
};

static int count_turns(void *arg)
{
    struct count *count = arg;
    for (; !count->done; count->others++)
        jg_yield();
    return 0;
}

static int flood(void *arg)
{
    static char block[1 << 16];
    for (int i = 0; i < 512; i++)
        if (jg_write(arg, block, sizeof block) < 0)
            return -1;
    return jg_write_eof(arg);
}

/* Calls that find their data at once count against a budget. */
TASK_TEST(a_reader_that_never_runs_dry_lets_others_run)
{
    jg_stream *pair[2];
    char data[512];
    ssize_t n;
    stream_pair(pair);
    struct count count = {0};
    jg_task *others = start(count_turns, &count);
    jg_task *writer = start(flood, pair[0]);
    int reads = 0;
    for (; (n = jg_read(pair[1], data, sizeof data)) > 0; reads++)
        count.bytes += (size_t)n;
    count.done = true;
    ck_assert_int_eq(jg_await(writer), 0);
    ck_assert_int_eq(jg_await(others), 0);
    ck_assert_uint_eq(count.bytes, 512u << 16);
    ck_assert_int_gt(count.others, reads / 1000);
    jg_close(pair[0]);
    return jg_close(pair[1]);
}

static int read_one(void *arg)
{
    char byte;
    return (int)jg_read(arg, &byte, 1);
}

TASK_TEST_ABORTS(a_second_reader_aborts, "jg_read_exactly: another task waits in jg_read")
{
    int peer;
    char data[2];
    jg_stream *stream = stream_with_peer(&peer);
    jg_detach(start(read_one, stream));
    return (int)jg_read_exactly(stream, data, 2);
}

TASK_TEST(readers_may_take_turns)
{
    int peer;
    jg_stream *stream = stream_with_peer(&peer);
    for (int i = 0; i < 3; i++) {
        jg_task *reader = start(read_one, stream);
        peer_send(peer, "x", 1);
        ck_assert_int_eq(jg_await(reader), 1);
    }
    close(peer);
    return jg_close(stream);
}
