/* Coroutines that other threads hand to a loop. The record of one belongs to the thread that asked, and to the loop
 * until the task has ended; the last of the two to let go frees it. */
#include "base/memory.h"
#include "task/internal.h"

#include <juggle/thread.h>
#include <string.h>

struct jg_concurrent_future {
    /* The loop's. */
    struct jg__list guest;
    jg_loop *loop;
    jg_handle start, cancel, end;
    jg_coroutine fn;
    void *arg;
    jg_threadsafe_options options;
    char name[JG__NAME_SIZE];
    struct jg__task *task;

    /* Guarded by the lock. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done, cancelled;
    bool wanted;  /* the thread has not freed it */
    bool in_loop; /* the loop has not let go */
    int result, error;
    struct jg__error_text *text;
    const char *refused_call; /* as in struct jg__task */
};

/* ---- Life ---- */

static bool init_lock(jg_concurrent_future *future)
{
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes))
        return false;
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    bool made = pthread_cond_init(&future->changed, &attributes) == 0;
    pthread_condattr_destroy(&attributes);
    return made && pthread_mutex_init(&future->lock, NULL) == 0;
}

static void destroy(jg_concurrent_future *future)
{
    pthread_mutex_destroy(&future->lock);
    pthread_cond_destroy(&future->changed);
    jg__release(future->text);
    jg__release(future);
}

/* One of the two lets go. */
static void let_go(jg_concurrent_future *future, bool *side)
{
    pthread_mutex_lock(&future->lock);
    *side = false;
    bool last = !future->wanted && !future->in_loop;
    pthread_mutex_unlock(&future->lock);
    if (last)
        destroy(future);
}

/* ---- On the loop ---- */

/* The thread may free it from here on, but for what the loop still does with it. */
static void complete(jg_concurrent_future *future, int result, int error)
{
    pthread_mutex_lock(&future->lock);
    future->result = result;
    future->error = error;
    future->done = true;
    pthread_cond_broadcast(&future->changed);
    pthread_mutex_unlock(&future->lock);
    jg_handle_cancel(future->loop, &future->cancel);
    jg__guest_leave(&future->guest);
    let_go(future, &future->in_loop);
}

static bool read_flag(jg_concurrent_future *future, const bool *flag)
{
    pthread_mutex_lock(&future->lock);
    bool value = *flag;
    pthread_mutex_unlock(&future->lock);
    return value;
}

static void end(void *arg)
{
    jg_concurrent_future *future = arg;
    struct jg__task *task = future->task;
    int result = task->result, error = task->error;
    if (result < 0 && !read_flag(future, &future->wanted))
        jg__report_failure(task, "failed: ");
    future->text = task->error_text;
    future->refused_call = task->refused_call;
    task->error_text = NULL;
    future->task = NULL;
    jg__task_release(task);
    complete(future, result, error);
}

/* On the task's own stack. */
static void task_ended(void *joiner, struct jg__task *task)
{
    jg_concurrent_future *future = joiner;
    (void)task;
    jg_call_soon(future->loop, &future->end);
}

static void start(void *arg)
{
    jg_concurrent_future *future = arg;
    jg_task_options options = {
        .size = sizeof options,
        .name = *future->name ? future->name : NULL,
        .stack_size = future->options.stack_size,
        .function = future->options.function,
    };
    future->task = jg__task_new("jg_run_coroutine_threadsafe", NULL, future->fn, future->arg, &options);
    if (!future->task) {
        complete(future, -1, errno);
        return;
    }
    jg__task_join(future->task, task_ended, future);
    if (jg__here.scheduler->closing)
        jg__cancel(future->task);
}

static void cancel(void *arg)
{
    jg_concurrent_future *future = arg;
    if (future->task)
        jg__cancel(future->task);
}

/* ---- On the thread ---- */

static jg_concurrent_future *new_future(jg_loop *loop, jg_coroutine fn, void *arg, const jg_threadsafe_options *options)
{
    jg_concurrent_future *future = jg__allocate_zeroed(sizeof *future);
    if (!future || !init_lock(future)) {
        jg__release(future);
        jg_fail(ENOMEM, "jg_run_coroutine_threadsafe: out of memory");
        return NULL;
    }
    future->loop = loop;
    future->start = (jg_handle){.fn = start, .arg = future};
    future->cancel = (jg_handle){.fn = cancel, .arg = future};
    future->end = (jg_handle){.fn = end, .arg = future};
    future->fn = fn;
    future->arg = arg;
    future->options = *options;
    if (options->name)
        strncpy(future->name, options->name, sizeof future->name - 1);
    future->wanted = future->in_loop = true;
    return future;
}

jg_concurrent_future *jg_run_coroutine_threadsafe_with(jg_loop *loop, jg_coroutine fn, void *arg,
                                                       const jg_threadsafe_options *options)
{
    jg_threadsafe_options whole;
    options = jg__whole_options(options, &whole, sizeof whole);
    jg_concurrent_future *future = new_future(loop, fn, arg, options);
    if (!future || jg__guest_enter(loop, &future->guest, &future->start))
        return future;
    destroy(future);
    jg_fail(ESRCH, "jg_run_coroutine_threadsafe: the loop has ended, or is not one of jg_run");
    return NULL;
}

static bool wait_until_done(jg_concurrent_future *future, double seconds)
{
    int64_t until = jg__later(jg__clock(), jg__nanoseconds(seconds > 0 ? seconds : 0));
    struct timespec time = {.tv_sec = until / JG__SECOND, .tv_nsec = until % JG__SECOND};
    int error = 0;
    pthread_mutex_lock(&future->lock);
    while (!future->done && error != ETIMEDOUT)
        error = until == JG__NEVER ? pthread_cond_wait(&future->changed, &future->lock)
                                   : pthread_cond_timedwait(&future->changed, &future->lock, &time);
    bool done = future->done;
    pthread_mutex_unlock(&future->lock);
    return done;
}

int jg_concurrent_future_wait(jg_concurrent_future *future, double seconds, int *result)
{
    int before = errno;
    if (jg__here.loop == future->loop && !jg_concurrent_future_done(future))
        jg__die("jg_concurrent_future_wait: called in the thread of the very loop that it waits for");
    if (!wait_until_done(future, seconds))
        return jg_fail(ETIMEDOUT, "jg_concurrent_future_wait: the task has not ended after %g seconds", seconds);
    if (future->result < 0) {
        int error = future->error;
        const struct jg__error_text *text = future->text;
        if (future->refused_call)
            return jg_fail(error, "%s: %s", future->refused_call, strerror(error));
        return jg_fail(error, "%s", text && text->error == error ? text->words : strerror(error));
    }
    if (result)
        *result = future->result;
    errno = before;
    return 0;
}

bool jg_concurrent_future_cancel(jg_concurrent_future *future)
{
    pthread_mutex_lock(&future->lock);
    bool cancels = !future->done;
    if (cancels && !future->cancelled)
        jg_call_soon_threadsafe(future->loop, &future->cancel);
    future->cancelled |= cancels;
    pthread_mutex_unlock(&future->lock);
    return cancels;
}

bool jg_concurrent_future_done(jg_concurrent_future *future)
{
    return read_flag(future, &future->done);
}

void jg_concurrent_future_free(jg_concurrent_future *future)
{
    if (!future)
        return;
    int saved = errno;
    let_go(future, &future->wanted);
    errno = saved;
}
