/* The jg_sock_ calls, on non-blocking sockets and on blocking ones. */
#include "os_support.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { MUCH = 8 * 1024 * 1024 };

/* Each test runs on both kinds. */
static int kind;

static int run_both(void *arg)
{
    int (*body)(void);
    memcpy(&body, arg, sizeof body);
    int kinds[] = {0, SOCK_NONBLOCK};
    for (int i = 0; i < 2; i++) {
        kind = kinds[i];
        if (body() < 0)
            return -1;
    }
    return 0;
}

#define SOCKET_TEST(name)                             \
    static int task_##name(void);                     \
    TEST(name)                                        \
    {                                                 \
        RUN(run_both, &(int (*)(void)){task_##name}); \
    }                                                 \
    static int task_##name(void)

static int tcp(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | kind, 0);
    ck_assert_int_ge(fd, 0);
    return fd;
}

/* A socket on a free port of 127.0.0.1, and its address. */
static int bound(int type, struct sockaddr_in *address)
{
    int fd = socket(AF_INET, type | SOCK_CLOEXEC | kind, 0);
    socklen_t length = sizeof *address;
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    ck_assert_int_eq(bind(fd, (struct sockaddr *)address, length), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)address, &length), 0);
    return fd;
}

static void check_flags(int fd)
{
    ck_assert_int_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, kind ? O_NONBLOCK : 0);
}

static void pair(int type, int fds[2])
{
    ck_assert_int_eq(socketpair(AF_UNIX, type | SOCK_CLOEXEC | kind, 0, fds), 0);
}

static void close_pair(const int fds[2])
{
    close(fds[0]);
    close(fds[1]);
}

/* ---- Connecting and accepting ---- */

static int accept_one(void *arg)
{
    struct sockaddr_in peer = {0};
    socklen_t length = sizeof peer;
    int fd = jg_sock_accept(*(int *)arg, (struct sockaddr *)&peer, &length);
    if (fd >= 0) {
        ck_assert_int_eq(length, sizeof peer);
        ck_assert_uint_eq(peer.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
        ck_assert_int_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
        ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    }
    return fd;
}

SOCKET_TEST(a_connection_and_what_goes_over_it)
{
    struct sockaddr_in address;
    char data[16] = "";
    int listener = bound(SOCK_STREAM, &address);
    ck_assert_int_eq(listen(listener, 5), 0);
    jg_task *task = jg_create_task(accept_one, &listener);
    ck_assert_int_eq(jg_sleep(0.01), 0); /* it waits */
    int client = tcp();
    errno = 77;
    ck_assert_int_eq(jg_sock_connect(client, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(errno, 77);
    int server = jg_await(task);
    ck_assert_int_ge(server, 0);
    ck_assert_int_eq(errno, 77);
    check_flags(client);
    check_flags(listener);
    ck_assert_int_eq(jg_sock_sendall(client, "hello", 5), 0);
    ck_assert_int_eq(jg_sock_recv(server, data, sizeof data), 5);
    ck_assert_str_eq(data, "hello");
    ck_assert_int_eq(jg_sock_sendall(client, NULL, 0), 0);
    close(client);
    ck_assert_int_eq(jg_sock_recv(server, data, sizeof data), 0);
    ck_assert_int_eq(errno, 77);
    close(server);
    FAILS(jg_sock_accept(client = tcp(), NULL, NULL), EINVAL); /* it does not listen */
    close(client);
    close(listener);
    return 0;
}

SOCKET_TEST(connections_that_fail)
{
    struct sockaddr_in address;
    int fd = bound(SOCK_STREAM, &address);
    close(fd);
    fd = tcp();
    FAILS(jg_sock_connect(fd, (struct sockaddr *)&address, sizeof address), ECONNREFUSED);
    check_flags(fd);
    close(fd);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | kind, 0);
    struct sockaddr_un nobody = {.sun_family = AF_UNIX, .sun_path = "/no/such/socket"};
    FAILS(jg_sock_connect(fd, (struct sockaddr *)&nobody, sizeof nobody), ENOENT);
    close(fd);
    FAILS(jg_sock_connect(-1, (struct sockaddr *)&address, sizeof address), EBADF);
    FAILS(jg_sock_accept(-1, NULL, NULL), EBADF);
    int ends[2];
    char byte = 0;
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    FAILS(jg_sock_recv(ends[0], &byte, 1), ENOTSOCK);
    FAILS(jg_sock_sendall(ends[1], &byte, 1), ENOTSOCK);
    close_pair(ends);
    return 0;
}

/* A full backlog: the connect waits, and is interrupted. */
SOCKET_TEST(a_connect_that_waits_can_be_interrupted)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t length = sizeof(sa_family_t);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | kind, 0), clients[4];
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, length), 0);
    length = sizeof address;
    getsockname(listener, (struct sockaddr *)&address, &length);
    ck_assert_int_eq(listen(listener, 1), 0);
    int result = 0, count = 0;
    while (result == 0 && count < 4) {
        JG_TIMEOUT(soon, 0.02);
        clients[count] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | kind, 0);
        result = jg_sock_connect(clients[count++], (struct sockaddr *)&address, length);
        ck_assert(result == 0 || errno == ETIMEDOUT);
    }
    ck_assert_int_lt(result, 0);
    close(listener);
    while (count > 0)
        close(clients[--count]);
    return 0;
}

static int receive_one(void *arg)
{
    char byte;
    ssize_t count = jg_sock_recv(*(int *)arg, &byte, 1);
    return count == 1 ? byte : (int)count;
}

SOCKET_TEST(waits_can_be_interrupted)
{
    struct sockaddr_in address;
    int fds[2], listener = bound(SOCK_STREAM, &address);
    listen(listener, 5);
    pair(SOCK_STREAM, fds);
    jg_task *receiver = jg_create_task(receive_one, &fds[0]), *acceptor = jg_create_task(accept_one, &listener);
    ck_assert_int_eq(jg_sleep(0.01), 0);
    jg_cancel(receiver);
    jg_cancel(acceptor);
    FAILS(jg_await(receiver), ECANCELED);
    FAILS(jg_await(acceptor), ECANCELED);
    {
        JG_TIMEOUT(soon, 0.01);
        FAILS(receive_one(&fds[0]), ETIMEDOUT);
        FAILS(accept_one(&listener), ETIMEDOUT);
        FAILS(jg_sock_sendall(fds[1], "x", 1), ETIMEDOUT); /* refused at once: nothing is sent */
        FAILS(jg_sock_sendto(fds[1], "x", 1, NULL, 0), ETIMEDOUT);
        FAILS(jg_sock_sendfile(fds[1], fds[0], 0, 1), ETIMEDOUT);
        FAILS(jg_sock_connect(fds[1], (struct sockaddr *)&address, sizeof address), ETIMEDOUT);
    }
    ck_assert_int_eq(jg_sock_sendall(fds[1], "y", 1), 0);
    ck_assert_int_eq(receive_one(&fds[0]), 'y');
    close_pair(fds);
    close(listener);
    return 0;
}

SOCKET_TEST(without_fds_nothing_is_accepted)
{
    struct sockaddr_in address;
    struct rlimit before, none;
    int listener = bound(SOCK_STREAM, &address), client = tcp();
    listen(listener, 5);
    ck_assert_int_eq(jg_sock_connect(client, (struct sockaddr *)&address, sizeof address), 0);
    getrlimit(RLIMIT_NOFILE, &before);
    none = (struct rlimit){.rlim_max = before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    int server = jg_sock_accept(listener, NULL, NULL), error = errno;
    setrlimit(RLIMIT_NOFILE, &before);
    ck_assert_int_lt(server, 0);
    ck_assert_int_eq(error, EMFILE);
    server = jg_sock_accept(listener, NULL, NULL); /* it is still there */
    ck_assert_int_ge(server, 0);
    close(server);
    close(client);
    close(listener);
    return 0;
}

/* ---- Much data ---- */

struct flow {
    int fd;
    size_t bytes;
    size_t at_most; /* received, then it stops */
};

static char byte_at(size_t place)
{
    return (char)(place * 2654435761u >> 13);
}

static int receive_flow(void *arg)
{
    struct flow *flow = arg;
    char *data = malloc(65536);
    ssize_t count = 0;
    while (flow->bytes < flow->at_most && (count = jg_sock_recv(flow->fd, data, 65536)) > 0) {
        for (ssize_t i = 0; i < count; i += 997)
            if (data[i] != byte_at(flow->bytes + (size_t)i))
                ck_abort_msg("byte %zu is wrong", flow->bytes + (size_t)i);
        flow->bytes += (size_t)count;
    }
    free(data);
    return count < 0 ? -1 : 0;
}

static char *pattern(size_t bytes)
{
    char *data = malloc(bytes);
    for (size_t i = 0; i < bytes; i++)
        data[i] = byte_at(i);
    return data;
}

SOCKET_TEST(everything_is_sent_whatever_fits)
{
    int fds[2];
    char *data = pattern(MUCH);
    pair(SOCK_STREAM, fds);
    struct flow flow = {.fd = fds[1], .at_most = MUCH};
    jg_task *task = jg_create_task(receive_flow, &flow);
    ck_assert_int_eq(jg_sock_sendall(fds[0], data, MUCH), 0);
    ck_assert_int_eq(jg_await(task), 0);
    ck_assert_uint_eq(flow.bytes, MUCH);
    check_flags(fds[0]);
    close_pair(fds);
    free(data);
    return 0;
}

struct sender {
    int fd;
    const char *data;
};

static int send_much(void *arg)
{
    const struct sender *sender = arg;
    return jg_sock_sendall(sender->fd, sender->data, MUCH);
}

SOCKET_TEST(a_part_that_was_sent_is_told)
{
    int fds[2];
    char *data = pattern(MUCH);
    pair(SOCK_STREAM, fds);
    struct sender sender = {fds[0], data};
    jg_task *task = jg_create_task(send_much, &sender);
    ck_assert_int_eq(jg_sleep(0.01), 0);
    jg_cancel(task);
    FAILS(jg_await(task), ECANCELED);
    size_t sent = 0;
    const char *words = strstr(jg_error_text(), "after ");
    ck_assert_msg(words != NULL, "%s", jg_error_text());
    sent = strtoul(words + 6, NULL, 10);
    ck_assert_uint_gt(sent, 0);
    close(fds[0]);
    struct flow flow = {.fd = fds[1], .at_most = MUCH};
    ck_assert_int_eq(receive_flow(&flow), 0);
    ck_assert_uint_eq(flow.bytes, sent);
    close(fds[1]);
    free(data);
    return 0;
}

SOCKET_TEST(a_peer_that_is_gone)
{
    int fds[2];
    char *data = pattern(MUCH);
    pair(SOCK_STREAM, fds);
    struct sender sender = {fds[0], data};
    jg_task *task = jg_create_task(send_much, &sender);
    ck_assert_int_eq(jg_sleep(0.01), 0);
    close(fds[1]);
    errno = 0;
    ck_assert_int_eq(jg_await(task), -1);
    ck_assert(errno == EPIPE || errno == ECONNRESET);
    FAILS(jg_sock_sendall(fds[0], data, 10), EPIPE); /* and no signal */
    close(fds[0]);
    free(data);
    return 0;
}

/* ---- Datagrams ---- */

SOCKET_TEST(datagrams_of_a_bare_socket)
{
    struct sockaddr_in here, there, from;
    socklen_t length = sizeof from;
    char data[8] = "";
    int first = bound(SOCK_DGRAM, &here), second = bound(SOCK_DGRAM, &there);
    ck_assert_int_eq(jg_sock_sendto(first, "abc", 3, (struct sockaddr *)&there, sizeof there), 3);
    ck_assert_int_eq(jg_sock_recvfrom(second, data, sizeof data, (struct sockaddr *)&from, &length), 3);
    ck_assert_int_eq(from.sin_port, here.sin_port);
    ck_assert_int_eq(jg_sock_sendto(first, "", 0, (struct sockaddr *)&there, sizeof there), 0);
    ck_assert_int_eq(jg_sock_recvfrom(second, data, sizeof data, NULL, NULL), 0);
    FAILS(jg_sock_sendto(first, "x", 1, NULL, 0), EDESTADDRREQ);
    char *large = calloc(1, 70000);
    FAILS(jg_sock_sendto(first, large, 70000, (struct sockaddr *)&there, sizeof there), EMSGSIZE);
    free(large);
    struct sockaddr_in broadcast = {
        .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_BROADCAST)};
    FAILS(jg_sock_sendto(first, "x", 1, (struct sockaddr *)&broadcast, sizeof broadcast), EACCES);
    close(second);
    ck_assert_int_eq(jg_sock_connect(first, (struct sockaddr *)&there, sizeof there), 0);
    ck_assert_int_eq(jg_sock_sendto(first, "x", 1, NULL, 0), 1);
    FAILS(jg_sock_recv(first, data, 1), ECONNREFUSED);
    close(first);
    return 0;
}

static int receive_later(void *arg)
{
    char data[1000];
    for (int i = 0; i < 600; i++) {
        if (i % 100 == 0)
            ck_assert_int_eq(jg_sleep(0.002), 0);
        if (jg_sock_recv(*(int *)arg, data, sizeof data) != sizeof data)
            return -1;
    }
    return 0;
}

/* A Unix receiver that is behind, of a socket that is not connected: no event tells of room. */
SOCKET_TEST(a_receiver_that_is_behind)
{
    char data[1000] = "";
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t length = sizeof(sa_family_t);
    int receiver = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | kind, 0);
    int sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | kind, 0);
    ck_assert_int_eq(bind(receiver, (struct sockaddr *)&address, length), 0);
    length = sizeof address;
    getsockname(receiver, (struct sockaddr *)&address, &length);
    jg_task *task = jg_create_task(receive_later, &receiver);
    for (int i = 0; i < 600; i++)
        ck_assert_int_eq(jg_sock_sendto(sender, data, sizeof data, (struct sockaddr *)&address, length), sizeof data);
    ck_assert_int_eq(jg_await(task), 0);
    close(sender);
    close(receiver);
    return 0;
}

/* ---- Files ---- */

static int file_with(const char *data, size_t bytes)
{
    char path[] = "/tmp/juggle-sendfile-XXXXXX";
    int file = mkstemp(path);
    ck_assert_int_ge(file, 0);
    unlink(path);
    ck_assert_int_eq(write(file, data, bytes), (ssize_t)bytes);
    return file;
}

SOCKET_TEST(a_file_is_sent)
{
    int fds[2];
    char *data = pattern(MUCH), byte;
    int file = file_with(data, MUCH);
    pair(SOCK_STREAM, fds);
    struct flow flow = {.fd = fds[1], .at_most = MUCH};
    jg_task *task = jg_create_task(receive_flow, &flow);
    errno = 77;
    ck_assert_int_eq(jg_sock_sendfile(fds[0], file, 0, 0), MUCH);
    ck_assert_int_eq(errno, 77);
    ck_assert_int_eq(jg_await(task), 0);
    ck_assert_int_eq(lseek(file, 0, SEEK_CUR), MUCH); /* where writing left it */
    ck_assert_int_eq(jg_sock_sendfile(fds[0], file, 1000, 1), 1);
    ck_assert_int_eq(jg_sock_recv(fds[1], &byte, 1), 1);
    ck_assert_int_eq(byte, byte_at(1000));
    ck_assert_int_eq(jg_sock_sendfile(fds[0], file, MUCH - 10, 100), 10);
    ck_assert_int_eq(jg_sock_sendfile(fds[0], file, MUCH + 10, 0), 0);
    check_flags(fds[0]);
    close_pair(fds);
    close(file);
    free(data);
    return 0;
}

SOCKET_TEST(files_that_cannot_be_sent)
{
    int fds[2], ends[2];
    pair(SOCK_STREAM, fds);
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    int folder = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    FAILS(jg_sock_sendfile(fds[0], folder, 0, 0), EISDIR);
    FAILS(jg_sock_sendfile(fds[0], ends[0], 0, 0), ESPIPE);
    FAILS(jg_sock_sendfile(fds[0], -1, 0, 0), EBADF);
    FAILS(jg_sock_sendfile(fds[0], folder, -1, 0), EINVAL);
    close(folder);
    close_pair(ends);
    close_pair(fds);
    return 0;
}

/* One that sendfile(2) refuses is read. */
SOCKET_TEST(a_file_that_only_reading_can_send)
{
    int fds[2];
    char text[4096], sent[4096];
    int file = open("/proc/version", O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(file, 0);
    ssize_t bytes = read(file, text, sizeof text);
    pair(SOCK_STREAM, fds);
    ck_assert_int_eq(jg_sock_sendfile(fds[0], file, 0, 0), bytes);
    ck_assert_int_eq(jg_sock_recv(fds[1], sent, sizeof sent), bytes);
    ck_assert_mem_eq(text, sent, (size_t)bytes);
    ck_assert_int_eq(jg_sock_sendfile(fds[0], file, 3, 5), 5);
    ck_assert_int_eq(jg_sock_recv(fds[1], sent, sizeof sent), 5);
    ck_assert_mem_eq(text + 3, sent, 5);
    close(file);
    close_pair(fds);
    return 0;
}

static int send_file(void *arg)
{
    const int *fds = arg;
    return (int)jg_sock_sendfile(fds[0], fds[1], 0, 0);
}

SOCKET_TEST(a_file_that_is_being_sent_can_be_interrupted)
{
    int fds[2];
    char *data = pattern(MUCH);
    int file = file_with(data, MUCH);
    pair(SOCK_STREAM, fds);
    int both[] = {fds[0], file};
    jg_task *task = jg_create_task(send_file, both);
    ck_assert_int_eq(jg_sleep(0.01), 0);
    jg_cancel(task);
    FAILS(jg_await(task), ECANCELED);
    ck_assert(strstr(jg_error_text(), "after "));
    check_flags(fds[0]);
    close_pair(fds);
    close(file);
    free(data);
    return 0;
}
