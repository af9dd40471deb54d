/* jg_open_connection: names, addresses, and the race between them. */
#include "support.h"

#include "base/memory.h"
#include "stream/race.h"

#include <sys/resource.h>

/* Accepts from a bare listener, as a task. */
static int accept_from(int listener)
{
    int events = jg_wait_fd(listener, POLLIN);
    ck_assert_int_gt(events, 0);
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    ck_assert_int_ge(fd, 0);
    return fd;
}

TASK_TEST(connects_to_an_address_with_nodelay)
{
    int port, listener = bare_listener(AF_INET, &port), on = 0;
    socklen_t length = sizeof on;
    char data[4], expected[32];
    jg_stream *stream = jg_open_connection("127.0.0.1", port);
    ck_assert_msg(stream, "%s", jg_error_text());
    int peer = accept_from(listener);
    ck_assert_int_eq(getsockopt(jg_fileno(stream), IPPROTO_TCP, TCP_NODELAY, &on, &length), 0);
    ck_assert_int_ne(on, 0);
    ck_assert_int_eq(getsockopt(jg_fileno(stream), SOL_SOCKET, SO_KEEPALIVE, &on, &length), 0);
    ck_assert_int_eq(on, 0);
    ck_assert_int_ne(fcntl(jg_fileno(stream), F_GETFD) & FD_CLOEXEC, 0);
    snprintf(expected, sizeof expected, "127.0.0.1:%d", port);
    ck_assert_str_eq(jg_peername(stream), expected);
    ck_assert_int_eq(jg_write(stream, "ping", 4), 0);
    peer_receive(peer, data, 4);
    peer_send(peer, "pong", 4);
    ck_assert_int_eq(jg_read(stream, data, 4), 4);
    close(peer);
    close(listener);
    return jg_close(stream);
}

TASK_TEST(success_leaves_errno)
{
    int port, listener = bare_listener(AF_INET, &port);
    errno = EXDEV;
    jg_stream *stream = jg_open_connection("127.0.0.1", port);
    ck_assert_int_eq(errno, EXDEV);
    close(listener);
    jg_abort(stream);
    return 0;
}

TASK_TEST(connects_to_a_name)
{
    int port, listener = bare_listener(AF_INET, &port);
    jg_stream *stream = jg_open_connection("localhost", port);
    ck_assert_msg(stream, "%s", jg_error_text());
    close(accept_from(listener));
    close(listener);
    return jg_close(stream);
}

TASK_TEST(no_host_is_this_machine)
{
    int port, listener = bare_listener(AF_INET, &port);
    jg_stream *stream = jg_open_connection(NULL, port);
    ck_assert_msg(stream, "%s", jg_error_text());
    close(accept_from(listener));
    close(listener);
    return jg_close(stream);
}

TASK_TEST(connects_over_ipv6)
{
    int port, listener = bare_listener(AF_INET6, &port);
    char expected[32];
    if (listener < 0)
        SKIP("there is no IPv6 here");
    snprintf(expected, sizeof expected, "[::1]:%d", port);
    jg_stream *stream = jg_open_connection("::1", port);
    ck_assert_msg(stream, "%s", jg_error_text());
    ck_assert_str_eq(jg_peername(stream), expected);
    close(accept_from(listener));
    jg_close(stream);
    stream = jg_open_connection(NULL, port);
    ck_assert_msg(stream, "%s", jg_error_text());
    jg_close(stream);
    close(listener);
    return 0;
}

TASK_TEST(refused_says_whom_and_why)
{
    int port = free_port();
    char where[40];
    snprintf(where, sizeof where, "127.0.0.1:%d", port);
    FAILS_WITH_NULL(jg_open_connection("127.0.0.1", port), ECONNREFUSED);
    TEXT_HAS(where);
    TEXT_HAS("refused");
    TEXT_HAS("jg_open_connection");
    return 0;
}

TASK_TEST(a_refused_name_tells_of_each_address)
{
    FAILS_WITH_NULL(jg_open_connection("localhost", free_port(), .family = AF_INET), ECONNREFUSED);
    TEXT_HAS("localhost:");
    TEXT_HAS("127.0.0.1:");
    return 0;
}

TASK_TEST(an_unknown_host_fails_with_the_words_of_the_resolver)
{
    errno = 0;
    ck_assert_ptr_null(jg_open_connection("no-such-host.invalid", 80));
    ck_assert_msg(errno == ENOENT || errno == EAGAIN, "%s", strerror(errno)); /* without any network: for now */
    TEXT_HAS("jg_open_connection: no-such-host.invalid, port 80: ");
    FAILS_WITH_NULL(jg_open_connection("", 80), ENOENT);
    return 0;
}

TASK_TEST(a_family_that_the_host_lacks_fails_with_EAFNOSUPPORT)
{
    FAILS_WITH_NULL(jg_open_connection("::1", 80, .family = AF_INET), EAFNOSUPPORT);
    FAILS_WITH_NULL(jg_open_connection("127.0.0.1", 80, .family = AF_INET6), EAFNOSUPPORT);
    FAILS_WITH_NULL(jg_open_connection("127.0.0.1", 80, .family = 77), EAFNOSUPPORT);
    return 0;
}

TASK_TEST(a_name_that_is_too_long_fails_with_ENAMETOOLONG)
{
    char name[2000];
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    FAILS_WITH_NULL(jg_open_connection(name, 80), ENAMETOOLONG);
    TEXT_HAS("aaa");
    return 0;
}

TASK_TEST(a_port_out_of_range_fails_with_EINVAL)
{
    FAILS_WITH_NULL(jg_open_connection("127.0.0.1", -1), EINVAL);
    FAILS_WITH_NULL(jg_open_connection("127.0.0.1", 65536), EINVAL);
    TEXT_HAS("65536");
    FAILS_WITH_NULL(jg_open_connection("127.0.0.1", 80, .local_port = 65536), EINVAL);
    return 0;
}

TASK_TEST(an_unreachable_network_fails_with_its_errno)
{
    /* A unicast address of no interface, from loopback: there is no route. */
    errno = 0;
    ck_assert_ptr_null(jg_open_connection("192.0.2.1", 80, .local_host = "127.0.0.1"));
    ck_assert_msg(errno == ENETUNREACH || errno == EHOSTUNREACH || errno == EINVAL, "%s", strerror(errno));
    TEXT_HAS("192.0.2.1:80");
    return 0;
}

TASK_TEST(connects_from_a_local_address_and_port)
{
    int port, listener = bare_listener(AF_INET, &port), local = free_port();
    char expected[32];
    jg_stream *stream = jg_open_connection("127.0.0.1", port, .local_host = "127.0.0.2", .local_port = local);
    ck_assert_msg(stream, "%s", jg_error_text());
    snprintf(expected, sizeof expected, "127.0.0.2:%d", local);
    ck_assert_str_eq(jg_sockname(stream), expected);
    jg_abort(stream);
    jg_sleep(0.05); /* the kernel may hold on to it for a turn */
    stream = jg_open_connection("127.0.0.1", port, .local_port = local);
    ck_assert_msg(stream, "%s", jg_error_text());
    snprintf(expected, sizeof expected, "127.0.0.1:%d", local);
    ck_assert_str_eq(jg_sockname(stream), expected);
    FAILS_WITH_NULL(jg_open_connection("127.0.0.1", port, .local_port = local), EADDRINUSE);
    jg_abort(stream);
    FAILS_WITH_NULL(jg_open_connection("127.0.0.1", port, .local_host = "192.0.2.1"), EADDRNOTAVAIL);
    FAILS_WITH_NULL(jg_open_connection("127.0.0.1", port, .local_host = "::1"), EADDRNOTAVAIL);
    close(listener);
    return 0;
}

TASK_TEST(keep_alive_is_an_option)
{
    int port, listener = bare_listener(AF_INET, &port), on = 0, pair[2];
    socklen_t length = sizeof on;
    jg_stream *stream = jg_open_connection("127.0.0.1", port, .keep_alive = true);
    ck_assert_int_eq(getsockopt(jg_fileno(stream), SOL_SOCKET, SO_KEEPALIVE, &on, &length), 0);
    ck_assert_int_ne(on, 0);
    jg_abort(stream);
    close(listener);
    tcp_pair(pair, false);
    stream = jg_stream_from_fd(pair[0], .keep_alive = true);
    on = 0;
    ck_assert_int_eq(getsockopt(jg_fileno(stream), SOL_SOCKET, SO_KEEPALIVE, &on, &length), 0);
    ck_assert_int_ne(on, 0);
    jg_abort(stream);
    close(pair[1]);
    return 0;
}

TASK_TEST(without_fds_connecting_fails_with_EMFILE_and_works_again_later)
{
    int port, listener = bare_listener(AF_INET, &port);
    struct rlimit before, none;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = (rlim_t)listener + 1;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    FAILS_WITH_NULL(jg_open_connection("127.0.0.1", port), EMFILE);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    jg_stream *stream = jg_open_connection("127.0.0.1", port);
    ck_assert_msg(stream, "%s", jg_error_text());
    jg_abort(stream);
    close(listener);
    return 0;
}

TASK_TEST(from_fd_refuses_what_is_no_stream_socket)
{
    int directory = open("/", O_RDONLY | O_CLOEXEC), datagram = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    FAILS_WITH_NULL(jg_stream_from_fd(-1), EBADF);
    FAILS_WITH_NULL(jg_stream_from_fd(directory), EINVAL);
    FAILS_WITH_NULL(jg_stream_from_fd(datagram), ENOTSOCK);
    TEXT_HAS("jg_stream_from_fd");
    ck_assert_int_eq(close(directory) | close(datagram), 0); /* still the caller's */
    return 0;
}

TASK_TEST(from_fd_takes_a_unix_socket)
{
    int pair[2];
    char data[8];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    jg_stream *stream = jg_stream_from_fd(pair[0]);
    ck_assert_msg(stream, "%s", jg_error_text());
    ck_assert_str_eq(jg_peername(stream), "");
    ck_assert_int_eq(jg_write(stream, "hello", 5), 0);
    peer_receive(pair[1], data, 5);
    peer_send(pair[1], "world", 5);
    ck_assert_int_eq(jg_read(stream, data, 8), 5);
    close(pair[1]);
    return jg_close(stream);
}

/* ---- The race ---- */

/* A listener that answers nobody: its queue is full. */
static int silent_listener(int *port, int fillers[], int count)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, length), 0);
    ck_assert_int_eq(listen(fd, 0), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *port = ntohs(address.sin_port);
    for (int i = 0; i < count; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (connect(fillers[i], (struct sockaddr *)&address, length) < 0)
            ck_assert_int_eq(errno, EINPROGRESS);
    }
    return fd;
}

static struct jg__candidate loopback(int port)
{
    struct jg__candidate candidate = {.length = sizeof(struct sockaddr_in)};
    struct sockaddr_in *address = (struct sockaddr_in *)&candidate.address.storage;
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address->sin_port = htons((uint16_t)port);
    return candidate;
}

static struct jg__stream *race(struct jg__race *race, struct jg__candidate *list, size_t count,
                               const jg_stream_options *options)
{
    struct jg__candidates candidates = {.list = list, .count = count};
    *race = (struct jg__race){.loop = jg_task_loop(), .candidates = &candidates, .options = options};
    return jg__race_run(race, "test");
}

TASK_TEST(an_address_that_fails_makes_the_next_one_start_at_once)
{
    int port, listener = bare_listener(AF_INET, &port);
    struct jg__candidate list[] = {loopback(free_port()), loopback(free_port()), loopback(port)};
    struct jg__race state;
    struct jg__stream *stream = race(&state, list, 3, &(jg_stream_options){.attempt_delay = 1000});
    ck_assert_ptr_nonnull(stream);
    jg_abort(jg__stream_handle(stream));
    close(listener);
    return 0;
}

TASK_TEST(an_address_that_does_not_answer_is_passed_by_after_the_delay)
{
    int port, silent, fillers[4], listener = bare_listener(AF_INET, &port);
    int silent_fd = silent_listener(&silent, fillers, 4);
    struct jg__candidate list[] = {loopback(silent), loopback(silent), loopback(port), loopback(free_port())};
    struct jg__race state;
    double begin = jg_loop_time(jg_task_loop());
    struct jg__stream *stream = race(&state, list, 4, &(jg_stream_options){.attempt_delay = 0.05});
    ck_assert_ptr_nonnull(stream);
    ck_assert_double_ge(jg_loop_time(jg_task_loop()) - begin, 0.1);
    char expected[40];
    snprintf(expected, sizeof expected, "127.0.0.1:%d", port);
    ck_assert_str_eq(jg_peername(jg__stream_handle(stream)), expected);
    jg_abort(jg__stream_handle(stream));
    for (int i = 0; i < 4; i++)
        close(fillers[i]);
    close(silent_fd);
    close(listener);
    return 0;
}

TASK_TEST(the_delay_is_a_quarter_of_a_second)
{
    int port, silent, fillers[4], listener = bare_listener(AF_INET, &port);
    int silent_fd = silent_listener(&silent, fillers, 4);
    struct jg__candidate list[] = {loopback(silent), loopback(port)};
    struct jg__race state;
    double begin = jg_loop_time(jg_task_loop());
    struct jg__stream *stream = race(&state, list, 2, &(jg_stream_options){0});
    ck_assert_ptr_nonnull(stream);
    ck_assert_double_ge(jg_loop_time(jg_task_loop()) - begin, 0.25);
    jg_abort(jg__stream_handle(stream));
    for (int i = 0; i < 4; i++)
        close(fillers[i]);
    close(silent_fd);
    close(listener);
    return 0;
}

TASK_TEST(when_all_fail_each_reason_is_told)
{
    struct jg__candidate list[] = {loopback(free_port()), loopback(free_port())};
    struct jg__race state;
    ck_assert_ptr_null(race(&state, list, 2, &(jg_stream_options){0}));
    ck_assert_int_eq(errno, ECONNREFUSED);
    ck_assert_ptr_nonnull(strstr(state.text, "; "));
    return 0;
}

static int connect_to_silence(void *arg)
{
    ck_assert_ptr_null(jg_open_connection("127.0.0.1", *(int *)arg));
    return -1;
}

TASK_TEST(connecting_is_interrupted_at_once)
{
    int silent, fillers[4], silent_fd = silent_listener(&silent, fillers, 4);
    jg_task *task = start(connect_to_silence, &silent);
    ck_assert(!jg_task_done(task));
    jg_cancel(task);
    FAILS(jg_await(task), ECANCELED);
    {
        JG_TIMEOUT(deadline, 0.02);
        FAILS_WITH_NULL(jg_open_connection("127.0.0.1", silent), ETIMEDOUT);
        TEXT_HAS("jg_open_connection");
    }
    for (int i = 0; i < 4; i++)
        close(fillers[i]);
    close(silent_fd);
    return 0;
}

static int look_up(void *arg)
{
    jg_stream *stream = jg_open_connection("localhost", *(int *)arg);
    ck_assert_ptr_null(stream);
    return -1;
}

TASK_TEST(looking_up_a_name_is_interrupted_at_once)
{
    int port = free_port();
    jg_task *task = jg_create_task(look_up, &port);
    jg_yield();
    jg_cancel(task);
    FAILS(jg_await(task), ECANCELED);
    jg_sleep(0.1); /* the thread has its own files open for a moment */
    return 0;
}

TEST(families_take_turns_beginning_with_the_first)
{
    static const char order[] = "6664464", expected[] = "6464646", places[] = "0314265";
    struct jg__candidates candidates = {.count = sizeof order - 1};
    candidates.list = jg__allocate_zeroed(candidates.count * sizeof *candidates.list);
    for (size_t i = 0; i < candidates.count; i++) {
        candidates.list[i].address.any.sa_family = order[i] == '6' ? AF_INET6 : AF_INET;
        candidates.list[i].length = (socklen_t)i;
    }
    ck_assert_int_eq(jg__candidates_interleave(&candidates), 0);
    for (size_t i = 0; i < candidates.count; i++) {
        ck_assert_int_eq(candidates.list[i].address.any.sa_family, expected[i] == '6' ? AF_INET6 : AF_INET);
        ck_assert_int_eq(candidates.list[i].length, places[i] - '0');
    }
    jg__candidates_free(&candidates);
}
