/* The jobs of a loop: they travel to an executor and back. */
#include "base/diagnostics.h"
#include "base/memory.h"
#include "host/executor.h"
#include "loop/internal.h"

#include <errno.h>

struct jg__loop_jobs {
    struct jg__resident resident;
    jg_loop *loop;
    struct jg__list jobs;
    struct jg__list watchers;
    jg_executor *chosen; /* the default one; NULL: the process's own */
    bool shut;           /* for the default one */
};

static struct jg__loop_jobs *jobs_in(const jg_loop *loop)
{
    return loop->jobs ? jg__container_of(loop->jobs, struct jg__loop_jobs, resident) : NULL;
}

/* ---- Taking jobs back ---- */

/* With the lock of its executor held, which it gives up: that may be gone then. */
static void take_back(jg_job *job)
{
    jg__list_remove(jg__job_in_loop(job));
    job->executor->users--;
    jg__executor_unlock(job->executor);
}

static void tell_watchers(struct jg__loop_jobs *jobs)
{
    for (struct jg__list *node = jobs->watchers.next, *next; node != &jobs->watchers; node = next) {
        struct jg__job_watcher *watcher = jg__container_of(node, struct jg__job_watcher, node);
        next = node->next;
        watcher->job_done(watcher);
    }
}

/* ---- The end of the loop ---- */

/* Until the thread has let go of it. */
static void wait_until_finished(jg_job *job)
{
    jg_executor *executor = job->executor;
    pthread_mutex_lock(&executor->lock);
    executor->waiting++;
    while (job->state == JG__JOB_RUNNING)
        pthread_cond_wait(&executor->changed, &executor->lock);
    executor->waiting--;
    take_back(job);
}

static jg_job *job_at(struct jg__list *node)
{
    return jg__container_of(node, jg_job, links[2]);
}

/* First nothing begins any more; then for what runs. */
static void evict(struct jg__resident *resident)
{
    struct jg__loop_jobs *jobs = jg__container_of(resident, struct jg__loop_jobs, resident);
    for (struct jg__list *node = jobs->jobs.next, *next; node != &jobs->jobs; node = next) {
        next = node->next;
        jg_job_cancel(job_at(node));
    }
    while (!jg__list_empty(&jobs->jobs)) {
        jg_job *job = job_at(jobs->jobs.next);
        if (job->abandoned)
            jg_job_abandon(job);
        else
            wait_until_finished(job);
    }
    jobs->loop->jobs = NULL;
    jg__release(jobs);
    jg__executor_let_go(jg__executor_for_users());
    jg__executor_let_go(jg__executor_for_library());
}

static struct jg__loop_jobs *jobs_of(jg_loop *loop)
{
    if (loop->jobs)
        return jobs_in(loop);
    struct jg__loop_jobs *jobs = jg__allocate_zeroed(sizeof *jobs);
    if (!jobs)
        return NULL;
    jg__list_init(&jobs->jobs);
    jg__list_init(&jobs->watchers);
    jobs->loop = loop;
    jobs->resident.evict = evict;
    loop->jobs = &jobs->resident;
    jg__executor_hold(jg__executor_for_users());
    jg__executor_hold(jg__executor_for_library());
    return jobs;
}

/* ---- The default executor ---- */

int jg_set_default_executor(jg_loop *loop, jg_executor *executor)
{
    struct jg__loop_jobs *jobs = jobs_of(loop);
    if (!jobs)
        return jg_fail(ENOMEM, "jg_set_default_executor: out of memory");
    jobs->chosen = executor;
    jobs->shut = false;
    return 0;
}

jg_executor *jg__loop_executor(const jg_loop *loop)
{
    const struct jg__loop_jobs *jobs = jobs_in(loop);
    return jobs && jobs->chosen ? jobs->chosen : jg__executor_for_users();
}

int jg__loop_jobs_shut(jg_loop *loop)
{
    struct jg__loop_jobs *jobs = jobs_of(loop);
    if (!jobs)
        return jg_fail(ENOMEM, "jg_shutdown_default_executor: out of memory");
    jobs->shut = true;
    return 0;
}

bool jg__loop_jobs_pending(const jg_loop *loop, const jg_executor *executor)
{
    struct jg__loop_jobs *jobs = jobs_in(loop);
    for (struct jg__list *node = jobs->jobs.next; node != &jobs->jobs; node = node->next)
        if (job_at(node)->executor == executor)
            return true;
    return false;
}

void jg__loop_jobs_watch(jg_loop *loop, struct jg__job_watcher *watcher)
{
    jg__list_append(&jobs_in(loop)->watchers, &watcher->node);
}

/* ---- A job ---- */

/* On the loop. */
static void arrive(void *arg)
{
    jg_job *job = arg;
    struct jg__loop_jobs *jobs = jobs_in(job->loop);
    pthread_mutex_lock(&job->executor->lock);
    job->state = JG__JOB_OWNED;
    take_back(job);
    job->done(job);
    tell_watchers(jobs);
}

int jg__job_start(const char *call, jg_loop *loop, jg_executor *executor, jg_job *job)
{
    int saved = errno;
    struct jg__loop_jobs *jobs = jobs_of(loop);
    if (!jobs)
        return jg_fail(ENOMEM, "%s: out of memory", call);
    if (!executor && jobs->shut)
        return jg_fail(ESHUTDOWN, "%s: the default executor of the loop is shut down", call);
    job->handle = (jg_handle){.fn = arrive, .arg = job};
    job->loop = loop;
    job->executor = executor ? executor : jg__loop_executor(loop);
    job->cancelled = false;
    job->wait = NULL;
    if (jg__executor_queue(call, job->executor, job) < 0)
        return -1;
    jg__list_append(&jobs->jobs, jg__job_in_loop(job));
    errno = saved;
    return 0;
}

int jg_run_in_executor(jg_loop *loop, jg_executor *executor, jg_job *job)
{
    return jg__job_start("jg_run_in_executor", loop, executor, job);
}

bool jg_job_cancel(jg_job *job)
{
    jg_executor *executor = job->executor;
    pthread_mutex_lock(&executor->lock);
    if (job->state != JG__JOB_QUEUED) {
        jg__job_tell_cancelled(job);
        pthread_mutex_unlock(&executor->lock);
        return false;
    }
    jg__executor_unqueue(executor, job);
    job->state = JG__JOB_OWNED;
    take_back(job);
    tell_watchers(jobs_in(job->loop));
    return true;
}

bool jg_job_abandon(jg_job *job)
{
    jg_executor *executor = job->executor;
    struct jg__loop_jobs *jobs = jobs_in(job->loop);
    pthread_mutex_lock(&executor->lock);
    bool running = job->state == JG__JOB_RUNNING;
    if (running)
        jg__job_tell_cancelled(job);
    if (job->state == JG__JOB_QUEUED)
        jg__executor_unqueue(executor, job);
    else if (job->state == JG__JOB_FINISHED)
        jg_handle_cancel(job->loop, &job->handle);
    job->state = running ? JG__JOB_ABANDONED : JG__JOB_OWNED;
    take_back(job); /* a job that is abandoned is its thread's, and keeps the executor no longer than that does */
    tell_watchers(jobs);
    return running;
}
