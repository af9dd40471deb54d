/* A context on a stack, as the tests of this folder need it: started and continued by its owner, yielding to it. */
#ifndef JUGGLE_TESTS_COROUTINE_H
#define JUGGLE_TESTS_COROUTINE_H

#include "coro/context.h"
#include "coro/stack.h"
#include "harness.h"

struct coroutine {
    struct jg__context context;
    struct jg__context owner;
    struct jg__stack stack;
    long (*fn)(struct coroutine *self, void *arg);
    void *arg;
    bool ended;
};

void coroutine_start(struct coroutine *coroutine, struct jg__stacks *stacks, size_t size,
                     long (*fn)(struct coroutine *self, void *arg), void *arg);

/* Runs it until it yields or ends; its yield returns `value`. Returns what it yielded, or what fn returned. */
long coroutine_resume(struct coroutine *coroutine, long value);

long coroutine_yield(struct coroutine *self, long value);

/* It may have ended, or never run. */
void coroutine_free(struct coroutine *coroutine, struct jg__stacks *stacks);

/* Start, resume once, free. */
long coroutine_run(long (*fn)(struct coroutine *self, void *arg), void *arg);

/* How the child process that runs fn(arg) ends: the signal, or 0 when it exits with 0. Without a core dump, its stderr
 * thrown away. */
int signal_of(void (*fn)(void *arg), void *arg);

/* How many pages between two addresses are resident. */
size_t resident_pages(const char *from, const char *to);

#endif
