/* What a message costs, by the loop's own counters. */
#include "support.h"

static void echo(struct side *side, const char *data, size_t bytes)
{
    REQUIRE(jg_transport_write(side->transport, data, bytes) == 0);
}

static jg_loop_statistics statistics_of(jg_loop *loop)
{
    jg_loop_statistics statistics;
    jg_loop_get_statistics(loop, &statistics);
    return statistics;
}

/* Round trips of a message between the bare socket and a transport that echoes. */
static void exchange(jg_loop *loop, int fd, int rounds)
{
    static char data[1024];
    for (int i = 0; i < rounds; i++) {
        REQUIRE(send(fd, data, sizeof data, 0) == sizeof data);
        receive_exactly(loop, fd, data, sizeof data);
    }
}

TEST(messages_cost_no_registration_and_no_new_operation)
{
    int pair[2];
    struct side side = {.on_data = echo};
    jg_loop *loop = new_loop();
    tcp_pair(pair);
    ck_assert_ptr_nonnull(jg_transport_from_fd(loop, pair[0], &side_protocol, &side));
    exchange(loop, pair[1], 5);
    jg_loop_statistics before = statistics_of(loop);
    size_t blocks = jg_allocated_blocks();
    exchange(loop, pair[1], 100);
    jg_loop_statistics after = statistics_of(loop);
    ck_assert_uint_eq(side.received, 105 * 1024);
    ck_assert_uint_eq(after.registrations, before.registrations);
    ck_assert_uint_eq(after.multishots_armed, before.multishots_armed);
    ck_assert_uint_eq(jg_allocated_blocks(), blocks);
    if (on_epoll(loop)) {
        ck_assert_uint_eq(after.operations, before.operations); /* each send is done at once */
    } else {
        ck_assert_uint_eq(after.operations - before.operations, 100); /* the sends */
        ck_assert_uint_ge(after.buffers_received - before.buffers_received, 100);
    }
    close(pair[1]);
    finish_side(loop, &side);
    jg_loop_close(loop);
}

TEST(an_idle_turn_costs_a_transport_nothing)
{
    int pair[2];
    struct side side = {0};
    jg_loop *loop = new_loop();
    tcp_pair(pair);
    ck_assert_ptr_nonnull(jg_transport_from_fd(loop, pair[0], &side_protocol, &side));
    RUN_UNTIL(loop, side.made);
    run_some(loop);
    jg_loop_statistics before = statistics_of(loop);
    run_some(loop);
    jg_loop_statistics after = statistics_of(loop);
    ck_assert_uint_eq(after.callbacks, before.callbacks);
    ck_assert_uint_eq(after.operations, before.operations);
    close(pair[1]);
    finish_side(loop, &side);
    jg_loop_close(loop);
}
