/* Connections that break. */
#include "support.h"

#include <sys/resource.h>

TASK_TEST(a_reset_is_ECONNRESET_at_the_next_read_and_EPIPE_at_the_next_write)
{
    int peer;
    char data[10];
    jg_stream *stream = stream_with_peer(&peer);
    reset_peer(peer);
    FAILS(jg_read(stream, data, sizeof data), ECONNRESET);
    TEXT_HAS("jg_read");
    FAILS(jg_write(stream, "x", 1), EPIPE);
    TEXT_HAS("Connection reset");
    ck_assert_int_eq(jg_read(stream, data, sizeof data), 0); /* told once */
    ck_assert(jg_at_eof(stream));
    FAILS(jg_try_write(stream, "x", 1), EPIPE);
    FAILS(jg_printf(stream, "x"), EPIPE);
    FAILS(jg_drain(stream), EPIPE);
    FAILS(jg_flush(stream), EPIPE);
    FAILS(jg_write_eof(stream), EPIPE);
    ck_assert_int_eq(jg_fileno(stream), -1);
    return jg_close(stream); /* nothing was queued: nothing is lost */
}

TASK_TEST(data_before_a_reset_is_still_read)
{
    int peer;
    char data[10];
    jg_stream *stream = stream_with_peer(&peer);
    peer_send(peer, "abcdef", 6);
    const void *shown;
    ck_assert_int_eq(jg_peek(stream, &shown, 6), 6);
    reset_peer(peer);
    jg_sleep(0.02);
    ck_assert_int_eq(jg_read(stream, data, 4), 4);
    ck_assert(!jg_at_eof(stream));
    FAILS(jg_read_exactly(stream, data, 4), ECONNRESET);
    ck_assert_int_eq(jg_read(stream, data, 10), 2);
    ck_assert_mem_eq(data, "ef", 2);
    ck_assert_int_eq(jg_read(stream, data, 10), 0);
    return jg_close(stream);
}

TASK_TEST(a_reset_reaches_every_kind_of_reader)
{
    int peer;
    char data[10];
    const void *shown;
    jg_stream *stream = stream_with_peer(&peer);
    reset_peer(peer);
    FAILS(jg_read_line(stream, data, sizeof data), ECONNRESET);
    jg_close(stream);
    stream = stream_with_peer(&peer);
    reset_peer(peer);
    FAILS(jg_peek(stream, &shown, 1), ECONNRESET);
    jg_close(stream);
    stream = stream_with_peer(&peer);
    reset_peer(peer);
    FAILS(jg_read_exactly(stream, data, 3), ECONNRESET);
    return jg_close(stream);
}

static int reset_later(void *arg)
{
    jg_sleep(0.02);
    reset_peer(*(int *)arg);
    return 0;
}

TASK_TEST(a_reset_in_mid_write_is_an_error_for_that_stream_alone)
{
    enum { SIZE = 8 << 20 };
    int peer, other_peer;
    char *data = pattern(SIZE), answer[4];
    jg_stream *stream = stream_with_small_buffers(&peer, 0), *other = stream_with_peer(&other_peer);
    jg_task *task = jg_create_task(reset_later, &peer);
    FAILS(jg_write(stream, data, SIZE), EPIPE);
    ck_assert_int_eq(jg_await(task), 0);
    FAILS(jg_read(stream, answer, 4), ECONNRESET);
    FAILS(jg_write(stream, data, SIZE), EPIPE);
    ck_assert_int_eq(jg_write(other, "fine", 4), 0);
    peer_receive(other_peer, answer, 4);
    ck_assert_mem_eq(answer, "fine", 4);
    jg_close(stream);
    close(other_peer);
    free(data);
    return jg_close(other);
}

static int drain_later(void *arg)
{
    FAILS(jg_drain(arg), EPIPE);
    return 0;
}

static int flush_later(void *arg)
{
    FAILS(jg_flush(arg), EPIPE);
    return 0;
}

TASK_TEST(a_reset_ends_waiting_for_the_queue)
{
    int peer;
    jg_stream *stream = stream_with_small_buffers(&peer, 60000);
    char *data = pattern(50000);
    ck_assert_int_eq(jg_write(stream, data, 30000), 0);
    ck_assert_int_eq(jg_write(stream, data, 20000), 0);
    jg_set_write_limits(stream, 60000, 0);
    jg_task *drainer = start(drain_later, stream), *flusher = start(flush_later, stream);
    ck_assert(!jg_task_done(drainer));
    reset_peer(peer);
    ck_assert_int_eq(jg_gather(drainer, flusher), 0);
    FAILS(jg_close(stream), EPIPE); /* what was queued is lost */
    free(data);
    return 0;
}

TASK_TEST(close_says_that_queued_data_was_lost)
{
    int peer;
    jg_stream *stream = stream_with_small_buffers(&peer, 60000);
    char *data = pattern(50000);
    ck_assert_int_eq(jg_write(stream, data, 30000), 0);
    ck_assert_int_eq(jg_write(stream, data, 20000), 0);
    jg_task *task = jg_create_task(reset_later, &peer);
    FAILS(jg_close(stream), EPIPE);
    TEXT_HAS("jg_close");
    ck_assert_int_eq(jg_await(task), 0);
    free(data);
    return 0;
}

TASK_TEST(a_peer_that_has_closed_makes_a_later_write_fail)
{
    int peer;
    char data[10];
    jg_stream *stream = stream_with_peer(&peer);
    close(peer);
    ck_assert_int_eq(jg_read(stream, data, sizeof data), 0);
    for (int i = 0; jg_write(stream, "x", 1) == 0; i++) { /* the first one provokes the reset */
        ck_assert_int_lt(i, 1000);
        jg_sleep(0.005);
    }
    ck_assert_int_eq(errno, EPIPE);
    jg_close(stream);
    return 0;
}

/* After the write has met the reset, reading tells of it too, though the kernel tells of it only once. */
TASK_TEST(a_write_that_meets_the_reset_leaves_it_for_the_reader)
{
    int peer;
    char data[10];
    jg_stream *stream = stream_with_peer(&peer);
    ck_assert_int_eq(jg_write(stream, "x", 1), 0);
    ck_assert_int_eq(jg_flush(stream), 0);
    peer_receive(peer, data, 1);
    reset_peer(peer);
    for (int i = 0; i < 1000 && jg_write(stream, "x", 1) == 0 && jg_flush(stream) == 0; i++)
        continue;
    ck_assert_int_eq(errno, EPIPE);
    FAILS(jg_read(stream, data, sizeof data), ECONNRESET);
    ck_assert_int_eq(jg_read(stream, data, sizeof data), 0);
    jg_close(stream);
    return 0;
}

/* Also when so much was received already that receiving has paused. */
TASK_TEST(a_write_that_meets_the_reset_loses_nothing_that_a_slow_reader_has_before_it)
{
    enum { SIZE = 400000 };
    int peer;
    jg_stream *stream = stream_with_peer(&peer);
    setsockopt(jg_fileno(stream), SOL_SOCKET, SO_RCVBUF, &(int){2 * SIZE}, sizeof(int));
    char *data = pattern(SIZE), *copy = malloc(SIZE);
    peer_send(peer, data, SIZE);
    jg_sleep(0.05);
    reset_peer(peer);
    for (int i = 0; i < 1000 && jg_write(stream, "x", 1) == 0 && jg_flush(stream) == 0; i++)
        continue;
    ck_assert_int_eq(errno, EPIPE);
    jg_sleep(0.05);
    size_t count = 0;
    for (ssize_t n; (n = jg_read(stream, copy + count, SIZE - count)) > 0;)
        count += (size_t)n;
    ck_assert_uint_eq(count, SIZE);
    check_pattern(copy, 0, SIZE);
    FAILS(jg_read(stream, copy, SIZE), ECONNRESET);
    FAILS(jg_write(stream, "x", 1), EPIPE);
    free(copy);
    free(data);
    jg_close(stream);
    return 0;
}

TASK_TEST(an_interrupted_write_of_which_a_part_was_sent_breaks_the_stream)
{
    enum { SIZE = 8 << 20 };
    int peer;
    size_t count = 0;
    jg_stream *stream = stream_with_small_buffers(&peer, 0);
    char *data = pattern(SIZE);
    {
        JG_TIMEOUT(deadline, 0.05);
        FAILS(jg_write(stream, data, SIZE), ETIMEDOUT);
    }
    memset(data, '!', SIZE); /* the kernel has let go of it */
    free(data);
    FAILS(jg_write(stream, "x", 1), EPIPE);
    jg_close(stream);
    ck_assert_int_eq(peer_receive_end(peer, &count), ECONNRESET); /* not an end that looks orderly */
    ck_assert_uint_lt(count, SIZE);
    return 0;
}

TASK_TEST(an_interrupted_write_of_many_pieces_breaks_the_stream_too)
{
    enum { PIECES = 4000, EACH = 1000 };
    static struct iovec vector[PIECES];
    int peer;
    size_t count = 0;
    jg_stream *stream = stream_with_small_buffers(&peer, 0);
    char *data = pattern(PIECES * EACH);
    for (int i = 0; i < PIECES; i++)
        vector[i] = (struct iovec){data + (size_t)i * EACH, EACH};
    {
        JG_TIMEOUT(deadline, 0.05);
        FAILS(jg_writev(stream, vector, PIECES), ETIMEDOUT);
    }
    free(data);
    FAILS(jg_write(stream, "x", 1), EPIPE);
    jg_close(stream);
    ck_assert_int_eq(peer_receive_end(peer, &count), ECONNRESET);
    return 0;
}

TASK_TEST(an_interrupted_write_of_which_nothing_was_sent_leaves_the_stream_whole)
{
    struct receiver receiver = {0};
    jg_stream *stream = stream_with_small_buffers(&receiver.peer, 60000);
    char *data = pattern(60001);
    ck_assert_int_eq(jg_write(stream, data, 30000), 0);
    ck_assert_int_eq(jg_write(stream, data + 30000, 30000), 0);
    for (int i = 0; i < 20; i++)
        jg_yield();
    {
        JG_TIMEOUT(deadline, 0.05);
        FAILS(jg_write(stream, data, 50000), ETIMEDOUT); /* behind what is queued */
    }
    jg_set_write_limits(stream, 100000, 0);
    ck_assert_int_eq(jg_write(stream, data + 60000, 1), 0);
    jg_task *task = start(receive_to_end, &receiver);
    ck_assert_int_eq(jg_close(stream), 0);
    ck_assert_int_eq(jg_await(task), 0);
    ck_assert_uint_eq(receiver.count, 60001);
    free(data);
    return 0;
}
