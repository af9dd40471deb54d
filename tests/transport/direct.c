/* Direct writes: straight from the caller's memory, with one answer whatever happens. */
#include "support.h"

#include "transport/transport.h"

struct direct {
    struct jg__direct_write write;
    struct iovec vector[3];
    int calls, error;
    size_t sent;
    int *lost; /* it must come before connection_lost */
};

static void done(struct jg__direct_write *write, int error, size_t sent)
{
    struct direct *direct = write->arg;
    ck_assert_int_eq(direct->calls++, 0);
    ck_assert(!direct->lost || !*direct->lost);
    direct->error = error;
    direct->sent = sent;
}

static int start(struct direct *direct, struct side *side, char *data, size_t bytes)
{
    *direct = (struct direct){.lost = &side->lost};
    direct->vector[0] = (struct iovec){data, bytes / 3};
    direct->vector[1] = (struct iovec){NULL, 0};
    direct->vector[2] = (struct iovec){data + bytes / 3, bytes - bytes / 3};
    direct->write = (struct jg__direct_write){.vector = direct->vector, .count = 3, .done = done, .arg = direct};
    return jg__transport_write_direct(side->transport, &direct->write);
}

static void open_side(jg_loop *loop, struct side *side, int pair[2])
{
    side->transport = jg_transport_from_fd(loop, pair[0], &side_protocol, side);
    ck_assert_ptr_nonnull(side->transport);
    RUN_UNTIL(loop, side->made);
}

enum { BYTES = 8 << 20 };

TEST(a_direct_write_sends_all_and_answers_once)
{
    int pair[2];
    struct direct direct;
    struct side side = {0};
    char *data = pattern(BYTES), *copy = malloc(BYTES);
    jg_loop *loop = new_loop();
    small_tcp_pair(pair);
    open_side(loop, &side, pair);
    size_t blocks = jg_allocated_blocks();
    ck_assert_int_eq(start(&direct, &side, data, BYTES), 0);
    ck_assert_int_eq(direct.calls, 0);
    ck_assert_uint_eq(jg_allocated_blocks(), blocks); /* no copy */
    ck_assert_uint_gt(jg_transport_pending(side.transport), 0);
    receive_exactly(loop, pair[1], copy, BYTES);
    RUN_UNTIL(loop, direct.calls);
    ck_assert_int_eq(direct.error, 0);
    ck_assert_uint_eq(direct.sent, BYTES);
    ck_assert_uint_eq(jg_transport_pending(side.transport), 0);
    ck_assert_mem_eq(copy, data, BYTES);
    free(data);
    free(copy);
    close(pair[1]);
    finish_side(loop, &side);
    jg_loop_close(loop);
}

TEST(a_direct_write_that_the_kernel_takes_at_once_needs_no_answer)
{
    int pair[2];
    struct direct direct;
    struct side side = {0};
    char *data = pattern(1000), copy[1000];
    jg_loop *loop = new_loop();
    tcp_pair(pair);
    open_side(loop, &side, pair);
    int result = start(&direct, &side, data, 1000);
    ck_assert_int_eq(result, on_epoll(loop) ? 1 : 0);
    receive_exactly(loop, pair[1], copy, 1000);
    run_some(loop);
    ck_assert_int_eq(direct.calls, !result);
    ck_assert_mem_eq(copy, data, 1000);
    ck_assert_int_eq(start(&direct, &side, data, 0), 1);
    free(data);
    close(pair[1]);
    finish_side(loop, &side);
    jg_loop_close(loop);
}

TEST(direct_and_copied_writes_keep_their_order)
{
    int pair[2];
    struct direct first, second;
    struct side side = {0};
    char *data = pattern(BYTES), *copy = malloc(BYTES);
    size_t third = BYTES / 3;
    jg_loop *loop = new_loop();
    small_tcp_pair(pair);
    open_side(loop, &side, pair);
    for (size_t i = 0; i < 10; i++)
        ck_assert_int_eq(jg_transport_write(side.transport, data + i * 10, 10), 0);
    ck_assert_int_eq(start(&first, &side, data + 100, third), 0);
    ck_assert_int_eq(jg_transport_write(side.transport, data + 100 + third, 50), 0);
    ck_assert_int_eq(jg_transport_write(side.transport, data + 150 + third, 50), 0);
    ck_assert_int_eq(start(&second, &side, data + 200 + third, third), 0);
    ck_assert_int_eq(jg_transport_write(side.transport, data + 200 + 2 * third, BYTES - 200 - 2 * third), 0);
    receive_exactly(loop, pair[1], copy, BYTES);
    ck_assert_mem_eq(copy, data, BYTES);
    RUN_UNTIL(loop, first.calls && second.calls && jg_transport_pending(side.transport) == 0);
    ck_assert_int_eq(first.error | second.error, 0);
    free(data);
    free(copy);
    close(pair[1]);
    finish_side(loop, &side);
    jg_loop_close(loop);
}

TEST(a_direct_write_in_line_is_taken_back_without_a_trace)
{
    int pair[2];
    struct direct first, second, third;
    struct side side = {0};
    char *data = pattern(BYTES), *copy = malloc(BYTES);
    size_t half = BYTES / 2;
    jg_loop *loop = new_loop();
    small_tcp_pair(pair);
    open_side(loop, &side, pair);
    ck_assert_int_eq(start(&first, &side, data, half), 0);
    ck_assert_int_eq(start(&second, &side, copy, half), 0);
    ck_assert_int_eq(start(&third, &side, data + half, half), 0);
    ck_assert(jg__transport_cancel_direct(side.transport, &second.write));
    receive_exactly(loop, pair[1], copy, BYTES);
    RUN_UNTIL(loop, third.calls);
    ck_assert_mem_eq(copy, data, BYTES);
    ck_assert_int_eq(first.calls, 1);
    ck_assert_int_eq(second.calls, 0);
    ck_assert_int_eq(third.error, 0);
    free(data);
    free(copy);
    close(pair[1]);
    finish_side(loop, &side);
    jg_loop_close(loop);
}

TEST(a_direct_write_cancelled_before_its_first_byte_leaves_the_connection_whole)
{
    int pair[2];
    struct direct full, waiting;
    struct side side = {0};
    static char data[4096];
    char *bulk = pattern(BYTES);
    jg_loop *loop = new_loop();
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    open_side(loop, &side, pair);
    size_t filled = 0;
    for (ssize_t count = 0; count >= 0; filled += count > 0 ? (size_t)count : 0) /* past the transport */
        count = send(pair[0], bulk + filled, 1000, MSG_DONTWAIT);
    ck_assert_int_eq(start(&waiting, &side, data, sizeof data), 0);
    run_some(loop);
    ck_assert_int_eq(waiting.calls, 0);
    ck_assert(!jg__transport_cancel_direct(side.transport, &waiting.write));
    RUN_UNTIL(loop, waiting.calls);
    ck_assert_int_eq(waiting.error, ECANCELED);
    ck_assert_uint_eq(waiting.sent, 0);
    ck_assert_int_eq(side.transport->write_error, 0);
    ck_assert_int_eq(start(&full, &side, bulk + filled, 50000), 0);
    char *copy = malloc(filled + 50000);
    receive_exactly(loop, pair[1], copy, filled + 50000);
    ck_assert_mem_eq(copy, bulk, filled + 50000);
    RUN_UNTIL(loop, full.calls);
    free(bulk);
    free(copy);
    close(pair[1]);
    finish_side(loop, &side);
    jg_loop_close(loop);
}

TEST(a_direct_write_cancelled_in_its_middle_breaks_writing_and_close_resets)
{
    int pair[2];
    struct direct direct, behind;
    struct side side = {.kept = malloc(16)};
    char *data = pattern(BYTES);
    size_t discarded = 0;
    jg_loop *loop = new_loop();
    small_tcp_pair(pair);
    open_side(loop, &side, pair);
    ck_assert_int_eq(start(&direct, &side, data, BYTES), 0);
    ck_assert_int_eq(start(&behind, &side, data, BYTES), 0);
    run_some(loop);
    ck_assert(!jg__transport_cancel_direct(side.transport, &direct.write));
    RUN_UNTIL(loop, direct.calls);
    ck_assert_int_eq(direct.error, ECANCELED);
    ck_assert_uint_gt(direct.sent, 0);
    ck_assert_uint_lt(direct.sent, BYTES);
    RUN_UNTIL(loop, behind.calls);
    ck_assert_int_eq(behind.error, EPIPE);
    ck_assert_uint_eq(behind.sent, 0);
    ck_assert_int_eq(side.transport->write_error, EPIPE);
    ck_assert_int_eq(jg_transport_write(side.transport, "x", 1), -1);
    ck_assert_int_eq(errno, EPIPE);
    ck_assert_int_eq(send(pair[1], "still here", 10, 0), 10); /* reading goes on */
    RUN_UNTIL(loop, side.received == 10);
    jg_transport_close(side.transport);
    RUN_UNTIL(loop, side.lost);
    ck_assert_int_eq(side.error, 0);
    ck_assert_int_eq(receive_end(loop, pair[1], &discarded), ECONNRESET);
    ck_assert_uint_le(discarded, direct.sent);
    free(data);
    close(pair[1]);
    finish_side(loop, &side);
    jg_loop_close(loop);
}

TEST(a_direct_write_on_a_reset_connection_fails)
{
    int pair[2];
    struct direct direct;
    struct side side = {0};
    char *data = pattern(BYTES);
    jg_loop *loop = new_loop();
    small_tcp_pair(pair);
    open_side(loop, &side, pair);
    ck_assert_int_eq(start(&direct, &side, data, BYTES), 0);
    run_some(loop);
    reset_fd(pair[1]);
    RUN_UNTIL(loop, side.lost);
    ck_assert_int_eq(direct.calls, 1);
    ck_assert(direct.error == ECONNRESET || direct.error == EPIPE);
    ck_assert_uint_lt(direct.sent, BYTES);
    free(data);
    jg_loop_close(loop);
}

TEST(abort_answers_every_direct_write_before_connection_lost)
{
    int pair[2];
    struct direct first, second;
    struct side side = {0};
    char *data = pattern(BYTES);
    jg_loop *loop = new_loop();
    small_tcp_pair(pair);
    open_side(loop, &side, pair);
    ck_assert_int_eq(start(&first, &side, data, BYTES), 0);
    ck_assert_int_eq(start(&second, &side, data, BYTES), 0);
    jg_transport_abort(side.transport);
    ck_assert_int_eq(first.calls, 0);
    RUN_UNTIL(loop, side.lost);
    ck_assert_int_eq(first.calls, 1);
    ck_assert_int_eq(second.calls, 1);
    ck_assert_int_eq(first.error, ECANCELED);
    ck_assert_uint_eq(second.sent, 0);
    free(data);
    close(pair[1]);
    jg_loop_close(loop);
}

TEST(a_direct_write_after_close_fails_with_epipe)
{
    int pair[2];
    struct direct direct;
    struct side side = {0};
    char byte = 'x';
    jg_loop *loop = new_loop();
    tcp_pair(pair);
    open_side(loop, &side, pair);
    jg_transport_close(side.transport);
    ck_assert_int_eq(start(&direct, &side, &byte, 1), -1);
    ck_assert_int_eq(errno, EPIPE);
    close(pair[1]);
    RUN_UNTIL(loop, side.lost);
    ck_assert_int_eq(direct.calls, 0);
    jg_loop_close(loop);
}

TEST(close_sends_direct_writes_to_their_end)
{
    int pair[2];
    struct direct direct;
    struct side side = {0};
    char *data = pattern(BYTES), *copy = malloc(BYTES);
    jg_loop *loop = new_loop();
    small_tcp_pair(pair);
    open_side(loop, &side, pair);
    ck_assert_int_eq(start(&direct, &side, data, BYTES), 0);
    jg_transport_close(side.transport);
    receive_exactly(loop, pair[1], copy, BYTES);
    ck_assert_mem_eq(copy, data, BYTES);
    ck_assert_int_eq(receive_end(loop, pair[1], NULL), 0);
    ck_assert_int_eq(direct.calls, 1);
    ck_assert_int_eq(direct.error, 0);
    free(data);
    free(copy);
    close(pair[1]);
    RUN_UNTIL(loop, side.lost);
    jg_loop_close(loop);
}

/* ---- An owner that embeds the transport ---- */

struct owner {
    struct side side;
    jg_transport transport;
    int progress, released;
    size_t least_pending;
};

static void progressed(jg_transport *transport, void *arg)
{
    struct owner *owner = jg__container_of(arg, struct owner, side);
    ck_assert(!owner->side.lost);
    owner->progress++;
    owner->least_pending = jg_transport_pending(transport);
}

static void released(jg_transport *transport)
{
    struct owner *owner = jg__container_of(transport, struct owner, transport);
    ck_assert_int_eq(owner->side.lost, 1);
    owner->released++;
}

static const struct jg__transport_owner owner_calls = {.progress = progressed, .released = released};

TEST(an_embedded_transport_is_released_once_after_everything)
{
    int pair[2];
    static struct owner owner;
    static char data[1 << 20], copy[1 << 20];
    static jg_protocol protocol;
    protocol = side_protocol;
    protocol.connection_made = NULL;
    jg_loop *loop = new_loop();
    small_tcp_pair(pair);
    jg__transport_init(&owner.transport, loop, &protocol, &owner_calls, &owner.side);
    jg__transport_attach(&owner.transport, pair[0]);
    ck_assert_int_eq(jg_transport_write(&owner.transport, data, sizeof data), 0);
    owner.transport.wants_progress = true;
    receive_exactly(loop, pair[1], copy, sizeof copy);
    RUN_UNTIL(loop, jg_transport_pending(&owner.transport) == 0);
    ck_assert_int_gt(owner.progress, 0);
    ck_assert_uint_eq(owner.least_pending, 0);
    jg_transport_close(&owner.transport);
    ck_assert_int_eq(owner.released, 0);
    close(pair[1]);
    RUN_UNTIL(loop, owner.released);
    ck_assert_int_eq(owner.side.error, 0);
    jg_loop_close(loop);
    ck_assert_int_eq(owner.released, 1);
}
