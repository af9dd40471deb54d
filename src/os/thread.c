/* Blocking functions on threads, for tasks. */
#include "base/memory.h"
#include "host/executor.h"
#include "task/internal.h"

#include <string.h>

/* A call of jg_to_thread: in its frame, or on the heap if a thread may have to keep it. */
struct call {
    jg_job job;
    jg_coroutine fn;
    void (*abandon)(void *arg);
    struct jg__wait *wait;
    int result, error;
    char *words; /* the error text; NULL: none, or no memory for it */
};

/* The waiting for it, always in the frame: a call that was left to its thread must not be looked at any more. */
struct waiting {
    struct jg__wait wait;
    struct call *call;
    int interrupted; /* why, or 0 */
    bool left;       /* to the thread */
};

static struct call *call_of(jg_job *job)
{
    return jg__container_of(job, struct call, job);
}

/* ---- On the thread ---- */

/* The thread's words for its errno are the thread's; a copy goes to the task. */
static char *copy_of_words(void)
{
    const char *words = jg_error_text();
    size_t size = strlen(words) + 1;
    char *copy = jg__allocate(size);
    return copy ? memcpy(copy, words, size) : NULL;
}

static void work(jg_job *job)
{
    struct call *call = call_of(job);
    jg_fail(0, "%s", ""); /* words of an earlier job must not show */
    call->result = call->fn(job->arg);
    if (call->result >= 0)
        return;
    call->error = errno ? errno : EIO;
    errno = call->error;
    call->words = copy_of_words();
}

static void free_call(struct call *call)
{
    jg__release(call->words);
    jg__release(call);
}

static void abandoned(jg_job *job)
{
    struct call *call = call_of(job);
    call->abandon(job->arg);
    free_call(call);
}

/* ---- On the loop ---- */

static void done(jg_job *job)
{
    jg__wake(call_of(job)->wait, 0);
}

/* A job that runs is waited for, unless it can be left alone with its argument. */
static void interrupt(struct jg__wait *wait, int reason)
{
    struct waiting *waiting = jg__container_of(wait, struct waiting, wait);
    struct call *call = waiting->call;
    waiting->interrupted = -reason;
    if (jg_job_cancel(&call->job)) {
        jg__wake(wait, reason);
    } else if (call->abandon) {
        waiting->left = jg_job_abandon(&call->job);
        jg__wake(wait, waiting->left ? reason : 0);
    }
}

/* A job that ends because it was told to, with ECANCELED, fails with the reason of that. */
static int outcome(const struct waiting *waiting)
{
    const struct call *call = waiting->call;
    if (call->result >= 0)
        return call->result;
    if (call->error == ECANCELED && waiting->interrupted)
        return jg__fail_interrupted("jg_to_thread", waiting->interrupted);
    return jg_fail(call->error, "%s", call->words ? call->words : strerror(call->error));
}

/* Returns what jg_to_thread shall; `*left` when the call is the thread's now. */
static int wait_for(struct call *call, const jg_to_thread_options *options, bool *left)
{
    struct waiting waiting = {.wait = {.call = "jg_to_thread", .object = call, .interrupt = interrupt}, .call = call};
    call->wait = &waiting.wait;
    if (jg__job_start("jg_to_thread", jg__here.loop, options->executor, &call->job) < 0)
        return -1;
    int reason = jg__park(&waiting.wait);
    *left = waiting.left;
    return reason ? jg__fail_interrupted("jg_to_thread", -reason) : outcome(&waiting);
}

static int run(jg_coroutine fn, void *arg, const jg_to_thread_options *options)
{
    struct call call = {.job = {.work = work, .done = done, .arg = arg}, .fn = fn};
    bool left = false;
    int result = wait_for(&call, options, &left);
    jg__release(call.words);
    return result;
}

/* What was interrupted leaves its argument to nobody. */
static int give_up(const jg_to_thread_options *options, void *arg, int result)
{
    int error = errno;
    if (options->abandon && result < 0 && (error == ECANCELED || error == ETIMEDOUT))
        options->abandon(arg);
    errno = error;
    return result;
}

static int run_abandonable(jg_coroutine fn, void *arg, const jg_to_thread_options *options)
{
    struct call *call = jg__allocate_zeroed(sizeof *call);
    if (!call)
        return jg_fail(ENOMEM, "jg_to_thread: out of memory");
    call->job = (jg_job){.work = work, .done = done, .abandoned = abandoned, .arg = arg};
    call->fn = fn;
    call->abandon = options->abandon;
    bool left = false;
    int result = wait_for(call, options, &left);
    if (left)
        return result;
    free_call(call);
    return give_up(options, arg, result);
}

int jg_to_thread_with(jg_coroutine fn, void *arg, const jg_to_thread_options *options)
{
    jg_to_thread_options whole;
    options = jg__whole_options(options, &whole, sizeof whole);
    if (jg__enter_wait("jg_to_thread") < 0)
        return give_up(options, arg, -1);
    return options->abandon ? run_abandonable(fn, arg, options) : run(fn, arg, options);
}
