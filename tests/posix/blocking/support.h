/* What the two programs share: how long all took, and how many threads there were at most. */
#ifndef JUGGLE_TESTS_BLOCKING_SUPPORT_H
#define JUGGLE_TESTS_BLOCKING_SUPPORT_H

#include <juggle.h>
#include <stdio.h>
#include <stdlib.h>

enum { STACK = 1 << 20 }; /* libraries are used to large stacks; what is not touched costs nothing */

static int threads_now(void)
{
    char line[256];
    int threads = 0;
    FILE *status = fopen("/proc/self/status", "re");
    while (status && fgets(line, sizeof line, status) && sscanf(line, "Threads: %d", &threads) != 1)
        ;
    if (status)
        fclose(status);
    return threads;
}

static int count_threads(void *most)
{
    for (;;) {
        int now = threads_now();
        if (now > *(int *)most)
            *(int *)most = now;
        if (jg_sleep(0.005) < 0)
            return 0;
    }
}

/* Runs `count` tasks at once and tells how it was. */
static int run_all(jg_coroutine fn, void *arg, int count)
{
    int threads = 0, failed = 0, result;
    jg_task *counter = jg_create_task(count_threads, &threads);
    jg_group group = {0};
    double start = jg_time();
    for (int i = 0; i < count; i++)
        jg_group_start(&group, fn, arg, .stack_size = STACK);
    while (jg_group_next(&group, &result, NULL) > 0)
        failed += result < 0;
    if (jg_group_wait(&group) < 0)
        failed++;
    printf("%d of %d failed, %.3f seconds, at most %d threads\n", failed, count, jg_time() - start, threads);
    jg_cancel_and_wait(counter);
    return failed;
}

#endif
