#include "coro/backtrace.h"

#include <unwind.h>

struct trace {
    void **addresses;
    size_t capacity, count;
    size_t skip; /* frames of our own */
};

static _Unwind_Reason_Code note(struct _Unwind_Context *context, void *arg)
{
    struct trace *trace = arg;
    int interrupted = 0;
    uintptr_t address = (uintptr_t)_Unwind_GetIPInfo(context, &interrupted);
    if (interrupted) { /* what came so far is the signal handler */
        trace->count = trace->skip = 0;
        address++; /* as if it were a return address */
    }
    if (trace->skip) {
        trace->skip--;
        return _URC_NO_REASON;
    }
    if (address == 0 || trace->count == trace->capacity)
        return _URC_END_OF_STACK;
    trace->addresses[trace->count++] = (void *)address; // NOLINT(performance-no-int-to-ptr)
    return _URC_NO_REASON;
}

static __attribute__((noinline)) int unwind(void *arg)
{
    _Unwind_Backtrace(note, arg);
    __asm__ volatile("" ::: "memory"); /* no tail call: the frame is counted */
    return 0;
}

__attribute__((noinline)) size_t jg__backtrace(void **addresses, size_t capacity)
{
    struct trace trace = {.addresses = addresses, .capacity = capacity, .skip = 2}; /* unwind, this */
    unwind(&trace);
    return trace.count;
}

size_t jg__context_backtrace(const struct jg__context *context, void **addresses, size_t capacity)
{
    struct trace trace = {.addresses = addresses, .capacity = capacity, .skip = 2}; /* unwind, jg__context_trace */
    jg__context_trace(context, unwind, &trace);
    return trace.count;
}
