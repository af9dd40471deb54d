/* The threads of an executor: how they work, idle, and end. */
#include "base/clock.h"
#include "host/executor.h"

#include <errno.h>
#include <signal.h>

/* Of this thread, if it belongs to one. */
static _Thread_local const jg_executor *own_executor;
static _Thread_local jg_job *running_job;

/* ---- Idle ---- */

struct idle {
    struct jg__list node;
    pthread_cond_t called;
};

static void init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

bool jg__executor_call_one(jg_executor *executor)
{
    if (jg__list_empty(&executor->idle))
        return false;
    struct idle *idle = jg__container_of(executor->idle.previous, struct idle, node);
    jg__list_remove(&idle->node);
    pthread_cond_signal(&idle->called);
    return true;
}

void jg__executor_call_all(jg_executor *executor)
{
    while (jg__executor_call_one(executor))
        ;
}

/* ---- Working ---- */

static jg_job *take_job(jg_executor *executor)
{
    struct jg__list *first = executor->queue.next;
    jg__list_remove(first);
    executor->queued--;
    return jg__container_of(first, jg_job, links);
}

/* With the lock held, so that whoever abandons a job that has finished now waits until its loop was told. */
static void finish(jg_executor *executor, jg_job *job)
{
    job->state = JG__JOB_FINISHED;
    jg_call_soon_threadsafe(job->loop, &job->handle);
    if (executor->waiting)
        pthread_cond_broadcast(&executor->changed);
}

static void run_job(jg_executor *executor, jg_job *job)
{
    job->state = JG__JOB_RUNNING;
    executor->busy++;
    pthread_mutex_unlock(&executor->lock);
    running_job = job;
    job->work(job);
    running_job = NULL;
    pthread_mutex_lock(&executor->lock);
    if (job->state == JG__JOB_ABANDONED) {
        pthread_mutex_unlock(&executor->lock);
        job->abandoned(job);
        pthread_mutex_lock(&executor->lock);
    } else {
        finish(executor, job);
    }
    executor->busy--;
}

static bool stays(const jg_executor *executor)
{
    return executor->holds && !executor->shut;
}

/* Until it is called, or has been idle for so long; returns whether it was called. */
static bool wait_to_be_called(jg_executor *executor, struct idle *idle)
{
    int64_t until = jg__later(jg__clock(), executor->idle_time);
    struct timespec time = {.tv_sec = until / JG__SECOND, .tv_nsec = until % JG__SECOND};
    int error = 0;
    jg__list_append(&executor->idle, &idle->node);
    while (jg__listed(&idle->node) && error != ETIMEDOUT) {
        if (until == JG__NEVER)
            pthread_cond_wait(&idle->called, &executor->lock);
        else
            error = pthread_cond_timedwait(&idle->called, &executor->lock, &time);
    }
    if (!jg__listed(&idle->node))
        return true;
    jg__list_remove(&idle->node);
    return false;
}

/* Returns false when the thread shall end. */
static bool wait_for_work(jg_executor *executor, struct idle *idle)
{
    bool called = true;
    while (!executor->queued && stays(executor) && called)
        called = wait_to_be_called(executor, idle);
    return executor->queued;
}

/* With the lock held, which it gives up. */
static void end_thread(jg_executor *executor)
{
    bool last = --executor->threads == 0;
    pthread_cond_broadcast(&executor->changed);
    while (last && executor->shut && !jg__list_empty(&executor->watchers)) {
        struct jg__list *first = executor->watchers.next;
        jg__list_remove(first);
        struct jg__executor_watcher *watcher = jg__container_of(first, struct jg__executor_watcher, node);
        watcher->ended(watcher);
    }
    jg__executor_unlock(executor);
}

static void *work(void *arg)
{
    jg_executor *executor = arg;
    struct idle idle = {0};
    own_executor = executor;
    init_condition(&idle.called);
    pthread_setname_np(pthread_self(), executor->name);
    pthread_mutex_lock(&executor->lock);
    while (wait_for_work(executor, &idle))
        run_job(executor, take_job(executor));
    pthread_cond_destroy(&idle.called);
    end_thread(executor);
    return NULL;
}

/* Signals are for the program's own threads, except those that a thread brings upon itself. */
static void block_signals(sigset_t *before)
{
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
    sigset_t blocked;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        sigdelset(&blocked, own[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, before);
}

int jg__executor_start_thread(jg_executor *executor)
{
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t before;
    int error = pthread_attr_init(&attributes);
    if (error)
        return error;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    error = pthread_attr_setstacksize(&attributes, executor->stack_size);
    if (!error) {
        block_signals(&before);
        error = pthread_create(&thread, &attributes, work, executor);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    pthread_attr_destroy(&attributes);
    if (!error)
        executor->threads++;
    return error;
}

/* ---- Jobs that nobody wants any more ---- */

static void set_wait(struct jg__job_wait *wait)
{
    jg_job *job = running_job;
    if (!job)
        return;
    pthread_mutex_lock(&job->executor->lock);
    job->wait = wait;
    pthread_mutex_unlock(&job->executor->lock);
}

void jg__job_wait_begin(struct jg__job_wait *wait)
{
    set_wait(wait);
}

void jg__job_wait_end(void)
{
    set_wait(NULL);
}

void jg__job_tell_cancelled(jg_job *job)
{
    struct jg__job_wait *wait = job->wait;
    __atomic_store_n(&job->cancelled, true, __ATOMIC_RELAXED);
    if (wait)
        wait->wake(wait);
}

/* ---- Looking ---- */

bool jg__executor_owns_thread(const jg_executor *executor)
{
    return own_executor == executor;
}

bool jg_thread_cancelled(void)
{
    return running_job && __atomic_load_n(&running_job->cancelled, __ATOMIC_RELAXED);
}
