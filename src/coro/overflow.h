/* A fault in the guard of the running task's stack ends with a sentence instead of a bare "Segmentation fault"; every
 * other fault goes to the handler that was there before. */
#ifndef JUGGLE_CORO_OVERFLOW_H
#define JUGGLE_CORO_OVERFLOW_H

#include <stdbool.h>
#include <stddef.h>

struct jg__overflow {
    const char *task;   /* its name */
    size_t stack_size;  /* bytes */
    const char *remedy; /* what enlarges it: "create it with a larger .stack_size" */
};

/* Called in the signal handler, on the thread that faulted: is it running a task whose guard holds the address
 * (jg__stack_guards)? Then it fills in the rest. */
typedef bool jg__overflow_describe(const void *fault_address, struct jg__overflow *overflow);

/* Called by each thread that is to run tasks, and undone by it. The first one of the process takes SIGSEGV and SIGBUS
 * over, the last one gives them back. All callers hand in the same function. Returns 0, or -1 with ENOMEM and the error
 * text set. */
int jg__overflow_install(jg__overflow_describe *describe);

/* Preserves errno. */
void jg__overflow_uninstall(void);

#endif
