#include "support.h"

#include <sys/ioctl.h>

/* ---- Sockets ---- */

int bare_listener(int family, int *port)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = {0};
    socklen_t length = family == AF_INET ? sizeof address.v4 : sizeof address.v6;
    *port = -1;
    address.any.sa_family = (sa_family_t)family;
    if (family == AF_INET)
        address.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        address.v6.sin6_addr = in6addr_loopback;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, &address.any, length) < 0) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    ck_assert_int_eq(listen(fd, 64), 0);
    ck_assert_int_eq(getsockname(fd, &address.any, &length), 0);
    *port = ntohs(family == AF_INET ? address.v4.sin_port : address.v6.sin6_port);
    return fd;
}

int free_port(void)
{
    int port, fd = bare_listener(AF_INET, &port);
    close(fd);
    return port;
}

static void shrink(int fd)
{
    int size = 4096;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
}

void tcp_pair(int pair[2], bool small)
{
    int port, listener = bare_listener(AF_INET, &port);
    if (small)
        shrink(listener);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    pair[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (small)
        shrink(pair[0]);
    ck_assert_int_eq(connect(pair[0], (struct sockaddr *)&address, sizeof address), 0);
    pair[1] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    ck_assert_int_ge(pair[1], 0);
    close(listener);
}

static jg_stream *stream_on(int fd, size_t high_water)
{
    jg_stream *stream = jg_stream_from_fd(fd, .high_water = high_water);
    ck_assert_msg(stream, "%s", jg_error_text());
    return stream;
}

jg_stream *stream_with_peer(int *peer)
{
    int pair[2];
    tcp_pair(pair, false);
    *peer = pair[1];
    return stream_on(pair[0], 0);
}

jg_stream *stream_with_small_buffers(int *peer, size_t high_water)
{
    int pair[2];
    tcp_pair(pair, true);
    *peer = pair[1];
    return stream_on(pair[0], high_water);
}

void stream_pair(jg_stream *pair[2])
{
    int fds[2];
    tcp_pair(fds, false);
    pair[0] = stream_on(fds[0], 0);
    pair[1] = stream_on(fds[1], 0);
}

void peer_send(int peer, const void *data, size_t bytes)
{
    for (size_t sent = 0; sent < bytes;) {
        ssize_t n = send(peer, (const char *)data + sent, bytes - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0)
            sent += (size_t)n;
        else
            ck_assert_msg(errno == EAGAIN && jg_wait_fd(peer, POLLOUT) > 0, "send: %s", strerror(errno));
    }
}

/* A count, 0 at the end, or a negated errno. */
static ssize_t receive_some(int peer, void *data, size_t bytes)
{
    for (;;) {
        ssize_t n = recv(peer, data, bytes, MSG_DONTWAIT);
        if (n >= 0)
            return n;
        if (errno != EAGAIN)
            return -errno;
        ck_assert_int_gt(jg_wait_fd(peer, POLLIN), 0);
    }
}

void peer_receive(int peer, void *data, size_t bytes)
{
    for (size_t received = 0; received < bytes;) {
        ssize_t n = receive_some(peer, (char *)data + received, bytes - received);
        ck_assert_msg(n > 0, "recv after %zu of %zu bytes: %s", received, bytes, n ? strerror((int)-n) : "the end");
        received += (size_t)n;
    }
}

int peer_receive_end(int peer, size_t *count)
{
    static char data[65536];
    ssize_t n;
    while ((n = receive_some(peer, data, sizeof data)) > 0) {
        check_pattern(data, *count, (size_t)n);
        *count += (size_t)n;
    }
    close(peer);
    return (int)-n;
}

int receive_to_end(void *arg)
{
    struct receiver *receiver = arg;
    int error = peer_receive_end(receiver->peer, &receiver->count);
    errno = error;
    return error ? -1 : 0;
}

void reset_peer(int peer)
{
    setsockopt(peer, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
    close(peer);
}

void wait_until_received(int fd, int bytes)
{
    int there = 0;
    YIELD_UNTIL(ioctl(fd, FIONREAD, &there) == 0 && there >= bytes);
}

/* ---- Patterns ---- */

void fill_pattern(char *data, size_t from, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        data[i] = byte_at(from + i);
}

void check_pattern(const char *data, size_t from, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (data[i] != byte_at(from + i))
            ck_abort_msg("byte %zu is %d instead of %d", from + i, data[i], byte_at(from + i));
}

char *pattern(size_t bytes)
{
    char *data = malloc(bytes ? bytes : 1);
    ck_assert_ptr_nonnull(data);
    fill_pattern(data, 0, bytes);
    return data;
}

bool on_epoll(void)
{
    return strcmp(jg_loop_poller(jg_task_loop()), "epoll") == 0;
}

/* ---- An allocator that fails ---- */

static long allocations_left = -1;
static bool failed, only_one;

static bool may_allocate(void)
{
    if (allocations_left < 0)
        return true;
    if (allocations_left > 0) {
        allocations_left--;
        return true;
    }
    if (only_one)
        allocations_left = -1;
    failed = true;
    return false;
}

static void *allocate(size_t bytes, void *arg)
{
    (void)arg;
    return may_allocate() ? malloc(bytes) : NULL;
}

static void *reallocate(void *block, size_t bytes, void *arg)
{
    (void)arg;
    return may_allocate() ? realloc(block, bytes) : NULL;
}

static void release(void *block, void *arg)
{
    (void)arg;
    free(block);
}

void install_failing_allocator(void)
{
    ck_assert_int_eq(jg_set_allocator(&(jg_allocator){allocate, reallocate, release, NULL}), 0);
}

void fail_allocations_after(long count)
{
    allocations_left = count;
    if (count >= 0)
        failed = only_one = false;
}

void fail_only_one(bool one)
{
    only_one = one;
}

bool allocation_failed(void)
{
    return failed;
}

/* ---- Reports ---- */

int reports;
char last_report[512], last_report_task[64];
int last_report_error;

static void keep(const jg_report *report, void *arg)
{
    (void)arg;
    reports++;
    snprintf(last_report, sizeof last_report, "%s", report->message);
    snprintf(last_report_task, sizeof last_report_task, "%s", report->task_name ? report->task_name : "");
    last_report_error = report->error;
}

void keep_reports(void)
{
    reports = 0;
    jg_set_error_handler(keep, NULL);
}

jg_task *start(jg_coroutine fn, void *arg)
{
    jg_task *task = jg_create_task(fn, arg);
    ck_assert_ptr_nonnull(task);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(jg_yield(), 0);
    return task;
}
