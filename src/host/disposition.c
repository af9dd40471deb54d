#include "host/disposition.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the slots */

static struct {
    unsigned holders;
    struct sigaction before;
} slots[NSIG];

static _Atomic(void (*)(int)) fallbacks[NSIG];
static atomic_int handlers; /* that are running, on whatever thread */

static void on_signal(int signum)
{
    int saved = errno;
    atomic_fetch_add(&handlers, 1);
    void (*fallback)(int) = atomic_load(&fallbacks[signum]);
    if (!jg__signal_tell(signum) && fallback)
        fallback(signum);
    atomic_fetch_sub(&handlers, 1);
    errno = saved;
}

static bool is_handler(const struct sigaction *action, void (*handler)(int signum))
{
    return !(action->sa_flags & SA_SIGINFO) && action->sa_handler == handler;
}

/* Somebody else's handler stays. */
static void restore(int signum)
{
    struct sigaction current;
    if (sigaction(signum, NULL, &current) == 0 && is_handler(&current, on_signal))
        sigaction(signum, &slots[signum].before, NULL);
}

/* The loops are the parent's. Other threads do not exist here, whatever they held. */
static void after_fork_in_child(void)
{
    for (int signum = 1; signum < NSIG; signum++) {
        if (slots[signum].holders)
            restore(signum);
        slots[signum].holders = 0;
        atomic_store(&fallbacks[signum], NULL);
    }
    jg__signal_forget_loops();
    atomic_store(&handlers, 0);
    pthread_mutex_init(&lock, NULL);
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, after_fork_in_child);
}

static bool is_fault(int signum)
{
    return signum == SIGSEGV || signum == SIGBUS || signum == SIGFPE || signum == SIGILL;
}

int jg__signal_hold(int signum)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    int error = 0, saved = errno;
    if (signum < 1 || signum >= NSIG || is_fault(signum))
        return EINVAL;
    pthread_once(&once, watch_forks);
    pthread_mutex_lock(&lock);
    if (slots[signum].holders == 0) {
        struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART | SA_ONSTACK};
        sigemptyset(&action.sa_mask);
        error = sigaction(signum, &action, &slots[signum].before) == 0 ? 0 : errno;
    }
    slots[signum].holders += error == 0;
    pthread_mutex_unlock(&lock);
    errno = saved;
    return error;
}

void jg__signal_let_go(int signum)
{
    int saved = errno;
    pthread_mutex_lock(&lock);
    if (slots[signum].holders && --slots[signum].holders == 0)
        restore(signum);
    pthread_mutex_unlock(&lock);
    errno = saved;
}

bool jg__signal_is_default(int signum)
{
    struct sigaction current;
    pthread_mutex_lock(&lock);
    bool known = sigaction(signum, NULL, &current) == 0;
    if (known && slots[signum].holders && is_handler(&current, on_signal))
        current = slots[signum].before;
    pthread_mutex_unlock(&lock);
    return known && is_handler(&current, SIG_DFL);
}

void jg__signal_set_fallback(int signum, void (*fn)(int signum))
{
    atomic_store(&fallbacks[signum], fn);
    if (!fn)
        jg__signal_handlers_left();
}

void jg__signal_handlers_left(void)
{
    while (atomic_load(&handlers))
        sched_yield();
}
