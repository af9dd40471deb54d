/* Gathers a thousand tasks that each yield once. */
#include "common/measure.h"

#include <juggle.h>

enum { TASKS = 1000 };

static long runs, iterations;

static int yield_once(void *arg)
{
    (void)arg;
    return jg_yield();
}

static int gather_all(void)
{
    jg_task *tasks[TASKS];
    for (int i = 0; i < TASKS; i++)
        tasks[i] = jg_create_task(yield_once, NULL);
    return jg_gatherv(tasks, TASKS);
}

static int amain(void *arg)
{
    (void)arg;
    for (long run = 0; run < runs; run++) {
        int64_t start = measure_clock();
        for (long i = 0; i < iterations; i++)
            if (gather_all() < 0)
                return -1;
        measure_report("juggle", "ns", (double)(measure_clock() - start) / (double)(iterations * TASKS));
    }
    return 0;
}

int main(int argc, char **argv)
{
    runs = measure_option(argc, argv, "--runs", 9);
    iterations = measure_option(argc, argv, "--iterations", 300);
    if (jg_run(amain, NULL) == 0)
        return 0;
    perror("gather");
    return 1;
}
