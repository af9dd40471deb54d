/* A million tasks that sleep: how long each takes to create and to start, what it keeps in memory, and how long it
 * takes to end. */
#include "common/measure.h"

#include <juggle.h>

static long count, started, ended;

/* Resident memory and page tables of this process, in KiB. */
static double memory(void)
{
    FILE *file = fopen("/proc/self/status", "re");
    char line[256];
    long sum = 0, value;
    if (!file) {
        perror("/proc/self/status");
        exit(1);
    }
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "VmRSS: %ld", &value) == 1 || sscanf(line, "VmPTE: %ld", &value) == 1)
            sum += value;
    fclose(file);
    return (double)sum;
}

static int sleeper(void *arg)
{
    started++;
    jg_sleep(3600 + (double)(intptr_t)arg * 1e-3);
    ended++;
    return 0;
}

static int amain(void *arg)
{
    (void)arg;
    double before = memory();
    int64_t start = measure_clock();
    jg_group group = {0};
    for (long i = 0; i < count; i++)
        if (jg_group_start(&group, sleeper, (void *)(intptr_t)i) < 0)
            return -1;
    while (started < count)
        if (jg_yield() < 0)
            return -1;
    measure_report("create", "ns", (double)(measure_clock() - start) / (double)count);
    measure_report("memory", "KiB", (memory() - before) / (double)count);
    start = measure_clock();
    jg_group_cancel(&group);
    if (jg_group_wait(&group) < 0 || ended < count)
        return -1;
    measure_report("end", "ns", (double)(measure_clock() - start) / (double)count);
    return 0;
}

int main(int argc, char **argv)
{
    count = measure_option(argc, argv, "--tasks", 1000000);
    if (jg_run(amain, NULL) == 0)
        return 0;
    fprintf(stderr, "million: %s\n", jg_error_text());
    return 1;
}
