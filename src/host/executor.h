/* Pools of threads, and the jobs that loops hand to them. */
#ifndef JUGGLE_HOST_EXECUTOR_H
#define JUGGLE_HOST_EXECUTOR_H

#include "base/list.h"

#include <juggle/thread.h>
#include <pthread.h>

enum jg__job_state {
    JG__JOB_OWNED, /* by whoever made it */
    JG__JOB_QUEUED,
    JG__JOB_RUNNING,
    JG__JOB_ABANDONED, /* running, and the thread's own */
    JG__JOB_FINISHED,  /* `done` is on its way to the loop */
};

/* The lock guards all of it, and the states of the jobs. */
struct jg_executor {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* a thread has ended, or a job that is waited for */
    struct jg__list queue;
    struct jg__list idle; /* threads that nobody has called, the one that worked last first: the others can end */
    unsigned queued, threads, busy;
    unsigned holds;   /* idle threads stay for as long as somebody holds it */
    unsigned waiting; /* for a job or for the threads, by blocking */
    unsigned users;   /* jobs that are not back in their loops, and watchers */
    bool shut;
    bool orphaned; /* whoever uses it last frees it */
    unsigned max_threads, queue_most;
    int64_t idle_time;
    size_t stack_size;
    char name[16];
    struct jg__list watchers; /* told when it is shut down and the last thread has ended */
    struct jg__list node;     /* in the list of all */
};

/* The process's own two: the default one for the jobs of users; and one for what the library does itself and is short
 * (names, files), so that it does not wait behind the users'. */
jg_executor *jg__executor_for_users(void);
jg_executor *jg__executor_for_library(void);

/* Those two keep idle threads only while a loop holds them; letting go waits until idle ones have ended. */
void jg__executor_hold(jg_executor *executor);
void jg__executor_let_go(jg_executor *executor);

/* Queues a job whose fields are set. 0, or -1 with EAGAIN, ESHUTDOWN; `call` is for the error text. */
int jg__executor_queue(const char *call, jg_executor *executor, jg_job *job);

/* With the lock held: takes a queued job out again. */
void jg__executor_unqueue(jg_executor *executor, jg_job *job);

/* jg_run_in_executor in the name of another call, for its error text. */
int jg__job_start(const char *call, jg_loop *loop, jg_executor *executor, jg_job *job);

/* No more jobs; those that are there go on to their ends. */
void jg__executor_shut(jg_executor *executor);

/* Blocks until no thread is left. */
void jg__executor_wait(jg_executor *executor);

/* Is told, with the lock held and on any thread, when a shut executor has no thread left. Returns false, and tells
 * nobody, if it has none; else unwatching must follow, also when it was told. */
struct jg__executor_watcher {
    struct jg__list node;
    void (*ended)(struct jg__executor_watcher *watcher);
};
bool jg__executor_watch(jg_executor *executor, struct jg__executor_watcher *watcher);
void jg__executor_unwatch(jg_executor *executor, struct jg__executor_watcher *watcher);

/* With the lock held: calls the thread that was idle last, if there is one, or all. */
bool jg__executor_call_one(jg_executor *executor);
void jg__executor_call_all(jg_executor *executor);

/* With the lock held: starts one more. Returns 0 or an errno. */
int jg__executor_start_thread(jg_executor *executor);

/* Gives the lock up, and frees the executor if it was given up and nobody uses it any more. */
void jg__executor_unlock(jg_executor *executor);

/* Is this thread one of its own? */
bool jg__executor_owns_thread(const jg_executor *executor);

/* A job that blocks, and is to hear that nobody wants its result any more: see jg_thread_cancelled. */
struct jg__job_wait {
    void (*wake)(struct jg__job_wait *wait); /* on any thread, with the executor's lock held */
};

/* On the thread of a job; elsewhere they do nothing. A job that was cancelled before is not told any more. */
void jg__job_wait_begin(struct jg__job_wait *wait);
void jg__job_wait_end(void);

/* With the executor's lock held, of a job that runs: nobody wants its result any more. */
void jg__job_tell_cancelled(jg_job *job);

/* The default executor of a loop: the one that was set, or the process's own. */
jg_executor *jg__loop_executor(const jg_loop *loop);

/* No more jobs of this loop for its default executor. */
int jg__loop_jobs_shut(jg_loop *loop);

/* Are jobs of this loop under way on the executor? */
bool jg__loop_jobs_pending(const jg_loop *loop, const jg_executor *executor);

/* Is told, from the loop's thread, whenever a job of the loop is done or taken back. Remove it by jg__list_remove. */
struct jg__job_watcher {
    struct jg__list node;
    void (*job_done)(struct jg__job_watcher *watcher);
};
void jg__loop_jobs_watch(jg_loop *loop, struct jg__job_watcher *watcher);

/* Where a job is linked: in the executor's queue, and in the list of its loop. */
static inline struct jg__list *jg__job_in_queue(jg_job *job)
{
    return (struct jg__list *)(void *)&job->links[0];
}

static inline struct jg__list *jg__job_in_loop(jg_job *job)
{
    return (struct jg__list *)(void *)&job->links[2];
}

#endif
