/* Operations on fds that are no sockets: pipes, files, devices. */
#include "outcome.h"

#include <signal.h>
#include <stdlib.h>

enum { MUCH = 1 << 20 };

static void make_pipe(int ends[2])
{
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
}

static char *filled(size_t bytes)
{
    char *data = malloc(bytes);
    for (size_t i = 0; i < bytes; i++)
        data[i] = (char)(i * 31 >> 3);
    return data;
}

/* Reads all that is there from the other end. */
static size_t drain(int fd, char *into)
{
    size_t total = 0;
    for (ssize_t count; (count = read(fd, into + total, 1 << 16)) > 0; total += (size_t)count) {
    }
    return total;
}

TEST(a_read_waits_for_a_pipe)
{
    int ends[2];
    char data[8];
    make_pipe(ends);
    jg_loop *loop = new_loop();
    struct outcome *reading = make(loop, JG_OP_READ, ends[0]);
    reading->operation.buffer = data;
    reading->operation.length = sizeof data;
    jg_submit(loop, &reading->operation);
    jg_loop_run_once(loop, 0.001);
    ck_assert(!reading->done);
    ck_assert_int_eq(write(ends[1], "abc", 3), 3);
    ck_assert_int_eq(await_result(reading), 3);
    ck_assert_mem_eq(data, "abc", 3);
    jg_submit(loop, &reading->operation);
    jg_cancel_operation(loop, &reading->operation);
    ck_assert_int_eq(await_result(reading), -ECANCELED);
    close(ends[1]);
    jg_submit(loop, &reading->operation);
    ck_assert_int_eq(await_result(reading), 0);
    reading->operation.fd = -1;
    jg_submit(loop, &reading->operation);
    ck_assert_int_eq(await_result(reading), -EBADF);
    jg_loop_close(loop);
    close(ends[0]);
    free(reading);
}

TEST(a_multishot_read_brings_all_of_a_pipe)
{
    int ends[2];
    make_pipe(ends);
    jg_loop *loop = new_loop();
    struct outcome *reading = make(loop, JG_OP_READ, ends[0]);
    reading->operation.multishot = true;
    reading->operation.done = collect;
    jg_submit(loop, &reading->operation);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(write(ends[1], "abcd", 4), 4);
        while (reading->length < 4 * (size_t)(i + 1))
            ck_assert_int_eq(jg_loop_run_once(loop, 5), 0);
    }
    close(ends[1]);
    ck_assert_int_eq(await_result(reading), 0);
    ck_assert_uint_eq(reading->length, 20);
    ck_assert_mem_eq(reading->received, "abcdabcdabcdabcdabcd", 20);
    jg_loop_close(loop);
    close(ends[0]);
    free(reading);
}

static void write_all(jg_opcode opcode, bool blocking)
{
    int ends[2];
    char *data = filled(MUCH), *back = malloc(MUCH + (1 << 16));
    make_pipe(ends);
    if (blocking)
        ck_assert_int_eq(fcntl(ends[1], F_SETFL, 0), 0);
    jg_loop *loop = new_loop();
    struct outcome *writing = make(loop, opcode, ends[1]);
    struct iovec pieces[] = {{data, 0}, {data, 100}, {data + 100, 0}, {data + 100, MUCH - 100}};
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 4};
    writing->operation.blocking = blocking;
    if (opcode == JG_OP_WRITE) {
        writing->operation.buffer = data;
        writing->operation.length = MUCH;
    } else {
        writing->operation.message = &message;
    }
    jg_submit(loop, &writing->operation);
    size_t total = 0;
    while (!writing->done) {
        ck_assert_int_eq(jg_loop_run_once(loop, 0.01), 0);
        total += drain(ends[0], back + total);
    }
    ck_assert_int_eq(await_result(writing), MUCH);
    total += drain(ends[0], back + total);
    ck_assert_uint_eq(total, MUCH);
    ck_assert_mem_eq(data, back, MUCH);
    jg_loop_close(loop);
    close_pair(ends);
    free(writing);
    free(data);
    free(back);
}

TEST(a_write_goes_on_until_all_is_written)
{
    write_all(JG_OP_WRITE, false);
    write_all(JG_OP_WRITEV, false);
}

TEST(an_fd_in_blocking_mode_does_not_block_the_loop)
{
    write_all(JG_OP_WRITE, true);
    write_all(JG_OP_WRITEV, true);
}

TEST(a_write_that_is_cancelled_tells_what_was_written)
{
    int ends[2];
    char *data = filled(MUCH), *back = malloc(2 * MUCH);
    make_pipe(ends);
    jg_loop *loop = new_loop();
    struct outcome *writing = make(loop, JG_OP_WRITE, ends[1]);
    writing->operation.buffer = data;
    writing->operation.length = MUCH;
    jg_submit(loop, &writing->operation);
    jg_loop_run_once(loop, 0.001);
    ck_assert(!writing->done);
    jg_cancel_operation(loop, &writing->operation);
    int written = await_result(writing);
    ck_assert_int_gt(written, 0);
    ck_assert_int_lt(written, MUCH);
    ck_assert_uint_eq(drain(ends[0], back), (size_t)written);
    jg_loop_close(loop);
    close_pair(ends);
    free(writing);
    free(data);
    free(back);
}

TEST(a_pipe_without_a_reader_is_EPIPE)
{
    int ends[2];
    make_pipe(ends);
    close(ends[0]);
    signal(SIGPIPE, SIG_IGN);
    jg_loop *loop = new_loop();
    struct outcome *writing = make(loop, JG_OP_WRITE, ends[1]);
    writing->operation.buffer = (void *)"x";
    writing->operation.length = 1;
    jg_submit(loop, &writing->operation);
    ck_assert_int_eq(await_result(writing), -EPIPE);
    jg_loop_close(loop);
    close(ends[1]);
    free(writing);
}

static int temporary(const char *data, size_t bytes)
{
    char name[] = "/tmp/juggle-test-XXXXXX";
    int fd = mkostemp(name, O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    unlink(name);
    ck_assert_int_eq(write(fd, data, bytes), (ssize_t)bytes);
    return fd;
}

TEST(files_are_always_ready)
{
    char back[8];
    int fd = temporary("", 0);
    jg_loop *loop = new_loop();
    struct outcome *writing = make(loop, JG_OP_WRITE, fd), *reading = make(loop, JG_OP_READ, fd);
    writing->operation.buffer = (void *)"hello";
    writing->operation.length = 5;
    jg_submit(loop, &writing->operation);
    ck_assert_int_eq(await_result(writing), 5);
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    reading->operation.buffer = back;
    reading->operation.length = sizeof back;
    jg_submit(loop, &reading->operation);
    ck_assert_int_eq(await_result(reading), 5);
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    reading->operation.multishot = true;
    reading->operation.buffer = NULL;
    reading->operation.done = collect;
    jg_submit(loop, &reading->operation);
    ck_assert_int_eq(await_result(reading), 0);
    ck_assert_mem_eq(reading->received, "hello", 5);
    writing->operation.fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    jg_submit(loop, &writing->operation);
    ck_assert_int_eq(await_result(writing), -ENOSPC);
    close(writing->operation.fd);
    jg_loop_close(loop);
    close(fd);
    free(writing);
    free(reading);
}

TEST(a_file_is_sent_to_a_socket)
{
    int pair[2];
    char *data = filled(MUCH), *back = malloc(2 * MUCH);
    make_pair(pair);
    int fd = temporary(data, MUCH);
    jg_loop *loop = new_loop();
    struct outcome *sending = make(loop, JG_OP_SENDFILE, pair[0]);
    sending->operation.source = fd;
    sending->operation.offset = 10;
    sending->operation.count = 2 * MUCH;
    jg_submit(loop, &sending->operation);
    size_t total = 0;
    while (!sending->done) {
        ck_assert_int_eq(jg_loop_run_once(loop, 0.01), 0);
        total += drain(pair[1], back + total);
    }
    ck_assert_int_eq(await_result(sending), MUCH - 10);
    total += drain(pair[1], back + total);
    ck_assert_uint_eq(total, MUCH - 10);
    ck_assert_mem_eq(data + 10, back, MUCH - 10);
    sending->operation.offset = MUCH;
    jg_submit(loop, &sending->operation);
    ck_assert_int_eq(await_result(sending), 0);
    jg_loop_close(loop);
    close_pair(pair);
    close(fd);
    free(sending);
    free(data);
    free(back);
}

TEST(the_contents_of_a_pipe_are_sent_to_a_socket)
{
    int pair[2], ends[2];
    char back[16];
    make_pair(pair);
    make_pipe(ends);
    ck_assert_int_eq(write(ends[1], "abcdef", 6), 6);
    jg_loop *loop = new_loop();
    struct outcome *sending = make(loop, JG_OP_SENDFILE, pair[0]);
    sending->operation.source = ends[0];
    sending->operation.offset = -1;
    sending->operation.count = 6;
    jg_submit(loop, &sending->operation);
    ck_assert_int_eq(await_result(sending), 6);
    ck_assert_int_eq(read(pair[1], back, sizeof back), 6);
    ck_assert_mem_eq(back, "abcdef", 6);
    jg_loop_close(loop);
    close_pair(pair);
    close_pair(ends);
    free(sending);
}

TEST(a_loop_closes_with_reads_and_writes_under_way)
{
    int first[2], second[2];
    static char data[MUCH];
    make_pipe(first);
    make_pipe(second);
    jg_loop *loop = new_loop();
    struct outcome *reading = make(loop, JG_OP_READ, first[0]), *writing = make(loop, JG_OP_WRITE, second[1]);
    reading->operation.multishot = true;
    jg_submit(loop, &reading->operation);
    writing->operation.buffer = data;
    writing->operation.length = sizeof data;
    jg_submit(loop, &writing->operation);
    jg_loop_run_once(loop, 0.001);
    jg_loop_close(loop);
    ck_assert_int_eq(reading->calls + writing->calls, 0);
    close_pair(first);
    close_pair(second);
    free(reading);
    free(writing);
}
