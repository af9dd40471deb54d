#include "host/executor.h"

#include "base/clock.h"
#include "base/diagnostics.h"
#include "base/memory.h"
#include "base/options.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <sched.h>
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
        executor->queued = executor->threads = executor->busy = executor->waiting = executor->users = 0;
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

static void destroy(jg_executor *executor)
{
    pthread_mutex_lock(&all_lock);
    jg__list_remove(&executor->node);
    pthread_mutex_unlock(&all_lock);
    pthread_mutex_destroy(&executor->lock);
    pthread_cond_destroy(&executor->changed);
    jg__release(executor);
}

void jg__executor_unlock(jg_executor *executor)
{
    bool unused = executor->orphaned && !executor->threads && !executor->users && !executor->waiting;
    pthread_mutex_unlock(&executor->lock);
    if (unused)
        destroy(executor);
}

void jg_executor_free(jg_executor *executor)
{
    if (!executor)
        return;
    jg__executor_shut(executor);
    pthread_mutex_lock(&executor->lock);
    executor->orphaned = true;
    jg__executor_unlock(executor);
}

void jg__executor_shut(jg_executor *executor)
{
    pthread_mutex_lock(&executor->lock);
    executor->shut = true;
    jg__executor_call_all(executor);
    pthread_mutex_unlock(&executor->lock);
}

void jg__executor_wait(jg_executor *executor)
{
    pthread_mutex_lock(&executor->lock);
    executor->waiting++;
    while (executor->threads)
        pthread_cond_wait(&executor->changed, &executor->lock);
    executor->waiting--;
    jg__executor_unlock(executor);
}

bool jg__executor_watch(jg_executor *executor, struct jg__executor_watcher *watcher)
{
    pthread_mutex_lock(&executor->lock);
    bool any = executor->threads;
    if (any) {
        jg__list_append(&executor->watchers, &watcher->node);
        executor->users++;
    }
    pthread_mutex_unlock(&executor->lock);
    return any;
}

void jg__executor_unwatch(jg_executor *executor, struct jg__executor_watcher *watcher)
{
    pthread_mutex_lock(&executor->lock);
    if (jg__listed(&watcher->node))
        jg__list_remove(&watcher->node);
    executor->users--;
    jg__executor_unlock(executor);
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
    jg__executor_call_all(executor);
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
        error = jg__executor_start_thread(executor);
    if (!executor->threads)
        return error;
    /* A job that an idle thread is about to take does not wait. */
    if (executor->queued >= executor->threads - executor->busy + (uint64_t)executor->queue_most)
        return EAGAIN;
    job->state = JG__JOB_QUEUED;
    jg__list_append(&executor->queue, jg__job_in_queue(job));
    executor->queued++;
    executor->users++;
    jg__executor_call_one(executor);
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
