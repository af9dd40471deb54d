/* Connecting, taking over fds, and what fails there. */
#include "support.h"

static struct sockaddr *any(struct sockaddr_in *address)
{
    return (struct sockaddr *)address;
}

static jg_transport *connect_to(jg_loop *loop, struct sockaddr_in *address, struct side *side)
{
    side->transport = jg_transport_connect(loop, any(address), sizeof *address, &side_protocol, side);
    ck_assert_msg(side->transport != NULL, "%s", jg_error_text());
    return side->transport;
}

TEST(connection_made_comes_first_and_not_inside_the_call)
{
    struct sockaddr_in address;
    struct side side = {0};
    jg_loop *loop = new_loop();
    int listener = bare_listener(&address, 1);
    connect_to(loop, &address, &side);
    ck_assert_int_eq(side.made, 0);
    RUN_UNTIL(loop, side.made);
    ck_assert(jg_transport_loop(side.transport) == loop);
    ck_assert_int_ge(jg_transport_fileno(side.transport), 0);
    ck_assert(!jg_transport_is_closing(side.transport));
    finish_side(loop, &side);
    ck_assert_str_eq(side.order, "ML");
    close(listener);
    jg_loop_close(loop);
}

TEST(from_fd_calls_connection_made_not_inside_the_call)
{
    int pair[2];
    struct side side = {0};
    jg_loop *loop = new_loop();
    tcp_pair(pair);
    jg_transport *transport = jg_transport_from_fd(loop, pair[0], &side_protocol, &side);
    ck_assert_ptr_nonnull(transport);
    ck_assert_int_eq(side.made, 0);
    RUN_UNTIL(loop, side.made);
    ck_assert_ptr_eq(side.transport, transport);
    finish_side(loop, &side);
    close(pair[1]);
    jg_loop_close(loop);
}

TEST(a_refused_connection_is_lost_with_econnrefused)
{
    struct sockaddr_in address;
    struct side side = {0};
    jg_loop *loop = new_loop();
    close(bare_listener(&address, 1));
    connect_to(loop, &address, &side);
    ck_assert_int_eq(side.lost, 0);
    RUN_UNTIL(loop, side.lost);
    ck_assert_int_eq(side.error, ECONNREFUSED);
    ck_assert_str_eq(side.order, "L");
    jg_loop_close(loop);
}

TEST(an_unreachable_address_is_lost_with_enetunreach)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(9)};
    struct side side = {0};
    jg_loop *loop = new_loop();
    inet_pton(AF_INET, "224.0.0.1", &address.sin_addr); /* multicast: there is no way to connect to that */
    connect_to(loop, &address, &side);
    RUN_UNTIL(loop, side.lost);
    ck_assert_int_eq(side.error, ENETUNREACH);
    ck_assert_str_eq(side.order, "L");
    jg_loop_close(loop);
}

TEST(connect_binds_to_the_local_address)
{
    struct sockaddr_in address, local = {.sin_family = AF_INET}, peer = {0};
    struct side side = {0};
    jg_loop *loop = new_loop();
    int listener = bare_listener(&address, 1);
    inet_pton(AF_INET, "127.0.0.9", &local.sin_addr);
    side.transport = jg_transport_connect(loop, any(&address), sizeof address, &side_protocol, &side,
                                          .local_address = any(&local), .local_address_length = sizeof local);
    ck_assert_ptr_nonnull(side.transport);
    RUN_UNTIL(loop, side.made);
    int fd = accept(listener, any(&peer), &(socklen_t){sizeof peer});
    ck_assert_int_eq((int)peer.sin_addr.s_addr, (int)local.sin_addr.s_addr);
    close(fd);
    finish_side(loop, &side);
    close(listener);
    jg_loop_close(loop);
}

TEST(a_local_address_that_is_not_ours_or_in_use_fails_at_once)
{
    struct sockaddr_in address, local = {.sin_family = AF_INET};
    struct side side = {0};
    jg_loop *loop = new_loop();
    int listener = bare_listener(&address, 1);
    inet_pton(AF_INET, "192.0.2.1", &local.sin_addr);
    ck_assert_ptr_null(jg_transport_connect(loop, any(&address), sizeof address, &side_protocol, &side,
                                            .local_address = any(&local), .local_address_length = sizeof local));
    ck_assert_int_eq(errno, EADDRNOTAVAIL);
    ck_assert_ptr_nonnull(strstr(jg_error_text(), "jg_transport_connect"));
    ck_assert_ptr_null(jg_transport_connect(loop, any(&address), sizeof address, &side_protocol, &side,
                                            .local_address = any(&address), .local_address_length = sizeof address));
    ck_assert_int_eq(errno, EADDRINUSE);
    run_some(loop);
    ck_assert_str_eq(side.order, "");
    close(listener);
    jg_loop_close(loop);
}

TEST(an_address_family_without_sockets_is_refused)
{
    struct sockaddr address = {.sa_family = 250};
    jg_loop *loop = new_loop();
    ck_assert_ptr_null(jg_transport_connect(loop, &address, sizeof address, &side_protocol, NULL));
    ck_assert_int_eq(errno, EAFNOSUPPORT);
    ck_assert_ptr_null(jg_listen(loop, &address, sizeof address, NULL, NULL));
    ck_assert_int_eq(errno, EAFNOSUPPORT);
    jg_loop_close(loop);
}

TEST(connecting_without_memory_fails_with_enomem)
{
    struct sockaddr_in address;
    int listener = bare_listener(&address, 1);
    fail_allocations_after(-1);
    jg_loop *loop = new_loop();
    for (int i = 0; i < 2; i++) {
        fail_allocations_after(i);
        jg_transport *transport = jg_transport_connect(loop, any(&address), sizeof address, &side_protocol, NULL);
        fail_allocations_after(-1);
        ck_assert_ptr_null(transport);
        ck_assert_int_eq(errno, ENOMEM);
    }
    close(listener);
    jg_loop_close(loop);
}

TEST(connecting_without_fds_fails_with_emfile)
{
    struct sockaddr_in address;
    struct rlimit limit, none;
    int listener = bare_listener(&address, 1);
    jg_loop *loop = new_loop();
    getrlimit(RLIMIT_NOFILE, &limit);
    none = (struct rlimit){.rlim_cur = 3, .rlim_max = limit.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    jg_transport *transport = jg_transport_connect(loop, any(&address), sizeof address, &side_protocol, NULL);
    int error = errno;
    setrlimit(RLIMIT_NOFILE, &limit);
    ck_assert_ptr_null(transport);
    ck_assert_int_eq(error, EMFILE);
    close(listener);
    jg_loop_close(loop);
}

TEST(what_cannot_be_a_transport_stays_the_callers)
{
    jg_loop *loop = new_loop();
    int directory = open("/", O_RDONLY | O_CLOEXEC), datagrams = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_ptr_null(jg_transport_from_fd(loop, 9999, &side_protocol, NULL));
    ck_assert_int_eq(errno, EBADF);
    ck_assert_ptr_null(jg_transport_from_fd(loop, directory, &side_protocol, NULL));
    ck_assert_int_eq(errno, EINVAL);
    ck_assert_ptr_null(jg_transport_from_fd(loop, datagrams, &side_protocol, NULL));
    ck_assert_int_eq(errno, ENOTSOCK);
    ck_assert_int_eq(close(directory) | close(datagrams), 0);
    jg_loop_close(loop);
}

TEST(from_fd_without_memory_leaves_the_fd_to_the_caller)
{
    int pair[2];
    tcp_pair(pair);
    fail_allocations_after(-1);
    jg_loop *loop = new_loop();
    fail_allocations_after(0);
    jg_transport *transport = jg_transport_from_fd(loop, pair[0], &side_protocol, NULL);
    fail_allocations_after(-1);
    ck_assert_ptr_null(transport);
    ck_assert_int_eq(errno, ENOMEM);
    ck_assert_int_eq(close(pair[0]) | close(pair[1]), 0);
    jg_loop_close(loop);
}

static int option(int fd, int level, int name)
{
    int value = -1;
    getsockopt(fd, level, name, &value, &(socklen_t){sizeof value});
    return value != 0;
}

TEST(options_are_set_on_the_socket)
{
    int pair[2], blocking[2];
    struct side side = {0}, other = {0};
    jg_loop *loop = new_loop();
    tcp_pair(pair);
    for (int i = 0; i < 2; i++) {
        setsockopt(pair[i], IPPROTO_TCP, TCP_NODELAY, &(int){0}, sizeof(int));
        fcntl(pair[i], F_SETFL, 0);
    }
    memcpy(blocking, pair, sizeof pair);
    side.transport = jg_transport_from_fd(loop, pair[0], &side_protocol, &side, .keep_alive = true);
    other.transport = jg_transport_from_fd(loop, pair[1], &side_protocol, &other, .delay = true);
    ck_assert_int_eq(option(pair[0], IPPROTO_TCP, TCP_NODELAY), 1);
    ck_assert_int_eq(option(pair[1], IPPROTO_TCP, TCP_NODELAY), 0);
    ck_assert_int_eq(option(pair[0], SOL_SOCKET, SO_KEEPALIVE), 1);
    ck_assert_int_eq(option(pair[1], SOL_SOCKET, SO_KEEPALIVE), 0);
    ck_assert(fcntl(blocking[0], F_GETFL) & O_NONBLOCK);
    ck_assert(fcntl(blocking[0], F_GETFD) & FD_CLOEXEC);
    finish_side(loop, &side);
    finish_side(loop, &other);
    jg_loop_close(loop);
}

TEST(a_connected_socket_has_no_delay)
{
    struct sockaddr_in address;
    struct side side = {0};
    jg_loop *loop = new_loop();
    int listener = bare_listener(&address, 1);
    connect_to(loop, &address, &side);
    RUN_UNTIL(loop, side.made);
    ck_assert_int_eq(option(jg_transport_fileno(side.transport), IPPROTO_TCP, TCP_NODELAY), 1);
    finish_side(loop, &side);
    close(listener);
    jg_loop_close(loop);
}

TEST(what_is_written_before_the_connection_stands_arrives)
{
    struct sockaddr_in address;
    struct side side = {0};
    char data[16] = "";
    jg_loop *loop = new_loop();
    int listener = bare_listener(&address, 1);
    connect_to(loop, &address, &side);
    ck_assert_int_eq(jg_transport_write(side.transport, "early ", 6), 0);
    ck_assert_int_eq(jg_transport_write(side.transport, "bird", 4), 0);
    ck_assert_int_eq(jg_transport_write_eof(side.transport), 0);
    ck_assert_uint_eq(jg_transport_pending(side.transport), 10);
    RUN_UNTIL(loop, side.made);
    int fd = accept(listener, NULL, NULL);
    receive_exactly(loop, fd, data, 10);
    ck_assert_str_eq(data, "early bird");
    ck_assert_int_eq(receive_end(loop, fd, NULL), 0);
    close(fd);
    finish_side(loop, &side);
    close(listener);
    jg_loop_close(loop);
}

/* Connects until the backlog is full, so that one more connection attempt hangs. Returns how many fds that took. */
static int fill_backlog(struct sockaddr_in *address, int fds[8])
{
    int count = 0;
    while (count < 8) {
        fds[count] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (connect(fds[count], any(address), sizeof *address) < 0)
            ck_assert_int_eq(errno, EINPROGRESS);
        usleep(1000);
        struct tcp_info info;
        getsockopt(fds[count], IPPROTO_TCP, TCP_INFO, &info, &(socklen_t){sizeof info});
        if (info.tcpi_state != TCP_ESTABLISHED)
            return count + 1;
        count++;
    }
    return count;
}

static void give_up_while_connecting(void (*give_up)(jg_transport *))
{
    struct sockaddr_in address;
    struct side side = {0};
    int fds[8];
    jg_loop *loop = new_loop();
    int listener = bare_listener(&address, 0);
    int count = fill_backlog(&address, fds);
    connect_to(loop, &address, &side);
    run_some(loop);
    ck_assert_int_eq(side.made, 0);
    give_up(side.transport);
    ck_assert_int_eq(side.lost, 0);
    ck_assert(jg_transport_is_closing(side.transport));
    RUN_UNTIL(loop, side.lost);
    ck_assert_int_eq(side.error, 0);
    ck_assert_str_eq(side.order, "L");
    while (count)
        close(fds[--count]);
    close(listener);
    jg_loop_close(loop);
}

TEST(close_while_connecting_ends_it)
{
    give_up_while_connecting(jg_transport_close);
}

TEST(abort_while_connecting_ends_it)
{
    give_up_while_connecting(jg_transport_abort);
}

TEST(abort_in_the_turn_of_the_connect_ends_it)
{
    struct sockaddr_in address;
    struct side side = {0};
    jg_loop *loop = new_loop();
    int listener = bare_listener(&address, 1);
    connect_to(loop, &address, &side);
    jg_transport_abort(side.transport);
    RUN_UNTIL(loop, side.lost);
    ck_assert_str_eq(side.order, "L");
    close(listener);
    jg_loop_close(loop);
}

static void close_it(struct side *side)
{
    jg_transport_close(side->transport);
}

static void abort_it(struct side *side)
{
    jg_transport_abort(side->transport);
}

TEST(connection_made_may_close_or_abort)
{
    int pair[2];
    jg_loop *loop = new_loop();
    tcp_pair(pair);
    struct side first = {.on_made = close_it}, second = {.on_made = abort_it};
    ck_assert_ptr_nonnull(jg_transport_from_fd(loop, pair[0], &side_protocol, &first));
    ck_assert_ptr_nonnull(jg_transport_from_fd(loop, pair[1], &side_protocol, &second));
    RUN_UNTIL(loop, first.lost && second.lost);
    ck_assert_str_eq(first.order, "ML");
    ck_assert_str_eq(second.order, "ML");
    jg_loop_close(loop);
}

TEST(a_transport_runs_on_a_unix_socket)
{
    int pair[2];
    char data[5];
    struct side side = {.kept = malloc(16)};
    jg_loop *loop = new_loop();
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    ck_assert_ptr_nonnull(jg_transport_from_fd(loop, pair[0], &side_protocol, &side));
    RUN_UNTIL(loop, side.made);
    ck_assert_int_eq(jg_transport_write(side.transport, "hello", 5), 0);
    receive_exactly(loop, pair[1], data, 5);
    ck_assert_mem_eq(data, "hello", 5);
    ck_assert_int_eq(send(pair[1], "there", 5, 0), 5);
    RUN_UNTIL(loop, side.received == 5);
    ck_assert_mem_eq(side.kept, "there", 5);
    close(pair[1]);
    RUN_UNTIL(loop, side.ends);
    jg_transport_close(side.transport);
    RUN_UNTIL(loop, side.lost);
    ck_assert_int_eq(side.error, 0);
    finish_side(loop, &side);
    jg_loop_close(loop);
}

TEST(every_callback_may_be_missing)
{
    static const jg_protocol silent = {0};
    int pair[2];
    jg_loop *loop = new_loop();
    tcp_pair(pair);
    jg_transport *transport = jg_transport_from_fd(loop, pair[0], &silent, NULL);
    ck_assert_int_eq(jg_transport_write(transport, "x", 1), 0);
    ck_assert_int_eq(send(pair[1], "y", 1, 0), 1);
    run_some(loop);
    jg_transport_set_write_limits(transport, 1, 0);
    ck_assert_int_eq(jg_transport_write(transport, "zz", 2), 0);
    shutdown(pair[1], SHUT_WR);
    run_some(loop);
    jg_transport_abort(transport);
    run_some(loop);
    close(pair[1]);
    jg_loop_close(loop);
}

TEST(close_or_abort_before_connection_made_is_the_end)
{
    for (int way = 0; way < 2; way++) {
        int pair[2];
        struct side side = {0};
        jg_loop *loop = new_loop();
        tcp_pair(pair);
        jg_transport *transport = jg_transport_from_fd(loop, pair[0], &side_protocol, &side);
        (way ? jg_transport_abort : jg_transport_close)(transport);
        close(pair[1]);
        RUN_UNTIL(loop, side.lost);
        ck_assert_str_eq(side.order, "L");
        ck_assert_int_eq(side.error, 0);
        jg_loop_close(loop);
    }
}

TEST(options_of_an_older_program_are_shorter)
{
    int pair[2];
    struct side side = {0};
    jg_transport_options options;
    jg_loop *loop = new_loop();
    tcp_pair(pair);
    memset(&options, 0xff, sizeof options);
    options.size = offsetof(jg_transport_options, keep_alive);
    side.transport = jg_transport_from_fd_with(loop, pair[0], &side_protocol, &side, &options);
    ck_assert_int_eq(option(pair[0], SOL_SOCKET, SO_KEEPALIVE), 0);
    ck_assert_int_eq(option(pair[0], IPPROTO_TCP, TCP_NODELAY), 1);
    close(pair[1]);
    finish_side(loop, &side);
    jg_loop_close(loop);
}

TEST(success_leaves_errno)
{
    struct sockaddr_in address;
    struct side side = {0}, unix_side = {0};
    static char data[200000];
    int pair[2];
    jg_loop *loop = new_loop();
    int bare = bare_listener(&address, 1);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    errno = 1234;
    connect_to(loop, &address, &side);
    ck_assert_int_eq(errno, 1234);
    jg_listener *listener =
        jg_listen(loop, any(&(struct sockaddr_in){.sin_family = AF_INET}), sizeof address, NULL, NULL);
    ck_assert_int_eq(errno, 1234);
    ck_assert_int_gt(jg_listener_port(listener), 0);
    unix_side.transport = jg_transport_from_fd(loop, pair[0], &side_protocol, &unix_side);
    ck_assert_int_eq(errno, 1234);
    RUN_UNTIL(loop, unix_side.made && side.made);
    errno = 1234;
    ck_assert_int_eq(jg_transport_write(unix_side.transport, data, sizeof data), 0);
    jg_transport_flush(unix_side.transport);
    ck_assert_int_eq(jg_transport_write(unix_side.transport, data, sizeof data), 0);
    ck_assert_int_eq(errno, 1234);
    jg_transport_pause_reading(unix_side.transport);
    jg_transport_resume_reading(unix_side.transport);
    jg_transport_close(unix_side.transport);
    jg_transport_abort(unix_side.transport);
    jg_listener_pause(listener);
    jg_listener_close(listener);
    ck_assert_int_eq(errno, 1234);
    jg_loop_close(loop);
    ck_assert_int_eq(errno, 1234);
    close(pair[1]);
    close(bare);
}
