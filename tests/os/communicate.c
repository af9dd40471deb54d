/* jg_process_communicate, and many children at once. */
#include "process_support.h"

#include <stdio.h>
#include <unistd.h>

enum { LARGE = 10 << 20 };

static char *pattern(size_t bytes)
{
    char *data = malloc(bytes);
    ck_assert_ptr_nonnull(data);
    for (size_t i = 0; i < bytes; i++)
        data[i] = (char)(i * 2654435761u >> 13);
    return data;
}

PROCESS_TEST(ten_megabytes_through_cat)
{
    jg_autoptr(jg_process) process = START(JG_ARGV("cat"), .in = JG_PIPE, .out = JG_PIPE);
    jg_autooutput output = {0};
    char *data = pattern(LARGE);
    errno = EXDEV;
    ck_assert_int_eq(jg_process_communicate(process, data, LARGE, &output), 0);
    ck_assert_int_eq(errno, EXDEV);
    ck_assert_uint_eq(output.out_size, LARGE);
    ck_assert(memcmp(output.out, data, LARGE) == 0);
    ck_assert_int_eq(output.out[LARGE], '\0');
    ck_assert_int_eq(end_of(process), 0);
    ck_assert_ptr_null(jg_process_stdin(process));
    ck_assert_ptr_null(jg_process_stdout(process));
    free(data);
    return 0;
}

/* Whoever reads one after the other would never see the end of the first. */
PROCESS_TEST(a_child_that_fills_both_outputs)
{
    jg_autoptr(jg_process) process =
        SHELL("head -c 3000000 /dev/zero >&2; head -c 2000000 /dev/zero; head -c 1000000 /dev/zero >&2; exit 5",
              .out = JG_PIPE, .err = JG_PIPE);
    jg_autooutput output = {0};
    ck_assert_int_eq(jg_process_communicate(process, NULL, 0, &output), 0);
    ck_assert_uint_eq(output.out_size, 2000000);
    ck_assert_uint_eq(output.err_size, 4000000);
    ck_assert_int_eq(end_of(process), 5);
    return 0;
}

PROCESS_TEST(a_child_that_does_not_read_its_input)
{
    const char *const commands[] = {"exec <&-; echo done", "echo done", "head -c 1 >/dev/null; echo done"};
    char *data = pattern(LARGE);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        jg_autoptr(jg_process) process = SHELL(commands[i], .in = JG_PIPE, .out = JG_PIPE);
        jg_autooutput output = {0};
        errno = EXDEV;
        ck_assert_msg(jg_process_communicate(process, data, LARGE, &output) == 0, "%s", jg_error_text());
        ck_assert_int_eq(errno, EXDEV);
        ck_assert_str_eq(output.out, "done\n");
    }
    free(data);
    return 0;
}

PROCESS_TEST(with_nothing_to_say)
{
    jg_autooutput output = {0};
    jg_autoptr(jg_process) silent = START(JG_ARGV("true"));
    ck_assert_int_eq(jg_process_communicate(silent, NULL, 0, &output), 0);
    ck_assert_ptr_null(output.out);
    ck_assert_ptr_null(output.err);
    jg_autoptr(jg_process) listener = START(JG_ARGV("cat"), .in = JG_PIPE, .out = JG_PIPE, .err = JG_PIPE);
    ck_assert_int_eq(jg_process_communicate(listener, NULL, 0, &output), 0); /* its input is closed */
    ck_assert_str_eq(output.out, "");
    ck_assert_str_eq(output.err, "");
    jg_autoptr(jg_process) unheard = SHELL("echo nobody listens", .out = JG_PIPE);
    ck_assert_int_eq(jg_process_communicate(unheard, NULL, 0, NULL), 0);
    return 0;
}

PROCESS_TEST(interrupted_it_leaves_the_child_alone_and_can_be_repeated)
{
    int ends[2];
    jg_autooutput output = {0};
    ck_assert_int_eq(pipe(ends), 0); // NOLINT(*cloexec*)
    jg_autoptr(jg_process) process =
        SHELL("echo first; read line; echo second; echo third >&2", .in = ends[0], .out = JG_PIPE, .err = JG_PIPE);
    close(ends[0]);
    {
        JG_TIMEOUT(deadline, 0.05);
        FAILS(jg_process_communicate(process, NULL, 0, &output), ETIMEDOUT);
    }
    ck_assert_ptr_null(output.out);
    ck_assert(!jg_process_returncode(process, NULL));
    ck_assert_int_eq(write(ends[1], "\n", 1), 1);
    ck_assert_int_eq(jg_process_communicate(process, NULL, 0, &output), 0);
    ck_assert_str_eq(output.out, "first\nsecond\n");
    ck_assert_str_eq(output.err, "third\n");
    close(ends[1]);
    return 0;
}

PROCESS_TEST(an_output_over_the_limit_is_emsgsize)
{
    jg_autoptr(jg_process) process = SHELL("yes", .out = JG_PIPE, .err = JG_PIPE);
    jg_autooutput output = {0};
    FAILS(jg_process_communicate(process, NULL, 0, &output, .limit = 100000), EMSGSIZE);
    TEXT_HAS("100000");
    jg_autoptr(jg_process) exact = SHELL("head -c 100000 /dev/zero", .out = JG_PIPE);
    ck_assert_int_eq(jg_process_communicate(exact, NULL, 0, &output, .limit = 100000), 0);
    ck_assert_uint_eq(output.out_size, 100000);
    return 0;
}

static int communicate(void *process)
{
    return jg_process_communicate(process, NULL, 0, NULL);
}

PROCESS_TEST(closing_during_it_is_ebadf)
{
    jg_process *process = SHELL("sleep 1000", .in = JG_PIPE, .out = JG_PIPE, .err = JG_PIPE);
    jg_task *task = jg_create_task(communicate, process);
    ck_assert_int_eq(jg_sleep(0.005), 0);
    jg_process_close(process);
    FAILS(jg_await(task), EBADF);
    process = SHELL("sleep 1000");
    task = jg_create_task(communicate, process); /* that only waits for its end, which comes */
    jg_yield();
    jg_process_close(process);
    ck_assert_int_eq(jg_await(task), 0);
    return 0;
}

PROCESS_TEST(a_cancelled_one_leaves_no_task_behind)
{
    jg_autoptr(jg_process) process = SHELL("sleep 1000", .in = JG_PIPE, .out = JG_PIPE, .err = JG_PIPE);
    jg_task *task = jg_create_task(communicate, process);
    ck_assert_int_eq(jg_sleep(0.005), 0);
    jg_cancel(task);
    FAILS(jg_await(task), ECANCELED);
    return 0;
}

/* ---- Many ---- */

enum { CHILDREN = 100 };

static int one_of_many(void *arg)
{
    int number = *(int *)arg;
    char command[128], expected[32];
    jg_autooutput output = {0};
    snprintf(command, sizeof command, "read line; echo $line %d; exit %d", number, number);
    snprintf(expected, sizeof expected, "hello %d\n", number);
    jg_autoptr(jg_process) process = jg_create_subprocess_shell(command, .in = JG_PIPE, .out = JG_PIPE);
    if (!process || jg_process_communicate(process, "hello\n", 6, &output) < 0)
        return -1;
    int returncode;
    if (jg_process_wait(process, &returncode) < 0 || returncode != number || strcmp(output.out, expected) != 0)
        return jg_fail(EPROTO, "%s", output.out);
    return 0;
}

PROCESS_TEST(a_hundred_children_at_once)
{
    jg_group group = {0};
    for (int i = 0; i < CHILDREN; i++)
        ck_assert_int_eq(jg_group_start(&group, one_of_many, &i, .copy = sizeof i), 0);
    ck_assert_msg(jg_group_wait(&group) == 0, "%s", jg_error_text());
    return 0;
}

PROCESS_TEST(bash_children)
{
    jg_autoptr(jg_process) process = START(JG_ARGV("bash"), .in = JG_PIPE, .out = JG_PIPE, .err = JG_PIPE);
    char line[64];
    ck_assert_int_eq(jg_printf(jg_process_stdin(process), "echo $((6 * 7)); echo oops >&2\n"), 0);
    ck_assert_int_gt(jg_read_line(jg_process_stdout(process), line, sizeof line), 0);
    ck_assert_str_eq(line, "42\n");
    ck_assert_int_gt(jg_read_line(jg_process_stderr(process), line, sizeof line), 0);
    ck_assert_str_eq(line, "oops\n");
    ck_assert_int_eq(jg_printf(jg_process_stdin(process), "exit 7\n"), 0);
    ck_assert_int_eq(end_of(process), 7);
    return 0;
}
