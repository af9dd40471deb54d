/* Endpoints between Unix sockets: names, and a receiver that is behind holds up the sender. */
#include "support.h"

#include <sys/stat.h>
#include <sys/un.h>

enum { BYTES = 1000 };

static char directory[] = "/tmp/juggle-endpoint-XXXXXX";
static char place[128];

static void make_directory(void)
{
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(place, sizeof place, "%s/socket", directory);
}

/* An abstract name that no other process of the tests has. */
static const char *own_name(char which)
{
    static char names[2][64];
    char *name = names[which == 'a'];
    snprintf(name, sizeof names[0], "@juggle-test-%d-%c", (int)getpid(), which);
    return name;
}

TASK_TEST(a_client_without_a_path_is_answered)
{
    make_directory();
    jg_endpoint *server = jg_open_endpoint(NULL, 0, .path = place);
    jg_autoptr(jg_endpoint) client = jg_open_endpoint(NULL, 0, .remote_path = place);
    ck_assert_msg(server && client, "%s", jg_error_text());
    ck_assert_str_eq(jg_endpoint_sockname(server), place);
    ck_assert_str_eq(jg_endpoint_peername(client), place);
    ck_assert_int_eq(jg_endpoint_sockname(client)[0], '@');
    struct sockaddr_un from;
    socklen_t length = sizeof from;
    char data[16];
    ck_assert_int_eq(jg_sendto(client, "question", 8, NULL, 0), 0);
    ck_assert_int_eq(jg_recvfrom(server, data, sizeof data, (struct sockaddr *)&from, &length), 8);
    ck_assert_int_eq(jg_sendto(server, "answer", 6, (struct sockaddr *)&from, length), 0);
    ck_assert_int_eq(jg_recvfrom(client, data, sizeof data, NULL, NULL), 6);
    ck_assert_mem_eq(data, "answer", 6);
    ck_assert_int_eq(jg_endpoint_close(server), 0);
    ck_assert_int_eq(jg_sleep(0.01), 0);
    ck_assert_int_eq(rmdir(directory), 0); /* the socket's file is gone */
    return 0;
}

TASK_TEST(abstract_names)
{
    jg_autoptr(jg_endpoint) server = jg_open_endpoint(NULL, 0, .path = own_name('a'));
    ck_assert_msg(server != NULL, "%s", jg_error_text());
    ck_assert_str_eq(jg_endpoint_sockname(server), own_name('a'));
    jg_autoptr(jg_endpoint) client = jg_open_endpoint(NULL, 0, .path = own_name('b'), .remote_path = own_name('a'));
    ck_assert_int_eq(jg_sendto(client, "x", 1, NULL, 0), 0);
    char byte;
    ck_assert_int_eq(jg_recvfrom(server, &byte, 1, NULL, NULL), 1);
    FAILS_WITH_NULL(jg_open_endpoint(NULL, 0, .path = own_name('a')), EADDRINUSE);
    return 0;
}

TASK_TEST(unix_endpoints_that_cannot_be_opened)
{
    char path[200];
    memset(path, 'a', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    FAILS_WITH_NULL(jg_open_endpoint(NULL, 0, .path = path), ENAMETOOLONG);
    path[108] = '\0';
    FAILS_WITH_NULL(jg_open_endpoint(NULL, 0, .remote_path = path), ENAMETOOLONG);
    FAILS_WITH_NULL(jg_open_endpoint(NULL, 0, .path = ""), EINVAL);
    FAILS_WITH_NULL(jg_open_endpoint(NULL, 0, .path = "@"), EINVAL);
    FAILS_WITH_NULL(jg_open_endpoint(NULL, 0, .path = "/no/such/directory"), ENOENT);
    FAILS_WITH_NULL(jg_open_endpoint(NULL, 0, .remote_path = "/no/such/directory"), ENOENT);
    FAILS_WITH_NULL(jg_open_endpoint(NULL, 0, .remote_path = "@juggle-test-nobody"), ECONNREFUSED);
    FAILS_WITH_NULL(jg_open_endpoint(NULL, 0, .path = "/etc/passwd"), EADDRINUSE);
    FAILS_WITH_NULL(jg_open_endpoint("127.0.0.1", 0, .remote_path = "/tmp/x"), EINVAL);
    return 0;
}

/* ---- A receiver that is behind ---- */

static jg_endpoint *receiver;

/* One that sends to it: connected or not. */
static struct sockaddr_un address;
static socklen_t length;

static jg_endpoint *open_pair(bool connected)
{
    receiver = jg_open_endpoint(NULL, 0, .path = own_name('a'));
    ck_assert_msg(receiver != NULL, "%s", jg_error_text());
    length = sizeof address;
    ck_assert_int_eq(jg_endpoint_own_address(receiver, (struct sockaddr *)&address, &length), 0);
    jg_endpoint *sender =
        connected ? jg_open_endpoint(NULL, 0, .remote_path = own_name('a'), .high_water = 20000)
                  : jg_open_endpoint(NULL, 0, .path = own_name('b'), .high_water = 20000, .low_water = 5000);
    ck_assert_msg(sender != NULL, "%s", jg_error_text());
    if (connected)
        length = 0;
    return sender;
}

static int send_number(jg_endpoint *sender, int number)
{
    char data[BYTES] = "";
    memcpy(data, &number, sizeof number);
    return jg_sendto(sender, data, sizeof data, length ? (struct sockaddr *)&address : NULL, length);
}

static int sent;

/* Sends until it is held up for good, or has sent that many. */
static int send_many(void *arg)
{
    for (sent = 0; sent < 2000; sent++)
        if (send_number(arg, sent) < 0)
            return -1;
    return 0;
}

static void receive_numbers(int from, int to)
{
    char data[BYTES];
    for (int expected = from; expected < to; expected++) {
        int number;
        ck_assert_int_eq(jg_recvfrom(receiver, data, sizeof data, NULL, NULL), BYTES);
        memcpy(&number, data, sizeof number);
        ck_assert_int_eq(number, expected);
    }
}

static void wait_until_held_up(jg_endpoint *sender)
{
    while (jg_endpoint_pending(sender) <= 20000)
        ck_assert_int_eq(jg_sleep(0.001), 0);
    ck_assert_int_eq(jg_sleep(0.01), 0);
    ck_assert_int_lt(sent, 2000);
    ck_assert_uint_lt(jg_endpoint_pending(sender), 30000);
}

static void check_back_pressure(bool connected)
{
    jg_endpoint *sender = open_pair(connected);
    jg_task *task = start(send_many, sender);
    wait_until_held_up(sender);
    receive_numbers(0, 2000);
    ck_assert_int_eq(jg_await(task), 0);
    ck_assert_uint_eq(jg_endpoint_dropped(receiver), 0);
    ck_assert_int_eq(jg_endpoint_close(sender), 0);
    ck_assert_int_eq(jg_endpoint_close(receiver), 0);
}

TASK_TEST(a_sender_above_the_high_water_mark_waits)
{
    check_back_pressure(true);
    check_back_pressure(false);
    return 0;
}

TASK_TEST(a_sender_that_is_held_up_can_be_interrupted)
{
    jg_autoptr(jg_endpoint) sender = open_pair(true);
    jg_task *task = start(send_many, sender);
    wait_until_held_up(sender);
    jg_cancel(task);
    FAILS(jg_await(task), ECANCELED);
    {
        JG_TIMEOUT(soon, 0.01);
        FAILS(jg_endpoint_flush(sender), ETIMEDOUT);
    }
    receive_numbers(0, sent + 1); /* the one that was interrupted is sent too */
    ck_assert_int_eq(jg_endpoint_flush(sender), 0);
    ck_assert_int_eq(jg_endpoint_close(receiver), 0);
    return 0;
}

TASK_TEST(closing_wakes_a_sender_that_is_held_up)
{
    jg_endpoint *sender = open_pair(true);
    jg_task *task = start(send_many, sender);
    wait_until_held_up(sender);
    {
        JG_TIMEOUT(soon, 0.01);
        FAILS(jg_endpoint_close(sender), ETIMEDOUT); /* and drops what is left */
    }
    FAILS(jg_await(task), EBADF);
    ck_assert_int_eq(jg_endpoint_close(receiver), 0);
    return 0;
}

static int receive_all(void *arg)
{
    ck_assert_int_eq(jg_sleep(0.02), 0);
    receive_numbers(0, *(int *)arg);
    return 0;
}

TASK_TEST(close_waits_until_everything_was_sent)
{
    jg_endpoint *sender = open_pair(false);
    int count = 0;
    while (jg_endpoint_pending(sender) < 15000) {
        ck_assert_int_eq(send_number(sender, count++), 0);
        if (count % 10 == 0)
            ck_assert_int_eq(jg_sleep(0), 0);
        if (count % 10 == 0)
            ck_assert_int_eq(jg_sleep(0.001), 0);
    }
    jg_task *task = start(receive_all, &count);
    ck_assert_int_eq(jg_endpoint_close(sender), 0);
    ck_assert_int_eq(jg_await(task), 0);
    ck_assert_int_eq(jg_endpoint_close(receiver), 0);
    return 0;
}

/* ---- Without memory ---- */

/* Returns whether all went well. */
static int converse(void *arg)
{
    (void)arg;
    jg_autoptr(jg_endpoint) there = jg_open_endpoint("127.0.0.1", 0);
    if (!there)
        return errno == ENOMEM ? -1 : 1;
    const char *name = jg_endpoint_sockname(there);
    const char *colon = strrchr(name, ':');
    if (!colon)
        return errno = ENOMEM, -1;
    jg_autoptr(jg_endpoint) here =
        jg_open_endpoint(NULL, 0, .remote_host = "127.0.0.1", .remote_port = atoi(colon + 1));
    if (!here)
        return errno == ENOMEM ? -1 : 1;
    char data[3000] = "";
    for (int i = 0; i < 10; i++) {
        if (jg_sendto(here, data, sizeof data, NULL, 0) < 0)
            return errno == ENOMEM ? -1 : 1;
        JG_TIMEOUT(limit, 10);
        if (jg_recvfrom(there, data, sizeof data, NULL, NULL) != sizeof data)
            return errno == ENOMEM ? -1 : 1;
    }
    return 0;
}

TEST(endpoints_while_memory_runs_out)
{
    int result;
    long count = 0;
    install_failing_allocator();
    do {
        fail_allocations_after(count++);
        result = jg_run(converse, NULL);
        ck_assert_int_le(result, 0);
        ck_assert_int_lt(count, 500);
    } while (result < 0);
    fail_allocations_after(-1);
}

TEST(endpoints_while_one_allocation_fails)
{
    long count = 0;
    install_failing_allocator();
    fail_only_one(true);
    do {
        fail_allocations_after(count++);
        ck_assert_int_le(jg_run(converse, NULL), 0);
        ck_assert_int_lt(count, 500);
    } while (allocation_failed());
    fail_allocations_after(-1);
}
