/* Where a suspended context is, seen without switching to it. */
#include "coro/backtrace.h"
#include "coroutine.h"

#include <signal.h>
#include <unwind.h>

enum { MOST = 32 };

#ifdef JUGGLE_UCONTEXT
static const bool frames_can_be_seen = false;
#else
static const bool frames_can_be_seen = true;
#endif

static size_t taken;
static void *addresses[MOST];

static int position(void *function)
{
    for (size_t i = 0; i < taken; i++)
        if (_Unwind_FindEnclosingFunction((char *)addresses[i] - 1) == function)
            return (int)i;
    return -1;
}

static long __attribute__((noinline)) inner(struct coroutine *self, void *arg)
{
    long value = coroutine_yield(self, arg ? 1 : 2);
    __asm__ volatile("");
    return value;
}

static long __attribute__((noinline)) outer(struct coroutine *self, void *arg)
{
    long value = inner(self, arg);
    __asm__ volatile("");
    return value;
}

TEST(the_frames_of_a_suspended_context)
{
    struct jg__stacks *stacks = jg__stacks_new();
    struct coroutine coroutine;
    coroutine_start(&coroutine, stacks, 0, outer, NULL);
    ck_assert_int_eq(coroutine_resume(&coroutine, 0), 2);
    taken = jg__context_backtrace(&coroutine.context, addresses, MOST);
    if (frames_can_be_seen) {
        int inside = position((void *)(uintptr_t)inner);
        ck_assert_int_ge(inside, 0);
        ck_assert_int_eq(position((void *)(uintptr_t)outer), inside + 1);
        ck_assert_uint_lt(taken, MOST); /* it ends where the context begins */
        ck_assert_uint_eq(jg__context_backtrace(&coroutine.context, addresses, 2), 2);
    } else {
        ck_assert_uint_eq(taken, 0);
    }
    ck_assert_int_eq(coroutine_resume(&coroutine, 7), 7);
    coroutine_free(&coroutine, stacks);
    jg__stacks_free(stacks);
}

static void __attribute__((noinline)) take(void)
{
    taken = jg__backtrace(addresses, MOST);
    __asm__ volatile("");
}

static void on_signal(int signum)
{
    (void)signum;
    taken = jg__backtrace(addresses, MOST); // NOLINT(bugprone-signal-handler)
}

TEST(the_frames_of_the_caller)
{
    take();
    ck_assert_uint_ge(taken, 2);
    ck_assert_int_eq(position((void *)(uintptr_t)take), 0);
    ck_assert_int_eq(position((void *)(uintptr_t)test_the_frames_of_the_caller), 1);
}

static void __attribute__((noinline)) interrupted(void)
{
    raise(SIGUSR1);
    __asm__ volatile("");
}

TEST(in_a_signal_handler_the_frames_of_what_was_interrupted)
{
    signal(SIGUSR1, on_signal);
    interrupted();
    ck_assert_int_eq(position((void *)(uintptr_t)on_signal), -1);
    ck_assert_int_ge(position((void *)(uintptr_t)interrupted), 0);
}
