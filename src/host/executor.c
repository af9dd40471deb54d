#include "host/executor.h"

#include "base/clock.h"
#include "base/diagnostics.h"
#include "base/memory.h"
#include "base/options.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum {
    THREADS_MOST = 32, /* by default... */
    THREADS_MORE = 4,  /* ...and so many more than processors */
    QUEUE_MOST = 16384,
    IDLE_SECONDS = 5,
    STACK = 1024 * 1024,
    LIBRARY_THREADS = 8,
};

static jg_executor for_users, for_library;

static struct jg__list all = {&all, &all};
static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;

/* Of this thread, if it belongs to one. */
static _Thread_local const jg_executor *own_executor;
static _Thread_local const jg_job *running_job;

/* ---- A thread ---- */

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

/* Calls the thread that was idle last, if there is one. */
static bool call_one(jg_executor *executor)
{
    if (jg__list_empty(&executor->idle))
        return false;
    struct idle *idle = jg__container_of(executor->idle.previous, struct idle, node);
    jg__list_remove(&idle->node);
    pthread_cond_signal(&idle->called);
    return true;
}

static void call_all(jg_executor *executor)
{
    while (call_one(executor))
        ;
}

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

static void destroy(jg_executor *executor)
{
    pthread_mutex_lock(&all_lock);
    jg__list_remove(&executor->node);
    pthread_mutex_unlock(&all_lock);
    pthread_mutex_destroy(&executor->lock);
    pthread_cond_destroy(&executor->changed);
    jg__release(executor);
}

/* With the lock held, which it gives up. */
static void end_thread(jg_executor *executor)
{
    bool last = --executor->threads == 0, orphaned = executor->orphaned;
    pthread_cond_broadcast(&executor->changed);
    while (last && executor->shut && !jg__list_empty(&executor->watchers)) {
        struct jg__list *first = executor->watchers.next;
        jg__list_remove(first);
        struct jg__executor_watcher *watcher = jg__container_of(first, struct jg__executor_watcher, node);
        watcher->ended(watcher);
    }
    pthread_mutex_unlock(&executor->lock);
    if (last && orphaned)
        destroy(executor);
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

/* Returns 0 or an errno. */
static int start_thread(jg_executor *executor)
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

/* ---- Life ---- */

static unsigned default_threads(void)
{
    cpu_set_t processors;
    int count = sched_getaffinity(0, sizeof processors, &processors) == 0 ? CPU_COUNT(&processors) : 1;
    return count + THREADS_MORE < THREADS_MOST ? (unsigned)count + THREADS_MORE : THREADS_MOST;
}

static void init_shared(jg_executor *executor)
{
    pthread_mutex_init(&executor->lock, NULL);
    pthread_cond_init(&executor->changed, NULL);
    jg__list_init(&executor->queue);
    jg__list_init(&executor->idle);
    jg__list_init(&executor->watchers);
}

static void init(jg_executor *executor, const jg_executor_options *options)
{
    size_t stack = options->stack_size ? options->stack_size : STACK, page = (size_t)sysconf(_SC_PAGESIZE);
    if (stack < (size_t)PTHREAD_STACK_MIN)
        stack = (size_t)PTHREAD_STACK_MIN;
    init_shared(executor);
    executor->max_threads = options->max_threads ? options->max_threads : default_threads();
    executor->queue_most = options->queue ? options->queue : QUEUE_MOST;
    executor->idle_time = jg__nanoseconds(options->idle_seconds > 0 ? options->idle_seconds : IDLE_SECONDS);
    executor->stack_size = (stack + page - 1) / page * page;
    strncpy(executor->name, options->name ? options->name : "juggle", sizeof executor->name - 1);
    pthread_mutex_lock(&all_lock);
    jg__list_append(&all, &executor->node);
    pthread_mutex_unlock(&all_lock);
}

/* After a fork the threads, the jobs and the holds are the parent's. */
static void before_fork(void)
{
    pthread_mutex_lock(&all_lock);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&all_lock);
}

static void start_afresh(void)
{
    for (struct jg__list *node = all.next; node != &all; node = node->next) {
        jg_executor *executor = jg__container_of(node, jg_executor, node);
        init_shared(executor);
        executor->queued = executor->threads = executor->busy = executor->waiting = 0;
        executor->holds = executor != &for_users && executor != &for_library;
    }
    after_fork();
}

static void set_up(void)
{
    init(&for_users, &(jg_executor_options){0});
    init(&for_library,
         &(jg_executor_options){.max_threads = LIBRARY_THREADS, .queue = UINT_MAX, .name = "juggle-library"});
    pthread_atfork(before_fork, after_fork, start_afresh);
}

static pthread_once_t set_up_once = PTHREAD_ONCE_INIT;

jg_executor *jg__executor_for_users(void)
{
    pthread_once(&set_up_once, set_up);
    return &for_users;
}

jg_executor *jg__executor_for_library(void)
{
    pthread_once(&set_up_once, set_up);
    return &for_library;
}

jg_executor *jg_executor_new_with(const jg_executor_options *options)
{
    jg_executor_options whole;
    options = jg__whole_options(options, &whole, sizeof whole);
    if (isnan(options->idle_seconds) || options->idle_seconds < 0) {
        jg_fail(EINVAL, "jg_executor_new: idle_seconds is %g", options->idle_seconds);
        return NULL;
    }
    pthread_once(&set_up_once, set_up);
    jg_executor *executor = jg__allocate_zeroed(sizeof *executor);
    if (!executor) {
        jg_fail(ENOMEM, "jg_executor_new: out of memory");
        return NULL;
    }
    init(executor, options);
    executor->holds = 1;
    return executor;
}

void jg_executor_free(jg_executor *executor)
{
    if (!executor)
        return;
    jg__executor_shut(executor);
    pthread_mutex_lock(&executor->lock);
    bool unused = executor->threads == 0;
    executor->orphaned = true;
    pthread_mutex_unlock(&executor->lock);
    if (unused)
        destroy(executor);
}

void jg__executor_shut(jg_executor *executor)
{
    pthread_mutex_lock(&executor->lock);
    executor->shut = true;
    call_all(executor);
    pthread_mutex_unlock(&executor->lock);
}

void jg__executor_wait(jg_executor *executor)
{
    pthread_mutex_lock(&executor->lock);
    executor->waiting++;
    while (executor->threads)
        pthread_cond_wait(&executor->changed, &executor->lock);
    executor->waiting--;
    pthread_mutex_unlock(&executor->lock);
}

bool jg__executor_watch(jg_executor *executor, struct jg__executor_watcher *watcher)
{
    pthread_mutex_lock(&executor->lock);
    bool any = executor->threads;
    if (any)
        jg__list_append(&executor->watchers, &watcher->node);
    pthread_mutex_unlock(&executor->lock);
    return any;
}

void jg__executor_unwatch(jg_executor *executor, struct jg__executor_watcher *watcher)
{
    pthread_mutex_lock(&executor->lock);
    if (jg__listed(&watcher->node))
        jg__list_remove(&watcher->node);
    pthread_mutex_unlock(&executor->lock);
}

void jg__executor_hold(jg_executor *executor)
{
    pthread_mutex_lock(&executor->lock);
    executor->holds++;
    pthread_mutex_unlock(&executor->lock);
}

void jg__executor_let_go(jg_executor *executor)
{
    pthread_mutex_lock(&executor->lock);
    executor->holds--;
    call_all(executor);
    while (!executor->holds && executor->threads > executor->busy)
        pthread_cond_wait(&executor->changed, &executor->lock);
    pthread_mutex_unlock(&executor->lock);
}

/* ---- Jobs ---- */

static int refuse(const char *call, const jg_executor *executor, int error)
{
    if (error == ESHUTDOWN)
        return jg_fail(error, "%s: the executor \"%s\" is shut down", call, executor->name);
    if (executor->threads)
        return jg_fail(EAGAIN, "%s: the queue of the executor \"%s\" is full: %u jobs wait for %u threads: see .queue",
                       call, executor->name, executor->queued, executor->threads);
    return jg_fail(EAGAIN, "%s: the executor \"%s\" has no thread, and none can be started: %s", call, executor->name,
                   strerror(error));
}

/* Returns 0 or an errno. */
static int queue(jg_executor *executor, jg_job *job)
{
    if (executor->shut)
        return ESHUTDOWN;
    int error = 0;
    unsigned idle = executor->threads - executor->busy;
    if (executor->queued >= idle && executor->threads < executor->max_threads)
        error = start_thread(executor);
    if (!executor->threads)
        return error;
    /* A job that an idle thread is about to take does not wait. */
    if (executor->queued >= executor->threads - executor->busy + (uint64_t)executor->queue_most)
        return EAGAIN;
    job->state = JG__JOB_QUEUED;
    jg__list_append(&executor->queue, jg__job_in_queue(job));
    executor->queued++;
    call_one(executor);
    return 0;
}

int jg__executor_queue(const char *call, jg_executor *executor, jg_job *job)
{
    pthread_mutex_lock(&executor->lock);
    int error = queue(executor, job);
    int result = error ? refuse(call, executor, error) : 0;
    pthread_mutex_unlock(&executor->lock);
    return result;
}

void jg__executor_unqueue(jg_executor *executor, jg_job *job)
{
    jg__list_remove(jg__job_in_queue(job));
    executor->queued--;
}

/* ---- Looking ---- */

void jg_executor_get_statistics(jg_executor *executor, jg_executor_statistics *statistics)
{
    pthread_mutex_lock(&executor->lock);
    *statistics = (jg_executor_statistics){executor->threads, executor->busy, executor->queued};
    pthread_mutex_unlock(&executor->lock);
}

bool jg__executor_owns_thread(const jg_executor *executor)
{
    return own_executor == executor;
}

bool jg_thread_cancelled(void)
{
    return running_job && __atomic_load_n(&running_job->cancelled, __ATOMIC_RELAXED);
}
