/* Servers: listening, serving, limits. */
#include "support.h"

#include <sys/resource.h>

static int echo(jg_stream *client, void *arg)
{
    char data[4096];
    ssize_t n;
    (void)arg;
    while ((n = jg_read(client, data, sizeof data)) > 0)
        jg_write(client, data, (size_t)n);
    return (int)n;
}

static jg_stream *connect_to(jg_server *server)
{
    jg_stream *stream = jg_open_connection("127.0.0.1", jg_server_port(server));
    ck_assert_msg(stream, "%s", jg_error_text());
    return stream;
}

static void check_echo(jg_stream *stream)
{
    char data[5];
    ck_assert_int_eq(jg_write(stream, "hello", 5), 0);
    ck_assert_int_eq(jg_read_exactly(stream, data, 5), 5);
    ck_assert_mem_eq(data, "hello", 5);
}

struct client {
    int port;
    int messages;
    unsigned seed;
};

static int run_client(void *arg)
{
    struct client *client = arg;
    jg_autoptr(jg_stream) stream = jg_open_connection("127.0.0.1", client->port);
    ck_assert_msg(stream, "%s", jg_error_text());
    for (int i = 0; i < client->messages; i++) {
        size_t size = 1 + (size_t)rand_r(&client->seed) % 9000, from = (size_t)i * 13;
        char *data = malloc(size);
        fill_pattern(data, from, size);
        ck_assert_int_eq(jg_write(stream, data, size), 0);
        ck_assert_int_eq(jg_read_exactly(stream, data, size), (ssize_t)size);
        check_pattern(data, from, size);
        free(data);
    }
    return 0;
}

TASK_TEST(many_clients_are_served_side_by_side)
{
    jg_server *server = jg_start_server(echo, NULL, "127.0.0.1", 0);
    ck_assert_msg(server, "%s", jg_error_text());
    jg_autogroup group = {0};
    static struct client clients[200];
    for (unsigned i = 0; i < 200; i++) {
        clients[i] = (struct client){.port = jg_server_port(server), .messages = 20, .seed = i};
        ck_assert_int_eq(jg_group_start(&group, run_client, &clients[i]), 0);
    }
    ck_assert_int_eq(jg_group_wait(&group), 0);
    jg_server_close(server);
    return 0;
}

TASK_TEST(a_server_tells_its_addresses)
{
    char expected[40];
    jg_server *server = jg_start_server(echo, NULL, "127.0.0.1", 0);
    snprintf(expected, sizeof expected, "127.0.0.1:%d", jg_server_port(server));
    ck_assert_str_eq(jg_server_address(server, 0), expected);
    ck_assert_ptr_null(jg_server_address(server, 1));
    ck_assert_uint_eq(jg_server_connections(server), 0);
    jg_server_close(server);
    return 0;
}

TASK_TEST(port_0_is_the_same_on_all_addresses)
{
    char expected[40];
    const char *const more[] = {"127.0.0.2", "127.0.0.3", NULL};
    jg_server *server = jg_start_server(echo, NULL, "127.0.0.1", 0, .hosts = more);
    ck_assert_msg(server, "%s", jg_error_text());
    for (int i = 0; i < 3; i++) {
        snprintf(expected, sizeof expected, "127.0.0.%d:%d", i + 1, jg_server_port(server));
        ck_assert_str_eq(jg_server_address(server, (size_t)i), expected);
        snprintf(expected, sizeof expected, "127.0.0.%d", i + 1);
        jg_stream *stream = jg_open_connection(expected, jg_server_port(server));
        ck_assert_msg(stream, "%s", jg_error_text());
        check_echo(stream);
        jg_close(stream);
    }
    jg_server_close(server);
    return 0;
}

TASK_TEST(an_address_that_is_given_twice_is_listened_on_once)
{
    const char *const more[] = {"127.0.0.2", "127.0.0.1", "127.0.0.2", NULL};
    jg_server *server = jg_start_server(echo, NULL, "127.0.0.1", 0, .hosts = more);
    ck_assert_msg(server, "%s", jg_error_text());
    ck_assert_ptr_nonnull(jg_server_address(server, 1));
    ck_assert_ptr_null(jg_server_address(server, 2));
    jg_server_close(server);
    return 0;
}

TASK_TEST(no_host_is_all_interfaces)
{
    jg_server *server = jg_start_server(echo, NULL, NULL, 0);
    ck_assert_msg(server, "%s", jg_error_text());
    jg_stream *stream = jg_open_connection("127.0.0.1", jg_server_port(server));
    ck_assert_msg(stream, "%s", jg_error_text());
    check_echo(stream);
    jg_close(stream);
    if (jg_server_address(server, 1)) {
        stream = jg_open_connection("::1", jg_server_port(server));
        ck_assert_msg(stream, "%s", jg_error_text());
        check_echo(stream);
        jg_close(stream);
    }
    jg_server_close(server);
    server = jg_start_server(echo, NULL, NULL, 0, .family = AF_INET);
    ck_assert_ptr_null(jg_server_address(server, 1));
    jg_server_close(server);
    return 0;
}

TASK_TEST(a_port_in_use_says_so)
{
    char where[40];
    jg_server *server = jg_start_server(echo, NULL, "127.0.0.1", 0);
    int port = jg_server_port(server);
    snprintf(where, sizeof where, "127.0.0.1:%d", port);
    FAILS_WITH_NULL(jg_start_server(echo, NULL, "127.0.0.1", port), EADDRINUSE);
    TEXT_HAS("jg_start_server");
    TEXT_HAS(where);
    TEXT_HAS("in use");
    const char *const more[] = {"127.0.0.1", NULL}; /* the second one fails: the first one is closed again */
    FAILS_WITH_NULL(jg_start_server(echo, NULL, "127.0.0.2", port, .hosts = more), EADDRINUSE);
    jg_server *other = jg_start_server(echo, NULL, "127.0.0.2", port);
    ck_assert_msg(other, "%s", jg_error_text());
    jg_server_close(other);
    jg_server_close(server);
    other = jg_start_server(echo, NULL, "127.0.0.1", port); /* free again at once */
    ck_assert_msg(other, "%s", jg_error_text());
    jg_server_close(other);
    return 0;
}

TASK_TEST(starting_fails_with_the_errno_of_the_reason)
{
    char name[500] = {0};
    memset(name, 'a', sizeof name - 1);
    FAILS_WITH_NULL(jg_start_server(echo, NULL, "192.0.2.1", 0), EADDRNOTAVAIL);
    FAILS_WITH_NULL(jg_start_server(echo, NULL, "127.0.0.1", 65536), EINVAL);
    FAILS_WITH_NULL(jg_start_server(echo, NULL, "127.0.0.1", -1), EINVAL);
    FAILS_WITH_NULL(jg_start_server(echo, NULL, "::1", 0, .family = AF_INET), EAFNOSUPPORT);
    FAILS_WITH_NULL(jg_start_server(echo, NULL, name, 0), ENAMETOOLONG);
    FAILS_WITH_NULL(jg_start_server(NULL, NULL, "127.0.0.1", 0), EINVAL);
    FAILS_WITH_NULL(jg_start_server(echo, NULL, NULL, 0, .fd = 9999), EBADF);
    errno = 0;
    ck_assert_ptr_null(jg_start_server(echo, NULL, "no-such-host.invalid", 0));
    ck_assert_msg(errno == ENOENT || errno == EAGAIN, "%s", strerror(errno));
    JG_TIMEOUT(deadline, 0);
    FAILS_WITH_NULL(jg_start_server(echo, NULL, "127.0.0.1", 0), ETIMEDOUT);
    return 0;
}

TASK_TEST(reuse_port_shares_a_port)
{
    jg_server *one = jg_start_server(echo, NULL, "127.0.0.1", 0, .reuse_port = true);
    jg_server *two = jg_start_server(echo, NULL, "127.0.0.1", jg_server_port(one), .reuse_port = true, .backlog = 5);
    ck_assert_msg(two, "%s", jg_error_text());
    for (int i = 0; i < 20; i++) {
        jg_stream *stream = connect_to(one);
        check_echo(stream);
        jg_close(stream);
    }
    jg_server_close(one);
    jg_server_close(two);
    return 0;
}

TASK_TEST(serves_a_listening_socket_that_somebody_else_made)
{
    int port, fd = bare_listener(AF_INET, &port);
    jg_server *server = jg_start_server(echo, NULL, NULL, 0, .fd = fd);
    ck_assert_msg(server, "%s", jg_error_text());
    ck_assert_int_eq(jg_server_port(server), port);
    jg_stream *stream = connect_to(server);
    check_echo(stream);
    jg_close(stream);
    jg_server_close(server);
    YIELD_UNTIL(fcntl(fd, F_GETFD) < 0); /* it was the server's */
    return 0;
}

TASK_TEST(a_paused_server_accepts_when_told_to)
{
    jg_server *server = jg_start_server(echo, NULL, "127.0.0.1", 0, .paused = true);
    jg_stream *stream = connect_to(server); /* waits in the backlog */
    ck_assert_int_eq(jg_write(stream, "hello", 5), 0);
    jg_sleep(0.03);
    ck_assert_uint_eq(jg_server_connections(server), 0);
    jg_start_serving(server);
    jg_start_serving(server);
    char data[5];
    ck_assert_int_eq(jg_read_exactly(stream, data, 5), 5);
    ck_assert_uint_eq(jg_server_connections(server), 1);
    jg_close(stream);
    jg_server_close(server);
    return 0;
}

/* Tells the other task of its stream and reads, or fails with another EBADF. */
static int read_for_others(jg_stream *client, void *arg)
{
    char data[8];
    *(jg_stream **)arg = client;
    return jg_read(client, data, sizeof data) < 0 ? -1 : jg_fail(EBADF, "an EBADF of its own");
}

TASK_TEST(who_is_closed_by_another_task_counts_as_cancelled)
{
    jg_stream *taken = NULL;
    jg_server *server = jg_start_server(read_for_others, &taken, "127.0.0.1", 0);
    keep_reports();
    for (int way = 0; way < 3; way++) {
        jg_stream *stream = connect_to(server);
        YIELD_UNTIL(taken);
        (void)!jg_yield();
        if (way == 0)
            jg_abort(taken);
        else if (way == 1)
            (void)!jg_close(taken);
        else
            ck_assert_int_eq(jg_write_eof(stream), 0);
        YIELD_UNTIL(reports == way + 1);
        ck_assert_int_eq(last_report_error, way < 2 ? ECANCELED : EBADF);
        ck_assert_ptr_nonnull(strstr(last_report, way < 2 ? "the stream was closed meanwhile" : "an EBADF of its own"));
        taken = NULL;
        jg_abort(stream);
    }
    jg_server_close(server);
    return 0;
}

static int close_own_stream(jg_stream *client, void *arg)
{
    ck_assert_int_eq(jg_printf(client, "bye"), 0);
    if (*(bool *)arg)
        jg_abort(client);
    else
        ck_assert_int_eq(jg_close(client), 0);
    return 0;
}

TASK_TEST(a_handler_may_close_or_abort_its_stream_itself)
{
    bool abort = false;
    char data[8];
    jg_server *server = jg_start_server(close_own_stream, &abort, "127.0.0.1", 0);
    jg_stream *stream = connect_to(server);
    ck_assert_int_eq(jg_read_exactly(stream, data, 3), 3);
    ck_assert_int_eq(jg_read(stream, data, 3), 0);
    jg_close(stream);
    abort = true;
    stream = connect_to(server);
    FAILS(jg_read(stream, data, 3), ECONNRESET);
    jg_close(stream);
    jg_server_close(server);
    return 0;
}

static int answer_and_return(jg_stream *client, void *arg)
{
    size_t bytes = *(size_t *)arg;
    char *data = pattern(bytes);
    int result = 0;
    for (size_t place = 0; place < bytes && result == 0; place += 1000)
        result = jg_write(client, data + place, bytes - place < 1000 ? bytes - place : 1000);
    free(data);
    return result;
}

TASK_TEST(the_stream_is_flushed_and_closed_when_the_handler_returns)
{
    size_t bytes = 300500, count = 0;
    char data[1000];
    jg_server *server = jg_start_server(answer_and_return, &bytes, "127.0.0.1", 0);
    jg_stream *stream = connect_to(server);
    ck_assert_int_eq(jg_write(stream, "a request that nobody reads", 27), 0);
    for (ssize_t n; (n = jg_read(stream, data, sizeof data)) != 0; count += (size_t)n) {
        ck_assert_msg(n > 0, "%s", jg_error_text());
        check_pattern(data, count, (size_t)n);
    }
    ck_assert_uint_eq(count, bytes);
    jg_close(stream);
    jg_server_close(server);
    return 0;
}

static int fail_with(jg_stream *client, void *arg)
{
    (void)client;
    errno = *(int *)arg;
    return -1;
}

TASK_TEST(a_handlers_failure_is_reported_with_its_name)
{
    int error = EDOM;
    char byte;
    keep_reports();
    jg_server *server = jg_start_server(fail_with, &error, "127.0.0.1", 0);
    jg_stream *stream = connect_to(server);
    ck_assert_int_eq(jg_read(stream, &byte, 1), 0);
    jg_close(stream);
    YIELD_UNTIL(jg_server_connections(server) == 0);
    jg_yield();
    ck_assert_int_eq(reports, 1);
    ck_assert_int_eq(last_report_error, EDOM);
    ck_assert_str_eq(last_report_task, "fail_with");
    jg_server_close(server);
    server = jg_start_server(fail_with, &error, "127.0.0.1", 0, .name = "greeter");
    stream = connect_to(server);
    ck_assert_int_eq(jg_read(stream, &byte, 1), 0);
    jg_close(stream);
    YIELD_UNTIL(reports == 2);
    ck_assert_str_eq(last_report_task, "greeter");
    jg_server_close(server);
    return 0;
}

static jg_context_var tenant = {.name = "tenant"};

static int tell_context(jg_stream *client, void *arg)
{
    (void)arg;
    ck_assert_str_eq(jg_task_name(jg_current_task()), "tell_context");
    return jg_printf(client, "%s", (const char *)jg_context_get(&tenant));
}

TASK_TEST(handlers_inherit_the_context_of_the_task_that_started_the_server)
{
    char data[8];
    static char blue[] = "blue", red[] = "red";
    ck_assert_int_eq(jg_context_set(&tenant, blue), 0);
    jg_server *server = jg_start_server(tell_context, NULL, "127.0.0.1", 0);
    ck_assert_int_eq(jg_context_set(&tenant, red), 0);
    jg_stream *stream = connect_to(server);
    ck_assert_int_eq(jg_read_exactly(stream, data, 4), 4);
    ck_assert_mem_eq(data, "blue", 4);
    jg_close(stream);
    jg_server_close(server);
    return 0;
}

static int need_stack(jg_stream *client, void *arg)
{
    volatile char large[600000];
    (void)arg;
    memset((char *)large, 7, sizeof large);
    return jg_printf(client, "%d", large[599999]);
}

TASK_TEST(handlers_get_the_stack_that_was_asked_for)
{
    char data[2];
    jg_server *server = jg_start_server(need_stack, NULL, "127.0.0.1", 0, .stack_size = 1 << 20);
    jg_stream *stream = connect_to(server);
    ck_assert_int_eq(jg_read(stream, data, 2), 1);
    ck_assert_int_eq(data[0], '7');
    jg_close(stream);
    jg_server_close(server);
    return 0;
}

static int tell_options(jg_stream *client, void *arg)
{
    static char data[101];
    int on[2] = {0};
    socklen_t length = sizeof *on;
    (void)arg;
    getsockopt(jg_fileno(client), SOL_SOCKET, SO_KEEPALIVE, &on[0], &length);
    getsockopt(jg_fileno(client), IPPROTO_TCP, TCP_NODELAY, &on[1], &length);
    FAILS(jg_try_write(client, data, sizeof data), EAGAIN); /* the high-water mark */
    return jg_printf(client, "%d%d", on[0] != 0, on[1] != 0);
}

TASK_TEST(connections_have_the_options_of_their_server)
{
    char data[2];
    jg_server *server = jg_start_server(tell_options, NULL, "127.0.0.1", 0, .keep_alive = true, .high_water = 100);
    jg_stream *stream = connect_to(server);
    ck_assert_int_eq(jg_read_exactly(stream, data, 2), 2);
    ck_assert_mem_eq(data, "11", 2);
    jg_close(stream);
    jg_server_close(server);
    server = jg_start_server(tell_options, NULL, "127.0.0.1", 0, .high_water = 100);
    stream = connect_to(server);
    ck_assert_int_eq(jg_read_exactly(stream, data, 2), 2);
    ck_assert_mem_eq(data, "01", 2);
    jg_close(stream);
    jg_server_close(server);
    return 0;
}

TASK_TEST(connections_above_the_limit_wait_until_one_ends)
{
    enum { CLIENTS = 12, MOST = 3 };
    jg_stream *streams[CLIENTS];
    jg_server *server = jg_start_server(echo, NULL, "127.0.0.1", 0, .max_connections = MOST);
    for (int i = 0; i < CLIENTS; i++) {
        streams[i] = connect_to(server);
        ck_assert_int_eq(jg_write(streams[i], "x", 1), 0);
    }
    for (int i = 0; i < CLIENTS; i++) {
        char byte;
        jg_sleep(0.005);
        ck_assert_uint_le(jg_server_connections(server), MOST);
        ck_assert_int_eq(jg_read(streams[i], &byte, 1), 1); /* first come, first served */
        jg_close(streams[i]);
    }
    jg_server_close(server);
    return 0;
}

TASK_TEST(a_server_at_its_limit_closes_those_that_wait)
{
    enum { CLIENTS = 8 };
    jg_stream *streams[CLIENTS];
    char byte;
    jg_server *server = jg_start_server(echo, NULL, "127.0.0.1", 0, .max_connections = 1);
    for (int i = 0; i < CLIENTS; i++)
        streams[i] = connect_to(server);
    jg_sleep(0.02);
    jg_server_close(server);
    for (int i = 0; i < CLIENTS; i++) {
        ck_assert_int_le(jg_read(streams[i], &byte, 1), 0);
        jg_close(streams[i]);
    }
    return 0;
}

static int wait_for_more(jg_stream *client, void *arg)
{
    char byte;
    int *errors = arg;
    if (jg_read(client, &byte, 1) < 0)
        *errors = errno;
    return 0;
}

TASK_TEST(an_idle_connection_is_closed_after_the_time_limit)
{
    char byte;
    int error = 0;
    jg_server *server = jg_start_server(wait_for_more, &error, "127.0.0.1", 0, .idle_timeout = 0.05);
    jg_stream *stream = connect_to(server);
    double begin = jg_loop_time(jg_task_loop());
    ck_assert_int_eq(jg_read(stream, &byte, 1), 0);
    ck_assert_int_eq(error, ETIMEDOUT);
    ck_assert_double_ge(jg_loop_time(jg_task_loop()) - begin, 0.03);
    jg_close(stream);
    jg_server_close(server);
    return 0;
}

TASK_TEST(the_idle_limit_counts_anew_for_each_read)
{
    jg_server *server = jg_start_server(echo, NULL, "127.0.0.1", 0, .idle_timeout = 2 * harness_slowness());
    jg_stream *stream = connect_to(server);
    for (int i = 0; i < 10; i++) {
        check_echo(stream);
        jg_sleep(0.01);
    }
    jg_close(stream);
    jg_server_close(server);
    return 0;
}

struct slow {
    int error;
    bool flush;
};

static int write_much(jg_stream *client, void *arg)
{
    struct slow *slow = arg;
    static char data[16 << 20];
    if (jg_write(client, data, sizeof data) < 0)
        slow->error = errno;
    return 0;
}

static int write_little_and_return(jg_stream *client, void *arg)
{
    static char data[50000];
    (void)arg;
    setsockopt(jg_fileno(client), SOL_SOCKET, SO_SNDBUF, &(int){4096}, sizeof(int));
    while (jg_try_write(client, data, sizeof data) == 0)
        jg_sleep(0.002);
    return 0;
}

TASK_TEST(a_write_to_a_peer_that_does_not_read_ends_after_the_time_limit)
{
    struct slow slow = {0};
    jg_server *server = jg_start_server(write_much, &slow, "127.0.0.1", 0, .write_timeout = 0.05);
    jg_stream *stream = connect_to(server);
    jg_sleep(0.05);
    YIELD_UNTIL(slow.error != 0);
    ck_assert_int_eq(slow.error, ETIMEDOUT);
    jg_abort(stream);
    jg_server_close(server);
    return 0;
}

TASK_TEST(the_time_limit_holds_for_the_last_flush_and_is_reported)
{
    int pair[2];
    tcp_pair(pair, true);
    keep_reports();
    jg_server *server =
        jg_start_server(write_little_and_return, NULL, "127.0.0.1", 0, .write_timeout = 0.05, .high_water = 100000);
    jg_stream *stream = connect_to(server);
    YIELD_UNTIL(jg_server_connections(server) == 1);
    YIELD_UNTIL(reports == 1);
    ck_assert_int_eq(last_report_error, ETIMEDOUT);
    jg_abort(stream);
    jg_server_close(server);
    close(pair[0]);
    close(pair[1]);
    return 0;
}

TASK_TEST(without_fds_the_server_keeps_its_listener_and_recovers)
{
    struct rlimit before, few;
    enum { CLIENTS = 10 };
    int fds[CLIENTS];
    jg_server *server = jg_start_server(echo, NULL, "127.0.0.1", 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)jg_server_port(server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    keep_reports();
    for (int i = 0; i < CLIENTS; i++)
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = (rlim_t)fds[CLIENTS - 1] + 4;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    for (int i = 0; i < CLIENTS; i++)
        ck_assert_int_eq(connect(fds[i], (struct sockaddr *)&address, sizeof address), 0);
    jg_sleep(0.1);
    ck_assert_uint_lt(jg_server_connections(server), CLIENTS);
    ck_assert_int_eq(reports, 1);
    for (int i = 0; i < CLIENTS; i++) { /* each one that ends makes room for another */
        char byte;
        peer_send(fds[i], "x", 1);
        peer_receive(fds[i], &byte, 1);
        shutdown(fds[i], SHUT_WR);
        ck_assert_int_eq(recv(fds[i], &byte, 1, MSG_DONTWAIT), -1);
        size_t count = 0;
        ck_assert_int_eq(peer_receive_end(fds[i], &count), 0);
    }
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    jg_stream *stream = connect_to(server);
    check_echo(stream);
    jg_close(stream);
    jg_server_close(server);
    return 0;
}
