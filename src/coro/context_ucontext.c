/* The switch for every other CPU, by ucontext: correct, but a system call slower. A suspended context is a pointer to a
 * ucontext_t on its own stack. */
#if defined(JUGGLE_UCONTEXT) || !defined(__LP64__) || (!defined(__x86_64__) && !defined(__aarch64__))

#include "coro/context.h"

#include "base/diagnostics.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>

#undef jg__context_init
#undef jg__context_switch
#undef jg__context_call_on
void jg__context_init(struct jg__context *context, void *bottom, void *top, void (*entry)(void *arg), void *arg);
long jg__context_switch(struct jg__context *from, struct jg__context *to);
int jg__context_call_on(struct jg__context *on, int (*fn)(void *arg), void *arg);

/* What lies between a suspended ucontext_t and the lowest byte of the frame that holds it. */
enum { FRAME_REST = 1024 };

struct start {
    void (*entry)(void *arg);
    void *arg;
    ucontext_t context;
};

struct call {
    int (*fn)(void *arg);
    void *arg;
    int result;
};

/* makecontext hands over ints only: a pointer travels as two halves. */
static void *joined(unsigned high, unsigned low)
{
    return (void *)(uintptr_t)((uint64_t)high << 32 | low);
}

static void prepare(ucontext_t *context, char *bottom, char *top, void (*run)(unsigned, unsigned), void *arg)
{
    if (getcontext(context) != 0)
        jg__die("getcontext: %s", strerror(errno));
    context->uc_stack.ss_sp = bottom;
    context->uc_stack.ss_size = (size_t)(top - bottom);
    makecontext(context, (void (*)(void))run, 2, (unsigned)((uint64_t)(uintptr_t)arg >> 32), (unsigned)(uintptr_t)arg);
}

static void run_entry(unsigned high, unsigned low)
{
    const struct start *start = joined(high, low);
    start->entry(start->arg);
    __builtin_trap();
}

static void run_call(unsigned high, unsigned low)
{
    struct call *call = joined(high, low);
    call->result = call->fn(call->arg);
}

void jg__context_init(struct jg__context *context, void *bottom, void *top, void (*entry)(void *arg), void *arg)
{
    struct start *start = (struct start *)(((uintptr_t)top - sizeof *start) & ~(uintptr_t)63);
    start->entry = entry;
    start->arg = arg;
    start->context.uc_link = NULL;
    prepare(&start->context, bottom, (char *)start, run_entry, start);
    context->stack_pointer = &start->context;
}

long jg__context_switch(struct jg__context *from, struct jg__context *to)
{
    ucontext_t here;
    from->stack_pointer = &here;
    if (swapcontext(&here, to->stack_pointer) != 0)
        jg__die("swapcontext: %s", strerror(errno));
    return from->result;
}

int jg__context_call_on(struct jg__context *on, int (*fn)(void *arg), void *arg)
{
    ucontext_t here, there;
    struct call call = {.fn = fn, .arg = arg};
    char *top = (char *)((uintptr_t)on->stack_pointer & ~(uintptr_t)63) - FRAME_REST;
    there.uc_link = &here;
    prepare(&there, top - FRAME_REST, top, run_call, &call);
    if (swapcontext(&here, &there) != 0)
        jg__die("swapcontext: %s", strerror(errno));
    return call.result;
}

int jg__context_trace(const struct jg__context *on, int (*fn)(void *arg), void *arg)
{
    (void)on;
    (void)fn;
    (void)arg;
    return 0;
}

#endif
