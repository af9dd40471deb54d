/* Bugs of the caller abort with a sentence that names the call. */
#include "support.h"

#include <pthread.h>

static jg_stream *closed_stream(void)
{
    int peer;
    jg_stream *stream = stream_with_peer(&peer);
    jg_close(stream);
    jg_stream *next = stream_with_peer(&peer); /* likely in the same memory */
    ck_assert_ptr_ne(next, stream);
    return stream;
}

TASK_TEST_ABORTS(reading_a_closed_stream_aborts, "jg_read: the stream was closed")
{
    char byte;
    return (int)jg_read(closed_stream(), &byte, 1);
}

TASK_TEST_ABORTS(writing_a_closed_stream_aborts, "jg_write: the stream was closed")
{
    return jg_write(closed_stream(), "x", 1);
}

TASK_TEST_ABORTS(closing_twice_aborts, "jg_close: the stream was closed")
{
    return jg_close(closed_stream());
}

TASK_TEST_ABORTS(aborting_after_the_close_aborts, "jg_abort: the stream was closed")
{
    jg_abort(closed_stream());
    return 0;
}

TASK_TEST_ABORTS(asking_a_closed_stream_aborts, "jg_peername: the stream was closed")
{
    jg_peername(closed_stream());
    return 0;
}

TASK_TEST_ABORTS(a_stream_that_is_NULL_aborts, "jg_read_line: the stream is NULL")
{
    char line[10];
    return (int)jg_read_line(NULL, line, sizeof line);
}

TASK_TEST_ABORTS(an_aborted_stream_is_closed, "jg_drain: the stream was closed")
{
    int peer;
    jg_stream *stream = stream_with_peer(&peer);
    jg_abort(stream);
    jg_sleep(0.05);
    return jg_drain(stream);
}

static jg_stream *stream_of_the_test;

static int keep_stream(void *arg)
{
    (void)arg;
    int peer;
    stream_of_the_test = stream_with_peer(&peer);
    return 0;
}

TEST_ABORTS(reading_outside_of_a_run_aborts, "jg_read: called outside jg_run")
{
    char byte;
    RUN(keep_stream, NULL);
    ck_assert_int_eq(jg_read(stream_of_the_test, &byte, 1), 0);
}

TEST_ABORTS(asking_outside_of_a_run_aborts, "jg_sockname: called outside jg_run")
{
    RUN(keep_stream, NULL);
    ck_assert_ptr_nonnull(jg_sockname(stream_of_the_test));
}

static int read_a_strangers_stream(void *arg)
{
    char byte;
    return (int)jg_read(arg, &byte, 1);
}

static void *run_read(void *arg)
{
    RUN(read_a_strangers_stream, arg);
    return NULL;
}

TASK_TEST_ABORTS(a_stream_of_another_thread_aborts, "jg_read: the stream belongs to another thread")
{
    int peer;
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, run_read, stream_with_peer(&peer)), 0);
    return pthread_join(thread, NULL);
}

TEST_ABORTS(connecting_outside_of_a_run_aborts, "jg_open_connection: called outside jg_run")
{
    ck_assert_ptr_null(jg_open_connection("127.0.0.1", 1));
}

TEST_ABORTS(serving_outside_of_a_run_aborts, "jg_start_server: called outside jg_run")
{
    ck_assert_ptr_null(jg_start_server(NULL, NULL, "127.0.0.1", 0));
}

static int handle(jg_stream *client, void *arg)
{
    (void)client;
    jg_server_close(*(jg_server **)arg);
    return 0;
}

TASK_TEST_ABORTS(a_handler_that_closes_its_own_server_aborts, "jg_server_close: called by a handler")
{
    jg_server *server;
    server = jg_start_server(handle, &server, "127.0.0.1", 0);
    jg_stream *stream = jg_open_connection("127.0.0.1", jg_server_port(server));
    (void)stream;
    return jg_sleep(10);
}

static int close_server(void *arg)
{
    jg_server_close(arg);
    return 0;
}

static int hand_over(jg_stream *client, void *arg)
{
    (void)client;
    return jg_await(jg_create_task(close_server, *(jg_server **)arg));
}

TASK_TEST_ABORTS(a_handlers_task_that_closes_the_server_aborts, "jg_server_close: called by a handler")
{
    jg_server *server;
    server = jg_start_server(hand_over, &server, "127.0.0.1", 0);
    jg_stream *stream = jg_open_connection("127.0.0.1", jg_server_port(server));
    (void)stream;
    return jg_sleep(10);
}

static bool was_cancelled;

static int detach_it(jg_stream *client, void *arg)
{
    (void)client;
    jg_detach(jg_create_task(close_server, *(jg_server **)arg));
    FAILS(jg_sleep(1000), ECANCELED);
    was_cancelled = true;
    return 0;
}

TASK_TEST(a_detached_task_of_a_handler_may_close_the_server)
{
    jg_server *server;
    server = jg_start_server(detach_it, &server, "127.0.0.1", 0);
    jg_stream *stream = jg_open_connection("127.0.0.1", jg_server_port(server));
    YIELD_UNTIL(was_cancelled);
    return jg_close(stream);
}

TASK_TEST_ABORTS(a_closed_server_aborts, "jg_server_port: the server was closed")
{
    jg_server *server = jg_start_server(handle, NULL, "127.0.0.1", 0);
    jg_server_close(server);
    return jg_server_port(server);
}

TASK_TEST_ABORTS(a_server_that_is_NULL_aborts, "jg_serve_forever: the server is NULL")
{
    return jg_serve_forever(NULL);
}

static int serve(void *arg)
{
    return jg_serve_forever(arg);
}

TASK_TEST_ABORTS(serving_twice_aborts, "jg_serve_forever: another task")
{
    jg_server *server = jg_start_server(handle, NULL, "127.0.0.1", 0);
    jg_detach(start(serve, server));
    return jg_serve_forever(server);
}

TASK_TEST_ABORTS(serving_a_server_that_was_closed_meanwhile_aborts, "jg_serve_forever: the server was closed")
{
    jg_server *server = jg_start_server(handle, NULL, "127.0.0.1", 0);
    jg_task *serving = jg_create_task(serve, server);
    jg_cancel(serving); /* so that its first wait lets others run */
    jg_yield();
    jg_server_close(server);
    return jg_await(serving);
}

static int read_line(void *arg)
{
    char line[100];
    return (int)jg_read_line(arg, line, sizeof line);
}

TASK_TEST_ABORTS(consuming_while_another_task_reads_aborts, "jg_consume: another task waits in jg_read_line")
{
    int peer;
    const void *shown;
    jg_stream *stream = stream_with_peer(&peer);
    peer_send(peer, "abcdef", 6);
    ck_assert_int_eq(jg_peek(stream, &shown, 6), 6);
    jg_detach(start(read_line, stream));
    jg_consume(stream, 6);
    return 0;
}

static int close_deep(void *arg)
{
    return jg_close(arg);
}

TASK_TEST_ABORTS(closing_inside_call_deep_aborts, "jg_c")
{
    int peer;
    jg_stream *stream = stream_with_small_buffers(&peer, 200000);
    char *data = pattern(190000);
    for (int i = 0; i < 190; i++)
        ck_assert_int_eq(jg_write(stream, data, 1000), 0);
    return jg_call_deep(close_deep, stream);
}
