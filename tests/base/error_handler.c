/* The error handler of the process, also while threads replace it. */
#include "harness.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void keep(const jg_report *report, void *arg)
{
    snprintf(arg, 100, "%s|%s|%d", report->task_name ? report->task_name : "-", report->message, report->error);
    errno = ERANGE;
}

TEST(the_error_handler_can_be_asked_for_and_called)
{
    char text[100] = "";
    void *arg = text;
    ck_assert(jg_get_error_handler(&arg) == jg_default_error_handler);
    ck_assert_ptr_null(arg);
    jg_set_error_handler(keep, text);
    ck_assert(jg_get_error_handler(&arg) == keep);
    ck_assert_ptr_eq(arg, text);
    errno = ELOOP;
    jg_call_error_handler(&(jg_report){.message = "it failed", .task_name = "worker", .error = EIO});
    ck_assert_str_eq(text, "worker|it failed|5");
    ck_assert_int_eq(errno, ELOOP);
    jg_set_error_handler(NULL, NULL);
    ck_assert(jg_get_error_handler(NULL) == jg_default_error_handler);
}

/* What the default handler writes to stderr for each of the reports. */
static void written_for(const jg_report *reports, size_t count, char *text, size_t size)
{
    int ends[2], saved = dup(STDERR_FILENO);
    ck_assert_int_eq(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    for (size_t i = 0; i < count; i++)
        jg_default_error_handler(&reports[i], NULL);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(ends[1]);
    ssize_t n = read(ends[0], text, size - 1);
    close(ends[0]);
    ck_assert_int_ge(n, 0);
    text[n] = '\0';
}

TEST(the_default_handler_writes_a_line_but_not_for_what_is_ordinary)
{
    static const jg_report reports[] = {{"one", "worker", EIO},
                                        {"two", NULL, 0},
                                        {"three", "x", ECANCELED},
                                        {"four", "x", EPIPE},
                                        {"five", "x", ECONNRESET}};
    char text[200];
    written_for(reports, 5, text, sizeof text);
    ck_assert_str_eq(text, "juggle: task \"worker\": one\njuggle: two\n");
}

static char one_arg, other_arg;
static atomic_bool stop;

static void one(const jg_report *report, void *arg)
{
    if (arg != &one_arg || !report)
        abort();
}

static void other(const jg_report *report, void *arg)
{
    if (arg != &other_arg || !report)
        abort();
}

static void *replace(void *arg)
{
    while (!atomic_load(&stop)) {
        jg_set_error_handler(one, &one_arg);
        jg_set_error_handler(other, &other_arg);
    }
    return arg;
}

TEST(threads_never_see_a_handler_with_the_argument_of_another)
{
    pthread_t threads[2];
    jg_report report = {.message = "something"};
    jg_set_error_handler(one, &one_arg);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, replace, NULL), 0);
    for (int i = 0; i < 20000; i++)
        jg_call_error_handler(&report);
    atomic_store(&stop, true);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}
