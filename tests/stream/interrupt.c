/* Cancellation and deadlines in every wait. */
#include "support.h"

typedef int stream_call(jg_stream *stream);

static char large[5 << 20], small[64];

static int call_read(jg_stream *stream)
{
    return (int)jg_read(stream, small, sizeof small);
}

static int call_read_exactly(jg_stream *stream)
{
    return (int)jg_read_exactly(stream, small, sizeof small);
}

static int call_read_until(jg_stream *stream)
{
    return (int)jg_read_until(stream, small, sizeof small, "\n");
}

static int call_read_line(jg_stream *stream)
{
    return (int)jg_read_line(stream, small, sizeof small);
}

static int call_peek(jg_stream *stream)
{
    const void *data;
    return (int)jg_peek(stream, &data, 10);
}

static int call_write(jg_stream *stream)
{
    return jg_write(stream, large, sizeof large);
}

static int call_small_write(jg_stream *stream)
{
    return jg_write(stream, small, 10);
}

static int call_writev(jg_stream *stream)
{
    return jg_writev(stream, (struct iovec[]){{large, sizeof large}, {large, sizeof large}}, 2);
}

static int call_printf(jg_stream *stream)
{
    return jg_printf(stream, "%*s", 100000, "x");
}

static int call_drain(jg_stream *stream)
{
    return jg_drain(stream);
}

static int call_flush(jg_stream *stream)
{
    return jg_flush(stream);
}

static stream_call *const calls[] = {
    call_read,   call_read_exactly, call_read_until, call_read_line, call_peek,  call_write,
    call_writev, call_small_write,  call_printf,     call_drain,     call_flush,
};
enum { CALLS = sizeof calls / sizeof *calls };

/* Its queue is full, and it has received nothing: every call waits. */
static jg_stream *stuck_stream(int *peer)
{
    jg_stream *stream = stream_with_small_buffers(peer, 20000);
    do {
        ck_assert_int_eq(jg_try_write(stream, large, 20000 - jg_write_pending(stream)), 0);
        for (int i = 0; i < 20; i++)
            jg_yield();
    } while (jg_write_pending(stream) < 20000);
    jg_set_write_limits(stream, 20000, 100);
    return stream;
}

struct caller {
    stream_call *call;
    jg_stream *stream;
    int error, calls_made;
};

static int call_and_expect(void *arg)
{
    struct caller *caller = arg;
    int result = caller->call(caller->stream);
    caller->calls_made++;
    ck_assert_int_eq(result, -1);
    ck_assert_int_eq(errno, caller->error);
    TEXT_HAS("jg_");
    return 0;
}

TASK_TEST(cancellation_interrupts_every_wait_at_once)
{
    for (int i = 0; i < CALLS; i++) {
        int peer;
        struct caller caller = {calls[i], stuck_stream(&peer), ECANCELED, 0};
        jg_task *task = start(call_and_expect, &caller);
        ck_assert_msg(!jg_task_done(task), "call %d does not wait", i);
        jg_cancel(task);
        ck_assert_int_eq(jg_await(task), 0);
        jg_abort(caller.stream);
        close(peer);
    }
    return 0;
}

TASK_TEST(deadlines_interrupt_every_wait)
{
    for (int i = 0; i < CALLS; i++) {
        int peer;
        jg_stream *stream = stuck_stream(&peer);
        {
            JG_TIMEOUT(deadline, 0.01);
            FAILS(calls[i](stream), ETIMEDOUT);
            ck_assert(jg_timeout_expired(&deadline));
        }
        jg_abort(stream);
        close(peer);
    }
    return 0;
}

static int call_when_cancelled(void *arg)
{
    jg_cancel(jg_current_task());
    return call_and_expect(arg);
}

TASK_TEST(a_cancelled_task_fails_at_the_entry_without_any_effect)
{
    int peer;
    char data[3];
    jg_stream *stream = stream_with_peer(&peer);
    peer_send(peer, "abc\n", 4);
    wait_until_received(jg_fileno(stream), 4);
    for (int i = 0; i < CALLS; i++) {
        struct caller caller = {calls[i], stream, ECANCELED, 0};
        jg_task *task = jg_create_task(call_when_cancelled, &caller);
        ck_assert_int_eq(jg_await(task), 0);
    }
    ck_assert_uint_eq(jg_write_pending(stream), 0);
    ck_assert_int_eq(jg_read_exactly(stream, data, 3), 3);
    ck_assert_mem_eq(data, "abc", 3);
    close(peer);
    return jg_close(stream);
}

TASK_TEST(a_deadline_of_0_fails_at_the_first_wait)
{
    int peer;
    jg_stream *stream = stream_with_peer(&peer);
    {
        JG_TIMEOUT(deadline, 0);
        for (int i = 0; i < CALLS; i++)
            FAILS(calls[i](stream), ETIMEDOUT);
        FAILS_WITH_NULL(jg_open_connection("127.0.0.1", 1), ETIMEDOUT);
        ck_assert_int_eq(jg_try_write(stream, "x", 1), 0); /* never waits */
    }
    close(peer);
    return jg_close(stream);
}

static int read_and_count(void *arg)
{
    char data[10];
    return (int)jg_read(arg, data, sizeof data);
}

/* Data that came in the same turn as the cancellation is returned, or stays. */
TASK_TEST(no_byte_is_lost_when_a_read_is_cancelled_while_data_comes)
{
    for (int yields = 0; yields < 12; yields++) {
        jg_stream *pair[2];
        char data[10];
        stream_pair(pair);
        jg_task *reader = start(read_and_count, pair[0]);
        ck_assert_int_eq(jg_write(pair[1], "abcdef", 6), 0);
        ck_assert_int_eq(jg_flush(pair[1]), 0);
        for (int i = 0; i < yields; i++)
            jg_yield();
        jg_cancel(reader);
        int result = jg_await(reader);
        if (result < 0) {
            ck_assert_int_eq(errno, ECANCELED);
            ck_assert_int_eq(jg_read_exactly(pair[0], data, 6), 6);
        } else {
            ck_assert_int_eq(result, 6);
        }
        jg_close(pair[0]);
        jg_close(pair[1]);
    }
    return 0;
}

static int write_large(void *arg)
{
    return jg_write(arg, large, 1000000);
}

/* The kernel must have let go of the memory of a cancelled write: under ASan a late access would show. */
TASK_TEST(the_memory_of_a_cancelled_write_is_free_when_it_returns)
{
    for (int i = 0; i < 10; i++) {
        int peer;
        jg_stream *stream = stream_with_small_buffers(&peer, 0);
        jg_task *writer = start(write_large, stream);
        ck_assert(!jg_task_done(writer));
        jg_cancel(writer);
        FAILS(jg_await(writer), ECANCELED);
        memset(large, '!', sizeof large);
        char data[4096];
        jg_abort(stream);
        for (ssize_t n; (n = recv(peer, data, sizeof data, MSG_DONTWAIT)) > 0;)
            for (ssize_t k = 0; k < n; k++)
                ck_assert_int_eq(data[k], 0);
        memset(large, 0, sizeof large);
        close(peer);
    }
    return 0;
}
