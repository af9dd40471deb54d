/* jg_sendfile and jg_splice. */
#include "support.h"

static int file_of(size_t bytes)
{
    char name[] = "/tmp/juggle-test-XXXXXX";
    int fd = mkostemp(name, O_CLOEXEC);
    char *data = pattern(bytes);
    ck_assert_int_ge(fd, 0);
    unlink(name);
    ck_assert_int_eq(write(fd, data, bytes), (ssize_t)bytes);
    free(data);
    return fd;
}

/* ---- jg_sendfile ---- */

struct job {
    jg_stream *from, *to;
    int fd;
    off_t offset;
    size_t count;
    ssize_t result;
    int error;
};

static int send_file(void *arg)
{
    struct job *job = arg;
    job->result = jg_sendfile(job->to, job->fd, job->offset, job->count);
    job->error = errno;
    return 0;
}

static int send_file_and_end(void *arg)
{
    struct job *job = arg;
    ck_assert_int_eq(jg_write(job->to, "<", 1), 0);
    send_file(job);
    ck_assert_int_eq(jg_write(job->to, ">", 1), 0);
    return jg_close(job->to);
}

static void check_sent(jg_stream *to, jg_stream *reader, size_t bytes, size_t offset, size_t count)
{
    size_t rest = offset < bytes ? bytes - offset : 0, expected = count && count < rest ? count : rest;
    struct job job = {.to = to, .fd = file_of(bytes), .offset = (off_t)offset, .count = count};
    ck_assert_int_eq(lseek(job.fd, 5, SEEK_SET), 5);
    jg_task *sender = start(send_file_and_end, &job);
    char *data = malloc(expected + 3);
    ck_assert_int_eq(jg_read_exactly(reader, data, expected + 2), (ssize_t)expected + 2);
    ck_assert_int_eq(data[0], '<');
    check_pattern(data + 1, offset, expected);
    ck_assert_int_eq(data[expected + 1], '>');
    ck_assert_int_eq(jg_read(reader, data, 1), 0);
    free(data);
    ck_assert_int_eq(jg_await(sender), 0);
    ck_assert_int_eq(job.result, (ssize_t)expected);
    ck_assert_int_eq(lseek(job.fd, 0, SEEK_CUR), 5);
    close(job.fd);
    ck_assert_int_eq(jg_close(reader), 0);
}

TASK_TEST(files_are_sent_over_every_kind_of_stream)
{
    static const size_t cases[][3] = {{5000000, 0, 0}, {100000, 40000, 30000}, {1000, 990, 50}, {10, 20, 0}, {0, 0, 7}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        jg_stream *pair[2];
        stream_pair(pair);
        check_sent(pair[0], pair[1], cases[i][0], cases[i][1], cases[i][2]);
        ck_assert_int_eq(jg_open_pipe(&pair[1], &pair[0]), 0);
        check_sent(pair[0], pair[1], cases[i][0], cases[i][1], cases[i][2]);
        ck_assert_int_eq(jg_stream_pair(&pair[1], &pair[0]), 0);
        check_sent(pair[0], pair[1], cases[i][0], cases[i][1], cases[i][2]);
    }
    return 0;
}

TASK_TEST(what_cannot_be_sent_as_a_file)
{
    int peer;
    jg_stream *stream = stream_with_peer(&peer);
    int fd = file_of(10), null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int writer = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    FAILS(jg_sendfile(stream, -1, 0, 0), EBADF);
    FAILS(jg_sendfile(stream, null, 0, 0), EINVAL);
    FAILS(jg_sendfile(stream, fd, -1, 0), EINVAL);
    FAILS(jg_sendfile(stream, writer, 0, 10), EBADF);
    ck_assert_int_eq(jg_write(stream, "x", 1), 0); /* it still works */
    ck_assert_int_eq(jg_flush(stream), 0);
    int status = open("/proc/self/status", O_RDONLY | O_CLOEXEC); /* of which the kernel does not know the size */
    ck_assert_int_gt(jg_sendfile(stream, status, 0, 100000), 100);
    close(status);
    reset_peer(peer);
    jg_sleep(0.01);
    FAILS(jg_sendfile(stream, fd, 0, 0), EPIPE);
    jg_close(stream);
    close(fd);
    close(null);
    close(writer);
    return 0;
}

TASK_TEST(sending_a_file_waits_for_the_peer_and_can_be_cancelled)
{
    int peer;
    jg_stream *stream = stream_with_small_buffers(&peer, 10000);
    struct job job = {.to = stream, .fd = file_of(20 << 20)};
    jg_task *sender = start(send_file, &job);
    jg_sleep(0.03);
    ck_assert(!jg_task_done(sender));
    jg_cancel(sender);
    ck_assert_int_eq(jg_await(sender), 0);
    ck_assert_int_eq(job.error, ECANCELED);
    FAILS(jg_write(stream, "x", 1), EPIPE); /* a part was sent */
    close(job.fd);
    close(peer);
    jg_abort(stream);
    return 0;
}

TASK_TEST(sending_a_file_ends_with_its_stream)
{
    int peer;
    jg_stream *stream = stream_with_small_buffers(&peer, 10000);
    struct job job = {.to = stream, .fd = file_of(20 << 20)};
    jg_task *sender = start(send_file, &job);
    jg_sleep(0.03);
    jg_abort(stream);
    ck_assert_int_eq(jg_await(sender), 0);
    ck_assert_int_eq(job.error, EBADF);
    close(peer);
    stream = stream_with_small_buffers(&peer, 10000);
    job.to = stream;
    sender = start(send_file, &job);
    jg_sleep(0.03);
    reset_peer(peer);
    ck_assert_int_eq(jg_await(sender), 0);
    ck_assert_int_eq(job.error, EPIPE);
    close(job.fd);
    jg_close(stream);
    return 0;
}

/* ---- jg_splice ---- */

static int splice_and_end(void *arg)
{
    struct job *job = arg;
    job->result = jg_splice(job->from, job->to, job->count);
    job->error = errno;
    return jg_write_eof(job->to);
}

static int write_pattern(void *arg)
{
    struct job *job = arg;
    char *data = pattern(job->count);
    for (size_t done = 0; done < job->count; done += 50000)
        ck_assert_int_eq(jg_write(job->to, data + done, job->count - done < 50000 ? job->count - done : 50000), 0);
    free(data);
    return jg_write_eof(job->to);
}

/* 't'cp, 'p'ipe, 'm'emory: ends[0] is written to, ends[1] read from. */
static void open_kind(char kind, jg_stream *ends[2])
{
    if (kind == 't')
        stream_pair(ends);
    else if (kind == 'p')
        ck_assert_int_eq(jg_open_pipe(&ends[1], &ends[0]), 0);
    else
        ck_assert_int_eq(jg_stream_pair(&ends[0], &ends[1]), 0);
}

TASK_TEST(streams_are_spliced_whatever_they_are)
{
    static const char kinds[] = "tpm";
    enum { BYTES = 3 << 20 };
    for (int i = 0; i < 9; i++) {
        jg_stream *first[2], *second[2];
        open_kind(kinds[i / 3], first);
        open_kind(kinds[i % 3], second);
        struct job writer = {.to = first[0], .count = BYTES}, splicer = {.from = first[1], .to = second[0]};
        jg_task *tasks[] = {start(write_pattern, &writer), start(splice_and_end, &splicer)};
        char *data = malloc(BYTES);
        ck_assert_int_eq(jg_read_exactly(second[1], data, BYTES), BYTES);
        check_pattern(data, 0, BYTES);
        ck_assert_int_eq(jg_read(second[1], data, 1), 0);
        free(data);
        ck_assert_int_eq(jg_await(tasks[0]), 0);
        ck_assert_int_eq(jg_await(tasks[1]), 0);
        ck_assert_int_eq(splicer.result, BYTES);
        ck_assert(jg_at_eof(first[1]));
        for (int k = 0; k < 2; k++) {
            ck_assert_int_eq(jg_close(first[k]), 0);
            ck_assert_int_eq(jg_close(second[k]), 0);
        }
    }
    return 0;
}

TASK_TEST(a_splice_of_so_many_bytes_leaves_the_rest)
{
    for (int i = 0; i < 2; i++) {
        jg_stream *first[2], *second[2];
        char data[100001];
        open_kind(i ? 'm' : 't', first);
        stream_pair(second);
        struct job writer = {.to = first[0], .count = 100000};
        jg_task *task = start(write_pattern, &writer);
        ck_assert_int_eq(jg_read_exactly(first[1], data, 10), 10);
        ck_assert_int_eq(jg_splice(first[1], second[0], 5), 5);
        ck_assert_int_eq(jg_splice(first[1], second[0], 60000), 60000);
        ck_assert_int_eq(jg_read_exactly(second[1], data, 60005), 60005);
        check_pattern(data, 10, 60005);
        ck_assert_int_eq(jg_read_exactly(first[1], data, 100000 - 60015), 100000 - 60015);
        check_pattern(data, 60015, 100000 - 60015);
        ck_assert_int_eq(jg_splice(first[1], second[0], 0), 0);
        ck_assert_int_eq(jg_await(task), 0);
        for (int k = 0; k < 2; k++) {
            jg_abort(first[k]);
            jg_abort(second[k]);
        }
    }
    return 0;
}

static int run_splice(void *arg)
{
    struct job *job = arg;
    job->result = jg_splice(job->from, job->to, job->count);
    job->error = errno;
    return 0;
}

static void interrupt_splices(char from_kind, char to_kind)
{
    jg_stream *first[2], *second[2];
    enum { BYTES = 16 << 20 };
    open_kind(from_kind, first);
    open_kind(to_kind, second);
    struct job writer = {.to = first[0], .count = BYTES}, splicer = {.from = first[1], .to = second[0]};
    jg_task *task = start(write_pattern, &writer);
    char *data = malloc(BYTES + 1);
    size_t count = 0;
    for (int i = 0; i < 40; i++) {
        jg_task *piece = start(run_splice, &splicer);
        for (int k = 0; k < i % 5; k++)
            jg_sleep(0);
        if (i % 3 == 0)
            jg_sleep(0.005);
        jg_cancel(piece);
        ck_assert_int_eq(jg_await(piece), 0);
        if (splicer.result >= 0) /* all has found room on the way */
            break;
        ck_assert_int_eq(splicer.error, ECANCELED);
        jg_set_read_timeout(second[1], 0.003);
        for (ssize_t got; count < BYTES / 2 && (got = jg_read(second[1], data + count, i % 2 ? 50000 : 1000)) > 0;
             count += (size_t)got) {
        }
    }
    jg_set_read_timeout(second[1], 0);
    jg_task *rest = start(splice_and_end, &splicer);
    for (ssize_t got; (got = jg_read(second[1], data + count, BYTES + 1 - count)) > 0; count += (size_t)got) {
    }
    ck_assert_uint_eq(count, BYTES);
    check_pattern(data, 0, BYTES);
    free(data);
    ck_assert_int_eq(jg_await(rest), 0);
    ck_assert_int_eq(jg_await(task), 0);
    for (int k = 0; k < 2; k++) {
        jg_abort(first[k]);
        jg_abort(second[k]);
    }
}

TASK_TEST(an_interrupted_splice_loses_nothing)
{
    interrupt_splices('t', 't');
    interrupt_splices('p', 't');
    interrupt_splices('t', 'p');
    interrupt_splices('m', 't');
    interrupt_splices('t', 'm');
    return 0;
}

TASK_TEST(a_splice_tells_what_ended_it)
{
    jg_stream *second[2];
    int peer;
    jg_stream *from = stream_with_peer(&peer);
    stream_pair(second);
    struct job job = {.from = from, .to = second[0]};
    jg_task *task = start(run_splice, &job);
    jg_sleep(0.01);
    reset_peer(peer);
    ck_assert_int_eq(jg_await(task), 0);
    ck_assert_int_eq(job.error, ECONNRESET);
    jg_abort(from);
    from = stream_with_peer(&peer);
    job.from = from;
    task = start(run_splice, &job);
    jg_sleep(0.01);
    jg_abort(from);
    ck_assert_int_eq(jg_await(task), 0);
    ck_assert_int_eq(job.error, EBADF);
    close(peer);
    from = stream_with_peer(&peer);
    job.from = from;
    task = start(run_splice, &job);
    jg_sleep(0.01);
    jg_abort(second[1]);
    jg_sleep(0.01);
    peer_send(peer, "abc", 3);
    ck_assert_int_eq(jg_await(task), 0);
    ck_assert_int_eq(job.error, EPIPE);
    char data[3];
    ck_assert_int_eq(jg_read_exactly(from, data, 3), 3);
    ck_assert_mem_eq(data, "abc", 3);
    jg_abort(from);
    jg_abort(second[0]);
    close(peer);
    return 0;
}

TASK_TEST(an_echo_is_a_splice_to_itself)
{
    jg_stream *pair[2];
    stream_pair(pair);
    struct job job = {.from = pair[1], .to = pair[1]};
    jg_task *task = start(run_splice, &job);
    char line[8];
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(jg_printf(pair[0], "hello%d\n", i), 0);
        ck_assert_int_eq(jg_read_line(pair[0], line, sizeof line), 7);
        ck_assert_int_eq(line[5], '0' + i);
    }
    jg_write_eof(pair[0]);
    ck_assert_int_eq(jg_await(task), 0);
    ck_assert_int_eq(job.result, 70);
    jg_abort(pair[0]);
    jg_abort(pair[1]);
    return 0;
}

/* ---- Time limits ---- */

TASK_TEST(a_stream_has_time_limits_of_its_own)
{
    int peer;
    char byte;
    static char much[1 << 22];
    jg_stream *stream = stream_with_small_buffers(&peer, 10000);
    FAILS(jg_set_read_timeout(stream, -1), EINVAL);
    FAILS(jg_set_write_timeout(stream, NAN), EINVAL);
    ck_assert_int_eq(jg_set_read_timeout(stream, 0.01), 0);
    FAILS(jg_read(stream, &byte, 1), ETIMEDOUT);
    ck_assert_int_eq(jg_check(), 0);
    ck_assert_int_eq(jg_set_write_timeout(stream, 0.02), 0);
    FAILS(jg_write(stream, much, sizeof much), ETIMEDOUT);
    jg_abort(stream);
    close(peer);
    return 0;
}

TASK_TEST(the_transport_of_a_stream_answers_questions)
{
    int peer;
    jg_stream *stream = stream_with_peer(&peer);
    size_t high, low;
    jg_set_write_limits(stream, 1000, 100);
    jg_transport_get_write_limits(jg_stream_transport(stream), &high, &low);
    ck_assert(high == 1000 && low == 100);
    ck_assert(jg_transport_is_reading(jg_stream_transport(stream)));
    ck_assert(!jg_is_closing(stream));
    ck_assert_int_eq(jg_stream_error(stream), 0);
    reset_peer(peer);
    char byte;
    FAILS(jg_read(stream, &byte, 1), ECONNRESET);
    ck_assert_int_eq(jg_stream_error(stream), ECONNRESET);
    ck_assert(jg_is_closing(stream));
    jg_close(stream);
    return 0;
}
