/* How servers end. */
#include "support.h"

static int handlers_running, handlers_cancelled, handlers_done;

static int sleep_in_handler(jg_stream *client, void *arg)
{
    (void)client;
    handlers_running++;
    int result = jg_sleep(*(double *)arg);
    handlers_running--;
    if (result < 0) {
        ck_assert_int_eq(errno, ECANCELED);
        handlers_cancelled++;
    } else {
        handlers_done++;
    }
    return result;
}

static jg_stream *connect_to(jg_server *server)
{
    jg_stream *stream = jg_open_connection("127.0.0.1", jg_server_port(server));
    ck_assert_msg(stream, "%s", jg_error_text());
    return stream;
}

static void connect_some(jg_server *server, jg_stream *streams[], int count)
{
    for (int i = 0; i < count; i++)
        streams[i] = connect_to(server);
    YIELD_UNTIL(handlers_running == count);
}

static void close_all(jg_stream *streams[], int count)
{
    for (int i = 0; i < count; i++)
        jg_close(streams[i]);
}

TASK_TEST(closing_without_grace_cancels_and_waits_for_handlers)
{
    double seconds = 1000;
    jg_stream *streams[5];
    jg_server *server = jg_start_server(sleep_in_handler, &seconds, "127.0.0.1", 0);
    int port = jg_server_port(server);
    connect_some(server, streams, 5);
    ck_assert_uint_eq(jg_server_connections(server), 5);
    errno = EXDEV;
    jg_server_close(server);
    ck_assert_int_eq(errno, EXDEV);
    ck_assert_int_eq(handlers_running, 0);
    ck_assert_int_eq(handlers_cancelled, 5);
    FAILS_WITH_NULL(jg_open_connection("127.0.0.1", port), ECONNREFUSED);
    close_all(streams, 5);
    return 0;
}

TASK_TEST(handlers_may_finish_within_the_grace_period)
{
    double seconds = 0.05;
    jg_stream *streams[3];
    jg_server *server = jg_start_server(sleep_in_handler, &seconds, "127.0.0.1", 0, .grace = 1000);
    connect_some(server, streams, 3);
    jg_server_close(server);
    ck_assert_int_eq(handlers_done, 3);
    ck_assert_int_eq(handlers_cancelled, 0);
    close_all(streams, 3);
    return 0;
}

TASK_TEST(handlers_are_cancelled_after_the_grace_period)
{
    double seconds = 1000, begin = jg_loop_time(jg_task_loop());
    jg_stream *streams[3];
    jg_server *server = jg_start_server(sleep_in_handler, &seconds, "127.0.0.1", 0, .grace = 0.05);
    connect_some(server, streams, 3);
    jg_server_close(server);
    ck_assert_double_ge(jg_loop_time(jg_task_loop()) - begin, 0.05);
    ck_assert_int_eq(handlers_cancelled, 3);
    close_all(streams, 3);
    return 0;
}

static int close_server(void *arg)
{
    jg_server_close(arg);
    return 0;
}

TASK_TEST(interrupting_the_close_ends_the_grace_period)
{
    double seconds = 1000;
    jg_stream *streams[3];
    jg_server *server = jg_start_server(sleep_in_handler, &seconds, "127.0.0.1", 0, .grace = 1000);
    connect_some(server, streams, 3);
    jg_task *closer = start(close_server, server);
    ck_assert_int_eq(handlers_running, 3);
    jg_cancel(closer);
    ck_assert_int_eq(jg_await(closer), 0);
    ck_assert_int_eq(handlers_cancelled, 3);
    close_all(streams, 3);
    return 0;
}

static int serve(void *arg)
{
    return jg_serve_forever(arg);
}

TASK_TEST(serve_forever_ends_when_stopped)
{
    double seconds = 0.03;
    jg_stream *streams[2];
    jg_server *server = jg_start_server(sleep_in_handler, &seconds, "127.0.0.1", 0, .paused = true, .grace = 1000);
    jg_task *serving = start(serve, server);
    connect_some(server, streams, 2);
    jg_server_stop(server);
    ck_assert_int_eq(jg_await(serving), 0);
    ck_assert_int_eq(handlers_done, 2);
    close_all(streams, 2);
    return 0;
}

TASK_TEST(a_server_stopped_before_it_serves_returns_at_once)
{
    double seconds = 0;
    jg_server *server = jg_start_server(sleep_in_handler, &seconds, "127.0.0.1", 0);
    jg_server_stop(server);
    ck_assert_int_eq(jg_serve_forever(server), 0);
    return 0;
}

TASK_TEST(a_cancelled_serve_forever_still_grants_the_grace_period)
{
    double seconds = 0.1;
    jg_stream *streams[2];
    jg_server *server = jg_start_server(sleep_in_handler, &seconds, "127.0.0.1", 0, .grace = 1000);
    jg_task *serving = start(serve, server);
    connect_some(server, streams, 2);
    jg_cancel(serving);
    FAILS(jg_await(serving), ECANCELED);
    ck_assert_int_eq(handlers_done, 2);
    close_all(streams, 2);
    return 0;
}

TASK_TEST(serve_forever_honours_a_deadline)
{
    double seconds = 1000;
    jg_stream *streams[1];
    jg_server *server = jg_start_server(sleep_in_handler, &seconds, "127.0.0.1", 0);
    connect_some(server, streams, 1);
    {
        JG_TIMEOUT(deadline, 0.02);
        FAILS(jg_serve_forever(server), ETIMEDOUT);
        TEXT_HAS("jg_serve_forever");
    }
    ck_assert_int_eq(handlers_cancelled, 1);
    close_all(streams, 1);
    return 0;
}

static int stop_from_handler(jg_stream *client, void *arg)
{
    jg_server_stop(*(jg_server **)arg);
    jg_sleep(0.01);
    jg_server_stop(*(jg_server **)arg); /* while it closes */
    return jg_printf(client, "stopped");
}

TASK_TEST(a_handler_may_stop_its_server)
{
    jg_server *server;
    char data[10];
    server = jg_start_server(stop_from_handler, &server, "127.0.0.1", 0, .grace = 1000);
    jg_stream *stream = connect_to(server);
    ck_assert_int_eq(jg_serve_forever(server), 0);
    ck_assert_int_eq(jg_read(stream, data, sizeof data), 7);
    return jg_close(stream);
}

static int linger_in_handler(jg_stream *client, void *arg)
{
    (void)arg;
    ck_assert_int_eq(jg_printf(client, "goodbye"), 0); /* queued, not sent yet */
    handlers_running++;
    return jg_sleep(1000);
}

TASK_TEST(what_a_cancelled_handler_had_written_is_still_sent)
{
    char data[10];
    jg_server *server = jg_start_server(linger_in_handler, NULL, "127.0.0.1", 0);
    jg_stream *stream = connect_to(server);
    YIELD_UNTIL(handlers_running == 1);
    jg_server_close(server);
    ck_assert_int_eq(jg_read_exactly(stream, data, 7), 7);
    ck_assert_mem_eq(data, "goodbye", 7);
    ck_assert_int_eq(jg_read(stream, data, 1), 0);
    return jg_close(stream);
}

static int write_and_return(jg_stream *client, void *arg)
{
    const char *data = arg;
    setsockopt(jg_fileno(client), SOL_SOCKET, SO_SNDBUF, &(int){4096}, sizeof(int));
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(jg_write(client, data + (size_t)i * 20000, 20000), 0);
    handlers_done++;
    return 0;
}

TASK_TEST(what_a_handler_that_has_returned_is_still_sending_gets_its_second_too)
{
    enum { SIZE = 400000 };
    int peer;
    struct receiver receiver = {0};
    char *data = pattern(SIZE);
    jg_server *server = jg_start_server(write_and_return, data, "127.0.0.1", 0, .high_water = SIZE);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)jg_server_port(server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(peer, SOL_SOCKET, SO_RCVBUF, &(int){4096}, sizeof(int));
    ck_assert_int_eq(connect(peer, (struct sockaddr *)&address, sizeof address), 0);
    YIELD_UNTIL(handlers_done == 1);
    jg_sleep(0.02);
    ck_assert_uint_eq(jg_server_connections(server), 1);
    receiver.peer = peer;
    jg_task *task = jg_create_task(receive_to_end, &receiver);
    jg_server_close(server);
    ck_assert_int_eq(jg_await(task), 0);
    ck_assert_uint_eq(receiver.count, SIZE);
    free(data);
    return 0;
}

static int use_autoptr(void *arg)
{
    static double seconds = 1000;
    jg_autoptr(jg_server) server = jg_start_server(sleep_in_handler, &seconds, "127.0.0.1", 0);
    jg_autoptr(jg_server) none = NULL;
    (void)none;
    *(int *)arg = jg_server_port(server);
    return jg_sleep(1000);
}

TASK_TEST(autoptr_closes_a_server)
{
    int port;
    jg_task *task = start(use_autoptr, &port);
    jg_stream *stream = jg_open_connection("127.0.0.1", port);
    YIELD_UNTIL(handlers_running == 1);
    jg_cancel(task);
    FAILS(jg_await(task), ECANCELED);
    ck_assert_int_eq(handlers_cancelled, 1);
    FAILS_WITH_NULL(jg_open_connection("127.0.0.1", port), ECONNREFUSED);
    jg_server_close(NULL);
    return jg_close(stream);
}

static int leave_it_running(void *arg)
{
    static double seconds = 1000;
    jg_server *server = jg_start_server(sleep_in_handler, &seconds, "127.0.0.1", 0, .max_connections = 2);
    *(jg_stream **)arg = NULL;
    connect_to(server);
    connect_to(server);
    connect_to(server); /* waits for its turn */
    YIELD_UNTIL(handlers_running == 2);
    return 0;
}

TEST(a_server_that_nobody_closed_ends_with_the_run)
{
    jg_stream *stream;
    RUN(leave_it_running, &stream);
    ck_assert_int_eq(handlers_running, 0);
    ck_assert_int_eq(handlers_cancelled, 2);
}

static int leave_some_waiting(void *arg)
{
    static double seconds = 1000;
    int *clients = arg;
    jg_server *server = jg_start_server(sleep_in_handler, &seconds, "127.0.0.1", 0, .max_connections = 1);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)jg_server_port(server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int i = 0; i < 5; i++) { /* at once: io_uring accepts more than it was asked for */
        clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ck_assert_int_eq(connect(clients[i], (struct sockaddr *)&address, sizeof address), 0);
    }
    YIELD_UNTIL(handlers_running == 1);
    return jg_sleep(0.02);
}

TEST(connections_that_wait_in_a_server_that_nobody_closed_end_with_the_run)
{
    int clients[5];
    RUN(leave_some_waiting, clients);
    ck_assert_int_eq(handlers_running, 0);
    for (int i = 0; i < 5; i++) {
        char byte;
        ck_assert_int_le(recv(clients[i], &byte, 1, 0), 0);
        close(clients[i]);
    }
}

TASK_TEST(servers_come_and_go_without_leaving_anything)
{
    double seconds = 0;
    for (int i = 0; i < 100; i++) {
        jg_server *server = jg_start_server(sleep_in_handler, &seconds, "127.0.0.1", 0);
        jg_stream *stream = connect_to(server);
        char byte;
        ck_assert_int_le(jg_read(stream, &byte, 1), 0);
        jg_server_close(server);
        jg_close(stream);
    }
    return 0;
}
