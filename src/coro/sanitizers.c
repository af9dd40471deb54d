/* What AddressSanitizer, LeakSanitizer, ThreadSanitizer and Valgrind are told. */
#include "coro/context.h"

#include <stdint.h>

#if JG__ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#endif
#if JG__TSAN
#include <sanitizer/tsan_interface.h>
#endif
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#define WITH_VALGRIND 1
#else
#define WITH_VALGRIND 0
#endif

bool jg__on_valgrind(void)
{
#if WITH_VALGRIND
    return RUNNING_ON_VALGRIND;
#else
    return false;
#endif
}

unsigned jg__watch_stack(char *bottom, char *top)
{
    (void)bottom;
    (void)top;
#if JG__ASAN
    /* A block is not lost while only a parked task knows it. */
    __lsan_register_root_region(bottom, (size_t)(top - bottom));
#endif
#if WITH_VALGRIND
    return (unsigned)VALGRIND_STACK_REGISTER(bottom, top - 1);
#else
    return 0;
#endif
}

void jg__unwatch_stack(unsigned id, char *bottom, char *top)
{
    (void)id;
    (void)bottom;
    (void)top;
#if JG__ASAN
    __lsan_unregister_root_region(bottom, (size_t)(top - bottom));
#endif
#if WITH_VALGRIND
    VALGRIND_STACK_DEREGISTER(id);
#endif
}

void jg__wipe_stack(char *bottom, char *top)
{
    (void)bottom;
    (void)top;
#if JG__ASAN
    /* Asked first, because writing a shadow that is clean takes memory. */
    if (__asan_region_is_poisoned(bottom, (size_t)(top - bottom)) != NULL)
        __asan_unpoison_memory_region(bottom, (size_t)(top - bottom));
#endif
#if WITH_VALGRIND
    VALGRIND_MAKE_MEM_UNDEFINED(bottom, top - bottom);
#endif
}

#if JG__SANITIZED

#undef jg__context_init
#undef jg__context_switch
#undef jg__context_call_on
void jg__context_init(struct jg__context *context, void *bottom, void *top, void (*entry)(void *arg), void *arg);
long jg__context_switch(struct jg__context *from, struct jg__context *to);
int jg__context_call_on(struct jg__context *on, int (*fn)(void *arg), void *arg);

/* The functions that tell AddressSanitizer of a switch must not have locals on a fake stack: it is exchanged under them
 * (google/sanitizers#1760). */
#define UNWATCHED __attribute__((no_sanitize_address, noinline))

#if JG__ASAN
static __thread struct jg__context *left; /* whom the switch that is under way leaves */

static void UNWATCHED leave(struct jg__context *from, const struct jg__context *to)
{
    left = from;
    __sanitizer_start_switch_fiber(&from->sanitizers.fake_stack, to->sanitizers.bottom, to->sanitizers.size);
}

/* Also where the bounds of a thread's own stack become known. */
static void UNWATCHED arrive(struct jg__context *to)
{
    __sanitizer_finish_switch_fiber(to->sanitizers.fake_stack, &left->sanitizers.bottom, &left->sanitizers.size);
}
#else
static void leave(struct jg__context *from, const struct jg__context *to)
{
    (void)from;
    __tsan_switch_to_fiber(to->sanitizers.fiber, 0);
}

static void arrive(struct jg__context *to)
{
    (void)to;
}
#endif

static void UNWATCHED enter(void *arg)
{
    struct jg__context *context = arg;
    arrive(context);
    context->sanitizers.entry(context->sanitizers.arg);
}

void jg__watched_init(struct jg__context *context, void *bottom, void *top, void (*entry)(void *arg), void *arg)
{
    jg__wipe_stack(bottom, top);
    context->sanitizers = (struct jg__sanitizers){.entry = entry, .arg = arg};
#if JG__ASAN
    context->sanitizers.bottom = bottom;
    context->sanitizers.size = (size_t)((char *)top - (char *)bottom);
#else
    context->sanitizers.fiber = __tsan_create_fiber(0);
#endif
    jg__context_init(context, bottom, top, enter, context);
}

void jg__context_init_thread(struct jg__context *context)
{
    context->sanitizers = (struct jg__sanitizers){0};
#if JG__TSAN
    context->sanitizers.fiber = __tsan_get_current_fiber();
#endif
}

long UNWATCHED jg__watched_switch(struct jg__context *from, struct jg__context *to)
{
    leave(from, to);
    long result = jg__context_switch(from, to);
    arrive(from);
    return result;
}

void UNWATCHED jg__context_destroy(struct jg__context *context)
{
#if JG__ASAN
    /* A fake stack dies with the fiber that leaves for good: pretend to be it. */
    struct jg__context self;
    if (context->sanitizers.fake_stack == NULL)
        return;
    leave(&self, context);
    arrive(context);
    __sanitizer_start_switch_fiber(NULL, self.sanitizers.bottom, self.sanitizers.size);
    __sanitizer_finish_switch_fiber(self.sanitizers.fake_stack, NULL, NULL);
    context->sanitizers.fake_stack = NULL;
#else
    __tsan_destroy_fiber(context->sanitizers.fiber);
    context->sanitizers.fiber = NULL;
#endif
}

#if JG__ASAN
struct call {
    struct jg__context *from, *on;
    int (*fn)(void *arg);
    void *arg;
};

static int UNWATCHED call_there(void *arg)
{
    struct call *call = arg;
    arrive(call->on);
    int result = call->fn(call->arg);
    leave(call->on, call->from);
    return result;
}

int UNWATCHED jg__watched_call_on(struct jg__context *on, int (*fn)(void *arg), void *arg)
{
    struct jg__context from;
    struct call call = {.from = &from, .on = on, .fn = fn, .arg = arg};
    leave(&from, on);
    int result = jg__context_call_on(on, call_there, &call);
    arrive(&from);
    return result;
}
#else
int jg__watched_call_on(struct jg__context *on, int (*fn)(void *arg), void *arg)
{
    return jg__context_call_on(on, fn, arg);
}
#endif
#endif
