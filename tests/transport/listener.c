/* Listening: accepting, pausing, addresses that can't be had, and a table of fds that is full. */
#include "support.h"

#include <stdio.h>

struct taker {
    jg_listener *listener;
    int fds[256], count;
    bool close_at_once;
    int reports;
};

static void accepted(jg_listener *listener, int fd, void *arg)
{
    struct taker *taker = arg;
    ck_assert_ptr_nonnull(listener);
    ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
    ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    taker->fds[taker->count++] = fd;
    if (taker->close_at_once) {
        jg_listener_close(listener);
        taker->listener = NULL;
    }
}

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

#define LISTEN(loop, address, taker, ...) \
    jg_listen(loop, (struct sockaddr *)&(address), sizeof(address), accepted, taker, __VA_ARGS__)

static int start_client(int port)
{
    struct sockaddr_in address = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    int result = connect(fd, (struct sockaddr *)&address, sizeof address);
    ck_assert(result == 0 || errno == EINPROGRESS);
    return fd;
}

static void finish(jg_loop *loop, struct taker *taker)
{
    jg_listener_close(taker->listener);
    run_some(loop);
    for (int i = 0; i < taker->count; i++)
        close(taker->fds[i]);
    jg_loop_close(loop);
}

TEST(connections_are_accepted_on_the_port_that_the_kernel_chose)
{
    struct taker taker = {0};
    int clients[20];
    struct sockaddr_in address = loopback(0);
    jg_loop *loop = new_loop();
    taker.listener = LISTEN(loop, address, &taker);
    ck_assert_ptr_nonnull(taker.listener);
    int port = jg_listener_port(taker.listener);
    ck_assert_int_gt(port, 0);
    ck_assert_int_ge(jg_listener_fileno(taker.listener), 0);
    for (int i = 0; i < 20; i++)
        clients[i] = start_client(port);
    ck_assert_int_eq(taker.count, 0);
    RUN_UNTIL(loop, taker.count == 20);
    int nodelay = 0;
    getsockopt(taker.fds[0], IPPROTO_TCP, TCP_NODELAY, &nodelay, &(socklen_t){sizeof nodelay});
    ck_assert_int_ne(nodelay, 0); /* inherited */
    for (int i = 0; i < 20; i++)
        close(clients[i]);
    finish(loop, &taker);
}

TEST(a_port_in_use_is_refused)
{
    struct taker taker = {0};
    struct sockaddr_in address = loopback(0);
    jg_loop *loop = new_loop();
    taker.listener = LISTEN(loop, address, &taker);
    struct sockaddr_in same = loopback(jg_listener_port(taker.listener));
    ck_assert_ptr_null(LISTEN(loop, same, &taker));
    ck_assert_int_eq(errno, EADDRINUSE);
    ck_assert_ptr_nonnull(strstr(jg_error_text(), "Address already in use"));
    finish(loop, &taker);
}

TEST(an_address_that_is_not_ours_is_refused)
{
    struct taker taker = {0};
    struct sockaddr_in address = loopback(0);
    jg_loop *loop = new_loop();
    inet_pton(AF_INET, "192.0.2.1", &address.sin_addr);
    ck_assert_ptr_null(LISTEN(loop, address, &taker));
    ck_assert_int_eq(errno, EADDRNOTAVAIL);
    finish(loop, &taker);
}

TEST(listening_without_memory_or_fds_fails)
{
    struct taker taker = {0};
    struct rlimit limit, none;
    struct sockaddr_in address = loopback(0);
    fail_allocations_after(-1);
    jg_loop *loop = new_loop();
    fail_allocations_after(0);
    ck_assert_ptr_null(LISTEN(loop, address, &taker));
    ck_assert_int_eq(errno, ENOMEM);
    fail_allocations_after(-1);
    getrlimit(RLIMIT_NOFILE, &limit);
    none = (struct rlimit){.rlim_cur = 3, .rlim_max = limit.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    jg_listener *listener = LISTEN(loop, address, &taker);
    int error = errno;
    setrlimit(RLIMIT_NOFILE, &limit);
    ck_assert_ptr_null(listener);
    ck_assert_int_eq(error, EMFILE);
    finish(loop, &taker);
}

TEST(several_listeners_share_a_port_when_asked)
{
    struct taker first = {0}, second = {0};
    struct sockaddr_in address = loopback(0);
    jg_loop *loop = new_loop();
    first.listener = LISTEN(loop, address, &first, .reuse_port = true);
    struct sockaddr_in same = loopback(jg_listener_port(first.listener));
    second.listener = LISTEN(loop, same, &second, .reuse_port = true, .backlog = 5);
    ck_assert_ptr_nonnull(second.listener);
    ck_assert_int_eq(jg_listener_port(second.listener), jg_listener_port(first.listener));
    jg_listener_close(second.listener);
    finish(loop, &first);
}

static void expect_ipv4_at_ipv6_wildcard(bool dual_stack)
{
    struct taker taker = {0};
    struct sockaddr_in6 address = {.sin6_family = AF_INET6};
    jg_loop *loop = new_loop();
    taker.listener = LISTEN(loop, address, &taker, .dual_stack = dual_stack);
    if (!taker.listener) {
        int error = errno;
        jg_loop_close(loop);
        ck_assert(error == EAFNOSUPPORT || error == EADDRNOTAVAIL);
        SKIP("no IPv6");
    }
    int client = start_client(jg_listener_port(taker.listener));
    run_some(loop);
    ck_assert_int_eq(taker.count, dual_stack);
    close(client);
    finish(loop, &taker);
}

TEST(an_ipv6_wildcard_takes_ipv4_only_when_asked)
{
    expect_ipv4_at_ipv6_wildcard(false);
    expect_ipv4_at_ipv6_wildcard(true);
}

TEST(a_listening_fd_is_taken_over)
{
    int pair[2];
    struct sockaddr_in address;
    struct taker taker = {0};
    jg_loop *loop = new_loop();
    int fd = bare_listener(&address, 5);
    taker.listener = jg_listen_fd(loop, fd, accepted, &taker);
    ck_assert_ptr_nonnull(taker.listener);
    ck_assert_int_eq(jg_listener_fileno(taker.listener), fd);
    int client = start_client(ntohs(address.sin_port));
    RUN_UNTIL(loop, taker.count == 1);
    close(client);

    tcp_pair(pair);
    ck_assert_ptr_null(jg_listen_fd(loop, pair[0], accepted, &taker));
    ck_assert_int_eq(errno, EINVAL);
    ck_assert_int_eq(close(pair[0]) | close(pair[1]), 0);
    ck_assert_ptr_null(jg_listen_fd(loop, 9999, accepted, &taker));
    ck_assert_int_eq(errno, EBADF);
    ck_assert_int_eq(pipe2(pair, O_CLOEXEC), 0);
    ck_assert_ptr_null(jg_listen_fd(loop, pair[0], accepted, &taker));
    ck_assert_int_eq(errno, ENOTSOCK);
    ck_assert_int_eq(close(pair[0]) | close(pair[1]), 0);
    finish(loop, &taker);
}

TEST(closing_leaves_a_listening_fd_that_others_have_too)
{
    struct taker taker = {0};
    struct sockaddr_in address;
    jg_loop *loop = new_loop();
    int fd = bare_listener(&address, 5), theirs = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    taker.listener = jg_listen_fd(loop, fd, accepted, &taker);
    run_some(loop);
    jg_listener_close(taker.listener);
    taker.listener = NULL;
    run_some(loop);
    int client = start_client(ntohs(address.sin_port)), connection = -1;
    RUN_UNTIL(loop, (connection = accept4(theirs, NULL, NULL, SOCK_CLOEXEC)) >= 0 || errno != EAGAIN);
    ck_assert_msg(connection >= 0, "%s", strerror(errno));
    ck_assert_int_eq(taker.count, 0);
    close(connection);
    close(client);
    close(theirs);
    finish(loop, &taker);
}

TEST(a_listener_on_a_unix_socket_has_no_port)
{
    struct taker taker = {0};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    jg_loop *loop = new_loop();
    snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "juggle test %d", (int)getpid()); /* abstract */
    taker.listener = LISTEN(loop, address, &taker);
    ck_assert_ptr_nonnull(taker.listener);
    ck_assert_int_eq(jg_listener_port(taker.listener), 0);
    struct side side = {0};
    side.transport = jg_transport_connect(loop, (struct sockaddr *)&address, sizeof address, &side_protocol, &side);
    RUN_UNTIL(loop, side.made && taker.count == 1);
    finish_side(loop, &side);
    finish(loop, &taker);
}

TEST(a_paused_listener_leaves_connections_in_the_backlog)
{
    struct taker taker = {0};
    struct sockaddr_in address = loopback(0);
    jg_loop *loop = new_loop();
    taker.listener = LISTEN(loop, address, &taker, .paused = true);
    int port = jg_listener_port(taker.listener);
    int first = start_client(port);
    run_some(loop);
    ck_assert_int_eq(taker.count, 0);
    jg_listener_resume(taker.listener);
    RUN_UNTIL(loop, taker.count == 1);
    jg_listener_pause(taker.listener);
    run_some(loop);
    int second = start_client(port);
    run_some(loop);
    ck_assert_int_eq(taker.count, 1);
    jg_listener_pause(taker.listener);
    jg_listener_resume(taker.listener);
    jg_listener_resume(taker.listener);
    RUN_UNTIL(loop, taker.count == 2);
    jg_listener_pause(taker.listener); /* and back before that took effect */
    jg_listener_resume(taker.listener);
    int third = start_client(port);
    RUN_UNTIL(loop, taker.count == 3);
    close(first);
    close(second);
    close(third);
    finish(loop, &taker);
}

TEST(a_listener_may_be_closed_by_the_connection_that_it_hands_out)
{
    struct taker taker = {.close_at_once = true};
    struct sockaddr_in address = loopback(0);
    int clients[10];
    jg_loop *loop = new_loop();
    taker.listener = LISTEN(loop, address, &taker);
    int port = jg_listener_port(taker.listener);
    for (int i = 0; i < 10; i++)
        clients[i] = start_client(port);
    RUN_UNTIL(loop, taker.count);
    run_some(loop);
    ck_assert_int_eq(taker.count, 1);
    for (int i = 0; i < 10; i++)
        close(clients[i]);
    finish(loop, &taker);
}

TEST(close_refuses_new_connections_at_once)
{
    struct taker taker = {0};
    struct sockaddr_in address = loopback(0);
    jg_loop *loop = new_loop();
    taker.listener = LISTEN(loop, address, &taker);
    int port = jg_listener_port(taker.listener);
    run_some(loop);
    errno = 0;
    jg_listener_close(taker.listener);
    jg_listener_close(NULL);
    ck_assert_int_eq(errno, 0);
    struct sockaddr_in same = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&same, sizeof same), -1);
    ck_assert_int_eq(errno, ECONNREFUSED);
    close(fd);
    taker.listener = LISTEN(loop, same, &taker); /* the port is free again */
    ck_assert_ptr_nonnull(taker.listener);
    int client = start_client(port);
    RUN_UNTIL(loop, taker.count == 1);
    close(client);
    finish(loop, &taker);
}

TEST(closing_the_loop_closes_its_listeners)
{
    struct taker taker = {0};
    struct sockaddr_in address = loopback(0);
    for (int turns = 0; turns < 3; turns++) {
        jg_loop *loop = new_loop();
        taker.listener = LISTEN(loop, address, &taker);
        jg_listener *closed = LISTEN(loop, address, &taker);
        for (int i = 0; i < turns; i++)
            REQUIRE(jg_loop_run_once(loop, 0) == 0);
        jg_listener_close(closed);
        jg_loop_close(loop);
    }
}

/* ---- No fds left ---- */

static void count_report(const jg_report *report, void *arg)
{
    struct taker *taker = arg;
    ck_assert_int_eq(report->error, EMFILE);
    taker->reports++;
}

/* Lowers the limit so that only `more` fds beyond those that are open can be had. */
static struct rlimit leave_fds(int more)
{
    struct rlimit before, limit;
    int probe = fcntl(0, F_DUPFD_CLOEXEC, 0);
    ck_assert_int_ge(probe, 0);
    close(probe);
    getrlimit(RLIMIT_NOFILE, &before);
    limit = (struct rlimit){.rlim_cur = (rlim_t)(probe + more), .rlim_max = before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    return before;
}

enum { CLIENTS = 12, PLACES = 5 };

static uint64_t turns_of(jg_loop *loop)
{
    jg_loop_statistics statistics;
    jg_loop_get_statistics(loop, &statistics);
    return statistics.turns;
}

TEST(without_fds_a_listener_waits_quietly_and_goes_on_by_itself)
{
    struct taker taker = {0};
    struct sockaddr_in address = loopback(0);
    int clients[CLIENTS];
    jg_loop *loop = new_loop();
    jg_set_error_handler(count_report, &taker);
    taker.listener = LISTEN(loop, address, &taker);
    int port = jg_listener_port(taker.listener);
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = start_client(port);
    struct rlimit before = leave_fds(PLACES);
    RUN_UNTIL(loop, taker.reports);
    ck_assert_int_eq(taker.count, PLACES);

    /* Half a second of nothing: a few turns, not thousands. */
    uint64_t turns = turns_of(loop);
    double end = jg_loop_time(loop) + 0.5;
    while (jg_loop_time(loop) < end)
        ck_assert_int_eq(jg_loop_run_once(loop, 0.1), 0);
    ck_assert_uint_le(turns_of(loop) - turns, 40);
    ck_assert_int_eq(taker.reports, 1);
    ck_assert_int_eq(taker.count, PLACES);

    /* An fd of somebody else's comes free: found by the timer. */
    close(taker.fds[0]);
    RUN_UNTIL(loop, taker.count == PLACES + 1);
    taker.fds[0] = taker.fds[PLACES];
    taker.count--;
    setrlimit(RLIMIT_NOFILE, &before);
    RUN_UNTIL(loop, taker.count == CLIENTS - 1);
    ck_assert_int_eq(taker.reports, 1);
    for (int i = 0; i < CLIENTS; i++)
        close(clients[i]);
    jg_set_error_handler(NULL, NULL);
    finish(loop, &taker);
}

TEST(an_fd_closed_by_a_transport_is_used_before_the_timer)
{
    struct taker taker = {0};
    struct side side = {0};
    struct sockaddr_in address = loopback(0);
    int clients[CLIENTS];
    jg_loop *loop = new_loop();
    jg_set_error_handler(count_report, &taker);
    taker.listener = LISTEN(loop, address, &taker);
    int port = jg_listener_port(taker.listener);
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = start_client(port);
    struct rlimit before = leave_fds(PLACES);
    RUN_UNTIL(loop, taker.reports);
    side.transport = jg_transport_from_fd(loop, taker.fds[PLACES - 1], &side_protocol, &side);
    taker.count--;
    RUN_UNTIL(loop, side.made);
    for (int i = 0; i < 3; i++) { /* old connections are served meanwhile */
        ck_assert_int_eq(jg_transport_write(side.transport, "x", 1), 0);
        RUN_UNTIL(loop, jg_transport_pending(side.transport) == 0);
    }
    int count = taker.count;
    for (int i = 0; i < 30 && taker.count == count; i++) { /* no turn waits: the timer is far */
        if (i == 0)
            jg_transport_abort(side.transport);
        REQUIRE(jg_loop_run_once(loop, 0) == 0);
    }
    ck_assert_int_eq(side.lost, 1);
    ck_assert_int_eq(taker.count, count + 1);
    setrlimit(RLIMIT_NOFILE, &before);
    for (int i = 0; i < CLIENTS; i++)
        close(clients[i]);
    jg_set_error_handler(NULL, NULL);
    finish(loop, &taker);
}

TEST(a_listener_without_fds_may_be_paused_or_closed)
{
    for (int way = 0; way < 2; way++) {
        struct taker taker = {0};
        struct sockaddr_in address = loopback(0);
        jg_loop *loop = new_loop();
        jg_set_error_handler(count_report, &taker);
        taker.listener = LISTEN(loop, address, &taker);
        int client = start_client(jg_listener_port(taker.listener));
        struct rlimit before = leave_fds(0);
        RUN_UNTIL(loop, taker.reports);
        if (way == 0)
            jg_listener_pause(taker.listener);
        else
            jg_listener_close(taker.listener);
        setrlimit(RLIMIT_NOFILE, &before);
        run_some(loop);
        ck_assert_int_eq(taker.count, 0);
        if (way == 0) {
            jg_listener_resume(taker.listener);
            RUN_UNTIL(loop, taker.count == 1);
        } else {
            taker.listener = NULL;
        }
        close(client);
        jg_set_error_handler(NULL, NULL);
        finish(loop, &taker);
    }
}

static void close_at_report(const jg_report *report, void *arg)
{
    struct taker *taker = arg;
    ck_assert_int_eq(report->error, EMFILE);
    taker->reports++;
    jg_listener_close(taker->listener);
    taker->listener = NULL;
}

TEST(a_listener_may_be_closed_by_the_report_that_it_has_no_fds)
{
    struct taker taker = {0}, other = {0};
    struct sockaddr_in address = loopback(0);
    jg_loop *loop = new_loop();
    jg_set_error_handler(close_at_report, &taker);
    taker.listener = LISTEN(loop, address, &taker);
    other.listener = LISTEN(loop, address, &other);
    int client = start_client(jg_listener_port(taker.listener));
    struct rlimit before = leave_fds(0);
    RUN_UNTIL(loop, taker.reports);
    setrlimit(RLIMIT_NOFILE, &before);
    run_some(loop);
    close(client);
    client = start_client(jg_listener_port(other.listener));
    double end = jg_loop_time(loop) + 0.15; /* when it would have tried again */
    while (jg_loop_time(loop) < end)
        ck_assert_int_eq(jg_loop_run_once(loop, 0.05), 0);
    RUN_UNTIL(loop, other.count == 1);
    ck_assert_int_eq(taker.count, 0);
    close(client);
    jg_set_error_handler(NULL, NULL);
    finish(loop, &other);
}
