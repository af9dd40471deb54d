/* The sentence at a stack overflow, and faults that are none. */
#include "coroutine.h"

#include "coro/overflow.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static __thread struct coroutine *running;

static bool describe(const void *fault_address, struct jg__overflow *overflow)
{
    if (running == NULL || !jg__stack_guards(&running->stack, fault_address))
        return false;
    *overflow = (struct jg__overflow){"greedy", jg__stack_size(&running->stack), "create it with a larger .stack_size"};
    return true;
}

static long run(size_t size, long (*fn)(struct coroutine *self, void *arg), void *arg)
{
    struct jg__stacks *stacks = jg__stacks_new();
    struct coroutine coroutine;
    coroutine_start(&coroutine, stacks, size, fn, arg);
    running = &coroutine;
    long result = coroutine_resume(&coroutine, 0);
    running = NULL;
    coroutine_free(&coroutine, stacks);
    jg__stacks_free(stacks);
    return result;
}

static long __attribute__((noinline)) recurse(const volatile char *limit)
{
    volatile char frame[1024];
    __asm__ volatile("" : : "r"(frame) : "memory");
    frame[0] = 1;
    if ((const char *)__builtin_frame_address(0) < limit)
        return 1;
    return recurse(limit) + frame[0];
}

static long recurse_to(struct coroutine *self, void *arg)
{
    return recurse(arg != NULL ? arg : self->stack.bottom + 4096);
}

static long recurse_for_ever(struct coroutine *self, void *arg)
{
    (void)self;
    (void)arg;
    return recurse(NULL);
}

TEST(recursion_may_use_the_whole_stack)
{
    ck_assert_int_eq(jg__overflow_install(describe), 0);
    ck_assert_int_gt(run(0, recurse_to, NULL), 50);
    ck_assert_int_gt(run(JG__STACK_LEAST, recurse_to, NULL), 3);
    ck_assert_int_gt(run(4 << 20, recurse_to, NULL), 1000);
    jg__overflow_uninstall();
}

TEST_ABORTS(overflow_names_task_size_and_remedy,
            "juggle: task \"greedy\" overflowed its stack of 196608 bytes; create it with a larger .stack_size\n")
{
    jg__overflow_install(describe);
    run(0, recurse_for_ever, NULL);
}

TEST_ABORTS(overflow_of_the_smallest_stack, "overflowed its stack of 16384 bytes")
{
    jg__overflow_install(describe);
    run(1, recurse_for_ever, NULL);
}

TEST_ABORTS(overflow_of_a_huge_stack, "overflowed its stack of 33554432 bytes")
{
    jg__overflow_install(describe);
    run(20 << 20, recurse_for_ever, NULL);
}

/* By -fstack-clash-protection it is touched page by page. */
static long large_frame(struct coroutine *self, void *arg)
{
    volatile char frame[400 * 1024];
    (void)self;
    (void)arg;
    __asm__ volatile("" : : "r"(frame) : "memory");
    frame[0] = 1;
    return frame[0];
}

TEST_ABORTS(large_frame_does_not_step_over_the_guard, "task \"greedy\" overflowed its stack of 196608 bytes")
{
    jg__overflow_install(describe);
    run(0, large_frame, NULL);
}

static void *overflow_in_thread(void *arg)
{
    jg__overflow_install(describe);
    run(0, recurse_for_ever, NULL);
    return arg;
}

TEST_ABORTS(overflow_in_another_thread, "task \"greedy\" overflowed its stack of 196608 bytes")
{
    pthread_t thread;
    jg__overflow_install(describe);
    pthread_create(&thread, NULL, overflow_in_thread, NULL);
    pthread_join(thread, NULL);
}

/* ---- Faults that are no overflow ---- */

static volatile char *nowhere;

static long fault(struct coroutine *self, void *arg)
{
    (void)self;
    (void)arg;
    *nowhere = 1;
    return 0;
}

static void install(int signal, void (*handler)(int), void (*with_info)(int, siginfo_t *, void *))
{
    struct sigaction action = {.sa_flags = with_info != NULL ? SA_SIGINFO : 0};
    if (with_info != NULL)
        action.sa_sigaction = with_info;
    else
        action.sa_handler = handler;
    sigaction(signal, &action, NULL);
}

/* A page that may not be touched, until a handler allows it. */
static void make_nowhere(void)
{
    if (jg__on_valgrind())
        SKIP("Valgrind does not restart a faulting instruction with all its registers");
    nowhere = mmap(NULL, (size_t)getpagesize(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne((void *)(uintptr_t)nowhere, MAP_FAILED);
}

static volatile int handled;

static void allow(void)
{
    handled++;
    mprotect((void *)(uintptr_t)nowhere, (size_t)getpagesize(), PROT_READ | PROT_WRITE);
}

static void allow_with_info(int signal, siginfo_t *info, void *context)
{
    if (signal == SIGSEGV && info->si_addr == (void *)(uintptr_t)nowhere && context != NULL)
        allow();
}

static void allow_plainly(int signal)
{
    if (signal == SIGSEGV)
        allow();
}

TEST(fault_goes_to_the_previous_handler_with_its_details)
{
    make_nowhere();
    install(SIGSEGV, NULL, allow_with_info);
    ck_assert_int_eq(jg__overflow_install(describe), 0);
    run(0, fault, NULL);
    fault(NULL, NULL);
    ck_assert_int_eq(handled, 1);
    ck_assert_int_eq(*nowhere, 1);
    jg__overflow_uninstall();
}

TEST(fault_goes_to_a_previous_handler_of_the_plain_kind)
{
    make_nowhere();
    install(SIGSEGV, allow_plainly, NULL);
    ck_assert_int_eq(jg__overflow_install(describe), 0);
    run(0, fault, NULL);
    ck_assert_int_eq(handled, 1);
    jg__overflow_uninstall();
}

static volatile bool hup_blocked;

static void see_mask(int signal)
{
    sigset_t mask;
    (void)signal;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    hup_blocked = sigismember(&mask, SIGHUP) == 1;
    allow();
}

TEST(previous_handler_runs_under_its_own_mask)
{
    struct sigaction action = {.sa_handler = see_mask};
    sigset_t mask;
    make_nowhere();
    sigaddset(&action.sa_mask, SIGHUP);
    sigaction(SIGSEGV, &action, NULL);
    ck_assert_int_eq(jg__overflow_install(describe), 0);
    fault(NULL, NULL);
    ck_assert(hup_blocked);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    ck_assert_int_eq(sigismember(&mask, SIGHUP), 0);
    jg__overflow_uninstall();
}

static void fault_under(void *disposition)
{
    signal(SIGSEGV, disposition);
    signal(SIGBUS, disposition);
    if (jg__overflow_install(describe) == 0)
        run(0, fault, NULL);
}

TEST(fault_without_a_previous_handler_kills)
{
    make_nowhere();
    ck_assert_int_eq(signal_of(fault_under, SIG_DFL), SIGSEGV);
}

TEST(fault_that_was_ignored_kills_all_the_same)
{
    make_nowhere();
    ck_assert_int_eq(signal_of(fault_under, SIG_IGN), SIGSEGV);
}

static void send_under(void *disposition)
{
    signal(SIGSEGV, disposition);
    if (jg__overflow_install(describe) == 0)
        kill(getpid(), SIGSEGV);
}

TEST(signal_that_was_sent_keeps_its_disposition)
{
    ck_assert_int_eq(signal_of(send_under, SIG_DFL), SIGSEGV);
    ck_assert_int_eq(signal_of(send_under, SIG_IGN), 0);
}

static void bus_error(void *disposition)
{
    char name[] = "/tmp/juggle-XXXXXX";
    int fd = mkstemp(name);
    unlink(name);
    nowhere = mmap(NULL, (size_t)getpagesize(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    fault_under(disposition);
}

TEST(bus_error_is_chained_too)
{
    if (jg__on_valgrind())
        SKIP("Valgrind does not restart a faulting instruction with all its registers");
    ck_assert_int_eq(signal_of(bus_error, SIG_DFL), SIGBUS);
}

/* ---- Coming and going ---- */

static void (*handler_of(int signal))(int)
{
    struct sigaction action;
    sigaction(signal, NULL, &action);
    return action.sa_handler;
}

TEST(last_uninstall_gives_the_handlers_back)
{
    install(SIGSEGV, allow_plainly, NULL);
    install(SIGBUS, allow_plainly, NULL);
    ck_assert_int_eq(jg__overflow_install(describe), 0);
    ck_assert_int_eq(jg__overflow_install(describe), 0);
    ck_assert(handler_of(SIGSEGV) != allow_plainly && handler_of(SIGBUS) != allow_plainly);
    jg__overflow_uninstall();
    ck_assert(handler_of(SIGSEGV) != allow_plainly && handler_of(SIGBUS) != allow_plainly);
    errno = EXDEV;
    jg__overflow_uninstall();
    ck_assert_int_eq(errno, EXDEV);
    ck_assert(handler_of(SIGSEGV) == allow_plainly && handler_of(SIGBUS) == allow_plainly);
}

static struct sigaction below;

static void count_and_chain(int signal, siginfo_t *info, void *context)
{
    handled++;
    if (handled < 10)
        below.sa_sigaction(signal, info, context);
}

TEST(handler_installed_later_stays_and_may_chain)
{
    struct sigaction later = {.sa_sigaction = count_and_chain, .sa_flags = SA_SIGINFO};
    make_nowhere();
    install(SIGSEGV, NULL, allow_with_info);
    ck_assert_int_eq(jg__overflow_install(describe), 0);
    sigaction(SIGSEGV, &later, &below);
    for (int i = 0; i < 3; i++) {
        jg__overflow_uninstall();
        ck_assert_int_eq(jg__overflow_install(describe), 0);
    }
    fault(NULL, NULL);
    ck_assert_int_eq(handled, 2);
    jg__overflow_uninstall();
    ck_assert_ptr_eq(handler_of(SIGSEGV), (void (*)(int))(uintptr_t)count_and_chain);
}

TEST(signal_stack_of_the_program_is_kept)
{
    static char mine[64 * 1024];
    stack_t stack = {.ss_sp = mine, .ss_size = sizeof mine}, now;
    ck_assert_int_eq(sigaltstack(&stack, NULL), 0);
    ck_assert_int_eq(jg__overflow_install(describe), 0);
    jg__overflow_uninstall();
    ck_assert_int_eq(sigaltstack(NULL, &now), 0);
    ck_assert_ptr_eq(now.ss_sp, mine);
}

TEST(signal_stack_of_our_own_goes_again)
{
    stack_t none = {.ss_flags = SS_DISABLE}, now;
    sigaltstack(&none, NULL);
    ck_assert_int_eq(jg__overflow_install(describe), 0);
    ck_assert_int_eq(sigaltstack(NULL, &now), 0);
    ck_assert_int_eq(now.ss_flags & SS_DISABLE, 0);
    jg__overflow_uninstall();
    ck_assert_int_eq(sigaltstack(NULL, &now), 0);
    ck_assert_int_eq(now.ss_flags & SS_DISABLE, SS_DISABLE);
}
