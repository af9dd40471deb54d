/* What comes in: order, the owner's memory, pausing, half-close and resets. */
#include "support.h"

#include "transport/transport.h"

static void open_side(jg_loop *loop, struct side *side, int pair[2], const jg_protocol *protocol)
{
    tcp_pair(pair);
    side->transport = jg_transport_from_fd(loop, pair[0], protocol, side);
    ck_assert_ptr_nonnull(side->transport);
    RUN_UNTIL(loop, side->made);
}

/* Sends the pattern through the bare socket while the loop runs. */
static void send_pattern(jg_loop *loop, int fd, size_t bytes)
{
    char *data = pattern(bytes);
    for (size_t sent = 0; sent < bytes;) {
        ssize_t count = send(fd, data + sent, bytes - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        REQUIRE(count > 0 || errno == EAGAIN);
        sent += count > 0 ? (size_t)count : 0;
        REQUIRE(jg_loop_run_once(loop, 0) == 0);
    }
    free(data);
}

TEST(every_byte_arrives_in_order)
{
    enum { BYTES = 3 << 20 };
    int pair[2];
    struct side side = {.kept = malloc(BYTES)};
    jg_loop *loop = new_loop();
    open_side(loop, &side, pair, &side_protocol);
    send_pattern(loop, pair[1], BYTES);
    RUN_UNTIL(loop, side.received == BYTES);
    check_pattern(side.kept, 0, BYTES);
    ck_assert_str_eq(side.order, "MD");
    close(pair[1]);
    finish_side(loop, &side);
    jg_loop_close(loop);
}

TEST(the_owners_memory_is_filled_in_pieces_of_its_size)
{
    enum { BYTES = 300000 };
    static const size_t sizes[] = {1000, 7, 65536};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int pair[2];
        struct side side = {.kept = malloc(BYTES), .offer = malloc(sizes[i]), .offer_size = sizes[i]};
        jg_loop *loop = new_loop();
        open_side(loop, &side, pair, &side_protocol_with_buffer);
        send_pattern(loop, pair[1], BYTES);
        RUN_UNTIL(loop, side.received == BYTES);
        check_pattern(side.kept, 0, BYTES);
        ck_assert_str_eq(side.order, "MB");
        ck_assert_uint_ge(side.deliveries, BYTES / sizes[i]);
        close(pair[1]);
        finish_side(loop, &side);
        jg_loop_close(loop);
    }
}

TEST(without_memory_of_the_owners_bytes_are_shown)
{
    int pair[2];
    struct side side = {.kept = malloc(16)};
    jg_loop *loop = new_loop();
    open_side(loop, &side, pair, &side_protocol_with_buffer);
    ck_assert_int_eq(send(pair[1], "shown", 5, 0), 5);
    RUN_UNTIL(loop, side.received == 5);
    ck_assert_mem_eq(side.kept, "shown", 5);
    ck_assert_str_eq(side.order, "MD");
    close(pair[1]);
    finish_side(loop, &side);
    jg_loop_close(loop);
}

static void offer_less(struct side *side, const char *data, size_t bytes)
{
    (void)data;
    side->offer_size = side->offer_size > bytes ? side->offer_size - bytes : 0;
}

TEST(memory_that_runs_out_is_followed_by_data_received)
{
    enum { BYTES = 5000 };
    int pair[2];
    struct side side = {.kept = malloc(BYTES), .offer = malloc(100), .offer_size = 100, .on_data = offer_less};
    jg_loop *loop = new_loop();
    open_side(loop, &side, pair, &side_protocol_with_buffer);
    send_pattern(loop, pair[1], BYTES);
    RUN_UNTIL(loop, side.received == BYTES);
    check_pattern(side.kept, 0, BYTES);
    ck_assert_str_eq(side.order, "MBD");
    close(pair[1]);
    finish_side(loop, &side);
    jg_loop_close(loop);
}

TEST(after_the_peers_end_of_file_writing_goes_on)
{
    int pair[2];
    char data[6];
    struct side side = {0};
    jg_loop *loop = new_loop();
    open_side(loop, &side, pair, &side_protocol);
    ck_assert_int_eq(send(pair[1], "bye", 3, 0), 3);
    shutdown(pair[1], SHUT_WR);
    RUN_UNTIL(loop, side.ends);
    run_some(loop);
    ck_assert_int_eq(side.ends, 1);
    ck_assert_str_eq(side.order, "MDE");
    ck_assert(!jg_transport_is_closing(side.transport));
    ck_assert_int_eq(jg_transport_write(side.transport, "answer", 6), 0);
    receive_exactly(loop, pair[1], data, 6);
    ck_assert_mem_eq(data, "answer", 6);
    jg_transport_close(side.transport);
    RUN_UNTIL(loop, side.lost);
    ck_assert_int_eq(side.error, 0);
    ck_assert_int_eq(receive_end(loop, pair[1], NULL), 0);
    close(pair[1]);
    jg_loop_close(loop);
}

static void pause_it(struct side *side)
{
    jg_transport_pause_reading(side->transport);
}

TEST(nothing_is_delivered_before_reading_is_resumed)
{
    int pair[2];
    struct side side = {.kept = malloc(16), .on_made = pause_it};
    jg_loop *loop = new_loop();
    open_side(loop, &side, pair, &side_protocol);
    ck_assert_int_eq(send(pair[1], "later", 5, 0), 5);
    shutdown(pair[1], SHUT_WR);
    run_some(loop);
    ck_assert_str_eq(side.order, "M");
    jg_transport_resume_reading(side.transport);
    ck_assert_uint_eq(side.received, 0);
    RUN_UNTIL(loop, side.ends);
    ck_assert_mem_eq(side.kept, "later", 5);
    close(pair[1]);
    finish_side(loop, &side);
    jg_loop_close(loop);
}

TEST(a_paused_transport_leaves_the_bytes_in_the_kernel)
{
    enum { BYTES = 64 << 20 };
    int pair[2];
    struct side side = {0};
    static char data[1 << 16];
    size_t sent = 0;
    jg_loop *loop = new_loop();
    open_side(loop, &side, pair, &side_protocol);
    jg_transport_pause_reading(side.transport);
    for (int full = 0; full < 50 && sent < BYTES;) {
        ssize_t count = send(pair[1], data, sizeof data, MSG_DONTWAIT);
        full = count > 0 ? 0 : full + 1;
        sent += count > 0 ? (size_t)count : 0;
        REQUIRE(jg_loop_run_once(loop, 0) == 0);
    }
    ck_assert_uint_lt(sent, BYTES);
    ck_assert_uint_lt(side.received, 1 << 20); /* some was on its way */
    size_t before = side.received;
    run_some(loop);
    ck_assert_uint_eq(side.received, before);
    jg_transport_resume_reading(side.transport);
    RUN_UNTIL(loop, side.received == sent);
    close(pair[1]);
    finish_side(loop, &side);
    jg_loop_close(loop);
}

static void pause_for_a_moment(struct side *side, const char *data, size_t bytes)
{
    (void)data;
    (void)bytes;
    jg_transport_pause_reading(side->transport);
    if (side->deliveries % 3 == 0)
        jg_transport_resume_reading(side->transport);
    if (side->deliveries % 6 == 0)
        jg_transport_pause_reading(side->transport);
}

TEST(pausing_and_resuming_at_any_moment_loses_no_byte)
{
    enum { BYTES = 2 << 20 };
    int pair[2];
    struct side side = {.kept = malloc(BYTES), .on_data = pause_for_a_moment};
    char *data = pattern(BYTES);
    jg_loop *loop = new_loop();
    open_side(loop, &side, pair, &side_protocol);
    size_t sent = 0;
    for (int turn = 0; side.received < BYTES; turn++) {
        REQUIRE(turn < 1000000);
        size_t part = BYTES - sent < 5000 ? BYTES - sent : 5000;
        ssize_t count = part ? send(pair[1], data + sent, part, MSG_DONTWAIT) : 0;
        sent += count > 0 ? (size_t)count : 0;
        REQUIRE(jg_loop_run_once(loop, 0) == 0);
        if (turn % 2)
            jg_transport_resume_reading(side.transport);
        if (turn % 5 == 0)
            jg_transport_pause_reading(side.transport);
        if (turn % 10 == 0)
            jg_transport_resume_reading(side.transport);
    }
    check_pattern(side.kept, 0, BYTES);
    free(data);
    close(pair[1]);
    finish_side(loop, &side);
    jg_loop_close(loop);
}

TEST(pause_and_resume_within_a_turn_cost_no_operation)
{
    int pair[2];
    jg_loop_statistics before, after;
    struct side side = {0};
    jg_loop *loop = new_loop();
    open_side(loop, &side, pair, &side_protocol);
    run_some(loop);
    jg_loop_get_statistics(loop, &before);
    for (int i = 0; i < 100; i++) {
        jg_transport_pause_reading(side.transport);
        jg_transport_resume_reading(side.transport);
    }
    run_some(loop);
    jg_loop_get_statistics(loop, &after);
    ck_assert_uint_eq(after.operations, before.operations);
    ck_assert_uint_eq(after.registrations, before.registrations);
    close(pair[1]);
    finish_side(loop, &side);
    jg_loop_close(loop);
}

TEST(a_peers_reset_is_lost_with_econnreset_after_the_data)
{
    int pair[2];
    struct side side = {0};
    jg_loop *loop = new_loop();
    open_side(loop, &side, pair, &side_protocol);
    ck_assert_int_eq(send(pair[1], "last words", 10, 0), 10);
    RUN_UNTIL(loop, side.received == 10);
    reset_fd(pair[1]);
    RUN_UNTIL(loop, side.lost);
    ck_assert_int_eq(side.error, ECONNRESET);
    ck_assert_str_eq(side.order, "MDL");
    jg_loop_close(loop);
}

TEST(a_reset_does_not_concern_other_connections)
{
    int first[2], second[2];
    struct side one = {0}, other = {.kept = malloc(8)};
    jg_loop *loop = new_loop();
    open_side(loop, &one, first, &side_protocol);
    open_side(loop, &other, second, &side_protocol);
    reset_fd(first[1]);
    ck_assert_int_eq(send(second[1], "alive", 5, 0), 5);
    RUN_UNTIL(loop, one.lost && other.received == 5);
    ck_assert_int_eq(other.lost, 0);
    close(second[1]);
    finish_side(loop, &other);
    jg_loop_close(loop);
}

static void close_it(struct side *side, const char *data, size_t bytes)
{
    (void)data;
    (void)bytes;
    jg_transport_close(side->transport);
}

static void abort_it(struct side *side, const char *data, size_t bytes)
{
    (void)data;
    (void)bytes;
    jg_transport_abort(side->transport);
}

static void end_while_data_comes(void (*on_data)(struct side *, const char *, size_t), const jg_protocol *protocol)
{
    int pair[2];
    static char data[200000];
    struct side side = {.on_data = on_data, .offer = malloc(100), .offer_size = 100};
    jg_loop *loop = new_loop();
    open_side(loop, &side, pair, protocol);
    ck_assert_int_gt(send(pair[1], data, sizeof data, MSG_DONTWAIT), 0);
    shutdown(pair[1], SHUT_WR);
    RUN_UNTIL(loop, side.lost);
    ck_assert_uint_eq(side.deliveries, 1);
    ck_assert_int_eq(side.ends, 0);
    ck_assert_int_eq(side.error, 0);
    close(pair[1]);
    finish_side(loop, &side);
    jg_loop_close(loop);
}

TEST(close_inside_a_delivery_is_the_last_delivery)
{
    end_while_data_comes(close_it, &side_protocol);
    end_while_data_comes(close_it, &side_protocol_with_buffer);
}

TEST(abort_inside_a_delivery_is_the_last_delivery)
{
    end_while_data_comes(abort_it, &side_protocol);
    end_while_data_comes(abort_it, &side_protocol_with_buffer);
}

TEST(what_the_peer_sent_before_its_reset_survives_a_failed_write)
{
    int pair[2];
    struct side side = {.kept = malloc(64)};
    jg_loop *loop = new_loop();
    open_side(loop, &side, pair, &side_protocol);
    ck_assert_int_eq(jg_transport_write(side.transport, "request", 7), 0);
    run_some(loop);
    ck_assert_int_eq(send(pair[1], "too large", 9, 0), 9);
    close(pair[1]); /* with the request unread: the kernel resets */
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(jg_transport_write(side.transport, "more", 4), 0);
    jg_transport_flush(side.transport);
    RUN_UNTIL(loop, side.lost);
    ck_assert_uint_eq(side.received, 9);
    ck_assert_mem_eq(side.kept, "too large", 9);
    ck_assert(side.error == EPIPE || side.error == ECONNRESET);
    finish_side(loop, &side);
    jg_loop_close(loop);
}

TEST(read_now_takes_what_is_there_on_epoll_and_leaves_it_to_io_uring)
{
    int pair[2];
    char data[64];
    struct side side = {.on_made = pause_it};
    jg_loop *loop = new_loop();
    open_side(loop, &side, pair, &side_protocol);
    ck_assert_int_eq(jg__transport_read_now(side.transport, data, sizeof data), -1);
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_int_eq(send(pair[1], "directly", 8, 0), 8);
    run_some(loop);
    ssize_t count = jg__transport_read_now(side.transport, data, sizeof data);
    if (on_epoll(loop)) {
        ck_assert_int_eq(count, 8);
        ck_assert_mem_eq(data, "directly", 8);
        shutdown(pair[1], SHUT_WR);
        run_some(loop);
        ck_assert_int_eq(jg__transport_read_now(side.transport, data, sizeof data), 0);
        ck_assert_int_eq(jg__transport_read_now(side.transport, data, sizeof data), 0);
    } else {
        ck_assert_int_eq(count, -1);
        ck_assert_int_eq(errno, EAGAIN);
    }
    jg_transport_resume_reading(side.transport);
    run_some(loop);
    ck_assert_uint_eq(side.received, on_epoll(loop) ? 0 : 8);
    ck_assert_int_eq(side.ends, 0);
    close(pair[1]);
    finish_side(loop, &side);
    jg_loop_close(loop);
}

TEST(read_now_reports_a_reset_once_and_the_connection_is_lost)
{
    int pair[2];
    char data[8];
    struct side side = {.on_made = pause_it};
    jg_loop *loop = new_loop();
    open_side(loop, &side, pair, &side_protocol);
    run_some(loop);
    reset_fd(pair[1]);
    if (on_epoll(loop)) {
        ck_assert_int_eq(jg__transport_read_now(side.transport, data, sizeof data), -1);
        ck_assert_int_eq(errno, ECONNRESET);
        ck_assert_int_eq(side.lost, 0);
    } else {
        jg_transport_resume_reading(side.transport);
    }
    RUN_UNTIL(loop, side.lost);
    ck_assert_int_eq(side.error, ECONNRESET);
    finish_side(loop, &side);
    jg_loop_close(loop);
}

static void read_more_now(struct side *side, const char *data, size_t bytes)
{
    (void)data;
    (void)bytes;
    ssize_t count = jg__transport_read_now(side->transport, side->kept + side->received, 3000);
    if (count > 0)
        side->received += (size_t)count;
}

TEST(read_now_between_deliveries_keeps_the_order)
{
    enum { BYTES = 1 << 20 };
    int pair[2];
    struct side side = {.kept = malloc(BYTES + 3000), .on_data = read_more_now};
    jg_loop *loop = new_loop();
    open_side(loop, &side, pair, &side_protocol);
    send_pattern(loop, pair[1], BYTES);
    RUN_UNTIL(loop, side.received == BYTES);
    check_pattern(side.kept, 0, BYTES);
    close(pair[1]);
    finish_side(loop, &side);
    jg_loop_close(loop);
}
