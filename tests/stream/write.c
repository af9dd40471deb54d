/* Writing, draining, flushing and half-closing. */
#include "support.h"

#include <limits.h>

TASK_TEST(writes_of_a_turn_arrive_in_order)
{
    int peer;
    char data[32];
    jg_stream *stream = stream_with_peer(&peer);
    ck_assert_int_eq(jg_write(stream, "one ", 4), 0);
    ck_assert_int_eq(jg_printf(stream, "%s %d ", "two", 3), 0);
    struct iovec vector[] = {{"fo", 2}, {"", 0}, {"ur ", 3}};
    ck_assert_int_eq(jg_writev(stream, vector, 3), 0);
    ck_assert_int_eq(jg_try_write(stream, "five", 4), 0);
    ck_assert_uint_eq(jg_write_pending(stream), 19);
    peer_receive(peer, data, 19);
    ck_assert_mem_eq(data, "one two 3 four five", 19);
    ck_assert_uint_eq(jg_write_pending(stream), 0);
    close(peer);
    return jg_close(stream);
}

TASK_TEST(writing_nothing_is_fine)
{
    int peer;
    jg_stream *stream = stream_with_peer(&peer);
    ck_assert_int_eq(jg_write(stream, NULL, 0), 0);
    ck_assert_int_eq(jg_writev(stream, NULL, 0), 0);
    ck_assert_int_eq(jg_try_write(stream, "", 0), 0);
    ck_assert_int_eq(jg_printf(stream, "%s", ""), 0);
    ck_assert_int_eq(jg_drain(stream), 0);
    ck_assert_int_eq(jg_flush(stream), 0);
    close(peer);
    return jg_close(stream);
}

TASK_TEST(writing_checks_its_arguments)
{
    int peer;
    jg_stream *stream = stream_with_peer(&peer);
    struct iovec overflow[] = {{"", SSIZE_MAX}, {"", SSIZE_MAX}}, null = {NULL, 1};
    FAILS(jg_write(stream, NULL, 1), EINVAL);
    FAILS(jg_write(stream, "", SIZE_MAX), EINVAL);
    FAILS(jg_writev(stream, overflow, 2), EINVAL);
    FAILS(jg_writev(stream, &null, 1), EINVAL);
    FAILS(jg_writev(stream, NULL, 1), EINVAL);
    FAILS(jg_writev(stream, &null, -1), EINVAL);
    FAILS(jg_try_write(stream, NULL, 1), EINVAL);
    ck_assert_uint_eq(jg_write_pending(stream), 0);
    close(peer);
    return jg_close(stream);
}

TASK_TEST(writing_leaves_errno_as_it_was)
{
    int peer;
    size_t count = 0;
    jg_stream *stream = stream_with_small_buffers(&peer, 0);
    char *data = pattern(500000);
    errno = EXDEV;
    ck_assert_int_eq(jg_write(stream, data, 1000), 0);
    ck_assert_int_eq(jg_flush(stream), 0);
    ck_assert_int_eq(jg_drain(stream), 0);
    ck_assert_int_eq(jg_printf(stream, "%s", ""), 0);
    ck_assert_int_eq(jg_try_write(stream, data + 1000, 1000), 0);
    ck_assert_int_eq(jg_write_eof(stream), 0);
    ck_assert_int_eq(jg_close(stream), 0);
    ck_assert_int_eq(errno, EXDEV);
    ck_assert_int_eq(peer_receive_end(peer, &count), 0);
    ck_assert_uint_eq(count, 2000);
    free(data);
    return 0;
}

TASK_TEST(printf_of_any_length)
{
    static const int lengths[] = {0, 1, 4094, 4095, 4096, 4097, 32767, 32768, 200000};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        int peer, length = lengths[i];
        jg_stream *stream = stream_with_peer(&peer);
        ck_assert_int_eq(jg_printf(stream, "%*s|%.3f", length, "x", 0.5), 0);
        size_t expected = (size_t)(length ? length : 1) + 6;
        char *data = malloc(expected);
        peer_receive(peer, data, expected);
        ck_assert_mem_eq(data + expected - 7, "x|0.500", 7);
        free(data);
        close(peer);
        jg_close(stream);
    }
    return 0;
}

struct block {
    jg_stream *stream;
    char letter;
    size_t bytes;
    bool first;
};

static int write_block(void *arg)
{
    const struct block *block = arg;
    char *data = malloc(block->bytes);
    memset(data, block->letter, block->bytes);
    int result = jg_write(block->stream, data, block->bytes);
    memset(data, '!', block->bytes); /* the kernel must be done with it */
    free(data);
    return result;
}

/* Blocks of all sizes from several tasks: each in one piece, in the order of the calls. */
TASK_TEST(writers_are_served_in_the_order_of_their_calls)
{
    enum { WRITERS = 20 };
    static const size_t sizes[] = {10, 100000, 1, 40000, 32768, 32767, 300000, 5};
    int peer;
    jg_stream *stream = stream_with_small_buffers(&peer, 0);
    jg_task *tasks[WRITERS];
    struct block blocks[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        blocks[i] = (struct block){.stream = stream, .letter = (char)('a' + i), .bytes = sizes[i % 8]};
        tasks[i] = jg_create_task(write_block, &blocks[i]);
    }
    for (int i = 0; i < WRITERS; i++) {
        char *data = malloc(blocks[i].bytes);
        peer_receive(peer, data, blocks[i].bytes);
        for (size_t k = 0; k < blocks[i].bytes; k++)
            if (data[k] != blocks[i].letter)
                ck_abort_msg("byte %zu of block %d is %c", k, i, data[k]);
        free(data);
    }
    ck_assert_int_eq(jg_gatherv(tasks, WRITERS), 0);
    close(peer);
    return jg_close(stream);
}

struct transfer {
    jg_stream *stream;
    size_t bytes, step;
    size_t most_pending;
};

static int write_steps(void *arg)
{
    struct transfer *transfer = arg;
    char *data = malloc(transfer->step);
    int result = 0;
    for (size_t place = 0; place < transfer->bytes && result == 0;) {
        size_t left = transfer->bytes - place, step = left < transfer->step ? left : transfer->step;
        fill_pattern(data, place, step);
        result = jg_write(transfer->stream, data, step);
        if (jg_write_pending(transfer->stream) > transfer->most_pending)
            transfer->most_pending = jg_write_pending(transfer->stream);
        place += step;
    }
    free(data);
    return result == 0 ? jg_flush(transfer->stream) : -1;
}

TASK_TEST(a_slow_reader_keeps_the_memory_of_its_writer_flat)
{
    int peer;
    char data[1000];
    jg_stream *stream = stream_with_small_buffers(&peer, 10000);
    struct transfer transfer = {.stream = stream, .bytes = 400000, .step = 700};
    jg_task *writer = start(write_steps, &transfer);
    for (size_t place = 0; place < 400000; place += 1000) {
        peer_receive(peer, data, 1000);
        check_pattern(data, place, 1000);
        if (place % 20000 == 0)
            jg_sleep(0.001);
    }
    ck_assert_int_eq(jg_await(writer), 0);
    ck_assert_uint_le(transfer.most_pending, 10000);
    ck_assert_uint_gt(transfer.most_pending, 1000);
    close(peer);
    return jg_close(stream);
}

TASK_TEST(a_reader_of_single_bytes_gets_every_byte)
{
    int peer;
    jg_stream *stream = stream_with_small_buffers(&peer, 2000);
    struct transfer transfer = {.stream = stream, .bytes = 20000, .step = 333};
    jg_task *writer = start(write_steps, &transfer);
    for (size_t place = 0; place < 20000; place++) {
        char byte;
        peer_receive(peer, &byte, 1);
        check_pattern(&byte, place, 1);
    }
    ck_assert_int_eq(jg_await(writer), 0);
    close(peer);
    return jg_close(stream);
}

static int close_stream(void *arg)
{
    return jg_close(arg);
}

/* Everything is written in one go, without a wait in between: the peer is fast, and it is a broadcast's right to use
 * that. */
TASK_TEST(try_write_uses_what_the_kernel_has_room_for)
{
    int pair[2];
    tcp_pair(pair, false);
    jg_stream *stream = jg_stream_from_fd(pair[0]);
    char *data = pattern(100000);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(jg_try_write(stream, data + (size_t)i * 1000, 1000), 0);
    jg_task *closing = start(close_stream, stream);
    size_t count = 0;
    ck_assert_int_eq(peer_receive_end(pair[1], &count), 0);
    ck_assert_uint_eq(count, 100000);
    free(data);
    return jg_await(closing);
}

TASK_TEST(try_write_takes_all_or_nothing)
{
    int peer;
    jg_stream *stream = stream_with_small_buffers(&peer, 1000);
    char *data = pattern(2000);
    FAILS(jg_try_write(stream, data, 1001), EAGAIN);
    TEXT_HAS("high-water");
    ck_assert_uint_eq(jg_write_pending(stream), 0);
    size_t taken = 0;
    for (; jg_try_write(stream, data, 600) == 0; fill_pattern(data, taken, 600)) /* the kernel's room counts as sent */
        taken += 600;
    FAILS(jg_try_write(stream, data, 600), EAGAIN);
    ck_assert_uint_gt(jg_write_pending(stream), 400);
    ck_assert_uint_le(jg_write_pending(stream), 1000);
    ck_assert_uint_gt(taken, 1200);
    jg_task *closing = start(close_stream, stream);
    size_t count = 0;
    ck_assert_int_eq(peer_receive_end(peer, &count), 0);
    ck_assert_uint_eq(count, taken);
    ck_assert_int_eq(jg_await(closing), 0);
    free(data);
    return 0;
}

static int drain(void *arg)
{
    return jg_drain(arg);
}

static int flush(void *arg)
{
    return jg_flush(arg);
}

static size_t fill_up(jg_stream *stream)
{
    static char data[1000];
    size_t place = 0;
    for (int quiet = 0; quiet < 20;) {
        fill_pattern(data, place, sizeof data);
        if (jg_try_write(stream, data, sizeof data) == 0) {
            place += sizeof data;
            quiet = 0;
        } else {
            ck_assert_int_eq(errno, EAGAIN);
            jg_sleep(0.001);
            quiet++;
        }
    }
    return place;
}

TASK_TEST(drain_and_flush_wait_for_their_marks)
{
    int peer;
    size_t count = 0;
    jg_stream *stream = stream_with_small_buffers(&peer, 40000);
    size_t written = fill_up(stream);
    jg_set_write_limits(stream, 40000, 10000);
    jg_task *drainer = start(drain, stream), *flusher = start(flush, stream);
    jg_sleep(0.01);
    ck_assert(!jg_task_done(drainer));
    while (!jg_task_done(drainer)) {
        char data[500];
        ck_assert(!jg_task_done(flusher) || jg_write_pending(stream) == 0);
        peer_receive(peer, data, sizeof data);
        check_pattern(data, count, sizeof data);
        count += sizeof data;
        for (int i = 0; i < 4; i++)
            jg_yield();
    }
    ck_assert_uint_le(jg_write_pending(stream), 10000);
    ck_assert_int_eq(jg_await(drainer), 0);
    while (!jg_task_done(flusher)) {
        char data[500];
        peer_receive(peer, data, sizeof data);
        check_pattern(data, count, sizeof data);
        count += sizeof data;
        for (int i = 0; i < 4; i++)
            jg_yield();
    }
    ck_assert_int_eq(jg_await(flusher), 0);
    ck_assert_uint_eq(jg_write_pending(stream), 0);
    ck_assert_int_eq(jg_close(stream), 0);
    ck_assert_int_eq(peer_receive_end(peer, &count), 0);
    ck_assert_uint_eq(count, written);
    return 0;
}

TASK_TEST(drain_returns_at_once_below_the_mark)
{
    int peer;
    jg_stream *stream = stream_with_peer(&peer);
    ck_assert_int_eq(jg_write(stream, "abc", 3), 0);
    ck_assert_int_eq(jg_drain(stream), 0);
    ck_assert_uint_eq(jg_write_pending(stream), 3);
    ck_assert_int_eq(jg_flush(stream), 0);
    ck_assert_uint_eq(jg_write_pending(stream), 0);
    close(peer);
    return jg_close(stream);
}

TASK_TEST(limits_of_0_make_every_write_wait_for_the_kernel)
{
    int peer;
    char data[6];
    jg_stream *stream = stream_with_peer(&peer);
    jg_set_write_limits(stream, 0, 100);
    ck_assert_int_eq(jg_write(stream, "abc", 3), 0);
    ck_assert_uint_eq(jg_write_pending(stream), 0);
    ck_assert_int_eq(jg_printf(stream, "%s", "def"), 0);
    ck_assert_uint_eq(jg_write_pending(stream), 0);
    FAILS(jg_try_write(stream, "x", 1), EAGAIN);
    peer_receive(peer, data, 6);
    ck_assert_mem_eq(data, "abcdef", 6);
    close(peer);
    return jg_close(stream);
}

TASK_TEST(write_eof_half_closes_behind_what_was_written)
{
    int peer;
    size_t count = 0;
    char *data = pattern(50000), answer[8];
    jg_stream *stream = stream_with_small_buffers(&peer, 60000);
    ck_assert_int_eq(jg_write(stream, data, 30000), 0);
    ck_assert_int_eq(jg_write(stream, data + 30000, 20000), 0);
    ck_assert_int_eq(jg_write_eof(stream), 0);
    ck_assert_int_eq(jg_write_eof(stream), 0);
    FAILS(jg_write(stream, "x", 1), EPIPE);
    TEXT_HAS("jg_write_eof");
    FAILS(jg_try_write(stream, "x", 1), EPIPE);
    FAILS(jg_printf(stream, "x"), EPIPE);
    int second = dup(peer);
    ck_assert_int_eq(peer_receive_end(second, &count), 0);
    ck_assert_uint_eq(count, 50000);
    ck_assert_int_eq(jg_flush(stream), 0);
    peer_send(peer, "answer", 6); /* reading goes on */
    ck_assert_int_eq(jg_read(stream, answer, sizeof answer), 6);
    free(data);
    close(peer);
    return jg_close(stream);
}

TASK_TEST(more_pieces_than_the_kernel_takes_at_once)
{
    enum { PIECES = 5000 };
    static struct iovec vector[PIECES];
    struct receiver receiver = {0};
    jg_stream *stream = stream_with_small_buffers(&receiver.peer, 0);
    char *data = pattern(PIECES * 50);
    size_t bytes = 0;
    for (int i = 0; i < PIECES; i++) {
        vector[i] = (struct iovec){data + bytes, (size_t)i % 50};
        bytes += (size_t)i % 50;
    }
    jg_task *task = start(receive_to_end, &receiver);
    ck_assert_int_eq(jg_writev(stream, vector, PIECES), 0);
    ck_assert_ptr_eq(vector[PIECES - 1].iov_base,
                     data + bytes - (PIECES - 1) % 50); /* the caller's vector is as it was */
    ck_assert_int_eq(jg_close(stream), 0);
    ck_assert_int_eq(jg_await(task), 0);
    ck_assert_uint_eq(receiver.count, bytes);
    free(data);
    return 0;
}

/* Every size around the limits of the ways that a write can go. */
TASK_TEST(writes_of_odd_sizes_arrive_whole)
{
    static const size_t sizes[] = {1,     4031,  4032,  4033,  4096,  16383, 16384, 16385,   32767, 32768,
                                   32769, 65535, 65536, 65537, 99999, 3,     1,     1000000, 2,     131072};
    struct receiver receiver = {0};
    jg_stream *stream = stream_with_peer(&receiver.peer);
    jg_task *task = start(receive_to_end, &receiver);
    size_t place = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *data = malloc(sizes[i]);
        fill_pattern(data, place, sizes[i]);
        ck_assert_int_eq(jg_write(stream, data, sizes[i]), 0);
        free(data);
        place += sizes[i];
    }
    ck_assert_int_eq(jg_close(stream), 0);
    ck_assert_int_eq(jg_await(task), 0);
    ck_assert_uint_eq(receiver.count, place);
    return 0;
}

static int read_and_check(void *arg)
{
    struct transfer *transfer = arg;
    char *data = malloc(transfer->step);
    size_t place = 0;
    ssize_t n = 0;
    while (place < transfer->bytes && (n = jg_read(transfer->stream, data, transfer->step)) > 0) {
        check_pattern(data, place, (size_t)n);
        place += (size_t)n;
    }
    free(data);
    ck_assert_uint_eq(place, transfer->bytes);
    return n < 0 ? -1 : 0;
}

TASK_TEST(large_transfers_in_both_directions_at_once)
{
    const size_t bytes = (size_t)(32 << 20) / (size_t)harness_slowness();
    jg_stream *pair[2];
    stream_pair(pair);
    struct transfer transfers[] = {
        {.stream = pair[0], .bytes = bytes, .step = 100000},
        {.stream = pair[1], .bytes = bytes, .step = 3001},
        {.stream = pair[0], .bytes = bytes, .step = 65536},
        {.stream = pair[1], .bytes = bytes, .step = 10007},
    };
    ck_assert_int_eq(jg_gather(jg_create_task(write_steps, &transfers[0]), jg_create_task(write_steps, &transfers[1]),
                               jg_create_task(read_and_check, &transfers[2]),
                               jg_create_task(read_and_check, &transfers[3])),
                     0);
    jg_close(pair[0]);
    return jg_close(pair[1]);
}

TASK_TEST(one_write_may_be_larger_than_every_buffer)
{
    const size_t bytes = 48 << 20;
    struct receiver receiver = {0};
    jg_stream *stream = stream_with_peer(&receiver.peer);
    char *data = pattern(bytes);
    jg_task *task = start(receive_to_end, &receiver);
    size_t blocks = jg_allocated_blocks();
    ck_assert_int_eq(jg_write(stream, data, bytes), 0);
    ck_assert_uint_le(jg_allocated_blocks(), blocks + 2); /* no copy */
    free(data);
    ck_assert_int_eq(jg_close(stream), 0);
    ck_assert_int_eq(jg_await(task), 0);
    ck_assert_uint_eq(receiver.count, bytes);
    return 0;
}
