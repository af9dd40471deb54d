/* Operations: each result once, cancellation, and a poller that is closed under them. */
#include "outcome.h"

#include <stdlib.h>
#include <sys/mman.h>

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

TEST(sends_to_a_full_socket_go_on)
{
    int pair[2];
    make_pair(pair);
    jg_loop *loop = new_loop();
    struct outcome *sending = make(loop, JG_OP_SEND, pair[0]);
    static char data[300000], taken[300000];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)(i * 31 + i / 4099);
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

/* Each receive brings one message and leaves the others, however much room it offers. */
TEST(messages_that_came_together_are_received_one_by_one)
{
    int pair[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    jg_loop *loop = new_loop();
    struct outcome *receive = make(loop, JG_OP_RECV, pair[0]);
    receive->operation.buffer = receive->received;
    receive->operation.length = sizeof receive->received;
    jg_submit(loop, &receive->operation);
    jg_loop_run_once(loop, 0);
    for (int i = 1; i <= 4; i++)
        ck_assert_int_eq(send(pair[1], "abcd", (size_t)i, 0), i);
    for (int i = 1; i <= 3; i++) {
        ck_assert_int_eq(await_result(receive), i);
        jg_submit(loop, &receive->operation);
    }
    ck_assert_int_eq(await_result(receive), 4);
    struct outcome *all = receive_all(loop, pair[0]);
    jg_submit(loop, &all->operation);
    jg_loop_run_once(loop, 0);
    for (int i = 1; i <= 4; i++)
        ck_assert_int_eq(send(pair[1], "abcd", (size_t)i, 0), i);
    for (int turns = 0; all->length < 10; turns++) {
        ck_assert_int_lt(turns, 100);
        ck_assert_int_eq(jg_loop_run_once(loop, 5), 0);
    }
    jg_loop_close(loop);
    close_pair(pair);
    free(receive);
    free(all);
}

/* A receive stops short at urgent data. */
TEST(what_follows_urgent_data_is_received)
{
    struct sockaddr_in address;
    int listener = listen_on_loopback(&address), client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(client, (struct sockaddr *)&address, sizeof address), 0);
    int served = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    jg_loop *loop = new_loop();
    struct outcome *receive = receive_all(loop, served);
    jg_submit(loop, &receive->operation);
    jg_loop_run_once(loop, 0);
    ck_assert_int_eq(send(client, "abc", 3, 0), 3);
    ck_assert_int_eq(send(client, "!", 1, MSG_OOB), 1);
    ck_assert_int_eq(send(client, "def", 3, 0), 3);
    for (int turns = 0; receive->length < 6; turns++) {
        ck_assert_int_lt(turns, 100);
        ck_assert_int_eq(jg_loop_run_once(loop, 5), 0);
    }
    ck_assert_int_eq(memcmp(receive->received, "abcdef", 6), 0);
    jg_loop_close(loop);
    close(served);
    close(client);
    close(listener);
    free(receive);
}

/* An error that a datagram brought back is told once; the socket goes on, and the loop sleeps. */
TEST(an_error_of_a_datagram_socket_is_told_once)
{
    struct sockaddr_in nobody = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof nobody;
    int gone = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(gone, (struct sockaddr *)&nobody, length), 0);
    ck_assert_int_eq(getsockname(gone, (struct sockaddr *)&nobody, &length), 0);
    close(gone);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&nobody, length), 0);
    jg_loop *loop = new_loop();
    struct outcome *receive = receive_all(loop, fd);
    jg_submit(loop, &receive->operation);
    jg_loop_run_once(loop, 0);
    ck_assert_int_eq(send(fd, "x", 1, 0), 1);
    ck_assert_int_eq(await_result(receive), -ECONNREFUSED);
    jg_submit(loop, &receive->operation);
    for (int turns = 0; turns < 5; turns++)
        ck_assert_int_eq(jg_loop_run_once(loop, 0.001), 0);
    ck_assert(jg_loop_prepare(loop) < 0);
    jg_loop_close(loop);
    close(fd);
    free(receive);
}

TEST(a_receive_may_offer_more_than_4_gib)
{
    size_t size = (size_t)1 << 32;
    void *room = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    int pair[2];
    if (room == MAP_FAILED)
        SKIP("no 4 GiB of address space");
    make_pair(pair);
    jg_loop *loop = new_loop();
    struct outcome *receive = make(loop, JG_OP_RECV, pair[0]);
    receive->operation.buffer = room;
    receive->operation.length = size;
    jg_submit(loop, &receive->operation);
    ck_assert_int_eq(write(pair[1], "x", 1), 1);
    ck_assert_int_eq(await_result(receive), 1);
    jg_loop_close(loop);
    close_pair(pair);
    munmap(room, size);
    free(receive);
}

struct senders {
    jg_handle handle;
    jg_loop *loop;
    int fd;
    jg_operation operations[9000];
};

static void never_done(jg_operation *operation, int result)
{
    ck_abort_msg("done was called for fd %d with %d", operation->fd, result);
}

static void send_them_all(void *arg)
{
    struct senders *senders = arg;
    for (int i = 0; i < 9000; i++) {
        senders->operations[i] =
            (jg_operation){.opcode = JG_OP_SEND, .fd = senders->fd, .buffer = "x", .length = 1, .done = never_done};
        jg_submit(senders->loop, &senders->operations[i]);
    }
}

/* More failures than the kernel's queue of completions has room for. */
TEST(a_loop_closed_with_thousands_of_failed_sends_is_clean)
{
    static struct senders senders;
    int pair[2];
    make_pair(pair);
    close(pair[1]);
    senders.loop = new_loop();
    senders.fd = pair[0];
    senders.handle = (jg_handle){.fn = send_them_all, .arg = &senders};
    jg_call_soon(senders.loop, &senders.handle);
    jg_loop_run_once(senders.loop, 0);
    jg_loop_close(senders.loop);
    close(pair[0]);
}
