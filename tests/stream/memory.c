/* Running out of memory: ENOMEM, nothing lost that was promised, nothing leaked. */
#include "support.h"

/* The loop has what it needs to receive, and the task its error text. */
static jg_stream *warm_stream(int *peer)
{
    char byte;
    jg_stream *stream = stream_with_peer(peer);
    peer_send(*peer, "x", 1);
    ck_assert_int_eq(jg_read(stream, &byte, 1), 1);
    FAILS(jg_read(stream, NULL, 1), EINVAL);
    return stream;
}

static int lose_input(void *arg)
{
    (void)arg;
    int peer;
    char data[10];
    jg_stream *stream = warm_stream(&peer);
    fail_allocations_after(0);
    peer_send(peer, "abc", 3);
    jg_sleep(0.05); /* nobody reads: there is no buffer to receive into */
    fail_allocations_after(-1);
    FAILS(jg_read(stream, data, sizeof data), ENOMEM);
    ck_assert_int_eq(jg_read(stream, data, sizeof data), 0); /* and nothing that would pass for the rest */
    close(peer);
    jg_close(stream);
    return 0;
}

TEST(reading_without_memory_for_the_buffer_breaks_the_stream_with_ENOMEM)
{
    install_failing_allocator();
    RUN(lose_input, NULL);
}

static int drain_in_vain(void *arg)
{
    FAILS(jg_flush(arg), EPIPE);
    return 0;
}

static int lose_input_while_sending(void *arg)
{
    (void)arg;
    int peer;
    static char data[50000];
    jg_stream *stream = stream_with_small_buffers(&peer, 100000);
    ck_assert_int_eq(jg_write(stream, data, 30000), 0);
    ck_assert_int_eq(jg_write(stream, data, 30000), 0);
    jg_task *flusher = start(drain_in_vain, stream);
    ck_assert_uint_gt(jg_write_pending(stream), 0);
    fail_allocations_after(0);
    peer_send(peer, "abc", 3);
    jg_sleep(0.05);
    fail_allocations_after(-1);
    ck_assert_int_eq(jg_await(flusher), 0);
    close(peer);
    FAILS(jg_close(stream), EPIPE);
    return 0;
}

TEST(flushing_fails_when_the_stream_breaks_for_want_of_memory)
{
    install_failing_allocator();
    RUN(lose_input_while_sending, NULL);
}

static int read_directly(void *arg)
{
    char data[10];
    ck_assert_int_eq(jg_read_exactly(arg, data, 10), 10);
    ck_assert_mem_eq(data, "0123456789", 10);
    return 0;
}

static int read_without_memory(void *arg)
{
    (void)arg;
    int peer;
    jg_stream *stream = warm_stream(&peer);
    jg_task *reader = start(read_directly, stream);
    fail_allocations_after(0);
    peer_send(peer, "01234", 5);
    jg_sleep(0.02);
    peer_send(peer, "56789", 5);
    ck_assert_int_eq(jg_await(reader), 0); /* a reader that waits needs none */
    fail_allocations_after(-1);
    close(peer);
    return jg_close(stream);
}

TEST(a_waiting_reader_needs_no_memory)
{
    install_failing_allocator();
    RUN(read_without_memory, NULL);
}

static int write_without_memory(void *arg)
{
    (void)arg;
    struct receiver receiver = {0};
    jg_stream *stream = warm_stream(&receiver.peer);
    char *data = pattern(100000);
    fail_allocations_after(0);
    FAILS(jg_write(stream, data, 100), ENOMEM);
    TEXT_HAS("jg_write");
    FAILS(jg_try_write(stream, data, 100), ENOMEM);
    FAILS(jg_printf(stream, "x"), ENOMEM);
    FAILS(jg_printf(stream, "%5000s", "x"), ENOMEM);
    static struct iovec pieces[2000];
    for (int i = 0; i < 2000; i++)
        pieces[i] = (struct iovec){data, 40};
    FAILS(jg_writev(stream, pieces, 2000), ENOMEM);
    ck_assert_str_eq(jg_peername(stream), "");
    ck_assert_int_eq(jg_write(stream, data, 100000), 0); /* from the caller's memory: it needs none */
    fail_allocations_after(-1);
    ck_assert_int_eq(jg_close(stream), 0);
    ck_assert_int_eq(receive_to_end(&receiver), 0);
    ck_assert_uint_eq(receiver.count, 100000); /* of the failed writes nothing was sent */
    free(data);
    return 0;
}

TEST(writing_without_memory_fails_with_ENOMEM_and_writes_nothing)
{
    install_failing_allocator();
    RUN(write_without_memory, NULL);
}

static int echo(jg_stream *client, void *arg)
{
    char line[100];
    ssize_t n;
    (void)arg;
    while ((n = jg_read_line(client, line, sizeof line)) > 0)
        if (jg_write(client, line, (size_t)n) < 0)
            return -1;
    return (int)n;
}

static void memory_returns(const int *unused)
{
    (void)unused;
    fail_allocations_after(-1);
}

/* A whole conversation; it may fail when memory does. */
static int converse(void *arg)
{
    char line[100];
    jg_autoptr(jg_server) server = jg_start_server(echo, NULL, "127.0.0.1", 0);
    if (!server)
        return -1;
    jg_autoptr(jg_stream) stream = jg_open_connection("127.0.0.1", jg_server_port(server), .local_host = "127.0.0.1");
    __attribute__((cleanup(memory_returns), unused)) int before_the_others;
    if (!stream || !*jg_peername(stream) || jg_printf(stream, "%s %d\n", "line", 1) < 0 ||
        jg_write(stream, "two\n", 4) < 0)
        return -1;
    JG_TIMEOUT(deadline, *(double *)arg);
    for (int i = 0; i < 2; i++)
        if (jg_read_line(stream, line, sizeof line) <= 0)
            return -1;
    return jg_write_eof(stream) == 0 && jg_read(stream, line, 1) == 0 ? 0 : -1;
}

/* Returns whether the allocation failed at all. */
static bool converse_without(long k, bool once, double limit)
{
    keep_reports();
    fail_allocations_after(k);
    fail_only_one(once);
    int result = jg_run(converse, &limit);
    bool failed = allocation_failed();
    fail_allocations_after(-1);
    ck_assert_msg(jg_allocated_blocks() == 0, "allocation %ld: %zu blocks are left", k, jg_allocated_blocks());
    ck_assert(failed || result == 0);
    return failed;
}

TEST(one_allocation_that_fails_leaks_nothing)
{
    install_failing_allocator();
    for (long k = 0; converse_without(k, true, 5); k++)
        ck_assert_int_lt(k, 500);
}

TEST(allocations_that_fail_from_some_moment_on_leak_nothing)
{
    install_failing_allocator();
    for (long k = 0; converse_without(k, false, 0.05); k++)
        ck_assert_int_lt(k, 500);
}
