/* Creates an empty task and waits for it, one after the other. */
#include "common/measure.h"

#include <juggle.h>

static long runs, iterations;

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int amain(void *arg)
{
    (void)arg;
    for (long run = 0; run < runs; run++) {
        int64_t start = measure_clock();
        for (long i = 0; i < iterations; i++)
            if (jg_await(jg_create_task(nothing, NULL)) < 0)
                return -1;
        measure_report("juggle", "ns", (double)(measure_clock() - start) / (double)iterations);
    }
    return 0;
}

int main(int argc, char **argv)
{
    runs = measure_option(argc, argv, "--runs", 9);
    iterations = measure_option(argc, argv, "--iterations", 500000);
    if (jg_run(amain, NULL) == 0)
        return 0;
    perror("create");
    return 1;
}
