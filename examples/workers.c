/* A producer and its workers.
 *
 *     build/release/examples/workers
 *
 * The producer hands each job to a worker that is idle, and waits while none is: so it is never further ahead than the
 * workers can bear. Both sides wait on futures: a worker on one that brings its next job, the producer on one that says
 * that somebody is idle. All run in one thread, and nothing happens between two waits: no lock is needed. */
#include <juggle.h>
#include <stdio.h>

enum { WORKERS = 3, JOBS = 10 };

struct worker {
    int number;
    jg_future job; /* its next job, or NULL: there are no more */
    struct worker *next_idle;
};

static struct worker *idle;      /* those that wait for a job */
static jg_future *somebody_idle; /* what the producer waits on, if it waits */
static int done;

static int work(void *arg)
{
    struct worker *self = arg;
    for (;;) {
        void *job;
        self->job = (jg_future){0};
        self->next_idle = idle;
        idle = self;
        if (somebody_idle && !jg_future_done(somebody_idle))
            jg_future_set_result(somebody_idle, NULL);
        if (jg_future_wait(&self->job, &job) < 0)
            return -1;
        if (!job)
            return 0;
        printf("worker %d: job %d\n", self->number, *(int *)job);
        if (jg_sleep(0.05 * self->number) < 0) /* the work: some take longer than others */
            return -1;
        done++;
    }
}

static int hand_out(void *job)
{
    jg_future somebody = {0};
    somebody_idle = &somebody;
    int result = idle ? 0 : jg_future_wait(&somebody, NULL);
    somebody_idle = NULL;
    if (result < 0)
        return -1;
    struct worker *worker = idle;
    idle = worker->next_idle;
    return jg_future_set_result(&worker->job, job);
}

static int produce(void *arg)
{
    int *jobs = arg;
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = i + 1;
        if (hand_out(&jobs[i]) < 0)
            return -1;
    }
    for (int i = 0; i < WORKERS; i++)
        if (hand_out(NULL) < 0)
            return -1;
    return 0;
}

static int amain(void *arg)
{
    (void)arg;
    int jobs[JOBS];
    struct worker workers[WORKERS];
    jg_autogroup group = {0}; /* after what its children use: it is left first */
    for (int i = 0; i < WORKERS; i++) {
        workers[i].number = i + 1;
        jg_group_start(&group, work, &workers[i]);
    }
    jg_group_start(&group, produce, jobs);
    return jg_group_wait(&group);
}

int main(void)
{
    if (jg_run(amain, NULL) < 0) {
        fprintf(stderr, "workers: %s\n", jg_error_text());
        return 1;
    }
    printf("%d jobs done by %d workers\n", done, WORKERS);
    return 0;
}
