/* Ctrl-C: how the signal reaches main. */
#include "task/sigint.h"

#include "base/clock.h"
#include "host/disposition.h"

#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

/* Whose main it cancels; taken out by the first signal, so that the second one finds nothing. */
static _Atomic(jg_loop *) loop_to_tell;
static _Atomic(int64_t) first_signal; /* when it came */
static jg_handle cancel_main_handle;

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
    jg_loop *loop = atomic_exchange(&loop_to_tell, NULL);
    if (loop) {
        atomic_store(&first_signal, jg__clock());
        jg_call_soon_threadsafe(loop, &cancel_main_handle);
    } else if (jg__clock() - atomic_load(&first_signal) > PATIENCE) {
        signal(number, SIG_DFL);
        raise(number);
    }
}

bool jg__sigint_take(struct jg__scheduler *scheduler)
{
    if (gettid() != getpid() || !jg__signal_is_default(SIGINT))
        return false;
    cancel_main_handle = (jg_handle){.fn = cancel_main, .arg = scheduler};
    atomic_store(&loop_to_tell, scheduler->loop);
    jg__signal_set_fallback(SIGINT, on_sigint);
    return jg__signal_hold(SIGINT) == 0;
}

void jg__sigint_give_back(struct jg__scheduler *scheduler)
{
    jg__signal_let_go(SIGINT);
    atomic_store(&loop_to_tell, NULL);
    jg__signal_set_fallback(SIGINT, NULL);
    jg_handle_cancel(scheduler->loop, &cancel_main_handle);
}
