/* poll, select, epoll_wait; sleeping; connect and accept; names. */
#include "support.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>

static int write_later(void *arg)
{
    return jg_sleep(0.005) == 0 && write(*(int *)arg, "x", 1) == 1 ? 0 : -1;
}

/* ---- poll ---- */

enum { PAIRS = 12 };

static void open_pairs(int pairs[PAIRS][2], struct pollfd fds[PAIRS])
{
    for (int i = 0; i < PAIRS; i++) {
        socket_pair(SOCK_STREAM, pairs[i]);
        fds[i] = (struct pollfd){.fd = pairs[i][0], .events = POLLIN};
    }
}

TASK_TEST(poll_parks_for_the_first_of_many)
{
    int pairs[PAIRS][2];
    struct pollfd fds[PAIRS];
    char byte;
    open_pairs(pairs, fds);
    for (nfds_t count = 1; count <= PAIRS; count += 3)
        for (nfds_t which = 0; which < count; which++) {
            jg_task *task = jg_create_task(write_later, &pairs[which][1]);
            RETURNS(poll(fds, count, -1), 1);
            ck_assert_int_eq(fds[which].revents, POLLIN);
            RETURNS(poll(fds, count, 1000), 1); /* still */
            ck_assert_int_eq(jg_await(task), 0);
            RETURNS(read(pairs[which][0], &byte, 1), 1);
        }
    fds[3].fd = -1;
    fds[5] = (struct pollfd){.fd = pairs[4][0], .events = POLLOUT}; /* the same one twice */
    RETURNS(poll(fds, PAIRS, -1), 1);
    ck_assert_int_eq(fds[5].revents, POLLOUT);
    fds[6].fd = 700;
    fds[5].events = POLLIN;
    RETURNS(poll(fds, PAIRS, -1), 1);
    ck_assert_int_eq(fds[6].revents, POLLNVAL);
    for (int i = 0; i < PAIRS; i++)
        close_both(pairs[i]);
    return 0;
}

TASK_TEST(poll_ends_with_its_time)
{
    int pairs[PAIRS][2];
    struct pollfd fds[PAIRS];
    struct timespec limit = {0, 5000000}, zero = {0, 0};
    open_pairs(pairs, fds);
    for (nfds_t count = 0; count <= PAIRS; count += count < 2 ? 1 : 5) {
        double before = jg_time();
        RETURNS(poll(fds, count, 5), 0);
        ck_assert(jg_time() - before >= 0.005);
        RETURNS(ppoll(fds, count, &limit, NULL), 0);
        ck_assert(jg_time() - before >= 0.01);
        RETURNS(poll(fds, count, 0), 0);
        RETURNS(ppoll(fds, count, &zero, NULL), 0);
    }
    for (int i = 0; i < PAIRS; i++)
        close_both(pairs[i]);
    return 0;
}

struct polling {
    struct pollfd *fds;
    nfds_t count;
};

static int poll_in_vain(void *arg)
{
    struct polling *polling = arg;
    FAILS(poll(polling->fds, polling->count, -1), ECANCELED);
    FAILS(poll(polling->fds, polling->count, 1000), ECANCELED);
    return 0;
}

TASK_TEST(poll_is_interrupted)
{
    int pairs[PAIRS][2];
    struct pollfd fds[PAIRS];
    char byte;
    open_pairs(pairs, fds);
    for (nfds_t count = 0; count <= PAIRS; count += count < 2 ? 1 : 5) {
        {
            JG_TIMEOUT(deadline, 0.002);
            FAILS(poll(fds, count, -1), ETIMEDOUT);
        }
        jg_task *task = jg_create_task(poll_in_vain, (&(struct polling){fds, count}));
        jg_yield();
        jg_cancel(task);
        ck_assert_int_eq(jg_await(task), 0);
    }
    jg_task *task = jg_create_task(write_later, &pairs[7][1]); /* and can be repeated */
    RETURNS(poll(fds, PAIRS, -1), 1);
    ck_assert_int_eq(jg_await(task), 0);
    RETURNS(read(pairs[7][0], &byte, 1), 1);
    for (int i = 0; i < PAIRS; i++)
        close_both(pairs[i]);
    return 0;
}

static int poll_one(void *arg)
{
    struct pollfd fds[2] = {{.fd = *(int *)arg, .events = POLLIN}, {.fd = *(int *)arg, .events = POLLPRI}};
    return poll(fds, 2, -1) == 1 ? 0 : -1;
}

TASK_TEST(many_tasks_poll_the_same_fd)
{
    int ends[2];
    jg_group group = {0};
    socket_pair(SOCK_STREAM, ends);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(jg_group_start(&group, poll_one, &ends[0]), 0);
    jg_yield();
    RETURNS(write(ends[1], "x", 1), 1);
    ck_assert_int_eq(jg_group_wait(&group), 0);
    close_both(ends);
    return 0;
}

/* ---- select ---- */

TASK_TEST(select_parks)
{
    int ends[2], others[2];
    fd_set in, out;
    struct timeval limit = {5, 0}, little = {0, 3000};
    socket_pair(SOCK_STREAM, ends);
    socket_pair(SOCK_STREAM, others);
    FD_ZERO(&in);
    FD_SET(ends[0], &in);
    FD_SET(others[0], &in);
    RETURNS(select(others[1] + 1, &in, NULL, NULL, &little), 0);
    ck_assert(!FD_ISSET(ends[0], &in) && !timerisset(&little));
    jg_task *task = jg_create_task(write_later, &ends[1]);
    FD_SET(ends[0], &in);
    FD_SET(others[0], &in);
    FD_ZERO(&out);
    RETURNS(select(others[1] + 1, &in, &out, NULL, &limit), 1);
    ck_assert(FD_ISSET(ends[0], &in) && !FD_ISSET(others[0], &in) && limit.tv_sec < 5);
    ck_assert_int_eq(jg_await(task), 0);
    FD_SET(ends[0], &out);
    FD_SET(others[0], &in);
    RETURNS(pselect(others[1] + 1, &in, &out, NULL, NULL, NULL), 2);
    ck_assert(FD_ISSET(ends[0], &in) && FD_ISSET(ends[0], &out) && !FD_ISSET(others[0], &in));
    FD_SET(700, &in);
    FAILS(select(701, &in, NULL, NULL, NULL), EBADF);
    close_both(ends);
    close_both(others);
    return 0;
}

TASK_TEST(select_may_be_a_sleep)
{
    struct timeval limit = {0, 3000};
    struct timespec time = {0, 3000000};
    double before = jg_time();
    RETURNS(select(0, NULL, NULL, NULL, &limit), 0);
    RETURNS(pselect(0, NULL, NULL, NULL, &time, NULL), 0);
    ck_assert(jg_time() - before >= 0.006);
    return 0;
}

/* ---- epoll ---- */

TASK_TEST(epoll_wait_parks)
{
    int ends[2], epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN}, events[4];
    socket_pair(SOCK_STREAM, ends);
    ck_assert_int_eq(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event), 0);
    RETURNS(epoll_wait(epoll, events, 4, 0), 0);
    RETURNS(epoll_wait(epoll, events, 4, 2), 0);
    jg_task *task = jg_create_task(write_later, &ends[1]);
    RETURNS(epoll_wait(epoll, events, 4, -1), 1);
    RETURNS(epoll_pwait(epoll, events, 4, -1, NULL), 1);
    ck_assert_int_eq(jg_await(task), 0);
    close_both(ends);
    close(epoll);
    return 0;
}

/* ---- Sleeping ---- */

enum { SLEEPERS = 100 };

static int sleep_in_turns(void *arg)
{
    (void)arg;
    struct timespec time = {0, 20000000}, until;
    RETURNS(usleep(20000), 0);
    RETURNS(nanosleep(&time, NULL), 0);
    RETURNS(clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL), 0);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 20000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    RETURNS(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, NULL), 0);
    return 0;
}

TASK_TEST(sleepers_sleep_at_the_same_time)
{
    jg_group group = {0};
    double before = jg_time();
    for (int i = 0; i < SLEEPERS; i++)
        ck_assert_int_eq(jg_group_start(&group, sleep_in_turns, NULL), 0);
    ck_assert_int_eq(jg_group_wait(&group), 0);
    double time = jg_time() - before;
    ck_assert_msg(time >= 0.08 && time < SLEEPERS * 0.08 / 2, "%f s", time);
    return 0;
}

static int sleep_in_vain(void *arg)
{
    (void)arg;
    struct timespec time = {1000, 0}, rest = {0, 0};
    ck_assert_uint_eq(sleep(1000), 1000);
    FAILS(usleep(1000000), ECANCELED);
    FAILS(nanosleep(&time, &rest), ECANCELED);
    ck_assert(rest.tv_sec >= 998 && rest.tv_sec <= 1000);
    errno = EXDEV;
    ck_assert_int_eq(clock_nanosleep(CLOCK_MONOTONIC, 0, &time, &rest), ECANCELED);
    ck_assert_int_eq(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, (&(struct timespec){INT32_MAX, 0}), NULL),
                     ECANCELED);
    ck_assert_int_eq(errno, EXDEV);
    return 0;
}

TASK_TEST(an_interrupted_sleep_returns_the_rest)
{
    struct timespec time = {1000, 0}, rest = {0, 0};
    jg_task *task = jg_create_task(sleep_in_vain, NULL);
    jg_yield();
    jg_cancel(task);
    ck_assert_int_eq(jg_await(task), 0);
    JG_TIMEOUT(deadline, 0.005);
    FAILS(nanosleep(&time, &rest), ETIMEDOUT);
    ck_assert(rest.tv_sec == 999 && rest.tv_nsec > 0);
    return 0;
}

TASK_TEST(sleeps_that_make_no_sense_are_libcs)
{
    struct timespec time = {0, 1000000000}, negative = {-1, 0};
    FAILS(nanosleep(&time, NULL), EINVAL);
    FAILS(nanosleep(&negative, NULL), EINVAL);
    ck_assert_int_eq(clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL), EINVAL);
    ck_assert_int_eq(clock_nanosleep(12345, 0, &(struct timespec){0, 1}, NULL), EINVAL);
    ck_assert_uint_eq(sleep(0), 0);
    return 0;
}

/* ---- Connections ---- */

static int listener_of(struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t length = sizeof *address;
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    ck_assert_int_eq(bind(fd, (struct sockaddr *)address, sizeof *address), 0);
    ck_assert_int_eq(listen(fd, 10), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)address, &length), 0);
    return fd;
}

static int accept_two(void *arg)
{
    int listener = *(int *)arg;
    for (int i = 0; i < 2; i++) {
        int fd = i ? accept4(listener, NULL, NULL, SOCK_CLOEXEC) : accept(listener, NULL, NULL); // NOLINT(*cloexec*)
        if (fd < 0 || write(fd, "hi", 2) != 2)
            return -1;
        close(fd);
    }
    return 0;
}

TASK_TEST(connect_and_accept_park)
{
    struct sockaddr_in address;
    char greeting[2];
    int listener = listener_of(&address);
    jg_task *task = jg_create_task(accept_two, &listener);
    jg_yield();
    for (int i = 0; i < 2; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        RETURNS(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
        RETURNS(recv(fd, greeting, 2, MSG_WAITALL), 2);
        ck_assert(blocks(fd) && blocks(listener));
        close(fd);
    }
    ck_assert_int_eq(jg_await(task), 0);
    close(listener);
    return 0;
}

TASK_TEST(connect_fails_as_it_does)
{
    struct sockaddr_in address;
    close(listener_of(&address));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    FAILS(connect(fd, (struct sockaddr *)&address, sizeof address), ECONNREFUSED);
    ck_assert(blocks(fd));
    close(fd);
    FAILS(connect(fd, (struct sockaddr *)&address, sizeof address), EBADF);
    FAILS(accept(fd, NULL, NULL), EBADF); // NOLINT(*cloexec*)
    return 0;
}

TASK_TEST(accept_respects_the_time_limit)
{
    struct sockaddr_in address;
    struct timeval limit = {0, 5000};
    int listener = listener_of(&address);
    ck_assert_int_eq(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    FAILS(accept(listener, NULL, NULL), EAGAIN); // NOLINT(*cloexec*)
    JG_TIMEOUT(deadline, 0.001);
    FAILS(accept(listener, NULL, NULL), ETIMEDOUT); // NOLINT(*cloexec*)
    close(listener);
    return 0;
}

static int accept_slowly(void *arg)
{
    for (int i = 0; i < 4; i++) {
        if (jg_sleep(0.01) < 0)
            return -1;
        int fd = accept4(*(int *)arg, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            return -1;
        close(fd);
    }
    return 0;
}

static int connect_to_unix(void *arg)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int result = connect(fd, arg, sizeof(struct sockaddr_un));
    close(fd);
    return result;
}

TASK_TEST(connect_waits_for_a_busy_unix_listener)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "juggle-%d", (int)getpid());
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(listener, 0), 0);
    ck_assert_int_eq(jg_gather(jg_create_task(connect_to_unix, &address), jg_create_task(connect_to_unix, &address),
                               jg_create_task(connect_to_unix, &address), jg_create_task(connect_to_unix, &address),
                               jg_create_task(accept_slowly, &listener)),
                     0);
    close(listener);
    return 0;
}

/* ---- Names ---- */

TASK_TEST(getaddrinfo_parks)
{
    struct addrinfo *addresses = NULL, hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_INET};
    RETURNS(getaddrinfo("127.0.0.1", "80", &hints, &addresses), 0);
    ck_assert_int_eq(ntohs(((struct sockaddr_in *)(void *)addresses->ai_addr)->sin_port), 80);
    freeaddrinfo(addresses);
    RETURNS(getaddrinfo("localhost", NULL, NULL, &addresses), 0);
    freeaddrinfo(addresses);
    ck_assert_int_eq(getaddrinfo("no-such-name.invalid.", "80", &hints, &addresses) != 0, 1);
    ck_assert_int_eq(getaddrinfo("127.0.0.1", "no-such-service", &hints, &addresses), EAI_SERVICE);
    JG_TIMEOUT(deadline, 0);
    errno = 0;
    ck_assert_int_eq(getaddrinfo("localhost", NULL, NULL, &addresses), EAI_SYSTEM);
    ck_assert_int_eq(errno, ETIMEDOUT);
    return 0;
}

/* ---- The library's own calls ---- */

static int serve(jg_stream *client, void *arg)
{
    char buffer[4096];
    ssize_t n;
    (void)arg;
    while ((n = jg_read(client, buffer, sizeof buffer)) > 0)
        jg_write(client, buffer, (size_t)n);
    return (int)n;
}

TASK_TEST(streams_work_as_ever)
{
    static char data[300000], back[sizeof data];
    jg_server *server = jg_start_server(serve, NULL, "127.0.0.1", 0);
    ck_assert_ptr_nonnull(server);
    jg_stream *stream = jg_open_connection("localhost", jg_server_port(server), .family = AF_INET);
    ck_assert_ptr_nonnull(stream);
    memset(data, 'x', sizeof data);
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(jg_write(stream, data, 10000), 0);
        ck_assert_int_eq(jg_read_exactly(stream, back, 10000), 10000);
    }
    jg_close(stream);
    jg_server_close(server);
    return 0;
}
