/* What debuggers and profilers see: from inside a coroutine to its entry, and no further. */
#include "coroutine.h"

#include <execinfo.h>
#include <stdint.h>
#include <unwind.h>

enum { MOST_FRAMES = 64 };

struct trace {
    void *functions[MOST_FRAMES];
    int count;
    _Unwind_Reason_Code end;
};

static _Unwind_Reason_Code see_frame(struct _Unwind_Context *context, void *arg)
{
    struct trace *trace = arg;
    int exact = 0;
    uintptr_t address = _Unwind_GetIPInfo(context, &exact);
    if (trace->count == MOST_FRAMES)
        return _URC_END_OF_STACK;
    trace->functions[trace->count++] = _Unwind_FindEnclosingFunction((void *)(address - !exact));
    return _URC_NO_REASON;
}

static int __attribute__((noinline)) take_trace(void *arg)
{
    struct trace *trace = arg;
    trace->count = 0;
    trace->end = _Unwind_Backtrace(see_frame, trace);
    return trace->count;
}

static int position(const struct trace *trace, void *function)
{
    for (int i = 0; i < trace->count; i++) {
        if (trace->functions[i] == function)
            return i;
    }
    return -1;
}

static long __attribute__((noinline)) inner(struct coroutine *self, void *arg)
{
    coroutine_yield(self, 1);
    long count = take_trace(arg);
    __asm__ volatile("");
    return count;
}

static long __attribute__((noinline)) outer(struct coroutine *self, void *arg)
{
    long count = inner(self, arg);
    __asm__ volatile("");
    return count;
}

/* Runs `fn` as a coroutine that yields once. */
static void trace_in_coroutine(struct trace *trace, long (*fn)(struct coroutine *self, void *arg))
{
    struct jg__stacks *stacks = jg__stacks_new();
    struct coroutine coroutine;
    coroutine_start(&coroutine, stacks, 0, fn, trace);
    coroutine_resume(&coroutine, 0);
    coroutine_resume(&coroutine, 0);
    ck_assert(coroutine.ended);
    coroutine_free(&coroutine, stacks);
    jg__stacks_free(stacks);
}

TEST(unwinding_goes_through_a_coroutine_to_its_entry)
{
    struct trace trace;
    trace_in_coroutine(&trace, outer);
    int inside = position(&trace, (void *)(uintptr_t)inner), outside = position(&trace, (void *)(uintptr_t)outer);
    ck_assert_int_ge(inside, 0);
    ck_assert_int_eq(outside, inside + 1);
}

TEST(unwinding_ends_at_the_entry)
{
    struct trace trace;
    trace_in_coroutine(&trace, outer);
    ck_assert_int_eq(trace.end, _URC_END_OF_STACK);
    /* What follows: the entry, the wrapper of a sanitizer, the start of the context, and a frame without a function. */
    ck_assert_int_le(trace.count, position(&trace, (void *)(uintptr_t)outer) + 5);
    ck_assert_int_eq(position(&trace, (void *)(uintptr_t)trace_in_coroutine), -1);
}

static long take_backtrace(struct coroutine *self, void *arg)
{
    struct trace *trace = arg;
    coroutine_yield(self, 0);
    trace->count = backtrace(trace->functions, MOST_FRAMES);
    return trace->count;
}

TEST(backtrace_ends_at_the_entry)
{
    struct trace trace;
    trace_in_coroutine(&trace, take_backtrace);
    ck_assert_int_ge(trace.count, 2);
    ck_assert_int_le(trace.count, 6);
}

static long __attribute__((noinline)) calls_elsewhere(struct coroutine *self, void *arg)
{
    coroutine_yield(self, 0);
    long count = jg__context_call_on(&self->owner, take_trace, arg);
    __asm__ volatile("");
    return count;
}

TEST(unwinding_comes_back_from_a_call_on_another_stack)
{
    struct trace trace;
    trace_in_coroutine(&trace, calls_elsewhere);
#ifdef JUGGLE_UCONTEXT
    SKIP("by ucontext the frames of the caller are out of sight");
#endif
    ck_assert_int_gt(position(&trace, (void *)(uintptr_t)calls_elsewhere), 0);
    ck_assert_int_eq(trace.end, _URC_END_OF_STACK);
    ck_assert_int_eq(position(&trace, (void *)(uintptr_t)trace_in_coroutine), -1);
}
