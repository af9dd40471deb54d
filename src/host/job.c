#include "host/job.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 4, IDLE_SECONDS = 5, STACK = 1024 * 1024 };

enum { QUEUED, RUNNING, WITHDRAWN, FINISHED };

/* The threads of the process; the lock guards all of it and the states of the jobs. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t work;  /* there is a job, or nobody holds the threads any more */
    pthread_cond_t ended; /* a thread has ended */
    struct jg__list queue;
    unsigned queued, threads, busy;
    unsigned holds;
    pid_t process;
} pool = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .work = PTHREAD_COND_INITIALIZER,
    .ended = PTHREAD_COND_INITIALIZER,
};

/* ---- A thread ---- */

static struct jg__job *take_job(void)
{
    struct jg__job *job = jg__container_of(pool.queue.next, struct jg__job, node);
    jg__list_remove(&job->node);
    pool.queued--;
    return job;
}

static void run_job(struct jg__job *job)
{
    job->state = RUNNING;
    pool.busy++;
    pthread_mutex_unlock(&pool.lock);
    job->work(job);
    pthread_mutex_lock(&pool.lock);
    pool.busy--;
    bool withdrawn = job->state == WITHDRAWN;
    job->state = FINISHED;
    if (withdrawn)
        job->dropped(job);
    else
        job->finished(job); /* with the lock held: whoever withdraws it now waits until the owner was told */
}

/* Returns false when the thread shall end. */
static bool wait_for_work(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += IDLE_SECONDS;
    int error = 0;
    while (!pool.queued && pool.holds && error != ETIMEDOUT)
        error = pthread_cond_timedwait(&pool.work, &pool.lock, &until);
    return pool.queued && pool.holds;
}

static void *work(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&pool.lock);
    while (wait_for_work())
        run_job(take_job());
    pool.threads--;
    pthread_cond_broadcast(&pool.ended);
    pthread_mutex_unlock(&pool.lock);
    return NULL;
}

/* Returns 0 or an errno. */
static int start_thread(void)
{
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all, before;
    int error = pthread_attr_init(&attributes);
    if (error)
        return error;
    pthread_attr_setstacksize(&attributes, STACK);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the program's own threads */
    error = pthread_create(&thread, &attributes, work, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (!error)
        pool.threads++;
    return error;
}

/* ---- Holding the threads ---- */

/* After a fork the threads are the parent's. */
static void start_afresh(void)
{
    pthread_mutex_init(&pool.lock, NULL);
    pthread_cond_init(&pool.work, NULL);
    pthread_cond_init(&pool.ended, NULL);
    jg__list_init(&pool.queue);
    pool.queued = pool.threads = pool.busy = pool.holds = 0;
    pool.process = getpid();
}

void jg__jobs_hold(void)
{
    static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&first);
    if (pool.process != getpid())
        start_afresh();
    pthread_mutex_unlock(&first);
    pthread_mutex_lock(&pool.lock);
    pool.holds++;
    pthread_mutex_unlock(&pool.lock);
}

void jg__jobs_let_go(void)
{
    pthread_mutex_lock(&pool.lock);
    pool.holds--;
    pthread_cond_broadcast(&pool.work);
    while (!pool.holds && pool.threads > pool.busy)
        pthread_cond_wait(&pool.ended, &pool.lock);
    pthread_mutex_unlock(&pool.lock);
}

/* ---- Jobs ---- */

int jg__job_start(struct jg__job *job)
{
    int error = 0;
    pthread_mutex_lock(&pool.lock);
    if (pool.queued >= pool.threads - pool.busy && pool.threads < THREADS)
        error = start_thread();
    if (pool.threads) {
        job->state = QUEUED;
        jg__list_append(&pool.queue, &job->node);
        pool.queued++;
        pthread_cond_signal(&pool.work);
        error = 0;
    }
    pthread_mutex_unlock(&pool.lock);
    if (!error)
        return 0;
    errno = EAGAIN;
    return -1;
}

bool jg__job_withdraw(struct jg__job *job)
{
    pthread_mutex_lock(&pool.lock);
    bool running = job->state == RUNNING;
    if (running)
        job->state = WITHDRAWN;
    if (job->state == QUEUED) {
        jg__list_remove(&job->node);
        pool.queued--;
        job->state = FINISHED;
    }
    pthread_mutex_unlock(&pool.lock);
    return !running;
}
