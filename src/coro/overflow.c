/* The signal handler that finds the task whose stack overflowed. It runs on a stack of its own, since the task's is
 * full. */
#include "coro/overflow.h"

#include "base/diagnostics.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ALTERNATE_SIZE = 64 * 1024 };

static const int signals[] = {SIGSEGV, SIGBUS};
enum { SIGNALS = sizeof signals / sizeof signals[0] };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static size_t threads; /* that have installed it */
static jg__overflow_describe *describe;
static bool taken[SIGNALS];
static struct sigaction previous[SIGNALS];
static __thread void *alternate; /* this thread's signal stack, if it is ours */

/* Only what a signal handler may call. */
static void say(const char *text)
{
    ssize_t written = write(STDERR_FILENO, text, strlen(text));
    (void)written; /* there is nobody else to tell */
}

static void say_number(size_t number)
{
    char digits[24], *first = digits + sizeof digits - 1;
    *first = '\0';
    do
        *--first = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    say(first);
}

static _Noreturn void die_of(const struct jg__overflow *overflow)
{
    say("juggle: task \"");
    say(overflow->task);
    say("\" overflowed its stack of ");
    say_number(overflow->stack_size);
    say(" bytes; ");
    say(overflow->remedy);
    say("\n");
    abort();
}

/* Gives a signal its default action, or none, and lets it come again: a fault by the instruction that is restarted,
 * what was sent by kill or raise by itself. */
static void let_happen(int signal, const siginfo_t *info, const struct sigaction *action)
{
    bool sent = info->si_code <= 0;
    if (sent && action->sa_handler == SIG_IGN)
        return;
    sigaction(signal, action, NULL);
    if (sent)
        raise(signal); /* blocked until the handler returns */
}

static void chain(int signal, siginfo_t *info, void *context, const struct sigaction *action)
{
    if (!(action->sa_flags & SA_SIGINFO) && (action->sa_handler == SIG_DFL || action->sa_handler == SIG_IGN)) {
        let_happen(signal, info, action);
        return;
    }
    sigset_t before;
    pthread_sigmask(SIG_BLOCK, &action->sa_mask, &before);
    if (action->sa_flags & SA_SIGINFO)
        action->sa_sigaction(signal, info, context);
    else
        action->sa_handler(signal);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
    int saved = errno;
    struct jg__overflow overflow;
    if (info->si_code > 0 && describe(info->si_addr, &overflow))
        die_of(&overflow);
    for (size_t i = 0; i < SIGNALS; i++) {
        if (signals[i] == signal)
            chain(signal, info, context, &previous[i]);
    }
    errno = saved;
}

static void take_signals(void)
{
    for (size_t i = 0; i < SIGNALS; i++) {
        struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
        sigemptyset(&action.sa_mask);
        if (!taken[i])
            sigaction(signals[i], &action, &previous[i]);
        taken[i] = true;
    }
}

/* A handler that somebody installed after ours stays; it may chain to ours, so that must not come to chain to it by
 * being installed again. */
static void give_signals_back(void)
{
    for (size_t i = 0; i < SIGNALS; i++) {
        struct sigaction current;
        sigaction(signals[i], NULL, &current);
        if (!(current.sa_flags & SA_SIGINFO) || current.sa_sigaction != on_fault)
            continue;
        sigaction(signals[i], &previous[i], NULL);
        taken[i] = false;
    }
}

/* The program's own signal stack is as good. */
static int make_alternate(void)
{
    stack_t current;
    if (sigaltstack(NULL, &current) == 0 && !(current.ss_flags & SS_DISABLE))
        return 0;
    void *stack =
        mmap(NULL, ALTERNATE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stack == MAP_FAILED)
        return jg_fail(ENOMEM, "the stack of the signal handler: %s", strerror(errno));
    if (sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = ALTERNATE_SIZE}, NULL) != 0) {
        munmap(stack, ALTERNATE_SIZE);
        return jg_fail(ENOMEM, "the stack of the signal handler: too small for this processor");
    }
    alternate = stack;
    return 0;
}

static void free_alternate(void)
{
    stack_t current;
    if (alternate == NULL)
        return;
    if (sigaltstack(NULL, &current) == 0 && current.ss_sp == alternate)
        sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
    munmap(alternate, ALTERNATE_SIZE);
    alternate = NULL;
}

int jg__overflow_install(jg__overflow_describe *function)
{
    if (make_alternate() != 0)
        return -1;
    pthread_mutex_lock(&lock);
    if (threads++ == 0) {
        describe = function;
        take_signals();
    }
    pthread_mutex_unlock(&lock);
    return 0;
}

void jg__overflow_uninstall(void)
{
    int saved = errno;
    pthread_mutex_lock(&lock);
    if (--threads == 0)
        give_signals_back();
    pthread_mutex_unlock(&lock);
    free_alternate();
    errno = saved;
}
