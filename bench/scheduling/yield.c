/* Two tasks that yield to each other, beside two bare stacks that a called function switches between; each from places
 * of its own in the code. Both are measured in turns in one program, since the speed of a machine changes from second
 * to second. */
#include "common/measure.h"
#include "scheduling/called_switch.h"

#include <juggle.h>

static long iterations;

static int ping(void *arg)
{
    (void)arg;
    for (long i = 0; i < iterations; i++)
        jg_yield();
    return 0;
}

static int pong(void *arg)
{
    (void)arg;
    long left = iterations;
    do
        jg_yield();
    while (--left > 0);
    return 0;
}

static int measure_yield(void)
{
    int64_t start = measure_clock();
    if (jg_gather(jg_create_task(ping, NULL), jg_create_task(pong, NULL)) < 0)
        return -1;
    measure_report("juggle", "ns", (double)(measure_clock() - start) / (double)(2 * iterations));
    return 0;
}

#ifdef HAVE_CALLED_SWITCH
enum { STACK = 64 * 1024 };

static char stacks[2][STACK] __attribute__((aligned(64)));
static void *measuring, *bare_ping_stack, *bare_pong_stack;

_Noreturn static void bare_ping(void)
{
    for (;;) {
        for (long i = 0; i < iterations; i++)
            called_switch(&bare_ping_stack, bare_pong_stack);
        called_switch(&bare_ping_stack, measuring);
    }
}

_Noreturn static void bare_pong(void)
{
    for (;;)
        called_switch(&bare_pong_stack, bare_ping_stack);
}

/* A stack on which called_switch finds its registers and then `entry`, where a return address would stand. */
static void *bare_stack(char *stack, void (*entry)(void))
{
    void **top = (void **)(void *)(stack + STACK);
    *--top = NULL;
    *--top = (void *)entry;
    return top - CALLED_SWITCH_REGISTERS;
}

static void prepare_called_switch(void)
{
    bare_ping_stack = bare_stack(stacks[0], bare_ping);
    bare_pong_stack = bare_stack(stacks[1], bare_pong);
}

static void measure_called_switch(void)
{
    int64_t start = measure_clock();
    called_switch(&measuring, bare_ping_stack);
    measure_report("called-switch", "ns", (double)(measure_clock() - start) / (double)(2 * iterations));
}
#else
static void prepare_called_switch(void)
{
}

static void measure_called_switch(void)
{
}
#endif

static int amain(void *arg)
{
    long runs = *(long *)arg;
    prepare_called_switch();
    for (long run = 0; run < runs; run++) {
        measure_called_switch();
        if (measure_yield() < 0)
            return -1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    long runs = measure_option(argc, argv, "--runs", 9);
    iterations = measure_option(argc, argv, "--iterations", 1000000);
    if (jg_run(amain, &runs) == 0)
        return 0;
    perror("yield");
    return 1;
}
