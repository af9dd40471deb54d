/* A peer that sends more than is wanted. */
#include "outcome.h"

#include <stdlib.h>

struct flood {
    jg_operation operation;
    jg_loop *loop;
    size_t received, cancel_after;
    bool done;
    int result;
};

static char flood_byte(size_t place)
{
    return (char)(place * 31 + place / 4099);
}

static void take_flood(jg_operation *operation, int result)
{
    struct flood *flood = operation->arg;
    if (!operation->more) {
        flood->done = true;
        flood->result = result;
        return;
    }
    const char *data = operation->buffer;
    for (size_t i = 0; i < operation->length; i++)
        if (data[i] != flood_byte(flood->received + i))
            ck_abort_msg("byte %zu is wrong", flood->received + i);
    flood->received += operation->length;
    if (flood->cancel_after && flood->received >= flood->cancel_after)
        jg_cancel_operation(flood->loop, operation);
}

static void pour(struct flood *flood, int fd, size_t size)
{
    static char data[100000];
    size_t sent = 0;
    while (sent < size && !flood->done) {
        size_t part = size - sent < sizeof data ? size - sent : sizeof data;
        for (size_t i = 0; i < part; i++)
            data[i] = flood_byte(sent + i);
        ssize_t count = write(fd, data, part);
        if (count > 0)
            sent += (size_t)count;
        else
            ck_assert_int_eq(jg_loop_run_once(flood->loop, 0.01), 0);
    }
}

static void start_flood(struct flood *flood, jg_loop *loop, int fd)
{
    flood->loop = loop;
    flood->operation =
        (jg_operation){.opcode = JG_OP_RECV, .fd = fd, .done = take_flood, .arg = flood, .multishot = true};
    jg_submit(loop, &flood->operation);
}

TEST(a_flood_is_received_in_large_pieces_and_a_trickle_after_it)
{
    enum { SIZE = 8 << 20 };
    int pair[2];
    make_pair(pair);
    jg_loop *loop = new_loop();
    struct flood flood = {0};
    jg_loop_statistics statistics;
    start_flood(&flood, loop, pair[0]);
    pour(&flood, pair[1], SIZE);
    while (flood.received < SIZE)
        ck_assert_int_eq(jg_loop_run_once(loop, 5), 0);
    jg_loop_get_statistics(loop, &statistics);
    ck_assert_uint_lt(statistics.buffers_received, SIZE / 4096 / 2);
    for (size_t place = SIZE; place < SIZE + 50; place++) {
        ck_assert_int_eq(write(pair[1], &(char){flood_byte(place)}, 1), 1);
        while (flood.received <= place)
            ck_assert_int_eq(jg_loop_run_once(loop, 5), 0);
    }
    close(pair[1]);
    run_until(loop, &flood.done);
    ck_assert_int_eq(flood.result, 0);
    jg_loop_close(loop);
    close(pair[0]);
}

TEST(a_flood_can_be_cancelled_at_any_point)
{
    for (size_t after = 1; after < 400000; after += 9973) {
        int pair[2];
        make_pair(pair);
        jg_loop *loop = new_loop();
        struct flood flood = {.cancel_after = after};
        start_flood(&flood, loop, pair[0]);
        pour(&flood, pair[1], 1 << 20);
        run_until(loop, &flood.done);
        ck_assert_int_eq(flood.result, -ECANCELED);
        ck_assert_uint_ge(flood.received, after);
        jg_loop_close(loop);
        close_pair(pair);
    }
}

/* A quick send of which the kernel takes a part goes on when there is room, and everything arrives in order. */
