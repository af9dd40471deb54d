/* read, write, send, recv and their kin on fds that block: two tasks of one thread talk to each other. */
#include "support.h"

#include <limits.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/uio.h>

/* ---- One waits for the other ---- */

static int answer_by_read(void *arg)
{
    int fd = *(int *)arg;
    char letter;
    while (read(fd, &letter, 1) == 1) {
        letter++;
        if (write(fd, &letter, 1) != 1)
            return -1;
    }
    return 0;
}

static int answer_by_recv(void *arg)
{
    int fd = *(int *)arg;
    char letter;
    while (recv(fd, &letter, 1, 0) == 1) {
        letter++;
        if (send(fd, &letter, 1, MSG_NOSIGNAL) != 1)
            return -1;
    }
    return 0;
}

static void talk(jg_coroutine answer)
{
    int ends[2];
    char letter;
    socket_pair(SOCK_STREAM, ends);
    jg_task *task = jg_create_task(answer, &ends[1]);
    for (int i = 0; i < 200; i++) { /* more than fit between two yields */
        RETURNS(write(ends[0], "a", 1), 1);
        RETURNS(read(ends[0], &letter, 1), 1);
        ck_assert_int_eq(letter, 'b');
    }
    ck_assert(blocks(ends[0]) && blocks(ends[1]));
    shutdown(ends[0], SHUT_WR);
    ck_assert_int_eq(jg_await(task), 0);
    close_both(ends);
}

TASK_TEST(read_and_write_park)
{
    talk(answer_by_read);
    return 0;
}

TASK_TEST(recv_and_send_park)
{
    talk(answer_by_recv);
    return 0;
}

/* ---- All of it ---- */

enum { LARGE = 1 << 20 };

struct sink {
    int fd;
    size_t count;
};

static int drain(void *arg)
{
    struct sink *sink = arg;
    static char buffer[10000];
    ssize_t n;
    while ((n = read(sink->fd, buffer, sizeof buffer)) > 0) {
        for (ssize_t i = 0; i < n; i++)
            if (buffer[i] != (char)((sink->count + (size_t)i) % 251))
                ck_abort_msg("byte %zu came changed", sink->count + (size_t)i);
        sink->count += (size_t)n;
    }
    return (int)n;
}

static char *pattern(void)
{
    char *data = malloc(LARGE);
    ck_assert_ptr_nonnull(data);
    for (size_t i = 0; i < LARGE; i++)
        data[i] = (char)(i % 251);
    return data;
}

typedef ssize_t writer(int fd, char *data);

static ssize_t by_write(int fd, char *data)
{
    return write(fd, data, LARGE);
}

static ssize_t by_send(int fd, char *data)
{
    return send(fd, data, LARGE, 0);
}

static ssize_t by_sendto(int fd, char *data)
{
    return sendto(fd, data, LARGE, 0, NULL, 0);
}

enum { PIECES = 20 };

static void cut(struct iovec pieces[PIECES], char *data)
{
    size_t size = LARGE / PIECES;
    for (size_t i = 0; i < PIECES; i++)
        pieces[i] = (struct iovec){data + i * size, i == PIECES - 1 ? LARGE - i * size : size};
}

static ssize_t by_writev(int fd, char *data)
{
    struct iovec pieces[PIECES];
    cut(pieces, data);
    return writev(fd, pieces, PIECES);
}

static ssize_t by_sendmsg(int fd, char *data)
{
    struct iovec pieces[PIECES];
    cut(pieces, data);
    return sendmsg(fd, &(struct msghdr){.msg_iov = pieces, .msg_iovlen = PIECES}, 0);
}

static void move_all(int in, int out, writer *write_all)
{
    char *data = pattern();
    struct sink sink = {.fd = in};
    jg_task *task = jg_create_task(drain, &sink);
    RETURNS(write_all(out, data), LARGE);
    ck_assert(blocks(in) && blocks(out));
    close(out);
    ck_assert_int_eq(jg_await(task), 0);
    ck_assert_uint_eq(sink.count, LARGE);
    close(in);
    free(data);
}

TASK_TEST(a_socket_that_blocks_takes_all)
{
    writer *const ways[] = {by_write, by_send, by_sendto, by_writev, by_sendmsg};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        int ends[2];
        socket_pair(SOCK_STREAM, ends);
        move_all(ends[0], ends[1], ways[i]);
    }
    return 0;
}

TASK_TEST(a_pipe_takes_all)
{
    writer *const ways[] = {by_write, by_writev};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        int ends[2];
        ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
        move_all(ends[0], ends[1], ways[i]);
    }
    return 0;
}

/* ---- In pieces and whole ---- */

static int write_slowly(void *arg)
{
    for (int i = 0; i < 10; i++)
        if (jg_sleep(0.001) < 0 || write(*(int *)arg, "0123456789", 10) != 10)
            return -1;
    return 0;
}

TASK_TEST(waitall_waits_for_all)
{
    int ends[2];
    char buffer[100];
    struct iovec pieces[2] = {{buffer, 33}, {buffer + 33, 67}};
    socket_pair(SOCK_STREAM, ends);
    for (int i = 0; i < 2; i++) {
        jg_task *task = jg_create_task(write_slowly, &ends[1]);
        memset(buffer, 0, sizeof buffer);
        if (i == 0)
            RETURNS(recv(ends[0], buffer, 100, MSG_WAITALL), 100);
        else
            RETURNS(recvmsg(ends[0], &(struct msghdr){.msg_iov = pieces, .msg_iovlen = 2}, MSG_WAITALL), 100);
        ck_assert_mem_eq(buffer + 90, "0123456789", 10);
        ck_assert_int_eq(jg_await(task), 0);
    }
    jg_task *task = jg_create_task(write_slowly, &ends[1]);
    RETURNS(recv(ends[0], buffer, 100, 0), 10);
    RETURNS(recv(ends[0], buffer, 100, MSG_PEEK), 10);
    ck_assert_int_eq(jg_await(task), 0);
    shutdown(ends[1], SHUT_WR);
    RETURNS(recv(ends[0], buffer, 100, MSG_WAITALL), 90);
    RETURNS(recv(ends[0], buffer, 100, MSG_WAITALL), 0);
    close_both(ends);
    return 0;
}

static int read_pieces(void *arg)
{
    char first[4], second[8];
    struct iovec pieces[2] = {{first, 4}, {second, 8}};
    ssize_t n = readv(*(int *)arg, pieces, 2);
    return n == 12 && !memcmp(first, "abcd", 4) && !memcmp(second, "efghijkl", 8) ? 0 : -1;
}

TASK_TEST(readv_parks)
{
    int ends[2];
    socket_pair(SOCK_STREAM, ends);
    jg_task *task = jg_create_task(read_pieces, &ends[0]);
    jg_yield();
    RETURNS(write(ends[1], "abcdefghijkl", 12), 12);
    ck_assert_int_eq(jg_await(task), 0);
    close_both(ends);
    return 0;
}

static int receive_datagram(void *arg)
{
    char buffer[16];
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    ssize_t n = recvfrom(*(int *)arg, buffer, sizeof buffer, 0, (struct sockaddr *)&from, &length);
    return n == 5 && length < sizeof from ? 0 : -1;
}

TASK_TEST(datagrams_park)
{
    int ends[2];
    socket_pair(SOCK_DGRAM, ends);
    jg_task *task = jg_create_task(receive_datagram, &ends[0]);
    jg_yield();
    RETURNS(send(ends[1], "hello", 5, 0), 5);
    ck_assert_int_eq(jg_await(task), 0);
    close_both(ends);
    return 0;
}

static int read_counter(void *arg)
{
    uint64_t count;
    return read(*(int *)arg, &count, sizeof count) == sizeof count && count == 7 ? 0 : -1;
}

TASK_TEST(an_eventfd_parks)
{
    int fd = eventfd(0, EFD_CLOEXEC);
    uint64_t seven = 7;
    jg_task *task = jg_create_task(read_counter, &fd);
    jg_yield();
    RETURNS(write(fd, &seven, sizeof seven), sizeof seven);
    ck_assert_int_eq(jg_await(task), 0);
    close(fd);
    return 0;
}

static int read_line(void *arg)
{
    char line[64];
    ssize_t n = read(*(int *)arg, line, sizeof line);
    return n == 6 && !memcmp(line, "typed\n", 6) ? 0 : -1;
}

TASK_TEST(a_terminal_parks)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0)
        SKIP("there are no pseudo-terminals");
    ck_assert_int_eq(grantpt(master), 0);
    ck_assert_int_eq(unlockpt(master), 0);
    int terminal = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert_int_ge(terminal, 0);
    jg_task *task = jg_create_task(read_line, &terminal);
    for (int i = 0; i < 3; i++)
        jg_yield();
    ck_assert(!jg_task_done(task));
    RETURNS(write(master, "typed\n", 6), 6);
    ck_assert_int_eq(jg_await(task), 0);
    RETURNS(write(terminal, "shown", 5), 5);
    ck_assert(blocks(terminal));
    close(terminal);
    close(master);
    return 0;
}

/* ---- What is left as it is ---- */

TASK_TEST(nonblocking_fds_pass_through)
{
    int ends[2];
    char buffer[16];
    struct iovec piece = {buffer, sizeof buffer};
    socket_pair(SOCK_STREAM | SOCK_NONBLOCK, ends);
    FAILS(read(ends[0], buffer, sizeof buffer), EAGAIN);
    FAILS(readv(ends[0], &piece, 1), EAGAIN);
    FAILS(recv(ends[0], buffer, sizeof buffer, 0), EAGAIN);
    FAILS(recvfrom(ends[0], buffer, sizeof buffer, 0, NULL, NULL), EAGAIN);
    FAILS(recvmsg(ends[0], &(struct msghdr){.msg_iov = &piece, .msg_iovlen = 1}, 0), EAGAIN);
    close_both(ends);
    socket_pair(SOCK_STREAM, ends);
    FAILS(recv(ends[0], buffer, sizeof buffer, MSG_DONTWAIT), EAGAIN);
    close_both(ends);
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    FAILS(read(ends[0], buffer, sizeof buffer), EAGAIN);
    while (write(ends[1], buffer, sizeof buffer) > 0)
        ;
    ck_assert_int_eq(errno, EAGAIN);
    close_both(ends);
    return 0;
}

TASK_TEST(errors_are_those_of_libc)
{
    int ends[2];
    char byte;
    FAILS(read(-1, &byte, 1), EBADF);
    FAILS(write(700, &byte, 1), EBADF);
    FAILS(recv(700, &byte, 1, 0), EBADF);
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    FAILS(recv(ends[0], &byte, 1, 0), ENOTSOCK);
    FAILS(send(ends[1], &byte, 1, 0), ENOTSOCK);
    close(ends[0]);
    FAILS(write(ends[1], &byte, 1), EPIPE);
    close(ends[1]);
    socket_pair(SOCK_STREAM, ends);
    close(ends[0]);
    RETURNS(read(ends[1], &byte, 1), 0);
    RETURNS(read(ends[1], &byte, 0), 0);
    FAILS(send(ends[1], &byte, 1, MSG_NOSIGNAL), EPIPE);
    close(ends[1]);
    return 0;
}

TASK_TEST(files_pass_through)
{
    char name[] = "/tmp/juggle-XXXXXX", buffer[8];
    int fd = mkostemp(name, O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    unlink(name);
    RETURNS(write(fd, "content", 7), 7);
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    RETURNS(read(fd, buffer, sizeof buffer), 7);
    RETURNS(read(fd, buffer, sizeof buffer), 0);
    close(fd);
    fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
    RETURNS(read(fd, buffer, sizeof buffer), sizeof buffer);
    RETURNS(write(fd, buffer, sizeof buffer), sizeof buffer);
    close(fd);
    return 0;
}

TASK_TEST(a_time_limit_of_the_socket_holds)
{
    int ends[2];
    char byte, *data = pattern();
    struct timeval limit = {0, 20000};
    socket_pair(SOCK_STREAM, ends);
    ck_assert_int_eq(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    ck_assert_int_eq(setsockopt(ends[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit), 0);
    double before = jg_time();
    FAILS(recv(ends[0], &byte, 1, 0), EAGAIN);
    ck_assert(jg_time() - before >= 0.02);
    FAILS(read(ends[0], &byte, 1), EAGAIN);
    ssize_t sent = send(ends[0], data, LARGE, 0);
    ck_assert_int_gt(sent, 0);
    ck_assert_int_lt(sent, LARGE);
    FAILS(send(ends[0], data, LARGE, 0), EAGAIN);
    close_both(ends);
    free(data);
    return 0;
}

/* ---- Interrupted ---- */

static int read_in_vain(void *arg)
{
    char byte;
    FAILS(read(*(int *)arg, &byte, 1), ECANCELED);
    FAILS(recv(*(int *)arg, &byte, 1, 0), ECANCELED); /* from now on at once */
    return 0;
}

TASK_TEST(a_cancelled_task_fails_with_ecanceled)
{
    int ends[2];
    socket_pair(SOCK_STREAM, ends);
    jg_task *task = jg_create_task(read_in_vain, &ends[0]);
    jg_yield();
    jg_cancel(task);
    ck_assert_int_eq(jg_await(task), 0);
    close_both(ends);
    return 0;
}

TASK_TEST(past_a_deadline_it_fails_with_etimedout)
{
    int ends[2], sockets[2];
    char byte, *data = pattern();
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    socket_pair(SOCK_STREAM, sockets);
    {
        JG_TIMEOUT(deadline, 0.005);
        FAILS(read(ends[0], &byte, 1), ETIMEDOUT);
        FAILS(write(ends[1], &byte, 1), ETIMEDOUT);
        FAILS(send(sockets[0], &byte, 1, 0), ETIMEDOUT);
    }
    {
        JG_TIMEOUT(deadline, 0.005); /* what was written before it is told */
        ssize_t n = write(ends[1], data, LARGE);
        ck_assert_int_gt(n, 0);
        ck_assert_int_lt(n, LARGE);
        n = send(sockets[0], data, LARGE, 0);
        ck_assert_int_eq(n, -1);
    }
    close_both(ends);
    close_both(sockets);
    free(data);
    return 0;
}

/* One that always finds its data does not keep the thread for itself. */
static int run_beside(void *arg)
{
    for (int *count = arg; jg_yield() == 0;)
        ++*count;
    return 0;
}

TASK_TEST(a_busy_task_lets_others_run)
{
    int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC), count = 0;
    char byte;
    jg_task *task = jg_create_task(run_beside, &count);
    for (int i = 0; i < 1000; i++)
        RETURNS(read(fd, &byte, 1), 1);
    ck_assert_int_ge(count, 5);
    jg_cancel_and_wait(task);
    close(fd);
    return 0;
}

/* ---- Where nothing can wait ---- */

static int read_deep(void *arg)
{
    char byte;
    return read(*(int *)arg, &byte, 1) == 1 ? 0 : -1;
}

TASK_TEST(in_call_deep_it_is_libc)
{
    int ends[2];
    socket_pair(SOCK_STREAM, ends);
    RETURNS(write(ends[1], "x", 1), 1);
    ck_assert_int_eq(jg_call_deep(read_deep, &ends[0]), 0);
    close_both(ends);
    return 0;
}

TEST(outside_of_a_run_it_is_libc)
{
    int ends[2];
    char byte;
    struct timeval limit = {0, 1000};
    socket_pair(SOCK_STREAM, ends);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    ck_assert_int_eq(read(ends[0], &byte, 1), 1);
    ck_assert_int_eq(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    ck_assert_int_eq(recv(ends[0], &byte, 1, 0), -1);
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_int_eq(poll(NULL, 0, 1), 0);
    ck_assert_int_eq(usleep(1), 0);
    close_both(ends);
}
