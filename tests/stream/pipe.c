/* Streams on pipes and FIFOs. */
#include "support.h"

#include <limits.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

static void open_pipe(jg_stream *ends[2])
{
    ck_assert_int_eq(jg_open_pipe(&ends[0], &ends[1]), 0);
}

TASK_TEST(a_pipe_carries_bytes_and_their_end)
{
    jg_stream *ends[2];
    char line[20];
    open_pipe(ends);
    ck_assert_int_eq(jg_printf(ends[1], "%s\n", "hello"), 0);
    ck_assert_int_eq(jg_write(ends[1], "rest", 4), 0);
    ck_assert_int_eq(jg_read_line(ends[0], line, sizeof line), 6);
    ck_assert_str_eq(line, "hello\n");
    ck_assert_int_eq(jg_close(ends[1]), 0);
    ck_assert_int_eq(jg_read_exactly(ends[0], line, 4), 4);
    ck_assert_int_eq(jg_read(ends[0], line, 4), 0);
    ck_assert(jg_at_eof(ends[0]));
    ck_assert_int_eq(jg_stream_error(ends[0]), 0);
    return jg_close(ends[0]);
}

TASK_TEST(the_end_of_writing_closes_the_pipe)
{
    jg_stream *ends[2];
    char data[8];
    open_pipe(ends);
    ck_assert(jg_can_write_eof(ends[1]));
    ck_assert(!jg_can_write_eof(ends[0]));
    ck_assert_int_eq(jg_write(ends[1], "abc", 3), 0);
    ck_assert_int_eq(jg_write_eof(ends[1]), 0);
    ck_assert_int_eq(jg_read_exactly(ends[0], data, 3), 3);
    ck_assert_int_eq(jg_read(ends[0], data, 3), 0);
    FAILS(jg_write(ends[1], "x", 1), EPIPE);
    ck_assert_int_eq(jg_close(ends[1]), 0);
    return jg_close(ends[0]);
}

TASK_TEST(each_end_has_one_direction)
{
    jg_stream *ends[2];
    char data[8];
    const void *shown;
    open_pipe(ends);
    FAILS(jg_read(ends[1], data, sizeof data), EBADF);
    TEXT_HAS("not open for reading");
    FAILS(jg_read_line(ends[1], data, sizeof data), EBADF);
    FAILS(jg_peek(ends[1], &shown, 1), EBADF);
    FAILS(jg_write(ends[0], "x", 1), EBADF);
    TEXT_HAS("not open for writing");
    FAILS(jg_try_write(ends[0], "x", 1), EBADF);
    FAILS(jg_write_eof(ends[0]), EBADF);
    ck_assert_str_eq(jg_peername(ends[0]), "");
    ck_assert_str_eq(jg_sockname(ends[1]), "");
    jg_abort(ends[0]);
    jg_abort(ends[1]);
    return 0;
}

TASK_TEST(a_writer_is_told_that_nobody_reads)
{
    jg_stream *ends[2];
    open_pipe(ends);
    jg_abort(ends[0]);
    YIELD_UNTIL(jg_stream_error(ends[1]) == EPIPE); /* also without a write */
    ck_assert(jg_is_closing(ends[1]));
    FAILS(jg_write(ends[1], "x", 1), EPIPE);
    FAILS(jg_flush(ends[1]), EPIPE);
    return jg_close(ends[1]);
}

static int write_much(void *arg)
{
    static char much[1 << 20];
    FAILS(jg_write(arg, much, sizeof much), EPIPE);
    return 0;
}

TASK_TEST(a_writer_that_waits_is_told_that_nobody_reads)
{
    jg_stream *ends[2];
    open_pipe(ends);
    jg_task *writer = start(write_much, ends[1]);
    char data[100];
    ck_assert_int_gt(jg_read(ends[0], data, sizeof data), 0);
    jg_abort(ends[0]);
    ck_assert_int_eq(jg_await(writer), 0);
    ck_assert_int_eq(jg_close(ends[1]), 0);
    return 0;
}

struct transfer {
    jg_stream *stream;
    size_t bytes, step;
};

static int write_pattern(void *arg)
{
    struct transfer *transfer = arg;
    char *data = pattern(transfer->bytes);
    for (size_t sent = 0; sent < transfer->bytes; sent += transfer->step) {
        size_t part = transfer->bytes - sent < transfer->step ? transfer->bytes - sent : transfer->step;
        ck_assert_int_eq(jg_write(transfer->stream, data + sent, part), 0);
    }
    free(data);
    return jg_close(transfer->stream);
}

static void transfer_through(jg_stream *ends[2], size_t bytes, size_t step, size_t room)
{
    struct transfer transfer = {ends[1], bytes, step};
    jg_task *writer = start(write_pattern, &transfer);
    char *data = malloc(room);
    size_t count = 0;
    for (ssize_t got; (got = jg_read(ends[0], data, room)) != 0; count += (size_t)got) {
        ck_assert_int_gt(got, 0);
        check_pattern(data, count, (size_t)got);
    }
    free(data);
    ck_assert_uint_eq(count, bytes);
    ck_assert_int_eq(jg_await(writer), 0);
    ck_assert_int_eq(jg_close(ends[0]), 0);
}

TASK_TEST(large_transfers_arrive_whole)
{
    static const size_t sizes[][3] = {{8 << 20, 8 << 20, 64 << 10},
                                      {3 << 20, 1000, 4096},
                                      {3 << 20, 40000, 100000},
                                      {200000, 7, 11},
                                      {1 << 20, 65536, 1}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t bytes = sizes[i][2] == 1 ? 50000 : sizes[i][0];
        jg_stream *ends[2];
        open_pipe(ends);
        transfer_through(ends, bytes, sizes[i][1], sizes[i][2]);
    }
    return 0;
}

TASK_TEST(a_slow_reader_slows_the_writer)
{
    jg_stream *ends[2];
    open_pipe(ends);
    char *data = pattern(4 << 20);
    size_t written = 0;
    while (jg_try_write(ends[1], data + written, 10000) == 0) {
        written += 10000;
        ck_assert_uint_lt(written, 4 << 20);
        jg_yield();
    }
    ck_assert_int_eq(errno, EAGAIN);
    free(data);
    ck_assert_uint_gt(written, 0);
    char *back = malloc(written);
    ck_assert_int_eq(jg_read_exactly(ends[0], back, written), (ssize_t)written);
    check_pattern(back, 0, written);
    free(back);
    ck_assert_int_eq(jg_flush(ends[1]), 0);
    ck_assert_int_eq(jg_close(ends[1]), 0);
    return jg_close(ends[0]);
}

static int read_one(void *arg)
{
    char byte;
    return (int)jg_read(arg, &byte, 1);
}

TASK_TEST(a_read_of_a_pipe_can_be_cancelled)
{
    jg_stream *ends[2];
    char byte;
    open_pipe(ends);
    jg_task *reader = start(read_one, ends[0]);
    jg_cancel(reader);
    FAILS(jg_await(reader), ECANCELED);
    {
        JG_TIMEOUT(limit, 0.02);
        FAILS(jg_read(ends[0], &byte, 1), ETIMEDOUT);
    }
    ck_assert_int_eq(jg_write(ends[1], "q", 1), 0);
    ck_assert_int_eq(jg_read(ends[0], &byte, 1), 1);
    ck_assert_int_eq(byte, 'q');
    jg_abort(ends[0]);
    jg_abort(ends[1]);
    return 0;
}

static int write_until_cancelled(void *arg)
{
    static char much[1 << 20];
    FAILS(jg_write(arg, much, sizeof much), ECANCELED);
    FAILS(jg_check(), ECANCELED);
    return 0;
}

TASK_TEST(a_write_to_a_pipe_can_be_cancelled)
{
    jg_stream *ends[2];
    open_pipe(ends);
    jg_task *writer = start(write_until_cancelled, ends[1]);
    jg_sleep(0.01);
    jg_cancel(writer);
    ck_assert_int_eq(jg_await(writer), 0);
    FAILS(jg_write(ends[1], "x", 1), EPIPE); /* a part was sent */
    jg_abort(ends[1]);
    jg_abort(ends[0]);
    return 0;
}

TASK_TEST(closing_sends_what_is_queued)
{
    jg_stream *ends[2];
    open_pipe(ends);
    struct transfer transfer = {ends[1], 300000, 30000};
    jg_task *writer = start(write_pattern, &transfer);
    jg_sleep(0.02);
    char *data = malloc(300000);
    ck_assert_int_eq(jg_read_exactly(ends[0], data, 300000), 300000);
    check_pattern(data, 0, 300000);
    free(data);
    ck_assert_int_eq(jg_await(writer), 0);
    return jg_close(ends[0]);
}

/* ---- Fds of others ---- */

TASK_TEST(a_stream_takes_the_end_of_a_foreign_pipe)
{
    int fds[2];
    char data[10];
    ck_assert_int_eq(pipe(fds), 0);
    jg_stream *stream = jg_stream_from_fd(fds[0]);
    ck_assert_ptr_nonnull(stream);
    ck_assert_int_eq(jg_fileno(stream), fds[0]);
    ck_assert(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
    ck_assert(!(fcntl(fds[1], F_GETFL) & O_NONBLOCK));
    ck_assert(fcntl(fds[0], F_GETFD) & FD_CLOEXEC);
    ck_assert_int_eq(write(fds[1], "abc", 3), 3);
    ck_assert_int_eq(jg_read(stream, data, sizeof data), 3);
    close(fds[1]);
    ck_assert_int_eq(jg_read(stream, data, sizeof data), 0);
    ck_assert_int_eq(jg_close(stream), 0);
    jg_sleep(0);
    ck_assert_int_eq(fcntl(fds[0], F_GETFD), -1);
    return 0;
}

TASK_TEST(a_shared_pipe_stays_in_blocking_mode)
{
    int fds[2];
    ck_assert_int_eq(pipe(fds), 0);
    jg_stream *ends[2] = {jg_stream_from_fd(fds[0], .shared = true), jg_stream_from_fd(fds[1], .shared = true)};
    ck_assert(!(fcntl(fds[0], F_GETFL) & O_NONBLOCK));
    ck_assert(!(fcntl(fds[1], F_GETFL) & O_NONBLOCK));
    ck_assert(!jg_can_write_eof(ends[1]));
    FAILS(jg_write_eof(ends[1]), EOPNOTSUPP);
    transfer_through(ends, 1 << 20, 70000, 50000);
    return 0;
}

TASK_TEST(a_shared_socket_stays_in_blocking_mode_and_is_not_shut_down)
{
    int fds[2];
    char data[4];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    int kept = dup(fds[0]);
    jg_stream *stream = jg_stream_from_fd(fds[0], .shared = true);
    {
        JG_TIMEOUT(limit, 0.02);
        FAILS(jg_read(stream, data, sizeof data), ETIMEDOUT);
    }
    ck_assert_int_eq(jg_write(stream, "abc", 3), 0);
    FAILS(jg_write_eof(stream), EOPNOTSUPP);
    ck_assert_int_eq(jg_close(stream), 0);
    ck_assert(!(fcntl(kept, F_GETFL) & O_NONBLOCK));
    ck_assert_int_eq(write(kept, "d", 1), 1);
    ck_assert_int_eq(recv(fds[1], data, 4, MSG_WAITALL), 4);
    ck_assert_mem_eq(data, "abcd", 4);
    close(kept);
    close(fds[1]);
    return 0;
}

TASK_TEST(files_and_devices_are_streams_too)
{
    char name[] = "/tmp/juggle-test-XXXXXX", data[10];
    int fd = mkstemp(name);
    ck_assert_int_eq(write(fd, "0123456789", 10), 10);
    ck_assert_int_eq(lseek(fd, 4, SEEK_SET), 4);
    jg_stream *file = jg_stream_from_fd(fd);
    ck_assert_int_eq(jg_read_exactly(file, data, 6), 6);
    ck_assert_mem_eq(data, "456789", 6);
    ck_assert_int_eq(jg_read(file, data, 1), 0);
    ck_assert_int_eq(jg_write(file, "abc", 3), 0);
    FAILS(jg_write_eof(file), EOPNOTSUPP);
    ck_assert_int_eq(jg_close(file), 0);
    fd = open(name, O_RDONLY);
    ck_assert_int_eq(lseek(fd, 0, SEEK_END), 13);
    close(fd);
    unlink(name);
    jg_stream *null = jg_stream_from_fd(open("/dev/null", O_RDWR));
    ck_assert_int_eq(jg_write(null, data, sizeof data), 0);
    ck_assert_int_eq(jg_flush(null), 0);
    ck_assert_int_eq(jg_read(null, data, sizeof data), 0);
    ck_assert_int_eq(jg_close(null), 0);
    return 0;
}

TASK_TEST(a_large_file_is_read_and_written_whole)
{
    char name[] = "/tmp/juggle-test-XXXXXX";
    jg_stream *ends[2] = {NULL, jg_stream_from_fd(mkstemp(name))};
    struct transfer transfer = {ends[1], 3 << 20, 100000};
    ck_assert_int_eq(write_pattern(&transfer), 0);
    jg_stream *in = jg_stream_from_fd(open(name, O_RDONLY));
    unlink(name);
    jg_sleep(0.02); /* read-ahead has a bound */
    char *data = malloc(3 << 20);
    ck_assert_int_eq(jg_read_exactly(in, data, 3 << 20), 3 << 20);
    check_pattern(data, 0, 3 << 20);
    free(data);
    ck_assert_int_eq(jg_read(in, name, 1), 0);
    return jg_close(in);
}

TASK_TEST(what_is_no_stream_of_bytes_is_refused)
{
    int fds[] = {open("/", O_RDONLY | O_DIRECTORY), socket(AF_INET, SOCK_DGRAM, 0)};
    FAILS_WITH_NULL(jg_stream_from_fd(fds[0]), EINVAL);
    TEXT_HAS("jg_stream_from_fd");
    FAILS_WITH_NULL(jg_stream_from_fd(fds[1]), ENOTSOCK);
    FAILS_WITH_NULL(jg_stream_from_fd(-1), EBADF);
    close(fds[0]);
    close(fds[1]);
    return 0;
}

TASK_TEST(a_full_disk_is_told)
{
    int fd = open("/dev/full", O_WRONLY);
    jg_stream *full = jg_stream_from_fd(fd);
    ck_assert_int_eq(jg_write(full, "x", 1), 0);
    FAILS(jg_flush(full), EPIPE);
    ck_assert_int_eq(jg_stream_error(full), ENOSPC);
    FAILS(jg_write(full, "x", 1), EPIPE);
    TEXT_HAS("No space left");
    jg_close(full);
    return 0;
}

TASK_TEST(pipes_without_fds)
{
    jg_stream *ends[2] = {NULL, NULL};
    struct rlimit limit = {64, 64};
    int taken[64], count = 0;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    while ((taken[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        count++;
    ck_assert_int_ge(count, 2);
    FAILS(jg_open_pipe(&ends[0], &ends[1]), EMFILE);
    close(taken[--count]);
    FAILS(jg_open_pipe(&ends[0], &ends[1]), EMFILE);
    ck_assert_ptr_null(ends[0]);
    close(taken[--count]);
    open_pipe(ends);
    jg_abort(ends[0]);
    jg_abort(ends[1]);
    while (count)
        close(taken[--count]);
    return 0;
}

/* ---- FIFOs ---- */

static char fifo[64];

static void make_fifo(void)
{
    snprintf(fifo, sizeof fifo, "/tmp/juggle-test-fifo-%d", (int)getpid());
    unlink(fifo);
    ck_assert_int_eq(mkfifo(fifo, 0600), 0);
}

static int read_fifo(void *arg)
{
    (void)arg;
    char line[32];
    jg_stream *reader = jg_open_fifo(fifo, O_RDONLY);
    ck_assert_ptr_nonnull(reader);
    ck_assert_int_eq(jg_read_line(reader, line, sizeof line), 4);
    ck_assert_str_eq(line, "abc\n");
    ck_assert_int_eq(jg_read(reader, line, 1), 0);
    return jg_close(reader);
}

TASK_TEST(a_fifo_read_waits_for_its_writer)
{
    make_fifo();
    jg_task *reader = start(read_fifo, NULL);
    jg_sleep(0.03);
    jg_stream *writer = jg_open_fifo(fifo, O_WRONLY);
    ck_assert_ptr_nonnull(writer);
    unlink(fifo);
    ck_assert_int_eq(jg_write(writer, "abc\n", 4), 0);
    ck_assert_int_eq(jg_close(writer), 0);
    return jg_await(reader);
}

static int read_fifo_late(void *arg)
{
    jg_sleep(0.03);
    return read_fifo(arg);
}

TASK_TEST(opening_a_fifo_to_write_waits_for_a_reader)
{
    make_fifo();
    {
        JG_TIMEOUT(limit, 0.02);
        FAILS_WITH_NULL(jg_open_fifo(fifo, O_WRONLY), ETIMEDOUT);
    }
    jg_task *reader = start(read_fifo_late, NULL);
    jg_stream *writer = jg_open_fifo(fifo, O_WRONLY);
    ck_assert_ptr_nonnull(writer);
    unlink(fifo);
    ck_assert_int_eq(jg_write(writer, "abc\n", 4), 0);
    ck_assert_int_eq(jg_close(writer), 0);
    return jg_await(reader);
}

TASK_TEST(fifos_that_cannot_be_opened)
{
    FAILS_WITH_NULL(jg_open_fifo("/tmp/juggle-test-nothing-here", O_RDONLY), ENOENT);
    TEXT_HAS("/tmp/juggle-test-nothing-here");
    FAILS_WITH_NULL(jg_open_fifo("/dev/null", O_RDONLY), EINVAL);
    FAILS_WITH_NULL(jg_open_fifo("/dev/null/x", O_WRONLY), ENOTDIR);
    FAILS_WITH_NULL(jg_open_fifo("/tmp", O_RDWR), EINVAL);
    FAILS_WITH_NULL(jg_open_fifo(NULL, O_RDONLY), EINVAL);
    return 0;
}

/* ---- Terminals ---- */

TASK_TEST(a_terminal_is_a_stream)
{
    char data[32];
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    jg_stream *tty = jg_stream_from_fd(open(ptsname(master), O_RDWR | O_NOCTTY));
    ck_assert_ptr_nonnull(tty);
    ck_assert(!jg_can_write_eof(tty));
    ck_assert_int_eq(write(master, "typed\n", 6), 6);
    ck_assert_int_eq(jg_read_line(tty, data, sizeof data), 6);
    ck_assert_str_eq(data, "typed\n");
    ck_assert_int_eq(write(master, "\4", 1), 1); /* end of file, as Ctrl-D */
    ck_assert_int_eq(jg_read(tty, data, sizeof data), 0);
    ck_assert_int_eq(jg_write(tty, "shown", 5), 0);
    ck_assert_int_eq(jg_flush(tty), 0);
    jg_stream *screen = jg_stream_from_fd(master);
    ck_assert_int_eq(jg_read_exactly(screen, data, 12), 12);
    ck_assert_mem_eq(data, "typed\r\nshown", 12);
    ck_assert_int_eq(jg_close(tty), 0);
    return jg_close(screen);
}

/* ---- Without memory ---- */

static int open_without_memory(void *arg)
{
    (void)arg;
    jg_stream *ends[2] = {NULL, NULL};
    for (long allowed = 0;; allowed++) {
        fail_allocations_after(allowed);
        int result = jg_open_pipe(&ends[0], &ends[1]), error = errno;
        fail_allocations_after(-1);
        jg_sleep(0);
        if (result == 0)
            break;
        ck_assert_int_eq(error, ENOMEM);
        ck_assert_ptr_null(ends[0]);
        ck_assert_int_lt(allowed, 50);
    }
    jg_abort(ends[0]);
    jg_abort(ends[1]);
    return 0;
}

TEST(a_pipe_without_memory_is_ENOMEM)
{
    install_failing_allocator();
    fail_allocations_after(-1);
    RUN(open_without_memory, NULL);
}
