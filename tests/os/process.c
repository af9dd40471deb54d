/* Processes for tasks: starting, streams, the end, closing. */
#include "process_support.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>

/* ---- The end ---- */

PROCESS_TEST(the_exit_status_is_kept_until_asked)
{
    jg_autoptr(jg_process) process = SHELL("exit 3");
    int returncode = -1000;
    ck_assert_str_eq(jg_process_status_text(process), "running");
    ck_assert(!jg_process_returncode(process, &returncode));
    ck_assert_int_eq(returncode, -1000);
    while (!jg_process_returncode(process, NULL))
        ck_assert_int_eq(jg_sleep(0.001), 0);
    ck_assert_int_eq(jg_sleep(0.01), 0);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(end_of(process), 3);
    ck_assert(jg_process_returncode(process, &returncode));
    ck_assert_int_eq(returncode, 3);
    ck_assert_str_eq(jg_process_status_text(process), "exited with 3");
    ck_assert_int_gt(jg_process_pid(process), 1);
    return 0;
}

PROCESS_TEST(a_signal_is_told_apart)
{
    const struct {
        const char *command;
        int returncode;
        const char *text;
    } cases[] = {
        {"kill -KILL $$", -SIGKILL, "killed by SIGKILL"},
        {"kill -SEGV $$", -SIGSEGV, "killed by SIGSEGV"},
        {"exit 137", 137, "exited with 137"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        jg_autoptr(jg_process) process = SHELL(cases[i].command);
        ck_assert_int_eq(end_of(process), cases[i].returncode);
        ck_assert_msg(strstr(jg_process_status_text(process), cases[i].text), "%s", jg_process_status_text(process));
    }
    jg_autoptr(jg_process) process = START(JG_ARGV("sleep", "1000"));
    ck_assert_int_eq(jg_process_send_signal(process, SIGRTMIN + 3), 0);
    ck_assert_int_eq(end_of(process), -(SIGRTMIN + 3));
    ck_assert_str_eq(jg_process_status_text(process), "killed by SIGRTMIN+3");
    return 0;
}

PROCESS_TEST(signals_are_sent)
{
    jg_process *process = START(JG_ARGV("sleep", "1000"));
    ck_assert_int_eq(jg_process_terminate(process), 0);
    ck_assert_int_eq(end_of(process), -SIGTERM);
    FAILS(jg_process_terminate(process), ESRCH);
    FAILS(jg_process_kill(process), ESRCH);
    jg_process_close(process);
    process = START(JG_ARGV("sleep", "1000"));
    FAILS(jg_process_send_signal(process, 12345), EINVAL);
    ck_assert_int_eq(jg_process_kill(process), 0);
    ck_assert_int_eq(end_of(process), -SIGKILL);
    jg_process_close(process);
    return 0;
}

static int wait_for(void *process)
{
    int returncode = 0;
    return jg_process_wait(process, &returncode) < 0 ? -1 : -returncode;
}

PROCESS_TEST(any_number_of_tasks_wait)
{
    jg_task *tasks[20];
    int results[20];
    jg_process *process = START(JG_ARGV("sleep", "1000"));
    for (int i = 0; i < 20; i++)
        tasks[i] = jg_create_task(wait_for, process);
    jg_yield();
    jg_cancel(tasks[7]);
    jg_yield();
    ck_assert_int_eq(jg_process_kill(process), 0);
    ck_assert_int_eq(jg_gatherv(tasks, 20, .results = results, .all = true), 0);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(results[i], i == 7 ? -ECANCELED : SIGKILL);
    jg_process_close(process);
    return 0;
}

PROCESS_TEST(an_interrupted_wait_leaves_the_process_alone)
{
    jg_autoptr(jg_process) process = SHELL("read line; exit 4", .in = JG_PIPE);
    {
        JG_TIMEOUT(deadline, 0.005);
        FAILS(jg_process_wait(process, NULL), ETIMEDOUT);
        FAILS(jg_process_wait(process, NULL), ETIMEDOUT);
    }
    ck_assert_int_eq(jg_write(jg_process_stdin(process), "go\n", 3), 0);
    ck_assert_int_eq(end_of(process), 4);
    return 0;
}

/* The closer ends the process; who waits for it learns how. */
PROCESS_TEST(closing_wakes_those_who_wait)
{
    jg_process *process = START(JG_ARGV("sleep", "1000"));
    jg_task *task = jg_create_task(wait_for, process);
    jg_yield();
    jg_process_close(process);
    ck_assert_int_eq(jg_await(task), SIGTERM);
    return 0;
}

PROCESS_TEST(a_status_that_was_taken_is_echild)
{
    jg_autoptr(jg_process) process = SHELL("exit 3");
    int returncode;
    ck_assert_int_eq(waitpid(jg_process_pid(process), NULL, 0), jg_process_pid(process));
    FAILS(jg_process_wait(process, NULL), ECHILD);
    ck_assert(jg_process_returncode(process, &returncode));
    ck_assert_int_eq(returncode, 255);
    ck_assert_str_eq(jg_process_status_text(process), "ended, its status is unknown");
    return 0;
}

/* ---- Closing ---- */

PROCESS_TEST(a_child_that_ignores_sigterm_is_killed_after_the_grace)
{
    char line[16];
    jg_process *process = SHELL("trap '' TERM; echo ready; while :; do sleep 0.01; done", .out = JG_PIPE, .grace = 0.1);
    ck_assert_int_eq(jg_read_line(jg_process_stdout(process), line, sizeof line), 6);
    double before = jg_time();
    jg_process_close(process);
    ck_assert(jg_time() - before >= 0.1);
    process = SHELL("trap '' TERM; echo ready; while :; do sleep 0.01; done", .out = JG_PIPE, .grace = -1);
    ck_assert_int_eq(jg_read_line(jg_process_stdout(process), line, sizeof line), 6);
    jg_process_close(process);
    return 0;
}

PROCESS_TEST(a_child_may_use_its_grace)
{
    int ends[2];
    char buffer[32];
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    jg_process *process =
        SHELL("trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.01; done", .out = ends[1], .grace = 60);
    close(ends[1]);
    ck_assert_int_eq(read(ends[0], buffer, sizeof buffer), 6);
    jg_process_close(process);
    ck_assert_int_eq(read(ends[0], buffer, sizeof buffer), 4);
    close(ends[0]);
    return 0;
}

static int close_process(void *process)
{
    jg_process_close(process);
    return 0;
}

PROCESS_TEST(an_interrupted_close_kills_at_once)
{
    char line[16];
    jg_process *process =
        SHELL("trap '' TERM; echo ready; while :; do sleep 0.01; done", .out = JG_PIPE, .grace = INFINITY);
    ck_assert_int_eq(jg_read_line(jg_process_stdout(process), line, sizeof line), 6);
    jg_task *task = jg_create_task(close_process, process);
    ck_assert_int_eq(jg_sleep(0.02), 0);
    ck_assert(!jg_task_done(task));
    jg_cancel(task);
    ck_assert_int_eq(jg_await(task), 0);
    return 0;
}

static int hold_a_process(void *arg)
{
    (void)arg;
    jg_autoptr(jg_process) process = START(JG_ARGV("sleep", "1000"), .in = JG_PIPE, .out = JG_PIPE, .err = JG_PIPE);
    return jg_process_wait(process, NULL);
}

PROCESS_TEST(a_cancelled_task_takes_its_processes_along)
{
    jg_task *task = jg_create_task(hold_a_process, NULL);
    ck_assert_int_eq(jg_sleep(0.01), 0);
    jg_cancel(task);
    FAILS(jg_await(task), ECANCELED);
    FAILS(waitpid(-1, NULL, WNOHANG), ECHILD);
    return 0;
}

PROCESS_TEST(a_group_of_its_own_ends_with_it)
{
    int ends[2];
    char line[16];
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    const int passed[] = {ends[1], -1};
    for (int i = 0; i < 2; i++) {
        jg_process *process =
            SHELL(i ? "trap '' TERM; sleep 1000 & echo ready; exit 0" : "sleep 1000 & echo ready; wait", .out = JG_PIPE,
                  .process_group = JG_NEW_GROUP, .pass_fds = passed, .grace = 0.2);
        ck_assert_int_eq(jg_read_line(jg_process_stdout(process), line, sizeof line), 6);
        if (i == 0)
            jg_process_close(process);
        else {
            pid_t group = jg_process_pid(process);
            ck_assert_int_eq(end_of(process), 0); /* what it left behind is its own business */
            jg_process_close(process);
            ck_assert_int_eq(kill(-group, SIGKILL), 0);
        }
    }
    close(ends[1]);
    ck_assert_int_eq(read(ends[0], line, 1), 0); /* only ends when all have gone */
    close(ends[0]);
    return 0;
}

static int leave_behind(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++) {
        jg_process *process = SHELL(i % 2 ? "trap '' TERM; sleep 1000" : "exit 0", .in = JG_PIPE, .out = JG_PIPE);
        if (i == 0)
            ck_assert_int_eq(end_of(process), 0);
    }
    return 0;
}

TEST(what_is_left_when_the_run_ends_is_killed_and_reaped)
{
    RUN(leave_behind, NULL);
    FAILS(waitpid(-1, NULL, WNOHANG), ECHILD);
}

PROCESS_TEST(closing_nothing_is_fine)
{
    errno = EXDEV;
    jg_process_close(NULL);
    ck_assert_int_eq(errno, EXDEV);
    jg_process *process = START(JG_ARGV("true"));
    ck_assert_int_eq(end_of(process), 0);
    errno = EXDEV;
    jg_process_close(process);
    ck_assert_int_eq(errno, EXDEV);
    return 0;
}

/* ---- Streams ---- */

PROCESS_TEST(it_talks_through_streams)
{
    char line[64];
    jg_autoptr(jg_process) process = START(JG_ARGV("cat"), .in = JG_PIPE, .out = JG_PIPE);
    ck_assert_ptr_null(jg_process_stderr(process));
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(jg_printf(jg_process_stdin(process), "line %d\n", i), 0);
        ck_assert_int_gt(jg_read_line(jg_process_stdout(process), line, sizeof line), 0);
        ck_assert_int_eq(atoi(line + 5), i);
    }
    ck_assert_int_eq(jg_close(jg_process_stdin(process)), 0);
    ck_assert_ptr_null(jg_process_stdin(process));
    ck_assert_int_eq(jg_read(jg_process_stdout(process), line, sizeof line), 0);
    ck_assert_int_eq(end_of(process), 0);
    return 0;
}

PROCESS_TEST(output_is_still_there_after_the_end)
{
    char line[64];
    jg_autoptr(jg_process) process = SHELL("echo to out; echo to err >&2", .out = JG_PIPE, .err = JG_PIPE);
    ck_assert_int_eq(end_of(process), 0);
    ck_assert_int_eq(jg_read_line(jg_process_stdout(process), line, sizeof line), 7);
    ck_assert_str_eq(line, "to out\n");
    ck_assert_int_eq(jg_read_line(jg_process_stderr(process), line, sizeof line), 7);
    ck_assert_int_eq(jg_read(jg_process_stderr(process), line, sizeof line), 0);
    return 0;
}

PROCESS_TEST(errors_may_go_where_output_goes)
{
    jg_autoptr(jg_process) process = SHELL("echo a; echo b >&2; echo c", .out = JG_PIPE, .err = JG_STDOUT);
    jg_autooutput output = {0};
    ck_assert_ptr_null(jg_process_stderr(process));
    ck_assert_int_eq(jg_process_communicate(process, NULL, 0, &output), 0);
    ck_assert_str_eq(output.out, "a\nb\nc\n");
    ck_assert_ptr_null(output.err);
    return 0;
}

PROCESS_TEST(a_write_to_a_child_that_has_closed_its_input_is_epipe)
{
    char line[16], data[1000] = {0};
    jg_autoptr(jg_process) process = SHELL("exec <&-; echo ready; sleep 1000", .in = JG_PIPE, .out = JG_PIPE);
    ck_assert_int_eq(jg_read_line(jg_process_stdout(process), line, sizeof line), 6);
    int result = 0;
    for (int i = 0; i < 1000 && result == 0; i++) {
        result = jg_write(jg_process_stdin(process), data, sizeof data);
        if (result == 0)
            result = jg_flush(jg_process_stdin(process));
    }
    ck_assert_int_eq(result, -1);
    ck_assert_int_eq(errno, EPIPE);
    return 0;
}

/* The pipes then get these numbers here, on both sides. */
PROCESS_TEST(our_own_standard_fds_may_be_closed)
{
    int saved[3];
    for (int fd = 0; fd < 3; fd++)
        saved[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 100);
    for (int fd = 0; fd < 3; fd++)
        close(fd);
    jg_process *process =
        jg_create_subprocess_shell("cat; echo error >&2", .in = JG_PIPE, .out = JG_PIPE, .err = JG_PIPE);
    jg_process_output output = {0};
    int result = process ? jg_process_communicate(process, "input", 5, &output) : -1;
    jg_process_close(process);
    int yielded = jg_sleep(0.001); /* what was closed is closed by then */
    for (int fd = 0; fd < 3; fd++) {
        dup2(saved[fd], fd);
        close(saved[fd]);
    }
    ck_assert_msg(result == 0 && yielded == 0, "%s", jg_error_text());
    ck_assert_str_eq(output.out, "input");
    ck_assert_str_eq(output.err, "error\n");
    jg_process_output_free(&output);
    return 0;
}

/* ---- What cannot be started ---- */

#define NULL_WITH(call, error)                                                                      \
    do {                                                                                            \
        errno = 0;                                                                                  \
        const void *result = (call);                                                                \
        int result_error = errno;                                                                   \
        ck_assert_ptr_null(result);                                                                 \
        ck_assert_msg(result_error == (error), "%s (%s)", strerror(result_error), jg_error_text()); \
    } while (0)

PROCESS_TEST(programs_that_cannot_be_started_are_told_apart)
{
    NULL_WITH(jg_create_subprocess_exec(JG_ARGV("no-such-program"), .in = JG_PIPE, .out = JG_PIPE), ENOENT);
    ck_assert_str_eq(jg_error_text(), "jg_create_subprocess_exec: no-such-program: no such program");
    NULL_WITH(jg_create_subprocess_exec(JG_ARGV("/etc/passwd"), .err = JG_PIPE), EACCES);
    TEXT_HAS("not executable");
    NULL_WITH(jg_create_subprocess_exec(JG_ARGV("true"), .cwd = "/no/such/directory"), ENOENT);
    TEXT_HAS("/no/such/directory");
    NULL_WITH(jg_create_subprocess_exec(NULL), EINVAL);
    NULL_WITH(jg_create_subprocess_exec(((const char *const[]){NULL})), EINVAL);
    NULL_WITH(jg_create_subprocess_shell(NULL), EINVAL);
    NULL_WITH(jg_create_subprocess_exec(JG_ARGV("true"), .out = 700), EBADF);
    NULL_WITH(jg_create_subprocess_exec(JG_ARGV("true"), .in = -9), EINVAL);
    jg_autoptr(jg_process) process = SHELL("no-such-command 2>/dev/null");
    ck_assert_int_eq(end_of(process), 127); /* the shell's own way to say so */
    return 0;
}

PROCESS_TEST(at_emfile_nothing_is_left_behind)
{
    struct rlimit limit;
    int fds[256] = {0}, count = 0;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 128;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    while ((fds[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        count++;
    for (int room = 0;; room++) {
        jg_process *process = jg_create_subprocess_exec(JG_ARGV("cat"), .in = JG_PIPE, .out = JG_PIPE, .err = JG_PIPE);
        int error = errno;
        ck_assert_int_eq(jg_sleep(0.001), 0); /* streams that were dropped are gone by now */
        if (process) {
            ck_assert_int_eq(room, 7); /* three pipes, and the child's pidfd */
            jg_process_close(process);
            break;
        }
        ck_assert_int_eq(error, EMFILE);
        close(fds[--count]);
    }
    while (count > 0)
        close(fds[--count]);
    return 0;
}

static long allowed = -1; /* allocations until they fail; negative: for ever */

static void *allocate(size_t bytes, void *arg)
{
    (void)arg;
    return allowed == 0 || (allowed > 0 && allowed-- == 0) ? NULL : malloc(bytes);
}

static void *reallocate(void *block, size_t bytes, void *arg)
{
    (void)arg;
    return allowed == 0 || (allowed > 0 && allowed-- == 0) ? NULL : realloc(block, bytes);
}

static void release(void *block, void *arg)
{
    (void)arg;
    free(block);
}

static int start_without_memory(void *arg)
{
    (void)arg;
    for (long count = 0;; count++) {
        jg_autooutput output = {0};
        allowed = count;
        jg_process *process = jg_create_subprocess_exec(JG_ARGV("cat"), .in = JG_PIPE, .out = JG_PIPE, .err = JG_PIPE);
        int error = errno;
        int result = process ? jg_process_communicate(process, "input", 5, &output) : -1;
        if (process)
            error = errno;
        allowed = -1;
        jg_process_close(process);
        if (result == 0) {
            ck_assert_str_eq(output.out, "input");
            return 0;
        }
        ck_assert_int_eq(error, ENOMEM);
        ck_assert_int_eq(jg_sleep(0.001), 0);
    }
}

TEST(without_memory_nothing_is_left_behind)
{
    ck_assert_int_eq(jg_set_allocator(&(jg_allocator){allocate, reallocate, release, NULL}), 0);
    RUN(start_without_memory, NULL);
    FAILS(waitpid(-1, NULL, WNOHANG), ECHILD);
}

TEST_ABORTS(starting_outside_of_a_run_aborts, "jg_create_subprocess_exec")
{
    if (jg_create_subprocess_exec(JG_ARGV("true")))
        return;
}
