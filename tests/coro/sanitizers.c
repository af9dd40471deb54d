/* What AddressSanitizer and LeakSanitizer see of coroutines. */
#include "coroutine.h"

#include <setjmp.h>
#include <stdlib.h>

#if JG__ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#endif

#if JG__ASAN && !defined(JUGGLE_UCONTEXT)
static long overrun(struct coroutine *self, void *arg)
{
    char frame[16], *volatile end = frame + sizeof frame;
    coroutine_yield(self, 0);
    memset(frame, *(int *)arg, sizeof frame);
    *end = 1;
    return frame[0];
}

/* As ASAN_OPTIONS=abort_on_error=1. */
static void abort_on_death(void)
{
    abort();
}

static void overrun_in_coroutine(void)
{
    struct jg__stacks *stacks = jg__stacks_new();
    struct coroutine coroutine;
    int value = 1;
    __sanitizer_set_death_callback(abort_on_death);
    coroutine_start(&coroutine, stacks, 0, overrun, &value);
    coroutine_resume(&coroutine, 0);
    coroutine_resume(&coroutine, 0);
}
#endif

TEST_ABORTS(overrun_on_a_coroutine_is_found, "stack-buffer-overflow")
{
#if JG__ASAN && !defined(JUGGLE_UCONTEXT)
    overrun_in_coroutine();
#else
    SKIP("needs AddressSanitizer, and our own switch");
#endif
}

/* Not on a fake stack, which LeakSanitizer does not search while its owner is parked. */
static long __attribute__((no_sanitize_address)) hold_a_block(struct coroutine *self, void *arg)
{
    void *volatile block = malloc(100);
    (void)arg;
    coroutine_yield(self, 0);
    free(block);
    return 0;
}

TEST(block_that_only_a_parked_coroutine_knows_is_no_leak)
{
    struct jg__stacks *stacks = jg__stacks_new();
    struct coroutine coroutine;
    coroutine_start(&coroutine, stacks, 0, hold_a_block, NULL);
    coroutine_resume(&coroutine, 0);
#if JG__ASAN
    ck_assert_int_eq(__lsan_do_recoverable_leak_check(), 0);
#endif
    coroutine_resume(&coroutine, 0);
    ck_assert(coroutine.ended);
    coroutine_free(&coroutine, stacks);
    jg__stacks_free(stacks);
}

static void __attribute__((noinline)) jump(jmp_buf buffer, int value)
{
    volatile char frame[100] = {0};
    frame[1] = 1;
    longjmp(buffer, value + frame[0]);
}

static long jump_about(struct coroutine *self, void *arg)
{
    volatile int jumps = 0;
    jmp_buf buffer;
    (void)arg;
    if (setjmp(buffer) < 10) {
        coroutine_yield(self, ++jumps);
        jump(buffer, jumps);
    }
    return 0;
}

TEST(coroutine_may_longjmp_within_itself)
{
    struct jg__stacks *stacks = jg__stacks_new();
    struct coroutine coroutine;
    coroutine_start(&coroutine, stacks, 0, jump_about, NULL);
    for (int i = 1; i <= 10; i++)
        ck_assert_int_eq(coroutine_resume(&coroutine, 0), i);
    ck_assert_int_eq(coroutine_resume(&coroutine, 0), 0);
    coroutine_free(&coroutine, stacks);
    jg__stacks_free(stacks);
}
