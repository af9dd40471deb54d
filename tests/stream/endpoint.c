/* Endpoints: UDP for tasks. */
#include "support.h"

#include <sys/resource.h>
#include <sys/un.h>

static struct sockaddr_storage address;
static socklen_t address_length;

/* An endpoint on 127.0.0.1, and in `address` where it is. */
static jg_endpoint *open_here(void)
{
    jg_endpoint *endpoint = jg_open_endpoint("127.0.0.1", 0);
    ck_assert_msg(endpoint != NULL, "%s", jg_error_text());
    address_length = sizeof address;
    ck_assert_int_eq(jg_endpoint_own_address(endpoint, (struct sockaddr *)&address, &address_length), 0);
    return endpoint;
}

static int port_of(jg_endpoint *endpoint)
{
    return atoi(strrchr(jg_endpoint_sockname(endpoint), ':') + 1);
}

static int send_there(jg_endpoint *endpoint, const void *data, size_t bytes)
{
    return jg_sendto(endpoint, data, bytes, (struct sockaddr *)&address, address_length);
}

/* Answers until it is interrupted. */
static int echo(void *arg)
{
    char data[2048];
    struct sockaddr_storage from;
    for (;;) {
        socklen_t length = sizeof from;
        ssize_t count = jg_recvfrom(arg, data, sizeof data, (struct sockaddr *)&from, &length);
        if (count < 0)
            return -1;
        ck_assert_int_eq(jg_sendto(arg, data, (size_t)count, (struct sockaddr *)&from, length), 0);
    }
}

static void end(jg_task *task, int error)
{
    jg_cancel(task);
    FAILS(jg_await(task), error);
}

TASK_TEST(a_question_and_its_answer)
{
    char data[64];
    jg_autoptr(jg_endpoint) server = open_here();
    jg_task *task = start(echo, server);
    jg_autoptr(jg_endpoint) client =
        jg_open_endpoint(NULL, 0, .remote_host = "127.0.0.1", .remote_port = port_of(server));
    ck_assert_str_eq(jg_endpoint_peername(client), jg_endpoint_sockname(server));
    ck_assert_str_eq(jg_endpoint_peername(server), "");
    errno = 77;
    ck_assert_int_eq(jg_sendto(client, "hello", 5, NULL, 0), 0);
    ck_assert_int_eq(jg_recvfrom(client, data, sizeof data, NULL, NULL), 5);
    ck_assert_int_eq(errno, 77);
    ck_assert_mem_eq(data, "hello", 5);
    struct sockaddr_in from = {0}, peer;
    socklen_t length = sizeof from;
    ck_assert_int_eq(jg_sendto(client, "", 0, NULL, 0), 0); /* an empty one is one */
    ck_assert_int_eq(jg_recvfrom(client, data, sizeof data, (struct sockaddr *)&from, &length), 0);
    ck_assert_int_eq(ntohs(from.sin_port), port_of(server));
    ck_assert_int_eq(length, sizeof from);
    ck_assert_int_eq(jg_endpoint_peer_address(client, (struct sockaddr *)&peer, &length), 0);
    ck_assert_int_eq(peer.sin_port, from.sin_port);
    FAILS(jg_endpoint_peer_address(server, (struct sockaddr *)&peer, &length), ENOTCONN);
    ck_assert_uint_eq(jg_endpoint_pending(client), 0);
    ck_assert_uint_eq(jg_endpoint_dropped(client), 0);
    ck_assert_int_ge(jg_endpoint_fileno(client), 0);
    end(task, ECANCELED);
    return 0;
}

/* Check notes every assertion by a system call. */
#define REQUIRE(condition)                  \
    do {                                    \
        if (!(condition))                   \
            ck_abort_msg("%s", #condition); \
    } while (0)

struct asker {
    int port, rounds;
};

static int ask(void *arg)
{
    const struct asker *asker = arg;
    char data[512], back[512];
    jg_autoptr(jg_endpoint) endpoint = jg_open_endpoint(NULL, 0, .remote_port = asker->port);
    for (int round = 0; round < asker->rounds; round++) {
        memset(data, round, sizeof data);
        REQUIRE(jg_sendto(endpoint, data, sizeof data, NULL, 0) == 0);
        REQUIRE(jg_recvfrom(endpoint, back, sizeof back, NULL, NULL) == sizeof data);
        REQUIRE(memcmp(data, back, sizeof data) == 0);
    }
    return 0;
}

TASK_TEST(many_askers_at_once)
{
    jg_autoptr(jg_endpoint) server = open_here();
    jg_task *task = start(echo, server);
    struct asker asker = {port_of(server), 50};
    jg_autogroup group = {0};
    for (int i = 0; i < 64; i++)
        ck_assert_int_eq(jg_group_start(&group, ask, &asker), 0);
    ck_assert_int_eq(jg_group_wait(&group), 0);
    end(task, ECANCELED);
    return 0;
}

struct four {
    jg_endpoint *endpoint;
    size_t truncated;
};

static int receive_four(void *arg)
{
    struct four *four = arg;
    char data[4];
    REQUIRE(jg_recvfrom(four->endpoint, data, sizeof data, NULL, NULL) >= 0);
    four->truncated = jg_endpoint_truncated(four->endpoint);
    return 0;
}

/* Both are handed out in one turn, before either task runs. */
TASK_TEST(each_receiver_is_told_of_its_own_datagram)
{
    jg_autoptr(jg_endpoint) here = open_here();
    struct four first = {.endpoint = here}, second = {.endpoint = here};
    jg_task *one = start(receive_four, &first), *other = start(receive_four, &second);
    ck_assert_int_eq(send_there(here, "0123456789", 10), 0);
    ck_assert_int_eq(send_there(here, "01", 2), 0);
    ck_assert_int_eq(jg_await(one), 0);
    ck_assert_int_eq(jg_await(other), 0);
    ck_assert_uint_eq(first.truncated, 6);
    ck_assert_uint_eq(second.truncated, 0);
    return 0;
}

TASK_TEST(what_does_not_fit_is_told)
{
    char data[8] = "";
    struct sockaddr_in from;
    jg_autoptr(jg_endpoint) here = open_here();
    ck_assert_int_eq(send_there(here, "0123456789", 10), 0);
    ck_assert_int_eq(send_there(here, "0123456789", 10), 0);
    ck_assert_int_eq(send_there(here, "01", 2), 0);
    ck_assert_int_eq(jg_recvfrom(here, data, 4, NULL, NULL), 4); /* waits */
    ck_assert_uint_eq(jg_endpoint_truncated(here), 6);
    ck_assert_str_eq(data, "0123");
    ck_assert_int_eq(jg_recvfrom(here, NULL, 0, NULL, NULL), 0); /* is there already */
    ck_assert_uint_eq(jg_endpoint_truncated(here), 10);
    socklen_t length = 4;
    memset(&from, 0xee, sizeof from);
    ck_assert_int_eq(jg_recvfrom(here, data, 4, (struct sockaddr *)&from, &length), 2);
    ck_assert_uint_eq(jg_endpoint_truncated(here), 0);
    ck_assert_int_eq(length, sizeof from); /* more than there was room for */
    ck_assert_int_eq(from.sin_family, AF_INET);
    ck_assert_uint_eq(from.sin_addr.s_addr, 0xeeeeeeee);
    FAILS(jg_recvfrom(here, NULL, 4, NULL, NULL), EINVAL);
    return 0;
}

TASK_TEST(sizes_and_addresses_that_cannot_be)
{
    char *data = pattern(70000);
    struct sockaddr_in6 other = {.sin6_family = AF_INET6};
    jg_autoptr(jg_endpoint) here = open_here();
    FAILS(send_there(here, data, 70000), EMSGSIZE);
    TEXT_HAS("70000");
    FAILS(send_there(here, data, 65508), EMSGSIZE);
    FAILS(jg_sendto(here, data, 1, NULL, 0), EDESTADDRREQ);
    FAILS(jg_sendto(here, data, 1, (struct sockaddr *)&other, sizeof other), EAFNOSUPPORT);
    FAILS(jg_sendto(here, data, 1, (struct sockaddr *)&address, 3), EINVAL);
    FAILS(jg_sendto(here, NULL, 1, (struct sockaddr *)&address, address_length), EINVAL);
    ck_assert_int_eq(send_there(here, data, 65507), 0);
    char *back = malloc(70000);
    ck_assert_int_eq(jg_recvfrom(here, back, 70000, NULL, NULL), 65507);
    check_pattern(back, 0, 65507);
    free(back);
    free(data);
    return 0;
}

static int receive_one(void *arg)
{
    char byte;
    return jg_recvfrom(arg, &byte, 1, NULL, NULL) == 1 ? byte : -1;
}

TASK_TEST(each_receiver_gets_one_in_the_order_of_arrival)
{
    jg_autoptr(jg_endpoint) here = open_here();
    jg_task *tasks[5];
    for (int i = 0; i < 5; i++)
        tasks[i] = start(receive_one, here);
    jg_cancel(tasks[1]); /* takes nothing with it */
    for (int i = 0; i < 6; i++)
        ck_assert_int_eq(send_there(here, &(char){(char)('a' + i)}, 1), 0);
    ck_assert_int_eq(jg_await(tasks[0]), 'a');
    FAILS(jg_await(tasks[1]), ECANCELED);
    ck_assert_int_eq(jg_await(tasks[2]), 'b');
    ck_assert_int_eq(jg_await(tasks[3]), 'c');
    ck_assert_int_eq(jg_await(tasks[4]), 'd');
    ck_assert_int_eq(receive_one(here), 'e');
    ck_assert_int_eq(receive_one(here), 'f');
    return 0;
}

TASK_TEST(interrupted_receivers_lose_nothing)
{
    jg_autoptr(jg_endpoint) here = open_here();
    for (unsigned i = 0; i < 300; i++) {
        jg_task *task = start(receive_one, here);
        char what = (char)(i % 100);
        ck_assert_int_eq(send_there(here, &what, 1), 0);
        for (unsigned yields = i % 7; yields > 0; yields--)
            ck_assert_int_eq(jg_yield(), 0);
        jg_cancel(task);
        int got = jg_await(task);
        if (got < 0) {
            ck_assert_int_eq(errno, ECANCELED);
            got = receive_one(here);
        }
        ck_assert_int_eq(got, what);
    }
    return 0;
}

TASK_TEST(a_deadline_ends_the_wait)
{
    jg_autoptr(jg_endpoint) here = open_here();
    {
        JG_TIMEOUT(soon, 0.01);
        FAILS(receive_one(here), ETIMEDOUT);
    }
    {
        JG_TIMEOUT(now, 0);
        FAILS(send_there(here, "x", 1), ETIMEDOUT);
        FAILS(receive_one(here), ETIMEDOUT);
        FAILS(jg_endpoint_flush(here), ETIMEDOUT);
        FAILS_WITH_NULL(jg_open_endpoint("127.0.0.1", 0), ETIMEDOUT);
    }
    ck_assert_int_eq(send_there(here, "y", 1), 0); /* the refused one has sent nothing */
    ck_assert_int_eq(receive_one(here), 'y');
    return 0;
}

static int close_after_a_while(void *arg)
{
    jg_sleep(0.01);
    return jg_endpoint_close(arg);
}

TASK_TEST(closing_wakes_those_that_wait)
{
    jg_endpoint *here = open_here();
    jg_task *first = start(receive_one, here), *second = start(receive_one, here);
    jg_task *closer = start(close_after_a_while, here);
    FAILS(jg_await(first), EBADF);
    FAILS(jg_await(second), EBADF);
    ck_assert_int_eq(jg_await(closer), 0);
    here = open_here();
    first = start(receive_one, here);
    errno = 77;
    jg_endpoint_abort(here);
    ck_assert_int_eq(errno, 77);
    FAILS(jg_await(first), EBADF);
    TEXT_HAS("closed meanwhile");
    ck_assert_int_eq(jg_endpoint_close(NULL), 0);
    jg_endpoint_abort(NULL);
    return 0;
}

TASK_TEST_ABORTS(an_endpoint_that_was_closed_is_told, "jg_recvfrom: the endpoint was closed")
{
    jg_endpoint *here = open_here();
    ck_assert_int_eq(jg_endpoint_close(here), 0);
    return receive_one(here);
}

TASK_TEST_ABORTS(an_endpoint_that_is_none_is_told, "jg_sendto: the endpoint is NULL")
{
    return jg_sendto(NULL, "", 0, NULL, 0);
}

TASK_TEST(close_sends_what_is_queued_and_abort_drops_it)
{
    jg_autoptr(jg_endpoint) here = open_here();
    jg_endpoint *closed = jg_open_endpoint(NULL, 0), *aborted = jg_open_endpoint(NULL, 0);
    ck_assert_int_eq(send_there(aborted, "a", 1), 0);
    ck_assert_int_eq(send_there(closed, "c", 1), 0);
    jg_endpoint_abort(aborted);
    ck_assert_int_eq(jg_endpoint_close(closed), 0);
    ck_assert_int_eq(receive_one(here), 'c');
    JG_TIMEOUT(soon, 0.02);
    FAILS(receive_one(here), ETIMEDOUT);
    return 0;
}

/* ---- Errors ---- */

TASK_TEST(a_refusal_is_told_once_to_the_receiver)
{
    jg_autoptr(jg_endpoint) here = jg_open_endpoint(NULL, 0, .remote_host = "127.0.0.1", .remote_port = free_port());
    ck_assert_int_eq(jg_sendto(here, "x", 1, NULL, 0), 0);
    FAILS(receive_one(here), ECONNREFUSED);
    JG_TIMEOUT(soon, 0.02);
    FAILS(receive_one(here), ETIMEDOUT);
    return 0;
}

TASK_TEST(a_refusal_is_told_once_to_the_next_sender)
{
    jg_autoptr(jg_endpoint) here = jg_open_endpoint(NULL, 0, .remote_host = "127.0.0.1", .remote_port = free_port());
    ck_assert_int_eq(jg_sendto(here, "x", 1, NULL, 0), 0);
    ck_assert_int_eq(jg_endpoint_flush(here), 0); /* that one is on its way, and its answer has come */
    ck_assert_int_eq(jg_sendto(here, "x", 1, NULL, 0), 0);
    FAILS(jg_endpoint_flush(here), ECONNREFUSED);
    TEXT_HAS("sent before");
    ck_assert_int_eq(jg_endpoint_flush(here), 0);
    return 0;
}

TASK_TEST(a_waiting_receiver_of_a_connected_endpoint_is_told_of_a_send)
{
    jg_autoptr(jg_endpoint) here = jg_open_endpoint(NULL, 0, .remote_host = "127.0.0.1", .remote_port = free_port());
    ck_assert_int_eq(jg_sendto(here, "x", 1, NULL, 0), 0);
    ck_assert_int_eq(jg_endpoint_flush(here), 0);
    jg_task *task = start(receive_one, here);
    ck_assert_int_eq(jg_sendto(here, "x", 1, NULL, 0), 0); /* finds what the first one has left, when the turn ends */
    FAILS(jg_await(task), ECONNREFUSED);
    return 0;
}

TASK_TEST(errors_of_sending_do_not_disturb_a_server_that_receives)
{
    struct sockaddr_in broadcast = {
        .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_BROADCAST)};
    jg_autoptr(jg_endpoint) here = open_here();
    jg_task *task = start(receive_one, here);
    ck_assert_int_eq(jg_sendto(here, "x", 1, (struct sockaddr *)&broadcast, sizeof broadcast), 0);
    ck_assert_int_eq(jg_sleep(0.01), 0);
    ck_assert(!jg_task_done(task));
    FAILS(send_there(here, "y", 1), EACCES); /* of the one before; this one was not sent */
    ck_assert_int_eq(send_there(here, "z", 1), 0);
    ck_assert_int_eq(jg_await(task), 'z');
    ck_assert_int_eq(jg_sendto(here, "x", 1, (struct sockaddr *)&broadcast, sizeof broadcast), 0);
    FAILS(jg_endpoint_flush(here), EACCES);
    ck_assert_int_eq(jg_endpoint_flush(here), 0);
    jg_endpoint *last = jg_open_endpoint(NULL, 0);
    ck_assert_int_eq(jg_sendto(last, "x", 1, (struct sockaddr *)&broadcast, sizeof broadcast), 0);
    FAILS(jg_endpoint_close(last), EACCES);
    return 0;
}

TASK_TEST(what_nobody_receives_is_bounded_and_counted)
{
    char data[512];
    jg_endpoint *there = jg_open_endpoint("127.0.0.1", 0, .receive_limit = 65536);
    jg_autoptr(jg_endpoint) here = jg_open_endpoint(NULL, 0, .remote_port = port_of(there), .remote_host = "127.0.0.1");
    for (int i = 0; i < 2000; i++)
        ck_assert_int_eq(jg_sendto(here, data, sizeof data, NULL, 0), 0);
    ck_assert_int_eq(jg_endpoint_flush(here), 0);
    uint64_t dropped = jg_endpoint_dropped(there);
    ck_assert_uint_gt(dropped, 1000);
    for (uint64_t left = 2000 - dropped; left > 0; left--)
        ck_assert_int_eq(jg_recvfrom(there, data, sizeof data, NULL, NULL), sizeof data);
    ck_assert_uint_eq(jg_endpoint_dropped(there), dropped);
    ck_assert_int_eq(jg_endpoint_close(there), 0);
    return 0;
}

/* ---- Opening ---- */

TASK_TEST(endpoints_that_cannot_be_opened)
{
    jg_autoptr(jg_endpoint) here = open_here();
    int port = port_of(here);
    FAILS_WITH_NULL(jg_open_endpoint("127.0.0.1", port), EADDRINUSE);
    FAILS_WITH_NULL(jg_open_endpoint("192.0.2.77", 0), EADDRNOTAVAIL);
    FAILS_WITH_NULL(jg_open_endpoint("127.0.0.1", 65536), EINVAL);
    FAILS_WITH_NULL(jg_open_endpoint("127.0.0.1", -1), EINVAL);
    FAILS_WITH_NULL(jg_open_endpoint(NULL, 0, .remote_host = "127.0.0.1", .remote_port = 70000), EINVAL);
    FAILS_WITH_NULL(jg_open_endpoint("127.0.0.1", 0, .family = AF_INET6), EAFNOSUPPORT);
    FAILS_WITH_NULL(jg_open_endpoint("127.0.0.1", 0, .remote_host = "::1", .remote_port = 9), EAFNOSUPPORT);
    FAILS_WITH_NULL(jg_open_endpoint("127.0.0.1", 0, .multicast_interface = "no such"), ENODEV);
    FAILS_WITH_NULL(jg_open_endpoint("127.0.0.1", 0, .multicast_group = "a group"), EINVAL);
    FAILS_WITH_NULL(jg_open_endpoint("127.0.0.1", 0, .multicast_group = "ff01::1"), EAFNOSUPPORT);
    FAILS_WITH_NULL(jg_open_endpoint("127.0.0.1", 0, .multicast_group = "127.0.0.1"), EINVAL);
    FAILS_WITH_NULL(jg_open_endpoint("127.0.0.1", 0, .path = "@juggle-test"), EINVAL);
    FAILS_WITH_NULL(jg_open_endpoint("no such host.invalid", 0), ENOENT);
    struct rlimit before, none;
    getrlimit(RLIMIT_NOFILE, &before);
    none = (struct rlimit){.rlim_max = before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    const jg_endpoint *endpoint = jg_open_endpoint("127.0.0.1", 0);
    int error = errno;
    setrlimit(RLIMIT_NOFILE, &before);
    ck_assert_ptr_null(endpoint);
    ck_assert_int_eq(error, EMFILE);
    return 0;
}

TASK_TEST(endpoints_of_ipv6)
{
    jg_autoptr(jg_endpoint) there = jg_open_endpoint("::1", 0);
    if (!there)
        SKIP("no IPv6 here");
    ck_assert_int_eq(strncmp(jg_endpoint_sockname(there), "[::1]:", 6), 0);
    jg_autoptr(jg_endpoint) here = jg_open_endpoint(NULL, 0, .remote_host = "::1", .remote_port = port_of(there));
    ck_assert_int_eq(jg_sendto(here, "6", 1, NULL, 0), 0);
    ck_assert_int_eq(receive_one(there), '6');
    jg_autoptr(jg_endpoint) any = jg_open_endpoint(NULL, 0, .family = AF_INET6);
    ck_assert_int_eq(strncmp(jg_endpoint_sockname(any), "[::]:", 5), 0);
    return 0;
}

TASK_TEST(a_name_is_looked_up)
{
    jg_autoptr(jg_endpoint) there = jg_open_endpoint("localhost", 0, .family = AF_INET);
    ck_assert_msg(there != NULL, "%s", jg_error_text());
    jg_autoptr(jg_endpoint) here =
        jg_open_endpoint(NULL, 0, .remote_host = "localhost", .remote_port = port_of(there), .family = AF_INET);
    ck_assert_int_eq(jg_sendto(here, "n", 1, NULL, 0), 0);
    ck_assert_int_eq(receive_one(there), 'n');
    return 0;
}

TASK_TEST(multicast_and_broadcast)
{
    jg_autoptr(jg_endpoint) member =
        jg_open_endpoint(NULL, 0, .multicast_group = "239.255.77.8", .multicast_interface = "lo");
    ck_assert_msg(member != NULL, "%s", jg_error_text());
    jg_autoptr(jg_endpoint) here =
        jg_open_endpoint(NULL, 0, .multicast_interface = "lo", .multicast_ttl = 1, .multicast_no_loop = true,
                         .broadcast = true, .reuse_address = true);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port_of(member))};
    inet_pton(AF_INET, "239.255.77.8", &to.sin_addr);
    ck_assert_int_eq(jg_sendto(here, "m", 1, (struct sockaddr *)&to, sizeof to), 0);
    ck_assert_int_eq(receive_one(member), 'm');
    inet_pton(AF_INET, "127.255.255.255", &to.sin_addr);
    ck_assert_int_eq(jg_sendto(here, "b", 1, (struct sockaddr *)&to, sizeof to), 0);
    ck_assert_int_eq(receive_one(member), 'b');
    return 0;
}

TASK_TEST(several_endpoints_share_a_port)
{
    jg_autoptr(jg_endpoint) first = jg_open_endpoint("127.0.0.1", 0, .reuse_port = true);
    jg_autoptr(jg_endpoint) second = jg_open_endpoint("127.0.0.1", port_of(first), .reuse_port = true);
    ck_assert_msg(first && second, "%s", jg_error_text());
    return 0;
}

TASK_TEST(an_endpoint_on_a_socket_of_the_callers)
{
    int pair[2], ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    FAILS_WITH_NULL(jg_endpoint_from_fd(ends[0]), ENOTSOCK);
    FAILS_WITH_NULL(jg_endpoint_from_fd(-1), EBADF);
    jg_autoptr(jg_endpoint) here = jg_endpoint_from_fd(pair[0]);
    jg_autoptr(jg_endpoint) there = jg_endpoint_from_fd(pair[1]);
    ck_assert_int_eq(jg_sendto(here, "p", 1, NULL, 0), 0);
    struct sockaddr_un from;
    socklen_t length = sizeof from;
    char byte;
    ck_assert_int_eq(jg_recvfrom(there, &byte, 1, (struct sockaddr *)&from, &length), 1);
    ck_assert_int_eq(length, sizeof(sa_family_t));
    ck_assert_int_eq(from.sun_family, AF_UNIX);
    close(ends[0]);
    close(ends[1]);
    return 0;
}

TASK_TEST(endpoints_that_are_left_open_at_the_end)
{
    jg_endpoint *here = open_here();
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(send_there(here, "abc", 3), 0);
    return receive_one(here) > 0 ? 0 : -1;
}
