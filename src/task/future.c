/* Futures. What another thread brings travels to the loop in the future's own wake handle, and is published there. */
#include "task/future.h"

#include "task/scheduler.h"

#include <string.h>

enum { BOUND = 1, CLAIMED = 2, DONE = 4 };

struct waiter {
    struct jg__wait wait;
    struct jg__list node;
    void *value; /* copied when it comes: the future may be gone when the waiter runs */
    int error;
};

/* Zero until somebody waits. */
static struct jg__list *waiters_of(jg_future *future)
{
    struct jg__list *waiters = (struct jg__list *)(void *)future->waiters;
    if (!waiters->next)
        jg__list_init(waiters);
    return waiters;
}

static void publish(jg_future *future)
{
    struct jg__list *waiters = waiters_of(future);
    __atomic_fetch_or(&future->state, DONE, __ATOMIC_RELAXED);
    while (!jg__list_empty(waiters)) {
        struct waiter *waiter = jg__container_of(waiters->next, struct waiter, node);
        jg__list_remove(&waiter->node);
        waiter->value = future->value;
        waiter->error = future->error;
        jg__wake(&waiter->wait, 0);
    }
    if (future->callbacks)
        jg__future_callbacks_queue(future);
}

/* The first to come completes it. Sets errno only: it may run in a signal handler. */
static int claim(jg_future *future, int error)
{
    if (error < 0) {
        errno = EINVAL;
        return -1;
    }
    if (__atomic_fetch_or(&future->state, CLAIMED, __ATOMIC_ACQ_REL) & CLAIMED) {
        errno = EALREADY;
        return -1;
    }
    return 0;
}

static int complete(const char *call, jg_future *future, void *value, int error)
{
    if (claim(future, error) < 0)
        return jg_fail(errno, errno == EINVAL ? "%s: the error is not above 0" : "%s: the future is completed already",
                       call);
    future->value = value;
    future->error = error;
    publish(future);
    return 0;
}

int jg_future_set_result(jg_future *future, void *value)
{
    return complete("jg_future_set_result", future, value, 0);
}

int jg_future_set_error(jg_future *future, int error)
{
    return complete("jg_future_set_error", future, NULL, error > 0 ? error : -1);
}

bool jg_future_cancel(jg_future *future)
{
    if (claim(future, ECANCELED) < 0)
        return false;
    future->error = ECANCELED;
    publish(future);
    return true;
}

/* ---- Looking ---- */

bool jg_future_done(const jg_future *future)
{
    return __atomic_load_n(&future->state, __ATOMIC_RELAXED) & DONE;
}

bool jg_future_cancelled(const jg_future *future)
{
    return jg_future_done(future) && future->error == ECANCELED;
}

static int not_completed(const char *call)
{
    return jg_fail(EINPROGRESS, "%s: the future is not completed yet", call);
}

int jg_future_error(const jg_future *future)
{
    return jg_future_done(future) ? future->error : not_completed("jg_future_error");
}

static int outcome(const char *call, void *came, int error, void **value)
{
    if (error)
        return jg_fail(error, "%s: completed with: %s", call, strerror(error));
    if (value)
        *value = came;
    return 0;
}

int jg_future_result(const jg_future *future, void **value)
{
    if (!jg_future_done(future))
        return not_completed("jg_future_result");
    return outcome("jg_future_result", future->value, future->error, value);
}

/* ---- Waiting ---- */

int jg_future_wait(jg_future *future, void **value)
{
    if (jg__enter_wait("jg_future_wait") < 0)
        return -1;
    if (jg_future_done(future))
        return outcome("jg_future_wait", future->value, future->error, value);
    struct waiter waiter = {.wait = {.call = "jg_future_wait", .object = future}};
    jg__list_append(waiters_of(future), &waiter.node);
    int result = jg__park(&waiter.wait);
    if (result == 0)
        return outcome("jg_future_wait", waiter.value, waiter.error, value);
    if (jg__listed(&waiter.node))
        jg__list_remove(&waiter.node);
    return jg__fail_interrupted("jg_future_wait", -result);
}

/* ---- From threads ---- */

static void arrive(void *arg)
{
    publish(arg);
}

void jg_future_bind(jg_future *future)
{
    future->loop = jg_get_running_loop();
    if (!future->loop)
        jg__die("jg_future_bind: called outside jg_run");
    future->wake = (jg_handle){.fn = arrive, .arg = future};
    __atomic_fetch_or(&future->state, BOUND, __ATOMIC_RELEASE);
}

static int complete_threadsafe(const char *call, jg_future *future, void *value, int error)
{
    if (!(__atomic_load_n(&future->state, __ATOMIC_ACQUIRE) & BOUND))
        jg__die("%s: jg_future_bind comes first", call);
    if (claim(future, error) < 0)
        return -1;
    future->value = value;
    future->error = error;
    jg_call_soon_threadsafe(future->loop, &future->wake);
    return 0;
}

int jg_future_set_result_threadsafe(jg_future *future, void *value)
{
    return complete_threadsafe("jg_future_set_result_threadsafe", future, value, 0);
}

int jg_future_set_error_threadsafe(jg_future *future, int error)
{
    return complete_threadsafe("jg_future_set_error_threadsafe", future, NULL, error > 0 ? error : -1);
}
