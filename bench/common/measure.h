/* What the benchmark programs share: a clock, and one line of output for each reading: "metric unit value". */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static inline int64_t measure_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline void measure_report(const char *metric, const char *unit, double value)
{
    printf("%s %s %.4f\n", metric, unit, value);
    fflush(stdout);
}

/* The number that follows `name` on the command line, or `fallback`. */
static inline long measure_option(int argc, char **argv, const char *name, long fallback)
{
    for (int i = 1; i + 1 < argc; i++)
        if (!strcmp(argv[i], name))
            return strtol(argv[i + 1], NULL, 10);
    return fallback;
}

#endif
