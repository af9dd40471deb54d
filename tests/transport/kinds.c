/* Transports on Unix sockets and on what is no socket. */
#include "support.h"

#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

static jg_transport *on_fd(jg_loop *loop, int fd, struct side *side)
{
    side->transport = jg_transport_from_fd(loop, fd, &side_protocol, side);
    ck_assert_msg(side->transport, "%s", jg_error_text());
    return side->transport;
}

TEST(a_pipe_has_two_transports)
{
    struct side reader = {.kept = malloc(16)}, writer = {0};
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    jg_loop *loop = new_loop();
    on_fd(loop, ends[0], &reader);
    on_fd(loop, ends[1], &writer);
    RUN_UNTIL(loop, reader.made && writer.made);
    ck_assert(jg_transport_is_reading(reader.transport) && !jg_transport_is_reading(writer.transport));
    ck_assert(jg_transport_can_write_eof(writer.transport) && !jg_transport_can_write_eof(reader.transport));
    ck_assert_int_eq(jg_transport_write(reader.transport, "x", 1), -1);
    ck_assert_int_eq(errno, EBADF);
    ck_assert_int_eq(jg_transport_write_eof(reader.transport), -1);
    ck_assert_int_eq(errno, EBADF);
    ck_assert_int_eq(jg_transport_write(writer.transport, "hello", 5), 0);
    RUN_UNTIL(loop, reader.received == 5);
    ck_assert_mem_eq(reader.kept, "hello", 5);
    jg_transport_pause_reading(reader.transport);
    ck_assert(!jg_transport_is_reading(reader.transport));
    jg_transport_resume_reading(reader.transport);
    ck_assert_int_eq(jg_transport_write(writer.transport, "!", 1), 0);
    ck_assert_int_eq(jg_transport_write_eof(writer.transport), 0);
    RUN_UNTIL(loop, writer.lost && reader.ends);
    ck_assert_int_eq(writer.error, 0);
    ck_assert_str_eq(writer.order, "ML");
    ck_assert_uint_eq(reader.received, 6);
    writer.transport = NULL;
    finish_side(loop, &reader);
    ck_assert_int_eq(reader.error, 0);
    jg_loop_close(loop);
}

TEST(the_writer_of_a_pipe_is_lost_with_its_reader)
{
    struct side writer = {0};
    int ends[2];
    signal(SIGPIPE, SIG_DFL);
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    jg_loop *loop = new_loop();
    on_fd(loop, ends[1], &writer);
    RUN_UNTIL(loop, writer.made);
    run_some(loop);
    ck_assert(!writer.lost);
    close(ends[0]);
    RUN_UNTIL(loop, writer.lost);
    ck_assert_int_eq(writer.error, EPIPE);
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0); /* and with a write that SIGPIPE would answer */
    writer = (struct side){0};
    on_fd(loop, ends[1], &writer);
    close(ends[0]);
    ck_assert_int_eq(jg_transport_write(writer.transport, "x", 1), 0);
    RUN_UNTIL(loop, writer.lost);
    ck_assert_int_eq(writer.error, EPIPE);
    jg_loop_close(loop);
}

TEST(a_loop_closes_with_pipes_in_use)
{
    struct side reader = {0}, writer = {0};
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    jg_loop *loop = new_loop();
    on_fd(loop, ends[0], &reader);
    on_fd(loop, ends[1], &writer);
    RUN_UNTIL(loop, reader.made && writer.made);
    char *much = pattern(1 << 20);
    jg_transport_pause_reading(reader.transport);
    run_some(loop);
    ck_assert_int_eq(jg_transport_write(writer.transport, much, 1 << 20), 0);
    run_some(loop);
    free(much);
    jg_loop_close(loop);
    ck_assert_int_eq(fcntl(ends[0], F_GETFD), -1);
    ck_assert_int_eq(fcntl(ends[1], F_GETFD), -1);
}

/* ---- Unix sockets ---- */

static socklen_t address_of(const char *name, struct sockaddr_un *address)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(address->sun_path, sizeof address->sun_path, "/tmp/juggle-test-%s-%d", name, (int)getpid());
    unlink(address->sun_path);
    return sizeof *address;
}

struct acceptor {
    jg_loop *loop;
    struct side side;
    int count;
};

static void accepted(jg_listener *listener, int fd, void *arg)
{
    (void)listener;
    struct acceptor *acceptor = arg;
    acceptor->count++;
    on_fd(acceptor->loop, fd, &acceptor->side);
}

TEST(listeners_and_transports_use_unix_sockets)
{
    struct sockaddr_un address;
    union {
        struct sockaddr any;
        struct sockaddr_storage storage;
    } found;
    struct stat status;
    socklen_t length = address_of("listener", &address), found_length = sizeof found;
    jg_loop *loop = new_loop();
    struct acceptor acceptor = {.loop = loop};
    jg_listener *listener = jg_listen(loop, (struct sockaddr *)&address, length, accepted, &acceptor, .mode = 0600);
    ck_assert_msg(listener, "%s", jg_error_text());
    ck_assert_int_eq(jg_listener_port(listener), 0);
    ck_assert_int_eq(stat(address.sun_path, &status), 0);
    ck_assert_int_eq(status.st_mode & 0777, 0600);
    ck_assert_ptr_null(jg_listen(loop, (struct sockaddr *)&address, length, accepted, &acceptor));
    ck_assert_int_eq(errno, EADDRINUSE);
    struct side client = {0};
    client.transport = jg_transport_connect(loop, (struct sockaddr *)&address, length, &side_protocol, &client);
    RUN_UNTIL(loop, client.made && acceptor.side.made);
    ck_assert_int_eq(jg_transport_peer_address(client.transport, &found.any, &found_length), 0);
    ck_assert_str_eq(((struct sockaddr_un *)&found.storage)->sun_path, address.sun_path);
    found_length = sizeof found;
    ck_assert_int_eq(jg_transport_own_address(client.transport, &found.any, &found_length), 0);
    ck_assert_int_eq(found.any.sa_family, AF_UNIX);
    ck_assert_int_eq(jg_transport_write(client.transport, "hello", 5), 0);
    RUN_UNTIL(loop, acceptor.side.received == 5);
    finish_side(loop, &client);
    finish_side(loop, &acceptor.side);
    jg_listener_close(listener);
    ck_assert_int_eq(stat(address.sun_path, &status), -1);
    run_some(loop);
    jg_loop_close(loop);
}

TEST(a_loop_that_closes_removes_the_socket_file)
{
    struct sockaddr_un address;
    struct stat status;
    socklen_t length = address_of("closed", &address);
    jg_loop *loop = new_loop();
    struct acceptor acceptor = {.loop = loop};
    ck_assert_ptr_nonnull(jg_listen(loop, (struct sockaddr *)&address, length, accepted, &acceptor));
    jg_loop_close(loop);
    ck_assert_int_eq(stat(address.sun_path, &status), -1);
}

TEST(a_connect_to_a_full_backlog_waits_or_is_aborted)
{
    struct sockaddr_un address;
    socklen_t length = address_of("full", &address);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, length), 0);
    ck_assert_int_eq(listen(listener, 0), 0);
    jg_loop *loop = new_loop();
    struct side sides[3] = {0};
    for (int i = 0; i < 3; i++)
        sides[i].transport = jg_transport_connect(loop, (struct sockaddr *)&address, length, &side_protocol, &sides[i]);
    RUN_UNTIL(loop, sides[0].made);
    ck_assert_int_eq(jg_transport_write(sides[1].transport, "early", 5), 0);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(jg_loop_run_once(loop, 0.002), 0);
    ck_assert(!sides[1].made && !sides[1].lost);
    jg_transport_abort(sides[2].transport);
    RUN_UNTIL(loop, sides[2].lost);
    close(accept(listener, NULL, NULL));
    RUN_UNTIL(loop, sides[1].made);
    jg_transport_abort(sides[0].transport);
    sides[2].transport = jg_transport_connect(loop, (struct sockaddr *)&address, length, &side_protocol, &sides[2]);
    run_some(loop);
    jg_loop_close(loop); /* with one that tries */
    close(listener);
    unlink(address.sun_path);
}

/* ---- Passed fds ---- */

struct fds {
    int count, last;
};

static void fd_came(jg_transport *transport, void *arg, int fd)
{
    (void)transport;
    struct fds *fds = arg;
    fds->count++;
    fds->last = fd;
}

static void pass(int socket, int fd)
{
    char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec part = {(char *)"x", 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    ck_assert_int_eq(sendmsg(socket, &message, 0), 1);
}

TEST(fds_are_handed_to_protocols_that_take_them)
{
    static const jg_protocol takes = {.fd_received = fd_came}, takes_none = {0};
    int pair[2];
    struct fds fds = {0};
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    jg_loop *loop = new_loop();
    jg_transport *transport = jg_transport_from_fd(loop, pair[0], &takes, &fds, .receive_fds = true);
    pass(pair[1], 2);
    RUN_UNTIL(loop, fds.count == 1);
    ck_assert_int_gt(fds.last, 2);
    ck_assert(fcntl(fds.last, F_GETFD) & FD_CLOEXEC);
    close(fds.last);
    jg_transport_set_protocol(transport, &takes_none, NULL);
    pass(pair[1], 2);
    run_some(loop);
    jg_transport_abort(transport);
    run_some(loop);
    close(pair[1]);
    jg_loop_close(loop);
    ck_assert_int_eq(fds.count, 1);
}

/* ---- Questions ---- */

TEST(another_protocol_is_told_from_then_on)
{
    int pair[2];
    struct side first = {0}, second = {0};
    void *arg = NULL;
    size_t high = 0, low = 0;
    tcp_pair(pair);
    jg_loop *loop = new_loop();
    jg_transport *transport = on_fd(loop, pair[0], &first);
    RUN_UNTIL(loop, first.made);
    ck_assert_ptr_eq(jg_transport_get_protocol(transport, &arg), &side_protocol);
    ck_assert_ptr_eq(arg, &first);
    jg_transport_set_protocol(transport, &side_protocol_with_buffer, &second);
    second.transport = transport;
    ck_assert_ptr_eq(jg_transport_get_protocol(transport, NULL), &side_protocol_with_buffer);
    ck_assert_int_eq(write(pair[1], "abc", 3), 3);
    RUN_UNTIL(loop, second.received == 3);
    jg_transport_get_write_limits(transport, &high, &low);
    ck_assert(high == 64 * 1024 && low == 16 * 1024);
    ck_assert_int_eq(shutdown(pair[1], SHUT_WR), 0);
    RUN_UNTIL(loop, second.ends == 1);
    ck_assert(!jg_transport_is_reading(transport));
    finish_side(loop, &second);
    ck_assert_int_eq(first.lost + first.ends + (int)first.received, 0);
    close(pair[1]);
    jg_loop_close(loop);
}
