#include "coroutine.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void entry(void *arg)
{
    struct coroutine *coroutine = arg;
    long result = coroutine->fn(coroutine, coroutine->arg);
    coroutine->ended = true;
    coroutine->owner.result = result;
    jg__context_switch(&coroutine->context, &coroutine->owner);
    abort();
}

void coroutine_start(struct coroutine *coroutine, struct jg__stacks *stacks, size_t size,
                     long (*fn)(struct coroutine *self, void *arg), void *arg)
{
    *coroutine = (struct coroutine){.fn = fn, .arg = arg};
    ck_assert(jg__stacks_get(stacks, size, &coroutine->stack));
    jg__context_init_thread(&coroutine->owner);
    jg__context_init(&coroutine->context, coroutine->stack.bottom, coroutine->stack.top, entry, coroutine);
}

long coroutine_resume(struct coroutine *coroutine, long value)
{
    coroutine->context.result = value;
    return jg__context_switch(&coroutine->owner, &coroutine->context);
}

long coroutine_yield(struct coroutine *self, long value)
{
    self->owner.result = value;
    return jg__context_switch(&self->context, &self->owner);
}

void coroutine_free(struct coroutine *coroutine, struct jg__stacks *stacks)
{
    jg__context_destroy(&coroutine->context);
    jg__stacks_put(stacks, &coroutine->stack);
}

long coroutine_run(long (*fn)(struct coroutine *self, void *arg), void *arg)
{
    struct jg__stacks *stacks = jg__stacks_new();
    struct coroutine coroutine;
    coroutine_start(&coroutine, stacks, 0, fn, arg);
    long result = coroutine_resume(&coroutine, 0);
    coroutine_free(&coroutine, stacks);
    jg__stacks_free(stacks);
    return result;
}

static void silence(void)
{
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(nowhere, STDERR_FILENO);
}

int signal_of(void (*fn)(void *arg), void *arg)
{
    int status;
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        silence();
        fn(arg);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    if (WIFEXITED(status))
        ck_assert_int_eq(WEXITSTATUS(status), 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

size_t resident_pages(const char *from, const char *to)
{
    static unsigned char map[1 << 16];
    size_t page = (size_t)getpagesize(), count = ((size_t)(to - from) + page - 1) / page, resident = 0;
    ck_assert_uint_le(count, sizeof map);
    ck_assert_int_eq(mincore((void *)(uintptr_t)from, (size_t)(to - from), map), 0);
    for (size_t i = 0; i < count; i++)
        resident += map[i] & 1;
    return resident;
}
