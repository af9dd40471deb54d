/* The end: nothing that was written is lost by a close, an abort is a reset, and connection_lost comes once and last.
 */
#include "support.h"

#include <time.h>

static void open_with(jg_loop *loop, struct side *side, int pair[2])
{
    side->transport = jg_transport_from_fd(loop, pair[0], &side_protocol, side);
    ck_assert_ptr_nonnull(side->transport);
    RUN_UNTIL(loop, side->made);
}

enum { BYTES = 2 << 20 };

TEST(close_sends_what_is_queued_to_a_slow_reader)
{
    int pair[2];
    struct side side = {0};
    char *data = pattern(BYTES), *copy = malloc(BYTES);
    jg_loop *loop = new_loop();
    small_tcp_pair(pair);
    open_with(loop, &side, pair);
    ck_assert_int_eq(jg_transport_write(side.transport, data, BYTES), 0);
    jg_transport_close(side.transport);
    ck_assert(jg_transport_is_closing(side.transport));
    run_some(loop);
    ck_assert_int_eq(side.lost, 0);
    receive_exactly(loop, pair[1], copy, BYTES);
    ck_assert_mem_eq(copy, data, BYTES);
    ck_assert_int_eq(receive_end(loop, pair[1], NULL), 0);
    close(pair[1]);
    RUN_UNTIL(loop, side.lost);
    ck_assert_int_eq(side.error, 0);
    ck_assert_str_eq(side.order, "ML");
    free(data);
    free(copy);
    jg_loop_close(loop);
}

TEST(unread_input_does_not_cost_the_peer_the_end_of_the_answer)
{
    int pair[2];
    struct side side = {0};
    static char request[100000], answer[50000];
    char *data = pattern(sizeof answer);
    jg_loop *loop = new_loop();
    tcp_pair(pair);
    open_with(loop, &side, pair);
    jg_transport_pause_reading(side.transport);
    run_some(loop);
    ck_assert_int_gt(send(pair[1], request, sizeof request, MSG_DONTWAIT), 0);
    ck_assert_int_eq(jg_transport_write(side.transport, data, sizeof answer), 0);
    jg_transport_close(side.transport);
    for (int i = 0; i < 5; i++) { /* the peer goes on sending after the end */
        run_some(loop);
        ck_assert_int_gt(send(pair[1], request, 1000, MSG_DONTWAIT | MSG_NOSIGNAL), 0);
    }
    receive_exactly(loop, pair[1], answer, sizeof answer);
    ck_assert_mem_eq(answer, data, sizeof answer);
    ck_assert_int_eq(receive_end(loop, pair[1], NULL), 0);
    ck_assert_int_eq(side.lost, 0);
    ck_assert_uint_eq(side.received, 0);
    close(pair[1]);
    RUN_UNTIL(loop, side.lost);
    ck_assert_int_eq(side.error, 0);
    free(data);
    jg_loop_close(loop);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

TEST(a_silent_peer_is_lingered_for_one_second)
{
    int pair[2];
    struct side side = {0};
    jg_loop *loop = new_loop();
    tcp_pair(pair);
    open_with(loop, &side, pair);
    double begin = seconds();
    jg_transport_close(side.transport);
    RUN_UNTIL(loop, side.lost);
    ck_assert_double_ge(seconds() - begin, 1.0);
    ck_assert_int_eq(side.error, 0);
    close(pair[1]);
    jg_loop_close(loop);
}

TEST(a_flooding_peer_is_discarded_for_a_mebibyte)
{
    int pair[2];
    struct side side = {0};
    static char flood[1 << 16];
    size_t sent = 0;
    jg_loop *loop = new_loop();
    tcp_pair(pair);
    open_with(loop, &side, pair);
    jg_transport_close(side.transport);
    while (!side.lost) {
        ssize_t count = send(pair[1], flood, sizeof flood, MSG_DONTWAIT | MSG_NOSIGNAL);
        sent += count > 0 ? (size_t)count : 0;
        REQUIRE(jg_loop_run_once(loop, 0) == 0);
    }
    ck_assert_uint_eq(side.received, 0);
    ck_assert_int_eq(side.error, 0);
    ck_assert_uint_gt(sent, 0);
    close(pair[1]);
    jg_loop_close(loop);
}

TEST(after_the_peers_end_close_does_not_linger)
{
    int pair[2];
    struct side side = {0};
    jg_loop *loop = new_loop();
    tcp_pair(pair);
    open_with(loop, &side, pair);
    shutdown(pair[1], SHUT_WR);
    RUN_UNTIL(loop, side.ends);
    ck_assert_int_eq(jg_transport_write(side.transport, "end", 3), 0);
    jg_transport_close(side.transport);
    for (int i = 0; i < 50 && !side.lost; i++) /* no turn waits */
        REQUIRE(jg_loop_run_once(loop, 0) == 0);
    ck_assert_int_eq(side.lost, 1);
    char data[4] = "";
    ck_assert_int_eq(recv(pair[1], data, 3, 0), 3);
    ck_assert_str_eq(data, "end");
    ck_assert_int_eq(receive_end(loop, pair[1], NULL), 0);
    close(pair[1]);
    jg_loop_close(loop);
}

TEST(abort_resets_and_drops_what_is_queued)
{
    int pair[2];
    struct side side = {0};
    static char data[BYTES];
    size_t discarded = 0;
    jg_loop *loop = new_loop();
    small_tcp_pair(pair);
    open_with(loop, &side, pair);
    ck_assert_int_eq(jg_transport_write(side.transport, data, BYTES), 0);
    run_some(loop);
    errno = 0;
    jg_transport_abort(side.transport);
    ck_assert_int_eq(errno, 0);
    ck_assert_int_eq(side.lost, 0);
    RUN_UNTIL(loop, side.lost);
    ck_assert_int_eq(side.error, 0);
    ck_assert_int_eq(receive_end(loop, pair[1], &discarded), ECONNRESET);
    ck_assert_uint_lt(discarded, BYTES);
    close(pair[1]);
    jg_loop_close(loop);
}

TEST(abort_of_an_idle_connection_is_a_reset_too)
{
    int pair[2];
    struct side side = {0};
    jg_loop *loop = new_loop();
    tcp_pair(pair);
    open_with(loop, &side, pair);
    run_some(loop);
    jg_transport_abort(side.transport);
    RUN_UNTIL(loop, side.lost);
    ck_assert_int_eq(receive_end(loop, pair[1], NULL), ECONNRESET);
    close(pair[1]);
    jg_loop_close(loop);
}

TEST(ending_twice_in_any_way_is_ending_once)
{
    for (int ways = 0; ways < 4; ways++) {
        int pair[2];
        struct side side = {0};
        jg_loop *loop = new_loop();
        tcp_pair(pair);
        open_with(loop, &side, pair);
        for (int i = 0; i < 2; i++) {
            if (ways >> i & 1)
                jg_transport_abort(side.transport);
            else
                jg_transport_close(side.transport);
            jg_transport_pause_reading(side.transport);
            jg_transport_resume_reading(side.transport);
            jg_transport_flush(side.transport);
        }
        close(pair[1]);
        RUN_UNTIL(loop, side.lost);
        ck_assert_int_eq(side.error, 0);
        run_some(loop);
        ck_assert_int_eq(side.lost, 1);
        jg_loop_close(loop);
    }
}

TEST(abort_ends_a_close_that_is_under_way)
{
    int pair[2];
    struct side side = {0};
    static char data[BYTES];
    jg_loop *loop = new_loop();
    small_tcp_pair(pair);
    open_with(loop, &side, pair);
    ck_assert_int_eq(jg_transport_write(side.transport, data, BYTES), 0);
    jg_transport_close(side.transport);
    run_some(loop);
    ck_assert_int_eq(side.lost, 0);
    jg_transport_abort(side.transport);
    RUN_UNTIL(loop, side.lost);
    ck_assert_int_eq(side.error, 0);
    ck_assert_int_eq(receive_end(loop, pair[1], NULL), ECONNRESET);
    close(pair[1]);
    jg_loop_close(loop);
}

TEST(a_reset_while_closing_tells_that_data_was_lost)
{
    int pair[2];
    struct side side = {0};
    static char data[BYTES];
    jg_loop *loop = new_loop();
    small_tcp_pair(pair);
    open_with(loop, &side, pair);
    ck_assert_int_eq(jg_transport_write(side.transport, data, BYTES), 0);
    jg_transport_close(side.transport);
    run_some(loop);
    reset_fd(pair[1]);
    RUN_UNTIL(loop, side.lost);
    ck_assert(side.error == ECONNRESET || side.error == EPIPE);
    jg_loop_close(loop);
}

static void close_side(struct side *side)
{
    jg_transport_close(side->transport);
}

TEST(eof_received_may_close)
{
    int pair[2];
    struct side side = {.on_end = close_side};
    jg_loop *loop = new_loop();
    tcp_pair(pair);
    open_with(loop, &side, pair);
    close(pair[1]);
    RUN_UNTIL(loop, side.lost);
    ck_assert_str_eq(side.order, "MEL");
    ck_assert_int_eq(side.error, 0);
    jg_loop_close(loop);
}

TEST(a_new_connection_on_the_same_fd_gets_its_own_bytes_only)
{
    int first[2], second[2];
    struct side one = {0}, other = {.kept = malloc(16)};
    jg_loop *loop = new_loop();
    tcp_pair(first);
    open_with(loop, &one, first);
    ck_assert_int_eq(send(first[1], "stale stale", 11, 0), 11);
    jg_transport_abort(one.transport);
    RUN_UNTIL(loop, one.lost);
    tcp_pair(second);
    int lowest = second[0] < second[1] ? second[0] : second[1];
    ck_assert_int_le(lowest, first[0]); /* the number is used again */
    open_with(loop, &other, second);
    ck_assert_int_eq(send(second[1], "fresh", 5, 0), 5);
    RUN_UNTIL(loop, other.received);
    run_some(loop);
    ck_assert_uint_eq(other.received, 5);
    ck_assert_mem_eq(other.kept, "fresh", 5);
    close(first[1]);
    close(second[1]);
    finish_side(loop, &other);
    jg_loop_close(loop);
}

/* ---- A loop that is closed under its transports; the harness looks for what is left ---- */

TEST(closing_the_loop_releases_open_transports_without_a_call)
{
    int pair[2];
    struct side side = {0};
    static char data[BYTES];
    jg_loop *loop = new_loop();
    small_tcp_pair(pair);
    open_with(loop, &side, pair);
    ck_assert_int_eq(jg_transport_write(side.transport, data, BYTES), 0);
    run_some(loop);
    ck_assert_int_eq(jg_transport_write(side.transport, data, BYTES), 0);
    jg_loop_close(loop);
    ck_assert_int_eq(side.lost, 0);
    while (recv(pair[1], data, sizeof data, MSG_DONTWAIT) > 0) /* the fd is closed */
        ;
    ck_assert(errno != EAGAIN);
    close(pair[1]);
}

static void close_loop_after(int turns, void (*end)(jg_transport *))
{
    int pair[2];
    struct side side = {0};
    static char data[BYTES];
    jg_loop *loop = new_loop();
    small_tcp_pair(pair);
    open_with(loop, &side, pair);
    ck_assert_int_eq(jg_transport_write(side.transport, data, BYTES), 0);
    end(side.transport);
    for (int i = 0; i < turns; i++)
        REQUIRE(jg_loop_run_once(loop, 0) == 0);
    jg_loop_close(loop);
    close(pair[1]);
}

TEST(closing_the_loop_ends_a_close_or_abort_at_any_stage)
{
    for (int turns = 0; turns < 6; turns++) {
        close_loop_after(turns, jg_transport_close);
        close_loop_after(turns, jg_transport_abort);
    }
}

TEST(closing_the_loop_ends_lingering)
{
    int pair[2];
    struct side side = {0};
    jg_loop *loop = new_loop();
    tcp_pair(pair);
    open_with(loop, &side, pair);
    jg_transport_close(side.transport);
    run_some(loop);
    ck_assert_int_eq(side.lost, 0);
    jg_loop_close(loop);
    close(pair[1]);
}

TEST(closing_the_loop_ends_connecting_and_what_never_ran)
{
    int pair[2];
    struct sockaddr_in address;
    struct side side = {0};
    int listener = bare_listener(&address, 1);
    for (int turns = 0; turns < 3; turns++) {
        jg_loop *loop = new_loop();
        tcp_pair(pair);
        ck_assert_ptr_nonnull(
            jg_transport_connect(loop, (struct sockaddr *)&address, sizeof address, &side_protocol, &side));
        ck_assert_ptr_nonnull(jg_transport_from_fd(loop, pair[0], &side_protocol, &side));
        for (int i = 0; i < turns; i++)
            REQUIRE(jg_loop_run_once(loop, 0) == 0);
        jg_loop_close(loop);
        close(pair[1]);
    }
    close(listener);
}

/* The peer's FIN moves a send that waits to a thread of the kernel's, where one cancellation may miss it. */
TEST(closing_the_loop_ends_a_send_whose_peer_has_half_closed)
{
    char *data = pattern(BYTES);
    for (int turns = 0; turns < 3; turns++) {
        int pair[2];
        struct side side = {0};
        jg_loop *loop = new_loop();
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        open_with(loop, &side, pair);
        ck_assert_int_eq(jg_transport_write(side.transport, data, BYTES), 0);
        run_some(loop);
        ck_assert_int_eq(shutdown(pair[1], SHUT_WR), 0);
        for (int i = 0; i < turns; i++)
            REQUIRE(jg_loop_run_once(loop, 0) == 0);
        jg_loop_close(loop);
        close(pair[1]);
    }
    free(data);
}
