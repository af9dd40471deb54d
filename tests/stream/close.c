/* Closing, aborting, and what the peer does. */
#include "support.h"

#include <pthread.h>

TASK_TEST(close_sends_what_is_queued)
{
    struct receiver receiver = {0};
    jg_stream *stream = stream_with_small_buffers(&receiver.peer, 60000);
    char *data = pattern(50000);
    ck_assert_int_eq(jg_write(stream, data, 30000), 0);
    ck_assert_int_eq(jg_write(stream, data + 30000, 20000), 0);
    jg_task *task = start(receive_to_end, &receiver);
    ck_assert_int_eq(jg_close(stream), 0);
    ck_assert_int_eq(jg_await(task), 0);
    ck_assert_uint_eq(receiver.count, 50000);
    free(data);
    return 0;
}

TASK_TEST(close_and_abort_accept_NULL_and_preserve_errno)
{
    int peer;
    errno = EXDEV;
    ck_assert_int_eq(jg_close(NULL), 0);
    jg_abort(NULL);
    ck_assert_int_eq(errno, EXDEV);
    jg_stream *stream = stream_with_peer(&peer);
    errno = EXDEV;
    jg_abort(stream);
    ck_assert_int_eq(errno, EXDEV);
    close(peer);
    return 0;
}

/* Unread input at the close makes the kernel reset, and the peer lose the end of the answer; unless the rest is
 * discarded. */
TASK_TEST(the_peer_gets_the_end_of_the_answer_though_its_request_was_not_read)
{
    struct receiver receiver = {0};
    jg_stream *stream = stream_with_peer(&receiver.peer);
    char *data = pattern(200000);
    peer_send(receiver.peer, data, 100000);
    ck_assert_int_eq(jg_write(stream, data, 200000), 0);
    ck_assert_int_eq(jg_close(stream), 0);
    peer_send(receiver.peer, data, 100000); /* goes on sending */
    ck_assert_int_eq(receive_to_end(&receiver), 0);
    ck_assert_uint_eq(receiver.count, 200000);
    free(data);
    return 0;
}

TASK_TEST(a_peer_that_never_closes_holds_nothing_up)
{
    int peer, peers[5];
    char byte;
    for (int i = 0; i < 5; i++) {
        jg_stream *stream = stream_with_peer(&peers[i]);
        ck_assert_int_eq(jg_write(stream, "bye", 3), 0);
        ck_assert_int_eq(jg_close(stream), 0);
    }
    jg_stream *stream = stream_with_peer(&peer);
    ck_assert_int_eq(jg_close(stream), 0);
    double begin = jg_loop_time(jg_task_loop());
    while (send(peer, "more", 4, MSG_NOSIGNAL) == 4) { /* until the lingering is over and the peer is reset */
        ck_assert(jg_loop_time(jg_task_loop()) - begin < 15);
        jg_sleep(0.02);
    }
    ck_assert_double_ge(jg_loop_time(jg_task_loop()) - begin, 0.5);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(recv(peers[i], &byte, 1, 0), 1);
        close(peers[i]);
    }
    close(peer);
    return 0;
}

TASK_TEST(close_within_a_deadline_resets_when_the_peer_does_not_read)
{
    int peer;
    jg_stream *stream = stream_with_small_buffers(&peer, 60000);
    char *data = pattern(50000);
    ck_assert_int_eq(jg_write(stream, data, 30000), 0);
    ck_assert_int_eq(jg_write(stream, data + 30000, 20000), 0);
    {
        JG_TIMEOUT(deadline, 0.05);
        FAILS(jg_close(stream), ETIMEDOUT);
    }
    size_t count = 0;
    ck_assert_int_eq(peer_receive_end(peer, &count), ECONNRESET);
    ck_assert_uint_lt(count, 50000);
    free(data);
    return 0;
}

static int close_it(void *arg)
{
    return jg_close(arg);
}

TASK_TEST(a_cancelled_close_resets)
{
    int peer;
    jg_stream *stream = stream_with_small_buffers(&peer, 60000);
    char *data = pattern(50000);
    ck_assert_int_eq(jg_write(stream, data, 30000), 0);
    ck_assert_int_eq(jg_write(stream, data, 20000), 0);
    jg_task *closer = start(close_it, stream);
    ck_assert(!jg_task_done(closer));
    jg_cancel(closer);
    FAILS(jg_await(closer), ECANCELED);
    size_t count = 0;
    ck_assert_int_eq(peer_receive_end(peer, &count), ECONNRESET);
    free(data);
    return 0;
}

TASK_TEST(abort_resets_and_drops_what_is_queued)
{
    int peer;
    size_t count = 0;
    jg_stream *stream = stream_with_peer(&peer);
    ck_assert_int_eq(jg_write(stream, "never sent", 10), 0);
    jg_abort(stream);
    ck_assert_int_eq(peer_receive_end(peer, &count), ECONNRESET);
    ck_assert_uint_eq(count, 0);
    return 0;
}

struct waiting {
    jg_stream *stream;
    int (*call)(jg_stream *stream);
    int *left;
};

static int call_read(jg_stream *stream)
{
    char data[10];
    return (int)jg_read(stream, data, sizeof data);
}

static int call_read_exactly(jg_stream *stream)
{
    char data[10];
    return (int)jg_read_exactly(stream, data, sizeof data);
}

static int call_read_until(jg_stream *stream)
{
    char data[10];
    return (int)jg_read_until(stream, data, sizeof data, "\n");
}

static int call_read_line(jg_stream *stream)
{
    char data[10];
    return (int)jg_read_line(stream, data, sizeof data);
}

static int call_peek(jg_stream *stream)
{
    const void *data;
    return (int)jg_peek(stream, &data, 10);
}

static int call_write(jg_stream *stream)
{
    static char data[5 << 20];
    return jg_write(stream, data, sizeof data);
}

static int call_writev(jg_stream *stream)
{
    static char data[5 << 20];
    return jg_writev(stream, (struct iovec[]){{data, 10}, {data, sizeof data}}, 2);
}

static int call_small_write(jg_stream *stream)
{
    return jg_write(stream, "small", 5);
}

static int call_printf(jg_stream *stream)
{
    return jg_printf(stream, "%*s", 100000, "x");
}

static int call_drain(jg_stream *stream)
{
    return jg_drain(stream);
}

static int call_flush(jg_stream *stream)
{
    return jg_flush(stream);
}

/* Every call that can wait; the first ones as readers, the others as writers behind a full queue. */
static int (*const readers[])(jg_stream *) = {call_read, call_read_exactly, call_read_until, call_read_line, call_peek};
static int (*const writers[])(jg_stream *) = {call_write,  call_writev, call_small_write,
                                              call_printf, call_drain,  call_flush};
enum { READERS = sizeof readers / sizeof *readers, WRITERS = sizeof writers / sizeof *writers };

static int expect_EBADF(void *arg)
{
    struct waiting *waiting = arg;
    FAILS(waiting->call(waiting->stream), EBADF);
    TEXT_HAS("closed");
    ++*waiting->left;
    return 0;
}

static jg_stream *stuck_stream(int *peer)
{
    jg_stream *stream = stream_with_small_buffers(peer, 20000);
    char *data = pattern(20000);
    while (jg_write_pending(stream) < 20000 && jg_try_write(stream, data, 20000 - jg_write_pending(stream)) == 0)
        for (int i = 0; i < 20; i++)
            jg_yield();
    free(data);
    return stream;
}

/* Closes a stream on which a reader and all kinds of writers wait. */
static void close_under_waiters(bool abort, int reader)
{
    int peer, left = 0;
    jg_stream *stream = stuck_stream(&peer);
    struct waiting waiting[1 + WRITERS];
    jg_task *tasks[1 + WRITERS];
    for (int i = 0; i <= WRITERS; i++) {
        waiting[i] = (struct waiting){stream, i == 0 ? readers[reader] : writers[i - 1], &left};
        tasks[i] = start(expect_EBADF, &waiting[i]);
        ck_assert_msg(!jg_task_done(tasks[i]), "call %d does not wait", i);
    }
    if (abort) {
        jg_abort(stream);
    } else {
        JG_TIMEOUT(deadline, 0.05); /* the peer reads nothing */
        ck_assert_int_eq(jg_close(stream), -1);
        ck_assert_int_eq(left, 1 + WRITERS); /* they have left when it returns */
    }
    ck_assert_int_eq(jg_gatherv(tasks, 1 + WRITERS), 0);
    close(peer);
}

TASK_TEST(closing_wakes_all_waiters_with_EBADF_and_waits_until_they_have_left)
{
    for (int reader = 0; reader < READERS; reader++)
        close_under_waiters(false, reader);
    return 0;
}

TASK_TEST(aborting_wakes_all_waiters_with_EBADF)
{
    for (int reader = 0; reader < READERS; reader++)
        close_under_waiters(true, reader);
    return 0;
}

TASK_TEST(a_new_stream_never_gets_the_waiters_of_an_old_one)
{
    for (int i = 0; i < 50; i++) {
        int peer, left = 0, peer_of_new;
        jg_stream *stream = stream_with_peer(&peer);
        struct waiting waiting = {stream, call_read, &left};
        jg_task *task = start(expect_EBADF, &waiting);
        jg_abort(stream);
        jg_stream *new = stream_with_peer(&peer_of_new);
        ck_assert_ptr_ne(new, stream);
        peer_send(peer_of_new, "abc", 3);
        char data[4];
        ck_assert_int_eq(jg_read(new, data, 4), 3);
        ck_assert_int_eq(jg_await(task), 0);
        close(peer);
        close(peer_of_new);
        jg_close(new);
    }
    return 0;
}

static int read_it(void *arg)
{
    return call_read(arg);
}

/* The data that was handed over before somebody closed counts. */
TASK_TEST(a_read_that_has_its_data_succeeds_though_the_stream_is_closed_meanwhile)
{
    jg_stream *pair[2];
    stream_pair(pair);
    jg_task *reader = start(read_it, pair[0]);
    ck_assert_int_eq(jg_write(pair[1], "abc", 3), 0);
    ck_assert_int_eq(jg_flush(pair[1]), 0);
    jg_sleep(0.05);
    ck_assert_int_eq(jg_close(pair[0]), 0);
    ck_assert_int_eq(jg_await(reader), 3);
    return jg_close(pair[1]);
}

static int use_autoptr(void *arg)
{
    jg_autoptr(jg_stream) stream = arg;
    jg_autoptr(jg_stream) none = NULL;
    (void)none;
    ck_assert_int_eq(jg_write(stream, "the end", 7), 0);
    return jg_sleep(1000);
}

TASK_TEST(autoptr_flushes_and_closes_also_in_a_cancelled_task)
{
    int peer;
    char data[10];
    jg_stream *stream = stream_with_peer(&peer);
    jg_task *task = start(use_autoptr, stream);
    jg_cancel(task);
    FAILS(jg_await(task), ECANCELED);
    peer_receive(peer, data, 7);
    ck_assert_mem_eq(data, "the end", 7);
    ck_assert_int_eq(recv(peer, data, 1, 0), 0);
    close(peer);
    return 0;
}

TASK_TEST(many_streams_opened_and_closed_reuse_their_memory)
{
    size_t blocks = 0;
    for (int round = 0; round < 20; round++) {
        jg_stream *streams[40];
        int peers[40];
        for (int i = 0; i < 40; i++)
            streams[i] = stream_with_peer(&peers[i]);
        for (int i = 0; i < 40; i++) {
            close(peers[i]);
            ck_assert_int_eq(jg_close(streams[i]), 0);
        }
        jg_sleep(0.01);
        if (round == 5)
            blocks = jg_allocated_blocks();
        ck_assert(round <= 5 || jg_allocated_blocks() <= blocks);
    }
    return 0;
}

/* Left to themselves at the end of the run, streams are closed by the loop: the harness finds fds and blocks. */
static int leave_them_open(void *arg)
{
    int *peers = arg;
    const void *shown;
    jg_stream *stream = stream_with_peer(&peers[0]);
    peer_send(peers[0], "unread", 6);
    ck_assert_int_eq(jg_peek(stream, &shown, 1), 6);
    ck_assert_str_ne(jg_peername(stream), "");
    stream = stream_with_peer(&peers[1]);
    return jg_write(stream, "unsent", 6);
}

TEST(streams_that_nobody_closed_end_with_the_run)
{
    int peers[2];
    char data[10];
    RUN(leave_them_open, peers);
    ck_assert_int_le(recv(peers[0], data, sizeof data, 0), 0);
    close(peers[0]);
    close(peers[1]);
}

enum { ANSWER = 1500000 }; /* more than the peer's kernel takes before it reads */

static int answer_and_end(void *arg)
{
    jg_stream *stream = jg_stream_from_fd(*(int *)arg);
    char *data = pattern(ANSWER);
    int result = jg_write(stream, data, ANSWER);
    free(data);
    return result == 0 ? jg_close(stream) : -1;
}

static int read_later(void *arg)
{
    struct receiver *receiver = arg;
    jg_sleep(0.1);
    return receive_to_end(receiver);
}

/* In a thread of its own, since the run of the closing side has ended. */
static void *read_in_another_run(void *arg)
{
    RUN(read_later, arg);
    return NULL;
}

TEST(a_run_that_ends_right_after_the_close_loses_nothing)
{
    int pair[2];
    pthread_t thread;
    char *data = pattern(50000);
    tcp_pair(pair, false);
    struct receiver receiver = {.peer = pair[1]};
    for (int i = 0; i < 8; i++) /* that nobody reads */
        ck_assert_int_eq(send(pair[1], data, 50000, 0), 50000);
    ck_assert_int_eq(pthread_create(&thread, NULL, read_in_another_run, &receiver), 0);
    RUN(answer_and_end, &pair[0]);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_uint_eq(receiver.count, ANSWER);
    free(data);
}
