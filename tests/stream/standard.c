/* The standard streams, with all that fds 0, 1 and 2 may be. */
#include "support.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* Runs fn(arg) as main with these in the place of fds 0 and 1 (-1: closed, -2: as they are), in a process of its own,
 * as a program is started. Returns its exit status: 0 for success. */
static int run_with(int in, int out, jg_coroutine fn, void *arg)
{
    pid_t child = fork();
    if (child == 0) {
        int kept_in = in >= 0 ? dup2(in, 100) : -1, kept_out = out >= 0 ? dup2(out, 101) : -1;
        if (in != -2)
            close(0);
        if (out != -2)
            close(1);
        if (kept_in >= 0)
            dup2(kept_in, 0);
        if (kept_out >= 0)
            dup2(kept_out, 1);
        for (int fd = 3; fd < 120; fd++)
            close(fd);
        _exit(jg_run(fn, arg) == 0 ? 0 : 1);
    }
    int status = -1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* Copies what comes in to what goes out, and leaves the flushing to jg_run. */
static int copy(void *arg)
{
    (void)arg;
    char data[5000];
    ssize_t count;
    jg_stream *in = jg_stdin(), *out = jg_stdout();
    if (!in || !out)
        return -1;
    while ((count = jg_read(in, data, sizeof data)) > 0)
        if (jg_write(out, data, (size_t)count) < 0)
            return -1;
    return (int)count;
}

static int temporary(void)
{
    char name[] = "/tmp/juggle-test-XXXXXX";
    int fd = mkostemp(name, O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    unlink(name);
    return fd;
}

static int file_of(size_t bytes)
{
    int fd = temporary();
    char *data = pattern(bytes);
    ck_assert_int_eq(write(fd, data, bytes), (ssize_t)bytes);
    free(data);
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static void check_file(int fd, size_t from, size_t bytes)
{
    char *data = malloc(bytes + 1);
    ck_assert_int_eq(pread(fd, data, bytes + 1, (off_t)from), (ssize_t)bytes);
    check_pattern(data, 0, bytes);
    free(data);
    close(fd);
}

TEST(standard_streams_on_files)
{
    int in = file_of(300000), out = temporary();
    ck_assert_int_eq(write(out, "before", 6), 6); /* as a shell does with >> or in a group */
    ck_assert_int_eq(run_with(in, out, copy, NULL), 0);
    ck_assert_int_eq(lseek(out, 0, SEEK_CUR), 300006);
    check_file(out, 6, 300000);
    close(in);
}

TEST(standard_streams_on_dev_null)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    ck_assert_int_eq(run_with(null, null, copy, NULL), 0);
    int in = file_of(100000);
    ck_assert_int_eq(run_with(in, null, copy, NULL), 0);
    close(in);
    close(null);
}

/* A process that feeds the fd with the pattern, and closes it. */
static pid_t feed(int fd, int other, size_t bytes)
{
    pid_t child = fork();
    if (child)
        return child;
    close(other);
    char *data = pattern(bytes);
    for (size_t sent = 0; sent < bytes;) {
        ssize_t count = write(fd, data + sent, bytes - sent);
        if (count < 0)
            _exit(1);
        sent += (size_t)count;
    }
    _exit(0);
}

TEST(standard_input_from_a_pipe)
{
    int ends[2], out = temporary(), status;
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    pid_t feeder = feed(ends[1], ends[0], 1 << 20);
    close(ends[1]);
    ck_assert_int_eq(run_with(ends[0], out, copy, NULL), 0);
    ck_assert(!(fcntl(ends[0], F_GETFL) & O_NONBLOCK));
    close(ends[0]);
    check_file(out, 0, 1 << 20);
    ck_assert_int_eq(waitpid(feeder, &status, 0), feeder);
    ck_assert_int_eq(status, 0);
}

TEST(standard_input_from_a_pipe_whose_writer_has_ended)
{
    for (size_t bytes = 0; bytes <= 10; bytes += 10) {
        int ends[2], out = temporary();
        ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
        char *data = pattern(bytes + 1);
        ck_assert_int_eq(write(ends[1], data, bytes), (ssize_t)bytes);
        free(data);
        close(ends[1]);
        ck_assert_int_eq(run_with(ends[0], out, copy, NULL), 0);
        close(ends[0]);
        check_file(out, 0, bytes);
    }
}

TEST(standard_input_from_a_fifo_whose_writer_has_ended)
{
    char name[64];
    snprintf(name, sizeof name, "/tmp/juggle-test-fifo-%d", (int)getpid());
    ck_assert_int_eq(mkfifo(name, 0600), 0);
    int in = open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC), feeder = open(name, O_WRONLY | O_CLOEXEC);
    ck_assert_int_eq(fcntl(in, F_SETFL, 0), 0);
    char *data = pattern(10);
    ck_assert_int_eq(write(feeder, data, 10), 10);
    free(data);
    close(feeder);
    unlink(name);
    int out = temporary();
    ck_assert_int_eq(run_with(in, out, copy, NULL), 0);
    check_file(out, 0, 10);
    close(in);
}

static int write_much(void *arg)
{
    char *data = pattern(1 << 20);
    int result = jg_write(jg_stdout(), data, 1 << 20);
    free(data);
    (void)arg;
    return result;
}

TEST(standard_output_to_a_pipe)
{
    int ends[2], status;
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    pid_t reader = fork();
    if (reader == 0) {
        close(ends[1]);
        char *data = malloc(1 << 20);
        size_t count = 0;
        for (ssize_t got; (got = read(ends[0], data + count, (1 << 20) - count)) > 0;)
            count += (size_t)got;
        check_pattern(data, 0, 1 << 20);
        _exit(count != 1 << 20);
    }
    close(ends[0]);
    ck_assert_int_eq(run_with(-2, ends[1], write_much, NULL), 0);
    ck_assert(!(fcntl(ends[1], F_GETFL) & O_NONBLOCK));
    close(ends[1]);
    ck_assert_int_eq(waitpid(reader, &status, 0), reader);
    ck_assert_int_eq(status, 0);
}

static int write_to_nobody(void *arg)
{
    (void)arg;
    while (jg_write(jg_stdout(), "x", 1) == 0 && jg_flush(jg_stdout()) == 0)
        jg_yield();
    return errno == EPIPE ? 0 : -1;
}

TEST(standard_output_that_nobody_reads_is_EPIPE)
{
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    close(ends[0]);
    ck_assert_int_eq(run_with(-2, ends[1], write_to_nobody, NULL), 0);
    close(ends[1]);
}

static int print(void *arg)
{
    return jg_printf(jg_stdout(), "%s", (const char *)arg);
}

TEST(standard_streams_on_sockets_are_not_shut_down)
{
    int pair[2];
    char data[16];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    ck_assert_int_eq(write(pair[1], "abc", 3), 3);
    ck_assert_int_eq(run_with(pair[0], pair[0], print, (char *)"done"), 0);
    ck_assert_int_eq(write(pair[0], ".", 1), 1);
    ck_assert_int_eq(recv(pair[1], data, 5, MSG_WAITALL), 5);
    ck_assert_mem_eq(data, "done.", 5);
    ck_assert_int_eq(recv(pair[0], data, 3, MSG_DONTWAIT), 3); /* nobody asked for input */
    ck_assert(!(fcntl(pair[0], F_GETFL) & O_NONBLOCK));
    close(pair[0]);
    close(pair[1]);
}

TEST(standard_streams_on_one_socket)
{
    int pair[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    ck_assert_int_eq(write(pair[1], "abcdef", 6), 6);
    ck_assert_int_eq(shutdown(pair[1], SHUT_WR), 0);
    ck_assert_int_eq(run_with(pair[0], pair[0], copy, NULL), 0);
    char data[6];
    ck_assert_int_eq(recv(pair[1], data, 6, MSG_WAITALL), 6);
    ck_assert_mem_eq(data, "abcdef", 6);
    close(pair[0]);
    close(pair[1]);
}

/* ---- Closed ones ---- */

static int closed_ones(void *arg)
{
    (void)arg;
    if (jg_stdin() || errno != EBADF || !strstr(jg_error_text(), "jg_stdin"))
        return -1;
    if (jg_stdout() || errno != EBADF)
        return -1;
    return jg_stderr() ? 0 : -1;
}

TEST(standard_streams_that_were_closed_at_the_start)
{
    ck_assert_int_eq(run_with(-1, -1, closed_ones, NULL), 0);
}

/* ---- Terminals ---- */

static int open_terminal(int *terminal)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    *terminal = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert_int_ge(*terminal, 0);
    return master;
}

static int answer(void *arg)
{
    (void)arg;
    char line[64];
    if (jg_printf(jg_stdout(), "name? ") < 0 || jg_flush(jg_stdout()) < 0)
        return -1;
    if (jg_read_line(jg_stdin(), line, sizeof line) <= 0)
        return -1;
    return jg_printf(jg_stdout(), "hello, %s", line);
}

TEST(standard_streams_on_a_terminal)
{
    int terminal, master = open_terminal(&terminal);
    char data[64] = "";
    ck_assert_int_eq(write(master, "world\n", 6), 6);
    ck_assert_int_eq(run_with(terminal, terminal, answer, NULL), 0);
    ck_assert(!(fcntl(terminal, F_GETFL) & O_NONBLOCK));
    size_t count = 0;
    while (!strstr(data, "hello, world")) {
        ssize_t got = read(master, data + count, sizeof data - 1 - count);
        ck_assert_int_gt(got, 0);
        count += (size_t)got;
    }
    ck_assert_ptr_nonnull(strstr(data, "name? "));
    close(terminal);
    close(master);
}

static int use_master(void *arg)
{
    (void)arg;
    char line[64];
    unsigned locked = 0;
    int number;
    if (ioctl(1, TIOCGPTN, &number) < 0 || ioctl(1, TIOCSPTLCK, &locked) < 0)
        return -1;
    snprintf(line, sizeof line, "/dev/pts/%d", number);
    jg_stream *slave = jg_stream_from_fd(open(line, O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (!slave || jg_printf(jg_stdout(), "typed\n") < 0 || jg_read_line(slave, line, sizeof line) != 6)
        return -1;
    return jg_close(slave);
}

TEST(the_master_of_a_terminal_is_not_opened_again)
{
    int terminal, master = open_terminal(&terminal);
    ck_assert_int_eq(run_with(-2, master, use_master, NULL), 0);
    ck_assert(!(fcntl(master, F_GETFL) & O_NONBLOCK));
    close(terminal);
    close(master);
}

/* ---- One of each ---- */

static int same_each_time(void *arg)
{
    (void)arg;
    jg_stream *out = jg_stdout(), *errors = jg_stderr();
    if (!out || !errors || jg_stdout() != out || jg_stderr() != errors || out == errors)
        return -1;
    if (jg_fileno(out) <= 2 || jg_can_write_eof(jg_stdin()))
        return -1;
    if (jg_printf(out, "a") < 0 || jg_close(out) < 0)
        return -1;
    return jg_stdout() != out ? jg_printf(jg_stdout(), "b") : -1;
}

TEST(each_run_has_standard_streams_of_its_own)
{
    int out = temporary();
    char data[3] = "";
    ck_assert_int_eq(run_with(-2, out, same_each_time, NULL), 0);
    ck_assert_int_eq(pread(out, data, 3, 0), 2);
    ck_assert_str_eq(data, "ab");
    close(out);
}

TEST(what_cannot_be_written_at_the_end_is_reported)
{
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC), errors = temporary();
    char text[200] = "";
    int kept = dup(2);
    dup2(errors, 2);
    int status = run_with(-2, full, print, (char *)"x");
    dup2(kept, 2);
    close(kept);
    ck_assert_int_eq(status, 0);
    ck_assert_int_gt(pread(errors, text, sizeof text - 1, 0), 0);
    ck_assert_msg(strstr(text, "No space left"), "%s", text);
    close(full);
    close(errors);
}
