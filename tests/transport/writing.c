/* What goes out: gathering, water marks, half-close, and writing to peers that are slow or gone. */
#include "support.h"

static void open_side(jg_loop *loop, struct side *side, int pair[2])
{
    side->transport = jg_transport_from_fd(loop, pair[0], &side_protocol, side);
    ck_assert_ptr_nonnull(side->transport);
    RUN_UNTIL(loop, side->made);
}

static void write_text(struct side *side, const char *text)
{
    ck_assert_int_eq(jg_transport_write(side->transport, text, strlen(text)), 0);
}

unsigned data_segments_out(int fd); /* segments.c */

TEST(the_writes_of_a_turn_leave_in_one_segment)
{
    int pair[2];
    char data[1003];
    struct side side = {0};
    jg_loop *loop = new_loop();
    tcp_pair(pair);
    open_side(loop, &side, pair);
    unsigned before = data_segments_out(pair[0]);
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(jg_transport_write(side.transport, &(char){byte_at((size_t)i)}, 1), 0);
    struct iovec vector[] = {{"ab", 2}, {NULL, 0}, {"c", 1}};
    ck_assert_int_eq(jg_transport_writev(side.transport, vector, 3), 0);
    ck_assert_uint_eq(jg_transport_pending(side.transport), 1003);
    receive_exactly(loop, pair[1], data, 1003);
    check_pattern(data, 0, 1000);
    ck_assert_mem_eq(data + 1000, "abc", 3);
    ck_assert_uint_eq(data_segments_out(pair[0]) - before, 1);
    run_some(loop);
    ck_assert_uint_eq(jg_transport_pending(side.transport), 0);
    close(pair[1]);
    finish_side(loop, &side);
    jg_loop_close(loop);
}

TEST(writing_nothing_is_allowed)
{
    int pair[2];
    struct side side = {0};
    jg_loop *loop = new_loop();
    tcp_pair(pair);
    open_side(loop, &side, pair);
    errno = 0;
    ck_assert_int_eq(jg_transport_write(side.transport, NULL, 0), 0);
    ck_assert_int_eq(jg_transport_writev(side.transport, NULL, 0), 0);
    ck_assert_int_eq(jg_transport_try_write(side.transport, "", 0), 0);
    ck_assert_uint_eq(jg_transport_pending(side.transport), 0);
    ck_assert_int_eq(errno, 0);
    close(pair[1]);
    finish_side(loop, &side);
    jg_loop_close(loop);
}

/* A producer that stops when told to, over a connection in both directions at once. */
enum { BULK = 8 << 20 };

struct bulk {
    struct side side;
    size_t written;
    bool paused;
};

static const char *bulk_data;

static void produce(struct bulk *bulk)
{
    unsigned seed = (unsigned)bulk->written + 1;
    for (int i = 0; i < 200 && bulk->written < BULK && bulk->side.pauses == bulk->side.resumes; i++) {
        size_t part = (size_t)rand_r(&seed) % (i % 10 == 0 ? 100000 : 2000) + 1;
        if (part > BULK - bulk->written)
            part = BULK - bulk->written;
        if (jg_transport_pending(bulk->side.transport) > 64 * 1024)
            break;
        REQUIRE(jg_transport_write(bulk->side.transport, bulk_data + bulk->written, part) == 0);
        bulk->written += part;
        if (i % 7 == 0)
            jg_transport_flush(bulk->side.transport);
    }
}

static void transfer_both_ways(int pair[2])
{
    struct bulk ends[2] = {{.side.kept = malloc(BULK)}, {.side.kept = malloc(BULK)}};
    char *data = pattern(BULK);
    jg_loop *loop = new_loop();
    bulk_data = data;
    for (int i = 0; i < 2; i++)
        ends[i].side.transport = jg_transport_from_fd(loop, pair[i], &side_protocol, &ends[i].side);
    RUN_UNTIL(loop, ends[0].side.made && ends[1].side.made);
    while (ends[0].side.received < BULK || ends[1].side.received < BULK) {
        produce(&ends[0]);
        produce(&ends[1]);
        REQUIRE(jg_loop_run_once(loop, 1) == 0);
    }
    for (int i = 0; i < 2; i++) {
        ck_assert_mem_eq(ends[i].side.kept, data, BULK);
        ck_assert_int_eq(ends[i].side.lost, 0);
        jg_transport_close(ends[i].side.transport);
    }
    for (int i = 0; i < 2; i++)
        finish_side(loop, &ends[i].side);
    free(data);
    jg_loop_close(loop);
}

TEST(bulk_in_both_directions_at_once_over_tcp)
{
    int pair[2];
    tcp_pair(pair);
    transfer_both_ways(pair);
}

TEST(bulk_in_both_directions_at_once_with_small_buffers)
{
    int pair[2];
    small_tcp_pair(pair);
    transfer_both_ways(pair);
}

TEST(bulk_in_both_directions_at_once_over_a_unix_socket)
{
    int pair[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    transfer_both_ways(pair);
}

TEST(pause_and_resume_writing_come_at_the_water_marks)
{
    enum { BYTES = 4 << 20 };
    int pair[2];
    char *data = pattern(BYTES), *copy = malloc(BYTES);
    struct side side = {0};
    jg_loop *loop = new_loop();
    small_tcp_pair(pair);
    open_side(loop, &side, pair);
    jg_transport_set_write_limits(side.transport, 100000, 50000);
    ck_assert_int_eq(jg_transport_write(side.transport, data, BYTES), 0);
    ck_assert_int_eq(side.pauses, 0); /* not inside the call */
    RUN_UNTIL(loop, side.pauses);
    run_some(loop);
    ck_assert_int_eq(side.pauses, 1);
    ck_assert_int_eq(side.resumes, 0);
    receive_exactly(loop, pair[1], copy, BYTES);
    RUN_UNTIL(loop, side.resumes);
    ck_assert_uint_le(jg_transport_pending(side.transport), 50000);
    ck_assert_mem_eq(copy, data, BYTES);
    ck_assert_str_eq(side.order, "MPR");
    free(data);
    free(copy);
    close(pair[1]);
    finish_side(loop, &side);
    jg_loop_close(loop);
}

TEST(changed_water_marks_take_effect_by_themselves)
{
    int pair[2];
    static char data[1 << 20];
    struct side side = {0};
    jg_loop *loop = new_loop();
    small_tcp_pair(pair);
    open_side(loop, &side, pair);
    jg_transport_set_write_limits(side.transport, 2 << 20, 3 << 20); /* low is clamped */
    ck_assert_int_eq(jg_transport_write(side.transport, data, sizeof data), 0);
    run_some(loop);
    ck_assert_int_eq(side.pauses, 0);
    jg_transport_set_write_limits(side.transport, 1000, 100);
    RUN_UNTIL(loop, side.pauses);
    jg_transport_set_write_limits(side.transport, 2 << 20, 2 << 20);
    RUN_UNTIL(loop, side.resumes);
    close(pair[1]);
    finish_side(loop, &side);
    jg_loop_close(loop);
}

/* Bytes that the library has allocated now, and at most; counted in front of each block. */
static size_t allocated, allocated_most;

static void *counting_reallocate(void *block, size_t bytes, void *arg)
{
    (void)arg;
    size_t *header = block ? (size_t *)block - 2 : NULL;
    size_t before = header ? *header : 0;
    header = realloc(header, bytes + 2 * sizeof *header);
    *header = bytes;
    allocated += bytes - before;
    allocated_most = allocated > allocated_most ? allocated : allocated_most;
    return header + 2;
}

static void *counting_allocate(size_t bytes, void *arg)
{
    return counting_reallocate(NULL, bytes, arg);
}

static void counting_release(void *block, void *arg)
{
    (void)arg;
    size_t *header = (size_t *)block - 2;
    allocated -= *header;
    free(header);
}

static void count_allocations(void)
{
    static const jg_allocator counting = {counting_allocate, counting_reallocate, counting_release, NULL};
    ck_assert_int_eq(jg_set_allocator(&counting), 0);
}

TEST(a_slow_reader_slows_its_producer_and_not_the_memory)
{
    int pair[2];
    static char data[10000];
    struct side side = {0};
    count_allocations();
    jg_loop *loop = new_loop();
    small_tcp_pair(pair);
    open_side(loop, &side, pair);
    run_some(loop);
    size_t before = allocated, written = 0, received = 0;
    allocated_most = 0;
    for (int turn = 0; turn < 5000; turn++) {
        while (side.pauses == side.resumes && jg_transport_try_write(side.transport, data, sizeof data) == 0)
            written += sizeof data;
        ssize_t count = recv(pair[1], data, 1000, MSG_DONTWAIT);
        received += count > 0 ? (size_t)count : 0;
        REQUIRE(jg_loop_run_once(loop, 0) == 0);
    }
    ck_assert_uint_ge(received, 1000000);
    ck_assert_uint_ge(written, received);
    ck_assert_uint_lt(allocated_most - before, 4 * 64 * 1024);
    close(pair[1]);
    finish_side(loop, &side);
    jg_loop_close(loop);
}

TEST(an_idle_connection_holds_no_buffer)
{
    enum { BYTES = 1 << 20 };
    int pair[2];
    char *data = pattern(BYTES);
    struct side side = {0};
    count_allocations();
    jg_loop *loop = new_loop();
    small_tcp_pair(pair);
    open_side(loop, &side, pair);
    ck_assert_int_eq(jg_transport_write(side.transport, "x", 1), 0);
    RUN_UNTIL(loop, jg_transport_pending(side.transport) == 0);
    size_t before = allocated;
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(jg_transport_write(side.transport, data, BYTES), 0);
        ck_assert_uint_gt(allocated, before + BYTES / 2);
        while (jg_transport_pending(side.transport)) {
            if (recv(pair[1], data, BYTES, MSG_DONTWAIT) < 0)
                ck_assert_int_eq(errno, EAGAIN);
            REQUIRE(jg_loop_run_once(loop, 0) == 0);
        }
        ck_assert_uint_le(allocated, before + 4096);
    }
    free(data);
    close(pair[1]);
    finish_side(loop, &side);
    jg_loop_close(loop);
}

TEST(try_write_takes_all_or_nothing)
{
    int pair[2];
    static char data[70000];
    struct side side = {0};
    jg_loop *loop = new_loop();
    small_tcp_pair(pair);
    open_side(loop, &side, pair);
    jg_transport_set_write_limits(side.transport, 1000, 100);
    ck_assert_int_eq(jg_transport_try_write(side.transport, data, 1001), -1);
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_uint_eq(jg_transport_pending(side.transport), 0);
    size_t taken = 0;
    while (jg_transport_try_write(side.transport, data, 1000) == 0) /* what the kernel has room for counts as sent */
        taken += 1000;
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_uint_gt(taken, 1000);
    ck_assert_uint_le(jg_transport_pending(side.transport), 1000);
    ck_assert_uint_gt(jg_transport_pending(side.transport), 0);
    for (; taken; taken -= 1000)
        receive_exactly(loop, pair[1], data, 1000);
    RUN_UNTIL(loop, jg_transport_pending(side.transport) == 0);
    ck_assert_int_eq(jg_transport_try_write(side.transport, data, 1000), 0);
    jg_transport_close(side.transport);
    ck_assert_int_eq(jg_transport_try_write(side.transport, data, 5000), -1);
    ck_assert_int_eq(errno, EPIPE);
    close(pair[1]);
    finish_side(loop, &side);
    jg_loop_close(loop);
}

TEST(writing_after_the_end_fails_with_epipe)
{
    int pair[2];
    struct side side = {0};
    jg_loop *loop = new_loop();
    tcp_pair(pair);
    open_side(loop, &side, pair);
    write_text(&side, "all");
    ck_assert_int_eq(jg_transport_write_eof(side.transport), 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(jg_transport_write(side.transport, "x", 1), -1);
        ck_assert_int_eq(errno, EPIPE);
        ck_assert_int_eq(jg_transport_write_eof(side.transport), -1);
        ck_assert_int_eq(errno, EPIPE);
        ck_assert_ptr_nonnull(strstr(jg_error_text(), i ? "closed" : "half-closed"));
        jg_transport_close(side.transport);
    }
    close(pair[1]);
    finish_side(loop, &side);
    jg_loop_close(loop);
}

TEST(end_of_file_follows_what_is_queued_and_reading_goes_on)
{
    enum { BYTES = 1 << 20 };
    int pair[2];
    char *data = pattern(BYTES), *copy = malloc(BYTES);
    struct side side = {.kept = malloc(16)};
    jg_loop *loop = new_loop();
    small_tcp_pair(pair);
    open_side(loop, &side, pair);
    ck_assert_int_eq(jg_transport_write(side.transport, data, BYTES), 0);
    ck_assert_int_eq(jg_transport_write_eof(side.transport), 0);
    receive_exactly(loop, pair[1], copy, BYTES);
    ck_assert_mem_eq(copy, data, BYTES);
    ck_assert_int_eq(receive_end(loop, pair[1], NULL), 0);
    ck_assert_int_eq(send(pair[1], "thanks", 6, 0), 6);
    RUN_UNTIL(loop, side.received == 6);
    close(pair[1]);
    RUN_UNTIL(loop, side.ends);
    ck_assert_int_eq(side.lost, 0);
    free(data);
    free(copy);
    finish_side(loop, &side);
    jg_loop_close(loop);
}

TEST(end_of_file_with_nothing_queued_leaves_at_once)
{
    int pair[2];
    char byte;
    struct side side = {0};
    jg_loop *loop = new_loop();
    tcp_pair(pair);
    open_side(loop, &side, pair);
    ck_assert_int_eq(jg_transport_write_eof(side.transport), 0);
    usleep(1000);
    ck_assert_int_eq(recv(pair[1], &byte, 1, 0), 0);
    close(pair[1]);
    finish_side(loop, &side);
    jg_loop_close(loop);
}

TEST(without_memory_nothing_is_queued)
{
    int pair[2];
    static char data[100000];
    struct side side = {0};
    fail_allocations_after(-1);
    jg_loop *loop = new_loop();
    tcp_pair(pair);
    open_side(loop, &side, pair);
    fail_allocations_after(0);
    ck_assert_int_eq(jg_transport_write(side.transport, data, sizeof data), -1);
    ck_assert_int_eq(errno, ENOMEM);
    ck_assert_int_eq(jg_transport_write(side.transport, "x", 1), -1);
    ck_assert_int_eq(errno, ENOMEM);
    fail_allocations_after(-1);
    write_text(&side, "first");
    fail_allocations_after(0);
    ck_assert_int_eq(jg_transport_write(side.transport, data, sizeof data), -1);
    ck_assert_int_eq(errno, ENOMEM);
    struct iovec impossible[] = {{data, SIZE_MAX / 2}, {data, SIZE_MAX / 2}, {data, 8}};
    ck_assert_int_eq(jg_transport_writev(side.transport, impossible, 2), -1);
    ck_assert_int_eq(errno, ENOMEM);
    ck_assert_int_eq(jg_transport_writev(side.transport, impossible, 3), -1);
    ck_assert_int_eq(errno, ENOMEM);
    ck_assert_uint_eq(jg_transport_pending(side.transport), 5);
    write_text(&side, " second");
    receive_exactly(loop, pair[1], data, 12);
    ck_assert_mem_eq(data, "first second", 12);
    fail_allocations_after(-1);
    close(pair[1]);
    finish_side(loop, &side);
    jg_loop_close(loop);
}

TEST(a_reset_in_mid_write_is_lost_once_and_writes_fail_with_epipe)
{
    int pair[2];
    static char data[4 << 20];
    struct side side = {0};
    jg_loop *loop = new_loop();
    small_tcp_pair(pair);
    open_side(loop, &side, pair);
    ck_assert_int_eq(jg_transport_write(side.transport, data, sizeof data), 0);
    run_some(loop);
    ck_assert_uint_gt(jg_transport_pending(side.transport), 0);
    reset_fd(pair[1]);
    RUN_UNTIL(loop, side.lost || (jg_transport_write(side.transport, "x", 1) < 0 && errno == EPIPE));
    RUN_UNTIL(loop, side.lost);
    ck_assert_int_eq(side.lost, 1);
    ck_assert(side.error == ECONNRESET || side.error == EPIPE);
    jg_loop_close(loop);
}

TEST(a_reset_while_reading_is_paused_is_noticed_by_writing)
{
    int pair[2];
    struct side side = {0};
    jg_loop *loop = new_loop();
    tcp_pair(pair);
    open_side(loop, &side, pair);
    jg_transport_pause_reading(side.transport);
    run_some(loop);
    reset_fd(pair[1]);
    run_some(loop);
    ck_assert_int_eq(side.lost, 0);
    write_text(&side, "anybody?");
    RUN_UNTIL(loop, side.lost);
    ck_assert(side.error == ECONNRESET || side.error == EPIPE);
    ck_assert_str_eq(side.order, "ML");
    jg_loop_close(loop);
}

static void write_again(struct side *side)
{
    if (side->resumes < 5)
        ck_assert_int_eq(jg_transport_write(side->transport, side->extra, 200000), 0);
}

TEST(resume_writing_may_write)
{
    int pair[2];
    static char data[200000];
    struct side side = {.on_resume = write_again, .extra = data};
    jg_loop *loop = new_loop();
    small_tcp_pair(pair);
    open_side(loop, &side, pair);
    ck_assert_int_eq(jg_transport_write(side.transport, data, 200000), 0);
    static char copy[1000000];
    receive_exactly(loop, pair[1], copy, sizeof copy);
    RUN_UNTIL(loop, side.resumes == 5);
    ck_assert_int_eq(side.pauses, 5);
    close(pair[1]);
    finish_side(loop, &side);
    jg_loop_close(loop);
}

TEST(many_transports_share_the_spare_memory)
{
    enum { COUNT = 300 };
    static struct side sides[COUNT];
    static int pairs[COUNT][2];
    char data[8];
    count_allocations();
    jg_loop *loop = new_loop();
    for (int i = 0; i < COUNT; i++) {
        tcp_pair(pairs[i]);
        open_side(loop, &sides[i], pairs[i]);
    }
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < COUNT; i++)
            write_text(&sides[i], "message");
        for (int i = 0; i < COUNT; i++) {
            receive_exactly(loop, pairs[i][1], data, 7);
            ck_assert_mem_eq(data, "message", 7);
        }
    }
    for (int i = 0; i < COUNT; i++) {
        close(pairs[i][1]);
        finish_side(loop, &sides[i]);
    }
    jg_loop_close(loop);
    ck_assert_uint_eq(allocated, 0);
}

TEST(flush_hands_the_bytes_to_the_kernel_before_the_turn_ends)
{
    int pair[2];
    char data[6] = "";
    struct side side = {0};
    jg_loop *loop = new_loop();
    tcp_pair(pair);
    open_side(loop, &side, pair);
    write_text(&side, "at");
    write_text(&side, "once");
    jg_transport_flush(side.transport);
    usleep(1000);
    ck_assert_int_eq(recv(pair[1], data, sizeof data, 0), 6);
    ck_assert_mem_eq(data, "atonce", 6);
    close(pair[1]);
    finish_side(loop, &side);
    jg_loop_close(loop);
}
