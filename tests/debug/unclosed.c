/* Streams and servers that were never closed, in debug mode. */
#include "support.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

static int other_end;

static jg_stream *__attribute__((noinline)) open_stream(void)
{
    int fds[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    other_end = fds[1];
    jg_stream *stream = jg_stream_from_fd(fds[0]);
    ck_assert_ptr_nonnull(stream);
    return stream;
}

static int forget_stream(void *arg)
{
    jg_stream *stream = open_stream();
    (void)arg;
    (void)stream;
    return 0;
}

static int forget_in_task(void *arg)
{
    return jg_await(jg_create_task(forget_stream, arg, .name = "careless"));
}

TEST(a_stream_that_was_never_closed_is_told_with_its_origin)
{
    listen_to_reports("never closed");
    jg_set_debug(true);
    RUN(forget_in_task, NULL);
    close(other_end);
    ck_assert_int_eq(reports_heard(), 1);
    ck_assert(in_order(last_report(), "careless: a stream was never closed; made in ", "open_stream"));
}

TEST(without_debug_mode_an_unclosed_stream_is_not_told)
{
    listen_to_reports("never closed");
    RUN(forget_in_task, NULL);
    close(other_end);
    ck_assert_int_eq(reports_heard(), 0);
}

static int close_all(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++) {
        jg_stream *stream = open_stream();
        close(other_end);
        if (i == 0)
            jg_abort(stream);
        else
            jg_close(stream);
    }
    return 0;
}

TEST(streams_that_were_closed_are_not_told)
{
    listen_to_reports("never closed");
    jg_set_debug(true);
    RUN(close_all, NULL);
    ck_assert_int_eq(reports_heard(), 0);
}

static int serve(jg_stream *stream, void *arg)
{
    char byte;
    (void)arg;
    return (int)jg_read(stream, &byte, 1);
}

static int connect_to_server(void *arg)
{
    (void)arg;
    jg_server *server = jg_start_server(serve, NULL, "127.0.0.1", 0);
    ck_assert_ptr_nonnull(server);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)jg_server_port(server))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(client, (struct sockaddr *)&address, sizeof address), 0);
    jg_sleep(0.02);
    close(client);
    return 0; /* and the server is left behind */
}

TEST(a_server_is_told_but_not_the_streams_of_its_connections)
{
    listen_to_reports("never closed");
    jg_set_debug(true);
    RUN(connect_to_server, NULL);
    ck_assert_int_eq(reports_heard(), 1);
    ck_assert(in_order(last_report(), "main: a server was never closed; made in ", "connect_to_server"));
}
