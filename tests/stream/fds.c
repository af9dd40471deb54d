/* Passing fds over Unix sockets. */
#include "support.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <juggle/unix.h>

static void fd_pair(jg_stream *ends[2])
{
    int pair[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    ends[0] = jg_stream_from_fd(pair[0], .receive_fds = true);
    ends[1] = jg_stream_from_fd(pair[1], .receive_fds = true);
}

static int marked_file(const char *mark)
{
    char name[] = "/tmp/juggle-test-XXXXXX";
    int fd = mkostemp(name, O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    unlink(name);
    ck_assert_int_eq(write(fd, mark, strlen(mark)), (ssize_t)strlen(mark));
    return fd;
}

static void check_mark(int fd, const char *mark)
{
    char data[32] = "";
    ck_assert_msg(fd >= 0, "%s", jg_error_text());
    ck_assert_int_ge(pread(fd, data, sizeof data - 1, 0), 0);
    ck_assert_str_eq(data, mark);
    ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
}

/* Sends so many fds, all that file, with these bytes in one message. */
static void send_raw(int socket, const char *bytes, int fd, int count)
{
    char control[CMSG_SPACE(64 * sizeof(int))] = {0};
    struct iovec part = {(char *)(uintptr_t)bytes, strlen(bytes)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = CMSG_SPACE((size_t)count * sizeof(int))};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
    for (int i = 0; i < count; i++)
        memcpy(CMSG_DATA(header) + (size_t)i * sizeof(int), &fd, sizeof(int));
    ck_assert_int_eq(sendmsg(socket, &message, 0), (ssize_t)strlen(bytes));
}

static jg_stream *receiver_of(int *peer)
{
    int pair[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    *peer = pair[1];
    return jg_stream_from_fd(pair[0], .receive_fds = true);
}

TASK_TEST(an_fd_is_passed_between_data)
{
    jg_stream *ends[2];
    char line[16];
    fd_pair(ends);
    int first = marked_file("first"), second = marked_file("second");
    ck_assert_int_eq(jg_write(ends[0], "abc\n", 4), 0);
    ck_assert_int_eq(jg_send_fd(ends[0], first), 0);
    ck_assert_int_eq(jg_send_fd(ends[0], second), 0);
    ck_assert_int_eq(jg_write(ends[0], "def\n", 4), 0);
    close(first);
    close(second);
    ck_assert_int_eq(jg_read_line(ends[1], line, sizeof line), 4);
    check_mark(jg_recv_fd(ends[1]), "first");
    check_mark(jg_recv_fd(ends[1]), "second");
    ck_assert_int_eq(jg_read_line(ends[1], line, sizeof line), 4);
    ck_assert_str_eq(line, "def\n");
    ck_assert_int_eq(jg_close(ends[0]), 0);
    FAILS(jg_recv_fd(ends[1]), ENODATA);
    return jg_close(ends[1]);
}

static int receive_fd(void *arg)
{
    int fd = jg_recv_fd(arg);
    if (fd < 0)
        return -1;
    check_mark(fd, "late");
    return 0;
}

TASK_TEST(an_fd_is_waited_for)
{
    jg_stream *ends[2];
    fd_pair(ends);
    jg_task *receiver = start(receive_fd, ends[1]);
    jg_cancel(receiver);
    FAILS(jg_await(receiver), ECANCELED);
    {
        JG_TIMEOUT(limit, 0.02);
        FAILS(jg_recv_fd(ends[1]), ETIMEDOUT);
    }
    receiver = start(receive_fd, ends[1]);
    int fd = marked_file("late");
    ck_assert_int_eq(jg_send_fd(ends[0], fd), 0);
    close(fd);
    ck_assert_int_eq(jg_await(receiver), 0);
    receiver = start(receive_fd, ends[1]);
    jg_abort(ends[1]);
    FAILS(jg_await(receiver), EBADF);
    jg_abort(ends[0]);
    return 0;
}

TASK_TEST(data_without_an_fd_is_to_be_read_first)
{
    jg_stream *ends[2];
    char data[8];
    fd_pair(ends);
    ck_assert_int_eq(jg_write(ends[0], "abc", 3), 0);
    FAILS(jg_recv_fd(ends[1]), ENOMSG);
    ck_assert_int_eq(jg_read(ends[1], data, sizeof data), 3);
    jg_abort(ends[0]);
    jg_abort(ends[1]);
    return 0;
}

TASK_TEST(a_message_of_others_keeps_its_bytes)
{
    int peer, fd = marked_file("x");
    char data[8];
    jg_stream *stream = receiver_of(&peer);
    send_raw(peer, "msg", fd, 1);
    check_mark(jg_recv_fd(stream), "x");
    ck_assert_int_eq(jg_read(stream, data, sizeof data), 3);
    ck_assert_mem_eq(data, "msg", 3);
    send_raw(peer, "a", fd, 2);
    check_mark(jg_recv_fd(stream), "x");
    check_mark(jg_recv_fd(stream), "x");
    send_raw(peer, "b", fd, 1);
    ck_assert_int_eq(jg_read(stream, data, sizeof data), 1); /* the byte first, by somebody else */
    check_mark(jg_recv_fd(stream), "x");
    close(fd);
    close(peer);
    return jg_close(stream);
}

TASK_TEST(surplus_fds_are_closed)
{
    int peer, fd = marked_file("x");
    jg_stream *stream = receiver_of(&peer);
    send_raw(peer, "a", fd, 20);
    for (int i = 0; i < 16; i++)
        check_mark(jg_recv_fd(stream), "x");
    send_raw(peer, "b", fd, 10);
    send_raw(peer, "c", fd, 10);
    check_mark(jg_recv_fd(stream), "x");
    jg_sleep(0.02);
    close(fd);
    close(peer);
    return jg_close(stream); /* with those that nobody has taken: the harness counts */
}

TASK_TEST(fds_that_nobody_looks_for_are_discarded)
{
    int pair[2], fd = marked_file("x");
    char data[8];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    jg_stream *stream = jg_stream_from_fd(pair[0]);
    send_raw(pair[1], "a", fd, 3);
    ck_assert_int_eq(jg_read(stream, data, sizeof data), 1);
    FAILS(jg_recv_fd(stream), EOPNOTSUPP);
    TEXT_HAS("receive_fds");
    close(fd);
    close(pair[1]);
    return jg_close(stream);
}

TASK_TEST(an_fd_for_which_there_is_no_room_is_EMFILE)
{
    int peer, fd = marked_file("x"), taken[64], count = 0;
    char data[4];
    jg_stream *stream = receiver_of(&peer);
    struct rlimit limit = {64, 64};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    while ((taken[count] = dup(fd)) >= 0)
        count++;
    send_raw(peer, "a", fd, 1);
    FAILS(jg_recv_fd(stream), EMFILE);
    while (count)
        close(taken[--count]);
    send_raw(peer, "b", fd, 1);
    check_mark(jg_recv_fd(stream), "x");
    close(fd);
    close(peer);
    ck_assert_int_eq(jg_read(stream, data, sizeof data), 0);
    return jg_close(stream);
}

TASK_TEST(what_cannot_be_passed)
{
    jg_stream *ends[2], *pipes[2];
    int peer;
    fd_pair(ends);
    FAILS(jg_send_fd(ends[0], -1), EBADF);
    FAILS(jg_send_fd(ends[0], 9999), EBADF);
    jg_stream *tcp = stream_with_peer(&peer);
    FAILS(jg_send_fd(tcp, 2), EOPNOTSUPP);
    FAILS(jg_recv_fd(tcp), EOPNOTSUPP);
    ck_assert_int_eq(jg_open_pipe(&pipes[0], &pipes[1]), 0);
    FAILS(jg_send_fd(pipes[1], 2), EOPNOTSUPP);
    FAILS(jg_send_fd(pipes[0], 2), EBADF);
    FAILS(jg_recv_fd(pipes[1]), EBADF);
    jg_abort(ends[1]);
    jg_sleep(0.01);
    FAILS(jg_send_fd(ends[0], 2), EPIPE);
    jg_abort(ends[0]);
    jg_abort(pipes[0]);
    jg_abort(pipes[1]);
    jg_abort(tcp);
    close(peer);
    return 0;
}

enum { MUCH = 4 << 20 };

static int write_much(void *arg)
{
    char *data = calloc(1, MUCH);
    int result = jg_write(arg, data, MUCH);
    free(data);
    return result;
}

struct passing {
    jg_stream *stream;
    int fd;
};

static int pass(void *arg)
{
    const struct passing *passing = arg;
    return jg_send_fd(passing->stream, passing->fd);
}

TASK_TEST(an_fd_that_is_closed_too_early_costs_only_itself)
{
    jg_stream *ends[2];
    char *data = malloc(MUCH), line[8];
    fd_pair(ends);
    struct passing passing = {ends[0], marked_file("early")};
    jg_task *writer = jg_create_task(write_much, ends[0]), *passer = jg_create_task(pass, &passing);
    ck_assert_int_eq(jg_sleep(0.01), 0); /* the fd is queued behind what nobody reads yet */
    close(passing.fd);
    ck_assert_int_eq(jg_read_exactly(ends[1], data, MUCH), MUCH);
    ck_assert_int_eq(jg_await(writer), 0);
    ck_assert_int_eq(jg_await(passer), -1);
    ck_assert_int_eq(errno, EBADF);
    ck_assert_int_eq(jg_write(ends[0], "on\n", 3), 0);
    ck_assert_int_eq(jg_read_line(ends[1], line, sizeof line), 3);
    ck_assert_int_eq(jg_close(ends[0]), 0);
    ck_assert_int_eq(jg_close(ends[1]), 0);
    free(data);
    return 0;
}

static int pass_on(jg_stream *client, void *arg)
{
    (void)arg;
    int fd = jg_recv_fd(client);
    ck_assert_msg(fd >= 0, "%s", jg_error_text());
    ck_assert_int_eq(jg_send_fd(client, fd), 0);
    return close(fd);
}

TASK_TEST(servers_and_connections_pass_fds)
{
    char name[64];
    snprintf(name, sizeof name, "@juggle-test-fds-%d", (int)getpid());
    jg_server *server = jg_start_unix_server(pass_on, NULL, name, .receive_fds = true);
    jg_stream *stream = jg_open_unix_connection(name, .receive_fds = true);
    int fd = marked_file("there and back");
    ck_assert_int_eq(jg_send_fd(stream, fd), 0);
    close(fd);
    check_mark(jg_recv_fd(stream), "there and back");
    ck_assert_int_eq(jg_close(stream), 0);
    jg_server_close(server);
    return 0;
}

TASK_TEST(streams_that_receive_fds_read_as_others_do)
{
    enum { BYTES = 1 << 20 };
    jg_stream *ends[2];
    fd_pair(ends);
    char *data = pattern(BYTES), *back = malloc(BYTES);
    for (size_t done = 0; done < BYTES; done += 8192) {
        ck_assert_int_eq(jg_write(ends[0], data + done, 8192), 0);
        ck_assert_int_eq(jg_read_exactly(ends[1], back + done, 8192), 8192);
    }
    check_pattern(back, 0, BYTES);
    free(data);
    free(back);
    int fd = marked_file("x");
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(jg_send_fd(ends[0], fd), 0);
        check_mark(jg_recv_fd(ends[1]), "x");
    }
    close(fd);
    ck_assert_int_eq(jg_close(ends[0]), 0);
    return jg_close(ends[1]);
}

static int receive_without_memory(void *arg)
{
    (void)arg;
    char byte;
    for (long allowed = 0; allowed < 4; allowed++) {
        int peer, fd = marked_file("x");
        jg_stream *stream = receiver_of(&peer);
        jg_sleep(0);
        send_raw(peer, "a", fd, 1);
        fail_allocations_after(allowed);
        jg_sleep(0.01);
        fail_allocations_after(-1);
        if (jg_stream_error(stream) == 0 && !jg_is_closing(stream))
            check_mark(jg_recv_fd(stream), "x");
        else
            while (jg_read(stream, &byte, 1) == 1) {
            }
        close(fd);
        close(peer);
        jg_close(stream);
    }
    return 0;
}

TEST(an_fd_that_comes_without_memory_is_closed)
{
    install_failing_allocator();
    fail_allocations_after(-1);
    RUN(receive_without_memory, NULL);
}
