/* Operations: each result once, cancellation, multishots, and a poller that is closed under them. */
#include "support.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/resource.h>

struct outcome {
    jg_operation operation;
    jg_loop *loop;
    bool done;
    int result, calls;
    char received[1 << 17];
    size_t length;
    int fds[64], fd_count;
    size_t cancel_after;
};

static void finish(jg_operation *operation, int result)
{
    struct outcome *outcome = operation->arg;
    ck_assert(!outcome->done);
    outcome->result = result;
    outcome->done = true;
    outcome->calls++;
}

static void collect(jg_operation *operation, int result)
{
    struct outcome *outcome = operation->arg;
    outcome->calls++;
    if (!operation->more) {
        ck_assert(!outcome->done);
        outcome->result = result;
        outcome->done = true;
    } else if (operation->opcode == JG_OP_ACCEPT) {
        outcome->fds[outcome->fd_count++] = result;
    } else {
        ck_assert_uint_eq(operation->length, (size_t)result);
        ck_assert_uint_le(outcome->length + operation->length, sizeof outcome->received);
        memcpy(outcome->received + outcome->length, operation->buffer, operation->length);
        outcome->length += operation->length;
        if (outcome->cancel_after && outcome->length >= outcome->cancel_after)
            jg_cancel_operation(outcome->loop, operation);
    }
}

static struct outcome *make(jg_loop *loop, jg_opcode opcode, int fd)
{
    struct outcome *outcome = calloc(1, sizeof *outcome);
    outcome->loop = loop;
    outcome->operation = (jg_operation){.opcode = opcode, .fd = fd, .done = finish, .arg = outcome};
    return outcome;
}

static int await_result(struct outcome *outcome)
{
    run_until(outcome->loop, &outcome->done);
    outcome->done = false;
    return outcome->result;
}

static int listen_on_loopback(struct sockaddr_in *address)
{
    socklen_t length = sizeof *address;
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)address, length), 0);
    ck_assert_int_eq(listen(fd, 64), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)address, &length), 0);
    return fd;
}

TEST(receive_waits_for_data)
{
    int pair[2];
    char buffer[16];
    make_pair(pair);
    jg_loop *loop = new_loop();
    struct outcome *receive = make(loop, JG_OP_RECV, pair[0]);
    receive->operation.buffer = buffer;
    receive->operation.length = sizeof buffer;
    jg_submit(loop, &receive->operation);
    jg_loop_run_once(loop, 0.001);
    ck_assert(!receive->done);
    ck_assert_int_eq(write(pair[1], "hello", 5), 5);
    ck_assert_int_eq(await_result(receive), 5);
    ck_assert(memcmp(buffer, "hello", 5) == 0);
    close(pair[1]);
    jg_submit(loop, &receive->operation);
    ck_assert_int_eq(await_result(receive), 0);
    jg_loop_close(loop);
    close(pair[0]);
    free(receive);
}

TEST(done_is_never_called_inside_submit)
{
    int pair[2];
    make_pair(pair);
    jg_loop *loop = new_loop();
    struct outcome *sending = make(loop, JG_OP_SEND, pair[0]);
    sending->operation.buffer = (void *)"x";
    sending->operation.length = 1;
    jg_submit(loop, &sending->operation);
    ck_assert_int_eq(sending->calls, 0);
    ck_assert_int_eq(await_result(sending), 1);
    jg_loop_close(loop);
    close_pair(pair);
    free(sending);
}

TEST_ABORTS(submitting_twice_aborts, "under way already")
{
    int pair[2];
    char byte;
    make_pair(pair);
    jg_loop *loop = new_loop();
    struct outcome *receive = make(loop, JG_OP_RECV, pair[0]);
    receive->operation.buffer = &byte;
    receive->operation.length = 1;
    jg_submit(loop, &receive->operation);
    jg_submit(loop, &receive->operation);
}

static void drain(int fd, size_t *total)
{
    char block[65536];
    ssize_t count;
    while ((count = read(fd, block, sizeof block)) > 0)
        *total += (size_t)count;
}

TEST(send_goes_on_until_all_is_sent)
{
    int pair[2];
    size_t size = 3 << 20, received = 0;
    make_pair(pair);
    jg_loop *loop = new_loop();
    struct outcome *sending = make(loop, JG_OP_SEND, pair[0]);
    sending->operation.buffer = calloc(1, size);
    sending->operation.length = size;
    void *data = sending->operation.buffer;
    jg_submit(loop, &sending->operation);
    while (!sending->done) {
        ck_assert_int_eq(jg_loop_run_once(loop, 0.01), 0);
        drain(pair[1], &received);
    }
    drain(pair[1], &received);
    ck_assert_int_eq(sending->result, (int)size);
    ck_assert_uint_eq(received, size);
    jg_loop_close(loop);
    close_pair(pair);
    free(data);
    free(sending);
}

TEST(sendmsg_goes_on_until_all_is_sent)
{
    int pair[2];
    size_t size = 1 << 20, received = 0;
    make_pair(pair);
    jg_loop *loop = new_loop();
    char *data = calloc(1, size);
    struct iovec vector[3] = {{data, 10}, {data, size}, {data, 7}};
    struct msghdr message = {.msg_iov = vector, .msg_iovlen = 3};
    struct outcome *sending = make(loop, JG_OP_SENDMSG, pair[0]);
    sending->operation.message = &message;
    jg_submit(loop, &sending->operation);
    while (!sending->done) {
        ck_assert_int_eq(jg_loop_run_once(loop, 0.01), 0);
        drain(pair[1], &received);
    }
    drain(pair[1], &received);
    ck_assert_int_eq(sending->result, (int)size + 17);
    ck_assert_uint_eq(received, size + 17);
    jg_loop_close(loop);
    close_pair(pair);
    free(data);
    free(sending);
}

TEST(send_to_a_gone_peer_is_epipe_without_a_signal)
{
    int pair[2];
    make_pair(pair);
    close(pair[1]);
    jg_loop *loop = new_loop();
    struct outcome *sending = make(loop, JG_OP_SEND, pair[0]);
    sending->operation.buffer = (void *)"x";
    sending->operation.length = 1;
    jg_submit(loop, &sending->operation);
    ck_assert_int_eq(await_result(sending), -EPIPE);
    jg_loop_close(loop);
    close(pair[0]);
    free(sending);
}

TEST(a_cancelled_receive_leaves_the_data)
{
    int pair[2];
    char buffer[8];
    make_pair(pair);
    jg_loop *loop = new_loop();
    struct outcome *receive = make(loop, JG_OP_RECV, pair[0]);
    receive->operation.buffer = buffer;
    receive->operation.length = sizeof buffer;
    for (int turns = 0; turns < 2; turns++) { /* cancelled before it was submitted, then in the kernel */
        jg_submit(loop, &receive->operation);
        for (int i = 0; i < turns; i++)
            jg_loop_run_once(loop, 0.001);
        jg_cancel_operation(loop, &receive->operation);
        jg_cancel_operation(loop, &receive->operation);
        ck_assert_int_eq(await_result(receive), -ECANCELED);
    }
    ck_assert_int_eq(write(pair[1], "kept", 4), 4);
    ck_assert_int_eq(read(pair[0], buffer, 8), 4);
    jg_cancel_operation(loop, &receive->operation);
    jg_loop_run_once(loop, 0);
    ck_assert_int_eq(receive->calls, 2);
    jg_loop_close(loop);
    close_pair(pair);
    free(receive);
}

TEST(a_send_cancelled_midway_tells_what_was_sent)
{
    int pair[2];
    size_t size = 8 << 20, received = 0;
    make_pair(pair);
    jg_loop *loop = new_loop();
    struct outcome *sending = make(loop, JG_OP_SEND, pair[0]);
    char *data = calloc(1, size);
    sending->operation.buffer = data;
    sending->operation.length = size;
    jg_submit(loop, &sending->operation);
    jg_loop_run_once(loop, 0.001);
    jg_cancel_operation(loop, &sending->operation);
    int result = await_result(sending);
    drain(pair[1], &received);
    ck_assert_int_gt(result, 0);
    ck_assert_uint_eq((size_t)result, received);
    jg_loop_close(loop);
    close_pair(pair);
    free(data);
    free(sending);
}

TEST(poll_tells_which_events_hold)
{
    int pair[2];
    make_pair(pair);
    jg_loop *loop = new_loop();
    struct outcome *poll = make(loop, JG_OP_POLL, pair[0]);
    poll->operation.events = POLLIN | POLLOUT;
    jg_submit(loop, &poll->operation);
    ck_assert_int_eq(await_result(poll), POLLOUT);
    poll->operation.events = POLLIN;
    jg_submit(loop, &poll->operation);
    jg_loop_run_once(loop, 0.001);
    ck_assert(!poll->done);
    ck_assert_int_eq(write(pair[1], "x", 1), 1);
    ck_assert_int_eq(await_result(poll), POLLIN);
    jg_submit(loop, &poll->operation);
    ck_assert_int_eq(await_result(poll), POLLIN);
    jg_loop_close(loop);
    close_pair(pair);
    free(poll);
}

TEST(two_polls_wait_on_one_fd)
{
    int pair[2];
    make_pair(pair);
    jg_loop *loop = new_loop();
    struct outcome *a = make(loop, JG_OP_POLL, pair[0]), *b = make(loop, JG_OP_POLL, pair[0]);
    a->operation.events = b->operation.events = POLLIN;
    jg_submit(loop, &a->operation);
    jg_submit(loop, &b->operation);
    jg_loop_run_once(loop, 0.001);
    ck_assert_int_eq(write(pair[1], "x", 1), 1);
    ck_assert_int_eq(await_result(a), POLLIN);
    ck_assert_int_eq(await_result(b), POLLIN);
    jg_loop_close(loop);
    close_pair(pair);
    free(a);
    free(b);
}

TEST(polling_an_fd_number_that_was_reused_works)
{
    jg_loop *loop = new_loop();
    for (int round = 0; round < 3; round++) {
        int pair[2];
        make_pair(pair);
        struct outcome *poll = make(loop, JG_OP_POLL, pair[0]);
        poll->operation.events = POLLIN;
        jg_submit(loop, &poll->operation);
        jg_loop_run_once(loop, 0.001);
        ck_assert_int_eq(write(pair[1], "x", 1), 1);
        ck_assert_int_eq(await_result(poll), POLLIN);
        close_pair(pair); /* without a word to the loop: somebody else's fd */
        free(poll);
    }
    jg_loop_close(loop);
}

TEST(polling_a_regular_file_is_eperm)
{
    jg_loop *loop = new_loop();
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    struct outcome *poll = make(loop, JG_OP_POLL, fd);
    poll->operation.events = POLLIN;
    jg_submit(loop, &poll->operation);
    ck_assert_int_eq(await_result(poll), -EPERM);
    close(fd);
    poll->operation.fd = 9999;
    jg_submit(loop, &poll->operation);
    ck_assert_int_eq(await_result(poll), -EBADF);
    jg_loop_close(loop);
    free(poll);
}

TEST(connect_and_accept_meet)
{
    struct sockaddr_in address;
    int listener = listen_on_loopback(&address);
    jg_loop *loop = new_loop();
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct outcome *accepting = make(loop, JG_OP_ACCEPT, listener), *connecting = make(loop, JG_OP_CONNECT, fd);
    connecting->operation.address = (struct sockaddr *)&address;
    connecting->operation.address_length = sizeof address;
    jg_submit(loop, &accepting->operation);
    jg_loop_run_once(loop, 0.001);
    jg_submit(loop, &connecting->operation);
    ck_assert_int_eq(await_result(connecting), 0);
    int accepted = await_result(accepting);
    ck_assert_int_ge(accepted, 0);
    ck_assert_int_ne(fcntl(accepted, F_GETFL) & O_NONBLOCK, 0);
    ck_assert_int_ne(fcntl(accepted, F_GETFD) & FD_CLOEXEC, 0);
    close(accepted);
    close(fd);
    close(listener);
    jg_loop_close(loop);
    free(accepting);
    free(connecting);
}

TEST(connect_to_a_closed_port_is_refused)
{
    struct sockaddr_in address;
    close(listen_on_loopback(&address));
    jg_loop *loop = new_loop();
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct outcome *connecting = make(loop, JG_OP_CONNECT, fd);
    connecting->operation.address = (struct sockaddr *)&address;
    connecting->operation.address_length = sizeof address;
    jg_submit(loop, &connecting->operation);
    ck_assert_int_eq(await_result(connecting), -ECONNREFUSED);
    close(fd);
    jg_loop_close(loop);
    free(connecting);
}

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

static struct outcome *receive_all(jg_loop *loop, int fd)
{
    struct outcome *receive = make(loop, JG_OP_RECV, fd);
    receive->operation.multishot = true;
    receive->operation.done = collect;
    return receive;
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

TEST(a_ring_with_few_slots_loses_nothing)
{
    enum { PAIRS = 100 };
    static int pairs[PAIRS][2];
    static struct outcome *receives[PAIRS];
    jg_loop *loop = jg_loop_new(.entries = 4);
    ck_assert_ptr_nonnull(loop);
    for (int i = 0; i < PAIRS; i++) {
        make_pair(pairs[i]);
        receives[i] = make(loop, JG_OP_RECV, pairs[i][0]);
        receives[i]->operation.buffer = receives[i]->received;
        receives[i]->operation.length = 10;
        jg_submit(loop, &receives[i]->operation);
    }
    for (int i = 0; i < PAIRS; i += 2)
        jg_cancel_operation(loop, &receives[i]->operation);
    for (int i = 1; i < PAIRS; i += 2)
        ck_assert_int_eq(write(pairs[i][1], "x", 1), 1);
    for (int i = 0; i < PAIRS; i++) {
        ck_assert_int_eq(await_result(receives[i]), i % 2 ? 1 : -ECANCELED);
        close_pair(pairs[i]);
        free(receives[i]);
    }
    jg_loop_close(loop);
}

TEST(closing_a_loop_with_operations_under_way_is_clean)
{
    struct sockaddr_in address;
    int listener = listen_on_loopback(&address), pair[2];
    make_pair(pair);
    jg_loop *loop = new_loop();
    struct outcome *accepting = make(loop, JG_OP_ACCEPT, listener), *receive = receive_all(loop, pair[0]);
    struct outcome *poll = make(loop, JG_OP_POLL, pair[1]);
    accepting->operation.multishot = true;
    accepting->operation.done = collect;
    poll->operation.events = POLLIN;
    jg_submit(loop, &accepting->operation);
    jg_submit(loop, &receive->operation);
    jg_submit(loop, &poll->operation);
    jg_loop_run_once(loop, 0.001);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(client, (struct sockaddr *)&address, sizeof address), 0);
    jg_loop_close(loop);
    ck_assert_int_eq(receive->calls + accepting->calls + poll->calls, 0);
    close(client);
    close(listener);
    close_pair(pair);
    free(accepting);
    free(receive);
    free(poll);
}

struct flood {
    jg_operation operation;
    jg_loop *loop;
    size_t received, cancel_after;
    bool done;
    int result;
};

static char flood_byte(size_t place)
{
    return (char)(place * 31 + place / 4099);
}

static void take_flood(jg_operation *operation, int result)
{
    struct flood *flood = operation->arg;
    if (!operation->more) {
        flood->done = true;
        flood->result = result;
        return;
    }
    const char *data = operation->buffer;
    for (size_t i = 0; i < operation->length; i++)
        if (data[i] != flood_byte(flood->received + i))
            ck_abort_msg("byte %zu is wrong", flood->received + i);
    flood->received += operation->length;
    if (flood->cancel_after && flood->received >= flood->cancel_after)
        jg_cancel_operation(flood->loop, operation);
}

static void pour(struct flood *flood, int fd, size_t size)
{
    static char data[100000];
    size_t sent = 0;
    while (sent < size && !flood->done) {
        size_t part = size - sent < sizeof data ? size - sent : sizeof data;
        for (size_t i = 0; i < part; i++)
            data[i] = flood_byte(sent + i);
        ssize_t count = write(fd, data, part);
        if (count > 0)
            sent += (size_t)count;
        else
            ck_assert_int_eq(jg_loop_run_once(flood->loop, 0.01), 0);
    }
}

static void start_flood(struct flood *flood, jg_loop *loop, int fd)
{
    flood->loop = loop;
    flood->operation =
        (jg_operation){.opcode = JG_OP_RECV, .fd = fd, .done = take_flood, .arg = flood, .multishot = true};
    jg_submit(loop, &flood->operation);
}

TEST(a_flood_is_received_in_large_pieces_and_a_trickle_after_it)
{
    enum { SIZE = 8 << 20 };
    int pair[2];
    make_pair(pair);
    jg_loop *loop = new_loop();
    struct flood flood = {0};
    jg_loop_statistics statistics;
    start_flood(&flood, loop, pair[0]);
    pour(&flood, pair[1], SIZE);
    while (flood.received < SIZE)
        ck_assert_int_eq(jg_loop_run_once(loop, 5), 0);
    jg_loop_get_statistics(loop, &statistics);
    ck_assert_uint_lt(statistics.buffers_received, SIZE / 4096 / 2);
    for (size_t place = SIZE; place < SIZE + 50; place++) {
        ck_assert_int_eq(write(pair[1], &(char){flood_byte(place)}, 1), 1);
        while (flood.received <= place)
            ck_assert_int_eq(jg_loop_run_once(loop, 5), 0);
    }
    close(pair[1]);
    run_until(loop, &flood.done);
    ck_assert_int_eq(flood.result, 0);
    jg_loop_close(loop);
    close(pair[0]);
}

TEST(a_flood_can_be_cancelled_at_any_point)
{
    for (size_t after = 1; after < 400000; after += 9973) {
        int pair[2];
        make_pair(pair);
        jg_loop *loop = new_loop();
        struct flood flood = {.cancel_after = after};
        start_flood(&flood, loop, pair[0]);
        pour(&flood, pair[1], 1 << 20);
        run_until(loop, &flood.done);
        ck_assert_int_eq(flood.result, -ECANCELED);
        ck_assert_uint_ge(flood.received, after);
        jg_loop_close(loop);
        close_pair(pair);
    }
}

/* A quick send of which the kernel takes a part goes on when there is room, and everything arrives in order. */
TEST(sends_to_a_full_socket_go_on)
{
    int pair[2];
    make_pair(pair);
    jg_loop *loop = new_loop();
    struct outcome *sending = make(loop, JG_OP_SEND, pair[0]);
    static char data[300000], taken[300000];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = flood_byte(i);
    for (int round = 0; round < 5; round++) {
        sending->operation.buffer = data;
        sending->operation.length = sizeof data;
        jg_submit(loop, &sending->operation);
        size_t count = 0;
        while (count < sizeof taken) {
            ck_assert_int_eq(jg_loop_run_once(loop, 0.01), 0);
            ssize_t part = read(pair[1], taken + count, 10007 < sizeof taken - count ? 10007 : sizeof taken - count);
            count += part > 0 ? (size_t)part : 0;
        }
        ck_assert(memcmp(data, taken, sizeof data) == 0);
        ck_assert_int_eq(await_result(sending), sizeof data);
    }
    jg_loop_close(loop);
    close_pair(pair);
    free(sending);
}

TEST(a_loop_closed_with_unsent_sends_is_clean)
{
    int pair[2], other[2];
    make_pair(pair);
    make_pair(other);
    jg_loop *loop = new_loop();
    struct outcome *full = make(loop, JG_OP_SEND, pair[0]), *fresh = make(loop, JG_OP_SEND, other[0]);
    full->operation.buffer = calloc(1, 4 << 20);
    full->operation.length = 4 << 20;
    fresh->operation.buffer = (void *)"x";
    fresh->operation.length = 1;
    void *data = full->operation.buffer;
    jg_submit(loop, &full->operation);
    jg_loop_run_once(loop, 0.001);
    jg_submit(loop, &fresh->operation);
    jg_loop_close(loop);
    ck_assert_int_eq(full->calls + fresh->calls, 0);
    close_pair(pair);
    close_pair(other);
    free(data);
    free(full);
    free(fresh);
}
