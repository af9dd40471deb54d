/* Pairs in memory. */
#include "support.h"

static void open_pair(jg_stream *ends[2])
{
    ck_assert_int_eq(jg_stream_pair(&ends[0], &ends[1]), 0);
}

TASK_TEST(a_pair_in_memory_carries_bytes_both_ways)
{
    jg_stream *ends[2];
    char line[20];
    open_pair(ends);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(jg_printf(ends[i], "%s %d\n", "hello", i), 0);
        ck_assert_int_eq(jg_read_line(ends[!i], line, sizeof line), 8);
        ck_assert_int_eq(line[6], '0' + i);
    }
    ck_assert_int_eq(jg_fileno(ends[0]), -1);
    ck_assert_str_eq(jg_peername(ends[0]), "");
    ck_assert_int_eq(jg_write(ends[0], "rest", 4), 0);
    ck_assert_int_eq(jg_close(ends[0]), 0);
    ck_assert_int_eq(jg_read_exactly(ends[1], line, 4), 4);
    ck_assert_int_eq(jg_read(ends[1], line, 4), 0);
    jg_sleep(0);
    FAILS(jg_write(ends[1], "x", 1) < 0 || jg_flush(ends[1]) < 0 ? -1 : 0, EPIPE);
    jg_close(ends[1]);
    return 0;
}

TASK_TEST(a_pair_in_memory_is_half_closed)
{
    jg_stream *ends[2];
    char data[8];
    open_pair(ends);
    ck_assert(jg_can_write_eof(ends[0]));
    ck_assert_int_eq(jg_write(ends[0], "abc", 3), 0);
    ck_assert_int_eq(jg_write_eof(ends[0]), 0);
    FAILS(jg_write(ends[0], "x", 1), EPIPE);
    ck_assert_int_eq(jg_read(ends[1], data, 8), 3);
    ck_assert_int_eq(jg_read(ends[1], data, 8), 0);
    ck_assert_int_eq(jg_write(ends[1], "defg", 4), 0);
    ck_assert_int_eq(jg_read(ends[0], data, 8), 4);
    ck_assert_int_eq(jg_close(ends[1]), 0);
    ck_assert_int_eq(jg_read(ends[0], data, 8), 0);
    return jg_close(ends[0]);
}

TASK_TEST(an_abort_is_a_reset_to_the_peer_in_memory)
{
    jg_stream *ends[2];
    char data[8];
    open_pair(ends);
    ck_assert_int_eq(jg_write(ends[0], "abc", 3), 0);
    jg_sleep(0);
    jg_sleep(0);
    jg_abort(ends[0]);
    ck_assert_int_eq(jg_read(ends[1], data, 8), 3);
    FAILS(jg_read(ends[1], data, 8), ECONNRESET);
    ck_assert_int_eq(jg_read(ends[1], data, 8), 0);
    FAILS(jg_write(ends[1], "x", 1), EPIPE);
    return jg_close(ends[1]);
}

struct transfer {
    jg_stream *stream;
    size_t bytes, step;
};

static int send_pattern(void *arg)
{
    struct transfer *transfer = arg;
    char *data = pattern(transfer->bytes);
    for (size_t sent = 0; sent < transfer->bytes; sent += transfer->step) {
        size_t part = transfer->bytes - sent < transfer->step ? transfer->bytes - sent : transfer->step;
        if (jg_write(transfer->stream, data + sent, part) < 0)
            ck_abort_msg("after %zu bytes: %s", sent, jg_error_text());
    }
    free(data);
    return jg_write_eof(transfer->stream);
}

static int receive_pattern(void *arg)
{
    struct transfer *transfer = arg;
    char *data = malloc(transfer->step);
    size_t count = 0;
    for (ssize_t got; (got = jg_read(transfer->stream, data, transfer->step)) != 0; count += (size_t)got) {
        if (got < 0)
            ck_abort_msg("after %zu bytes: %s", count, jg_error_text());
        check_pattern(data, count, (size_t)got);
    }
    free(data);
    ck_assert_uint_eq(count, transfer->bytes);
    return 0;
}

TASK_TEST(large_transfers_through_memory)
{
    static const size_t steps[] = {7, 1000, 40000, 100000, 3 << 20};
    for (size_t i = 0; i < 5; i++) {
        jg_stream *ends[2];
        open_pair(ends);
        size_t bytes = steps[i] < 100 ? 100000 : 3 << 20;
        struct transfer there[2] = {{ends[0], bytes, steps[i]}, {ends[1], bytes, steps[4 - i]}};
        struct transfer back[2] = {{ends[1], bytes, steps[i]}, {ends[0], bytes, steps[4 - i]}};
        jg_task *tasks[4] = {start(send_pattern, &there[0]), start(send_pattern, &back[0]),
                             start(receive_pattern, &there[1]), start(receive_pattern, &back[1])};
        for (int k = 0; k < 4; k++)
            ck_assert_int_eq(jg_await(tasks[k]), 0);
        ck_assert_int_eq(jg_close(ends[0]), 0);
        ck_assert_int_eq(jg_close(ends[1]), 0);
    }
    return 0;
}

TASK_TEST(a_slow_reader_in_memory_slows_its_writer)
{
    jg_stream *ends[2];
    open_pair(ends);
    jg_set_write_limits(ends[0], 10000, 1000);
    char data[1000] = {0};
    size_t written = 0;
    while (jg_try_write(ends[0], data, sizeof data) == 0) {
        written += sizeof data;
        ck_assert_uint_lt(written, 1 << 20);
        jg_sleep(0);
    }
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_uint_ge(jg_write_pending(ends[0]), 9000);
    {
        JG_TIMEOUT(limit, 0.02);
        FAILS(jg_drain(ends[0]), ETIMEDOUT);
    }
    ck_assert_uint_gt(written, 0);
    char *back = malloc(written);
    ck_assert_int_eq(jg_read_exactly(ends[1], back, written), (ssize_t)written);
    free(back);
    ck_assert_int_eq(jg_drain(ends[0]), 0);
    ck_assert_int_eq(jg_flush(ends[0]), 0);
    ck_assert_int_eq(jg_close(ends[0]), 0);
    return jg_close(ends[1]);
}

static int write_until_cancelled(void *arg)
{
    static char much[1 << 20];
    FAILS(jg_write(arg, much, sizeof much), ECANCELED);
    return 0;
}

TASK_TEST(a_write_in_memory_can_be_cancelled)
{
    jg_stream *ends[2];
    open_pair(ends);
    jg_task *writer = start(write_until_cancelled, ends[0]);
    jg_sleep(0.01);
    jg_cancel(writer);
    ck_assert_int_eq(jg_await(writer), 0);
    FAILS(jg_write(ends[0], "x", 1), EPIPE);
    jg_abort(ends[0]);
    jg_abort(ends[1]);
    return 0;
}

static int read_one(void *arg)
{
    char byte;
    return (int)jg_read(arg, &byte, 1);
}

TASK_TEST(a_reader_in_memory_is_woken_by_every_end)
{
    jg_stream *ends[2];
    open_pair(ends);
    jg_task *reader = start(read_one, ends[0]);
    jg_cancel(reader);
    FAILS(jg_await(reader), ECANCELED);
    reader = start(read_one, ends[0]);
    jg_abort(ends[0]);
    FAILS(jg_await(reader), EBADF);
    jg_abort(ends[1]);
    open_pair(ends);
    reader = start(read_one, ends[0]);
    jg_close(ends[1]);
    ck_assert_int_eq(jg_await(reader), 0);
    jg_close(ends[0]);
    open_pair(ends);
    reader = start(read_one, ends[0]);
    jg_abort(ends[1]);
    FAILS(jg_await(reader), ECONNRESET);
    jg_close(ends[0]);
    return 0;
}

TASK_TEST(pairs_left_behind_are_freed)
{
    jg_stream *ends[2];
    open_pair(ends);
    open_pair(ends);
    ck_assert_int_eq(jg_write(ends[0], "abc", 3), 0);
    return 0;
}

static int pair_without_memory(void *arg)
{
    (void)arg;
    jg_stream *ends[2] = {NULL, NULL};
    for (long allowed = 0;; allowed++) {
        fail_allocations_after(allowed);
        int result = jg_stream_pair(&ends[0], &ends[1]), error = errno;
        fail_allocations_after(-1);
        if (result == 0)
            break;
        ck_assert_int_eq(error, ENOMEM);
        ck_assert_ptr_null(ends[0]);
        ck_assert_int_lt(allowed, 20);
    }
    jg_abort(ends[0]);
    jg_abort(ends[1]);
    return 0;
}

TEST(a_pair_without_memory_is_ENOMEM)
{
    install_failing_allocator();
    fail_allocations_after(-1);
    RUN(pair_without_memory, NULL);
}
