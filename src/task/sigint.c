/* Ctrl-C: how the signal reaches main. */
#include "task/sigint.h"

#include "base/clock.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

/* Whose main it cancels; taken out by the first signal, so that the second one finds nothing. */
static _Atomic(jg_loop *) loop_to_tell;
static _Atomic(int64_t) first_signal; /* when it came */
static atomic_int handlers;           /* that are running, on whatever thread */
static jg_handle cancel_main_handle;
static struct sigaction before;

/* One Ctrl-C may arrive twice, sent to the process and to its group: that is not somebody losing patience. */
static const int64_t PATIENCE = JG__SECOND / 10;

static void cancel_main(void *arg)
{
    struct jg__scheduler *scheduler = arg;
    scheduler->ctrl_c = true; /* also when main has ended: what lingers is not waited for */
    if (scheduler->main)
        jg__cancel(scheduler->main);
}

static void on_sigint(int number)
{
    atomic_fetch_add(&handlers, 1);
    jg_loop *loop = atomic_exchange(&loop_to_tell, NULL);
    if (loop) {
        atomic_store(&first_signal, jg__clock());
        jg_call_soon_threadsafe(loop, &cancel_main_handle);
    } else if (jg__clock() - atomic_load(&first_signal) > PATIENCE) {
        signal(number, SIG_DFL);
        raise(number);
    }
    atomic_fetch_sub(&handlers, 1);
}

bool jg__sigint_take(struct jg__scheduler *scheduler)
{
    if (gettid() != getpid() || sigaction(SIGINT, NULL, &before) < 0)
        return false;
    if (before.sa_flags & SA_SIGINFO || before.sa_handler != SIG_DFL)
        return false;
    struct sigaction action = {.sa_handler = on_sigint, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    cancel_main_handle = (jg_handle){.fn = cancel_main, .arg = scheduler};
    atomic_store(&loop_to_tell, scheduler->loop);
    return sigaction(SIGINT, &action, NULL) == 0;
}

void jg__sigint_give_back(void)
{
    sigaction(SIGINT, &before, NULL);
    atomic_store(&loop_to_tell, NULL);
    while (atomic_load(&handlers))
        sched_yield();
}
