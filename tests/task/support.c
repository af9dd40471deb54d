#include "support.h"

#include <math.h>
#include <stdio.h>

char trace[256];
struct collected_report reports[16];
size_t report_count;

void note(const char *what)
{
    ck_assert_uint_lt(strlen(trace) + strlen(what), sizeof trace);
    strcat(trace, what);
}

static void collect(const jg_report *report, void *arg)
{
    (void)arg;
    ck_assert_uint_lt(report_count, 16);
    struct collected_report *collected = &reports[report_count++];
    snprintf(collected->task, sizeof collected->task, "%s", report->task_name ? report->task_name : "");
    snprintf(collected->message, sizeof collected->message, "%s", report->message);
    collected->error = report->error;
}

void collect_reports(void)
{
    jg_set_error_handler(collect, NULL);
}

int succeed(void *arg)
{
    (void)arg;
    return 0;
}

int return_number(void *arg)
{
    return *(int *)arg;
}

int fail_with(void *arg)
{
    errno = *(int *)arg;
    return -1;
}

int sleep_long(void *arg)
{
    (void)arg;
    return jg_sleep(INFINITY);
}

int sleep_a_little(void *arg)
{
    (void)arg;
    return jg_sleep(0.001);
}

int ignore_cancellation(void *arg)
{
    (void)arg;
    ck_assert_int_eq(jg_sleep(INFINITY), -1);
    return 0;
}

void let_others_run(int turns)
{
    for (int i = 0; i < turns; i++)
        ck_assert_int_eq(jg_yield(), 0);
}
