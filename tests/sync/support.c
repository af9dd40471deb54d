#include "support.h"

#include <stdlib.h>

char trace[256];

void note(const char *what)
{
    ck_assert_uint_lt(strlen(trace) + strlen(what), sizeof trace);
    strcat(trace, what);
}

void let_others_run(int turns)
{
    for (int i = 0; i < turns; i++)
        ck_assert_int_eq(jg_yield(), 0);
}

int call_and_note(void *arg)
{
    struct caller *caller = arg;
    int result = caller->call(caller->object);
    int error = errno;
    note(caller->name);
    if (result < 0)
        note(error == ECANCELED ? "!" : error == ETIMEDOUT ? "?" : error == EPIPE ? "#" : "*");
    errno = error;
    return result;
}

jg_task *start_caller(struct caller *caller)
{
    jg_task *task = jg_create_task(call_and_note, caller, .name = caller->name);
    ck_assert_ptr_nonnull(task);
    let_others_run(1);
    return task;
}

static int call_cancelled(void *arg)
{
    struct caller *caller = arg;
    jg_cancel(jg_current_task());
    FAILS(caller->call(caller->object), ECANCELED);
    FAILS(caller->call(caller->object), ECANCELED);
    return 0;
}

static int call_until_cancelled(void *arg)
{
    struct caller *caller = arg;
    FAILS(caller->call(caller->object), ECANCELED);
    FAILS(jg_check(), ECANCELED);
    return 0;
}

void interrupt_in_every_way(int (*call)(void *object), void *object)
{
    struct caller caller = {.call = call, .object = object};
    {
        JG_TIMEOUT(deadline, 0);
        FAILS(call(object), ETIMEDOUT);
    }
    {
        JG_TIMEOUT(deadline, 0.002);
        FAILS(call(object), ETIMEDOUT);
        ck_assert(jg_timeout_expired(&deadline));
    }
    OK(jg_await(jg_create_task(call_cancelled, &caller)));
    jg_task *task = jg_create_task(call_until_cancelled, &caller);
    let_others_run(2);
    jg_cancel(task);
    OK(jg_await(task));
}

static bool failing;

static void *allocate(size_t bytes, void *arg)
{
    (void)arg;
    return failing ? NULL : malloc(bytes);
}

static void *reallocate(void *block, size_t bytes, void *arg)
{
    (void)arg;
    return failing ? NULL : realloc(block, bytes);
}

static void release(void *block, void *arg)
{
    (void)arg;
    free(block);
}

void control_allocations(void)
{
    OK(jg_set_allocator(&(jg_allocator){.allocate = allocate, .reallocate = reallocate, .release = release}));
}

void fail_allocations(bool fail)
{
    failing = fail;
}
