/* Switching between stacks. */
#include "coroutine.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>

static long twice(struct coroutine *self, void *arg)
{
    (void)self;
    return 2 * *(long *)arg;
}

TEST(context_calls_its_entry_with_its_argument)
{
    long number = 21;
    ck_assert_int_eq(coroutine_run(twice, &number), 42);
}

static long sum_up(struct coroutine *self, void *arg)
{
    (void)arg;
    long sum = 0;
    for (long value; (value = coroutine_yield(self, sum)) != 0;)
        sum += value;
    return -sum;
}

TEST(switch_hands_values_over_in_both_directions)
{
    struct jg__stacks *stacks = jg__stacks_new();
    struct coroutine sum;
    coroutine_start(&sum, stacks, 0, sum_up, NULL);
    ck_assert_int_eq(coroutine_resume(&sum, 0), 0);
    for (long i = 1, expected = 0; i <= 10000; i++) {
        expected += i;
        ck_assert_int_eq(coroutine_resume(&sum, i), expected);
    }
    ck_assert_int_eq(coroutine_resume(&sum, 0), -50005000);
    ck_assert(sum.ended);
    coroutine_free(&sum, stacks);
    jg__stacks_free(stacks);
}

TEST(result_keeps_all_bits_of_a_long)
{
    struct jg__stacks *stacks = jg__stacks_new();
    struct coroutine sum;
    coroutine_start(&sum, stacks, 0, sum_up, NULL);
    coroutine_resume(&sum, 0);
    ck_assert(coroutine_resume(&sum, INT64_MIN / 2 + 12345) == INT64_MIN / 2 + 12345);
    coroutine_free(&sum, stacks);
    jg__stacks_free(stacks);
}

#if defined(__x86_64__)
#define SET_REGISTERS(seed)                    \
    register long a __asm__("rbx") = seed + 1; \
    register long b __asm__("r12") = seed + 2; \
    register long c __asm__("r13") = seed + 3; \
    register long d __asm__("r14") = seed + 4; \
    register long e __asm__("r15") = seed + 5; \
    __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e))
#define CHECK_REGISTERS(seed)                                           \
    __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e)); \
    ok = ok && a == seed + 1 && b == seed + 2 && c == seed + 3 && d == seed + 4 && e == seed + 5
#elif defined(__aarch64__)
#define SET_REGISTERS(seed)                              \
    register long a __asm__("x19") = seed + 1;           \
    register long b __asm__("x22") = seed + 2;           \
    register long c __asm__("x28") = seed + 3;           \
    register double d __asm__("d8") = (double)seed + 4;  \
    register double e __asm__("d15") = (double)seed + 5; \
    __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+w"(d), "+w"(e))
#define CHECK_REGISTERS(seed)                                           \
    __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+w"(d), "+w"(e)); \
    ok = ok && a == seed + 1 && b == seed + 2 && c == seed + 3 && d == (double)seed + 4 && e == (double)seed + 5
#endif

#ifdef SET_REGISTERS
static long use_registers(struct coroutine *self, void *arg)
{
    bool ok = true;
    (void)arg;
    for (long i = 0; i < 10; i++) {
        SET_REGISTERS(1000);
        coroutine_yield(self, ok);
        CHECK_REGISTERS(1000);
    }
    return ok;
}

TEST(callee_saved_registers_survive_a_switch)
{
    struct jg__stacks *stacks = jg__stacks_new();
    struct coroutine other;
    bool ok = true, theirs = true;
    coroutine_start(&other, stacks, 0, use_registers, NULL);
    while (!other.ended) {
        SET_REGISTERS(5000);
        theirs = theirs && coroutine_resume(&other, 0);
        CHECK_REGISTERS(5000);
    }
    ck_assert(ok);
    ck_assert(theirs);
    coroutine_free(&other, stacks);
    jg__stacks_free(stacks);
}
#endif

static long harmonic(struct coroutine *self, void *arg)
{
    double sum = 0;
    for (int i = 1; i <= 1000; i++) {
        sum += 1.0 / i;
        coroutine_yield(self, i);
    }
    *(double *)arg = sum;
    return 0;
}

TEST(floating_point_survives_a_switch)
{
    struct jg__stacks *stacks = jg__stacks_new();
    struct coroutine other;
    double theirs = 0, mine = 0;
    coroutine_start(&other, stacks, 0, harmonic, &theirs);
    for (int i = 1; coroutine_resume(&other, 0) != 0; i++)
        mine += 1.0 / i;
    ck_assert(theirs == mine);
    ck_assert(mine > 7.485470 && mine < 7.485471);
    coroutine_free(&other, stacks);
    jg__stacks_free(stacks);
}

static long print_a_float(struct coroutine *self, void *arg)
{
    _Alignas(64) char aligned[64];
    (void)self;
    snprintf(arg, 32, "%.3f %Lg", 2.5, (long double)1e100);
    __asm__ volatile("" : : "r"(aligned) : "memory");
    return (long)((uintptr_t)aligned % 64);
}

TEST(stack_is_aligned_for_vector_instructions)
{
    char text[32];
    ck_assert_int_eq(coroutine_run(print_a_float, text), 0);
    ck_assert_str_eq(text, "2.500 1e+100");
}

static void entry_at_odd_top(void *arg)
{
    struct coroutine *self = arg;
    char text[32];
    self->owner.result = print_a_float(self, text);
    jg__context_switch(&self->context, &self->owner);
}

TEST(top_of_a_context_needs_no_alignment)
{
    struct jg__stacks *stacks = jg__stacks_new();
    struct coroutine odd = {.fn = NULL};
    ck_assert(jg__stacks_get(stacks, 0, &odd.stack));
    for (int below = 0; below < 64; below++) {
        jg__context_init_thread(&odd.owner);
        jg__context_init(&odd.context, odd.stack.bottom, odd.stack.top - below, entry_at_odd_top, &odd);
        ck_assert_int_eq(coroutine_resume(&odd, 0), 0);
        jg__context_destroy(&odd.context);
    }
    jg__stacks_put(stacks, &odd.stack);
    jg__stacks_free(stacks);
}

static void fill_below(void *arg)
{
    struct coroutine *self = arg;
    volatile char frame[512];
    for (size_t i = 0; i < sizeof frame; i++)
        frame[i] = (char)i;
    coroutine_yield(self, frame[7]);
}

TEST(context_leaves_what_lies_above_its_top_alone)
{
    struct jg__stacks *stacks = jg__stacks_new();
    struct coroutine coroutine = {.fn = NULL};
    ck_assert(jg__stacks_get(stacks, 0, &coroutine.stack));
    char *record = coroutine.stack.top - 256;
    memset(record, 'r', 256);
    jg__context_init_thread(&coroutine.owner);
    jg__context_init(&coroutine.context, coroutine.stack.bottom, record, fill_below, &coroutine);
    ck_assert_int_eq(coroutine_resume(&coroutine, 0), 7);
    for (int i = 0; i < 256; i++)
        ck_assert_int_eq(record[i], 'r');
    coroutine_free(&coroutine, stacks);
    jg__stacks_free(stacks);
}

enum { RING = 100 };

struct ring {
    struct jg__context main, members[RING];
    struct jg__stack stacks[RING];
    long visits[RING];
    long rounds;
};

static struct ring ring;

static void ring_member(void *arg)
{
    long index = (long)(intptr_t)arg;
    for (;;) {
        ring.visits[index]++;
        bool last = index == RING - 1 && --ring.rounds == 0;
        jg__context_switch(&ring.members[index], last ? &ring.main : &ring.members[(index + 1) % RING]);
    }
}

TEST(contexts_switch_directly_from_one_to_the_next)
{
    struct jg__stacks *stacks = jg__stacks_new();
    jg__context_init_thread(&ring.main);
    for (long i = 0; i < RING; i++) {
        ck_assert(jg__stacks_get(stacks, 0, &ring.stacks[i]));
        jg__context_init(&ring.members[i], ring.stacks[i].bottom, ring.stacks[i].top, ring_member, (void *)(intptr_t)i);
    }
    ring.rounds = 1000;
    jg__context_switch(&ring.main, &ring.members[0]);
    for (int i = 0; i < RING; i++) {
        ck_assert_int_eq(ring.visits[i], 1000);
        jg__context_destroy(&ring.members[i]);
        jg__stacks_put(stacks, &ring.stacks[i]);
    }
    jg__stacks_free(stacks);
}

static long descend(struct coroutine *self, int depth)
{
    volatile long here = depth;
    if (depth > 0)
        coroutine_yield(self, depth);
    long below = depth > 0 ? descend(self, depth - 1) : 0;
    return here + below;
}

static long descend_from(struct coroutine *self, void *arg)
{
    return descend(self, *(int *)arg);
}

TEST(yielding_from_nested_calls_keeps_their_frames)
{
    struct jg__stacks *stacks = jg__stacks_new();
    struct coroutine a, b;
    int depth = 300;
    coroutine_start(&a, stacks, 0, descend_from, &depth);
    coroutine_start(&b, stacks, 0, descend_from, &depth);
    for (int i = depth; i > 0; i--) {
        ck_assert_int_eq(coroutine_resume(&a, 0), i);
        ck_assert_int_eq(coroutine_resume(&b, 0), i);
    }
    ck_assert_int_eq(coroutine_resume(&b, 0), 300 * 301 / 2);
    ck_assert_int_eq(coroutine_resume(&a, 0), 300 * 301 / 2);
    coroutine_free(&a, stacks);
    coroutine_free(&b, stacks);
    jg__stacks_free(stacks);
}

TEST(stack_of_an_abandoned_context_carries_the_next_one)
{
    struct jg__stacks *stacks = jg__stacks_new();
    char *top = NULL;
    int depth = 100;
    for (int i = 0; i < 50; i++) {
        struct coroutine coroutine;
        coroutine_start(&coroutine, stacks, 0, descend_from, &depth);
        ck_assert(top == NULL || top == coroutine.stack.top);
        top = coroutine.stack.top;
        for (int steps = 0; steps < 2 * i && steps <= depth; steps++)
            coroutine_resume(&coroutine, 0);
        coroutine_free(&coroutine, stacks);
    }
    jg__stacks_free(stacks);
}

TEST(context_that_never_ran_is_dropped)
{
    struct jg__stacks *stacks = jg__stacks_new();
    struct coroutine coroutine;
    coroutine_start(&coroutine, stacks, 0, sum_up, NULL);
    coroutine_free(&coroutine, stacks);
    jg__stacks_free(stacks);
}

static long run_another(struct coroutine *self, void *arg)
{
    (void)self;
    return coroutine_run(twice, arg) + 1;
}

TEST(context_starts_contexts_of_its_own)
{
    long number = 4;
    ck_assert_int_eq(coroutine_run(run_another, &number), 9);
}

static void *sum_in_thread(void *arg)
{
    struct jg__stacks *stacks = jg__stacks_new();
    struct coroutine sum;
    coroutine_start(&sum, stacks, 0, sum_up, NULL);
    coroutine_resume(&sum, 0);
    for (long i = 1; i <= 1000; i++)
        coroutine_resume(&sum, *(long *)arg);
    long result = coroutine_resume(&sum, 0);
    coroutine_free(&sum, stacks);
    jg__stacks_free(stacks);
    return (void *)(intptr_t)result;
}

TEST(threads_switch_independently)
{
    pthread_t threads[4];
    long numbers[4];
    for (long i = 0; i < 4; i++) {
        numbers[i] = i + 1;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, sum_in_thread, &numbers[i]), 0);
    }
    for (long i = 0; i < 4; i++) {
        void *result;
        pthread_join(threads[i], &result);
        ck_assert_int_eq((intptr_t)result, -1000 * (i + 1));
    }
}

/* ---- Calling on another stack ---- */

struct visit {
    const struct coroutine *host;
    const char *frame;
    int calls;
};

/* Hungry, so that it would tread on frames that it does not stay below. */
static int visit(void *arg)
{
    struct visit *record = arg;
    volatile char hungry[16 * 1024];
    __asm__ volatile("" : : "r"(hungry) : "memory");
    for (size_t i = 0; i < sizeof hungry; i += 64)
        hungry[i] = 'x';
    record->frame = __builtin_frame_address(0);
    record->calls++;
    return -hungry[64];
}

static bool on_stack(const struct coroutine *coroutine, const char *address)
{
    return address >= coroutine->stack.bottom && address < coroutine->stack.top;
}

TEST(call_on_runs_below_the_frames_of_a_suspended_context)
{
    struct jg__stacks *stacks = jg__stacks_new();
    struct coroutine host;
    struct visit record = {.host = &host};
    int depth = 50;
    coroutine_start(&host, stacks, 0, descend_from, &depth);
    for (int i = depth; i > 0; i--) {
        ck_assert_int_eq(coroutine_resume(&host, 0), i);
        ck_assert_int_eq(jg__context_call_on(&host.context, visit, &record), -'x');
        ck_assert(on_stack(&host, record.frame));
    }
    ck_assert_int_eq(coroutine_resume(&host, 0), 50 * 51 / 2);
    ck_assert_int_eq(record.calls, 50);
    coroutine_free(&host, stacks);
    jg__stacks_free(stacks);
}

TEST(call_on_a_context_that_has_not_started)
{
    struct jg__stacks *stacks = jg__stacks_new();
    struct coroutine host;
    struct visit record = {.host = &host};
    long number = 8;
    coroutine_start(&host, stacks, 0, twice, &number);
    ck_assert_int_eq(jg__context_call_on(&host.context, visit, &record), -'x');
    ck_assert(on_stack(&host, record.frame));
    ck_assert_int_eq(coroutine_resume(&host, 0), 16);
    coroutine_free(&host, stacks);
    jg__stacks_free(stacks);
}

static int need_a_megabyte(void *arg)
{
    volatile char hungry[1 << 20];
    __asm__ volatile("" : : "r"(hungry) : "memory");
    for (size_t i = 0; i < sizeof hungry; i += 4096)
        hungry[i] = (char)i;
    *(const char **)arg = __builtin_frame_address(0);
    return hungry[0];
}

static long call_on_the_owner(struct coroutine *self, void *arg)
{
    return jg__context_call_on(&self->owner, need_a_megabyte, arg);
}

static long call_twice(struct coroutine *self, void *arg)
{
    for (int i = 0; i < 2; i++) {
        call_on_the_owner(self, arg);
        coroutine_yield(self, 0);
    }
    return call_on_the_owner(self, arg);
}

TEST(call_on_the_stack_of_the_thread_has_room)
{
    struct jg__stacks *stacks = jg__stacks_new();
    struct coroutine small;
    const char *frame = NULL, *here = __builtin_frame_address(0);
    coroutine_start(&small, stacks, JG__STACK_LEAST, call_twice, &frame);
    while (!small.ended) {
        frame = NULL;
        ck_assert_int_eq(coroutine_resume(&small, 0), 0);
        ck_assert(frame < here && frame > here - (2 << 20));
    }
    coroutine_free(&small, stacks);
    jg__stacks_free(stacks);
}
