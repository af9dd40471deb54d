/* Switching between stacks: one assembly file for each CPU (context_x86_64.S, context_aarch64.S), ucontext elsewhere
 * (context_ucontext.c, also by -DJUGGLE_UCONTEXT=1). */
#ifndef JUGGLE_CORO_CONTEXT_H
#define JUGGLE_CORO_CONTEXT_H

#include "coro/sanitizers.h"

#include <stddef.h>
#include <stdint.h>

/* A flow of control that is not running: its stack pointer, and what the switch to it returns. */
struct jg__context {
    void *stack_pointer;
    long result;
    struct jg__sanitizers sanitizers; /* empty in ordinary builds */
};

/* In builds with sanitizers these names are wrappers (sanitizers.c) around the functions below. */
#if JG__SANITIZED
#define jg__context_init jg__watched_init
#define jg__context_switch jg__watched_switch
#define jg__context_call_on jg__watched_call_on
#endif

/* Prepares a context that calls entry(arg), when it is first switched to, on the stack from `bottom` to `top`, its high
 * end, which needs no alignment. `entry` must not return. The registers start as zero, the rounding mode of floating
 * point is whatever it is at the switch: it is not part of a context. */
void jg__context_init(struct jg__context *context, void *bottom, void *top, void (*entry)(void *arg), void *arg);

/* The same, inlined where that pays. */
#if defined(__x86_64__) && defined(__LP64__) && !defined(JUGGLE_UCONTEXT) && !JG__SANITIZED
extern const char jg__context_begin[] __attribute__((visibility("hidden"))); /* its first instruction */
static inline void jg__context_prepare(struct jg__context *context, void *bottom, void *top, void (*entry)(void *arg),
                                       void *arg)
{
    (void)bottom;
    const void **frame = (const void **)((uintptr_t)top & ~(uintptr_t)15) - 7; // NOLINT(performance-no-int-to-ptr)
    frame[6] = jg__context_begin;
    frame[5] = NULL;                /* rbp: ends a chain of frame pointers */
    frame[4] = (const void *)entry; /* rbx */
    frame[3] = arg;                 /* r12 */
    frame[2] = frame[1] = frame[0] = NULL;
    context->stack_pointer = frame;
}
#else
#define jg__context_prepare jg__context_init
#endif

/* Saves the running flow in `from`, continues `to`; returns, when somebody switches back, from->result at that time. In
 * ordinary builds it is the bare assembly routine, fit for a tail call: it leaves by an indirect jump, since a `ret`
 * into another task's frame is mispredicted. */
long jg__context_switch(struct jg__context *from, struct jg__context *to);

/* The same for a flow that has ended: it saves nothing in `from`, and is not continued. jg__context_return leaves by a
 * `ret`, for the case that `to` is the one that first switched to the flow: then the processor predicts that, and every
 * return after it. */
#if defined(JUGGLE_UCONTEXT) || JG__SANITIZED || !defined(__LP64__) || (!defined(__x86_64__) && !defined(__aarch64__))
#define jg__context_leave(from, to) jg__context_switch(from, to)
#define jg__context_return(from, to) jg__context_switch(from, to)
#else
long jg__context_leave(struct jg__context *from, struct jg__context *to);
long jg__context_return(struct jg__context *from, struct jg__context *to);
#endif

/* Calls fn(arg) on the stack of the suspended context `on`, below its frames, and returns what it returned. fn must not
 * switch. */
int jg__context_call_on(struct jg__context *on, int (*fn)(void *arg), void *arg);

/* Calls fn(arg) where it stands, but so that an unwinder, if fn asks one, finds the frames of the suspended context
 * `on` behind fn's. With ucontext, whose registers no CFI can describe here, it does not call. */
int jg__context_trace(const struct jg__context *on, int (*fn)(void *arg), void *arg);

#if JG__SANITIZED
/* The context of the code that runs now on a stack that is not ours (a thread's own): to be switched away from. */
void jg__context_init_thread(struct jg__context *context);

/* Tells the sanitizers that the context will never run again. Called from another one, before its stack is put back.
 * Not for those of jg__context_init_thread. */
void jg__context_destroy(struct jg__context *context);
#else
static inline void jg__context_init_thread(struct jg__context *context)
{
    (void)context;
}

static inline void jg__context_destroy(struct jg__context *context)
{
    (void)context;
}
#endif

#endif
