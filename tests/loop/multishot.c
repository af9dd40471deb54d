/* Multishot operations: accepts and receives that go on, and the buffers they share. */
#include "outcome.h"

#include <stdlib.h>
#include <sys/resource.h>

TEST(multishot_accept_hands_out_every_connection)
{
    struct sockaddr_in address;
    int listener = listen_on_loopback(&address), clients[40];
    jg_loop *loop = new_loop();
    struct outcome *accepting = make(loop, JG_OP_ACCEPT, listener);
    accepting->operation.multishot = true;
    accepting->operation.done = collect;
    jg_submit(loop, &accepting->operation);
    for (int i = 0; i < 40; i++) {
        clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ck_assert_int_eq(connect(clients[i], (struct sockaddr *)&address, sizeof address), 0);
    }
    while (accepting->fd_count < 40)
        ck_assert_int_eq(jg_loop_run_once(loop, 5), 0);
    jg_cancel_operation(loop, &accepting->operation);
    ck_assert_int_eq(await_result(accepting), -ECANCELED);
    for (int i = 0; i < 40; i++) {
        close(clients[i]);
        close(accepting->fds[i]);
    }
    close(listener);
    jg_loop_close(loop);
    free(accepting);
}

TEST(accept_without_fds_tells_emfile_and_can_go_on)
{
    struct sockaddr_in address;
    int listener = listen_on_loopback(&address);
    jg_loop *loop = new_loop();
    struct outcome *accepting = make(loop, JG_OP_ACCEPT, listener);
    accepting->operation.multishot = true;
    accepting->operation.done = collect;
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct rlimit limit, none;
    getrlimit(RLIMIT_NOFILE, &limit);
    none = limit;
    none.rlim_cur = (rlim_t)client + 1;
    setrlimit(RLIMIT_NOFILE, &none);
    jg_submit(loop, &accepting->operation);
    ck_assert_int_eq(connect(client, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(await_result(accepting), -EMFILE);
    setrlimit(RLIMIT_NOFILE, &limit);
    jg_submit(loop, &accepting->operation);
    while (accepting->fd_count < 1)
        ck_assert_int_eq(jg_loop_run_once(loop, 5), 0);
    jg_cancel_operation(loop, &accepting->operation);
    await_result(accepting);
    close(accepting->fds[0]);
    close(client);
    close(listener);
    jg_loop_close(loop);
    free(accepting);
}

TEST(multishot_receive_brings_data_until_the_end)
{
    int pair[2];
    make_pair(pair);
    jg_loop *loop = new_loop();
    struct outcome *receive = receive_all(loop, pair[0]);
    jg_submit(loop, &receive->operation);
    char expected[1 << 17];
    for (size_t i = 0; i < sizeof expected; i++)
        expected[i] = (char)(i * 31 + i / 251);
    for (size_t sent = 0; sent < sizeof expected;) {
        ssize_t count =
            write(pair[1], expected + sent, sizeof expected - sent > 50000 ? 50000 : sizeof expected - sent);
        if (count > 0)
            sent += (size_t)count;
        ck_assert_int_eq(jg_loop_run_once(loop, 0.001), 0);
    }
    close(pair[1]);
    ck_assert_int_eq(await_result(receive), 0);
    ck_assert_uint_eq(receive->length, sizeof expected);
    ck_assert(memcmp(receive->received, expected, sizeof expected) == 0);
    jg_loop_close(loop);
    close(pair[0]);
    free(receive);
}

static char offered[7];

static void *offer_seven(jg_operation *operation, size_t *length)
{
    (void)operation;
    *length = sizeof offered;
    return offered;
}

TEST(multishot_receive_fills_the_memory_that_is_offered)
{
    int pair[2];
    make_pair(pair);
    jg_loop *loop = new_loop();
    struct outcome *receive = receive_all(loop, pair[0]);
    receive->operation.offer = offer_seven;
    jg_submit(loop, &receive->operation);
    ck_assert_int_eq(write(pair[1], "0123456789abcdefghi", 19), 19);
    while (receive->length < 19)
        ck_assert_int_eq(jg_loop_run_once(loop, 5), 0);
    ck_assert(memcmp(receive->received, "0123456789abcdefghi", 19) == 0);
    ck_assert_ptr_eq(receive->operation.buffer, offered);
    close(pair[1]);
    ck_assert_int_eq(await_result(receive), 0);
    ck_assert_int_eq(receive->calls, 4);
    jg_loop_close(loop);
    close(pair[0]);
    free(receive);
}

TEST(multishot_receive_cancelled_from_its_own_callback_ends_once)
{
    int pair[2];
    make_pair(pair);
    jg_loop *loop = new_loop();
    struct outcome *receive = receive_all(loop, pair[0]);
    receive->cancel_after = 1;
    for (int round = 0; round < 3; round++) {
        receive->length = 0;
        jg_submit(loop, &receive->operation);
        jg_loop_run_once(loop, 0.001);
        ck_assert_int_eq(write(pair[1], "abc", 3), 3);
        ck_assert_int_eq(await_result(receive), -ECANCELED);
        ck_assert_uint_eq(receive->length, 3);
    }
    jg_loop_close(loop);
    close_pair(pair);
    free(receive);
}

TEST(multishot_receive_reports_a_reset)
{
    struct sockaddr_in address;
    int listener = listen_on_loopback(&address);
    jg_loop *loop = new_loop();
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(client, (struct sockaddr *)&address, sizeof address), 0);
    int served = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct outcome *receive = receive_all(loop, served);
    jg_submit(loop, &receive->operation);
    jg_loop_run_once(loop, 0.001);
    setsockopt(client, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
    close(client);
    ck_assert_int_eq(await_result(receive), -ECONNRESET);
    jg_forget_fd(loop, served);
    close(served);
    close(listener);
    jg_loop_close(loop);
    free(receive);
}

/* More connections than the ring has buffers become readable in one turn: nothing is lost, nothing hangs. */
TEST(many_receives_share_the_buffers)
{
    enum { PAIRS = 300 };
    static int pairs[PAIRS][2];
    static struct outcome *receives[PAIRS];
    char block[20000];
    jg_loop *loop = new_loop();
    memset(block, 'b', sizeof block);
    for (int i = 0; i < PAIRS; i++) {
        make_pair(pairs[i]);
        receives[i] = receive_all(loop, pairs[i][0]);
        jg_submit(loop, &receives[i]->operation);
    }
    jg_loop_run_once(loop, 0);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < PAIRS; i++)
            ck_assert_int_eq(write(pairs[i][1], block, sizeof block), sizeof block);
        for (int i = 0; i < PAIRS; i++)
            while (receives[i]->length < (size_t)(round + 1) * sizeof block)
                ck_assert_int_eq(jg_loop_run_once(loop, 5), 0);
    }
    for (int i = 0; i < PAIRS; i++)
        close(pairs[i][1]);
    for (int i = 0; i < PAIRS; i++) {
        ck_assert_int_eq(await_result(receives[i]), 0);
        ck_assert_uint_eq(receives[i]->length, 3 * sizeof block);
        jg_forget_fd(loop, pairs[i][0]);
        close(pairs[i][0]);
        free(receives[i]);
    }
    jg_loop_close(loop);
}

/* What found no buffer goes on although the loop itself never sleeps in a poll. */
TEST(many_receives_share_the_buffers_of_a_loop_inside_another)
{
    enum { PAIRS = 300 };
    static int pairs[PAIRS][2];
    static struct outcome *receives[PAIRS];
    char block[4000] = "";
    jg_loop *loop = new_loop();
    for (int i = 0; i < PAIRS; i++) {
        make_pair(pairs[i]);
        receives[i] = receive_all(loop, pairs[i][0]);
        jg_submit(loop, &receives[i]->operation);
    }
    jg_loop_run_once(loop, 0);
    struct pollfd outer = {.fd = jg_loop_fileno(loop), .events = POLLIN};
    for (int i = 0; i < PAIRS; i++)
        ck_assert_int_eq(write(pairs[i][1], block, sizeof block), sizeof block);
    for (int i = 0; i < PAIRS; i++)
        while (receives[i]->length < sizeof block) {
            if (jg_loop_prepare(loop) < 0)
                ck_assert_int_eq(poll(&outer, 1, 5000), 1);
            ck_assert_int_eq(jg_loop_run_once(loop, 0), 0);
        }
    jg_loop_close(loop);
    for (int i = 0; i < PAIRS; i++) {
        close_pair(pairs[i]);
        free(receives[i]);
    }
}
