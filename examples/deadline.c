/* A deadline that cancels a group of tasks, and how they clean up.
 *
 *     build/release/examples/deadline [seconds]
 *
 * Three jobs run side by side; the deadline (one second, unless told) holds for all of them together. Those that are
 * not done by then are cancelled, and are given the time to put things in order. Press Ctrl-C before the deadline, as
 * in `deadline 60`, and the same happens. */
#include <errno.h>
#include <juggle.h>
#include <stdio.h>
#include <stdlib.h>

struct job {
    const char *name;
    double seconds;
};

static void clean_up(struct job *job)
{
    JG_SHIELD(undisturbed, 2); /* the task is cancelled: without this, each wait would fail at once */
    printf("%s: cancelled, cleaning up\n", job->name);
    jg_sleep(0.1);
    printf("%s: clean\n", job->name);
}

static int run_job(void *arg)
{
    struct job *job = arg;
    printf("%s: needs %g s\n", job->name, job->seconds);
    if (jg_sleep(job->seconds) < 0) {
        int reason = errno;
        clean_up(job);
        errno = reason;
        return -1;
    }
    printf("%s: done\n", job->name);
    return 0;
}

static int run_all(double seconds)
{
    static struct job jobs[] = {{"quick", 0.2}, {"slow", 100}, {"endless", 1e9}};
    JG_TIMEOUT(overall, seconds); /* holds to the end of this block */
    jg_autogroup group = {0};
    for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++)
        jg_group_start(&group, run_job, &jobs[i]);
    return jg_group_wait(&group); /* returns when all have ended, also those that were cancelled */
}

static int amain(void *arg)
{
    int result = run_all(*(double *)arg);
    if (result < 0 && errno == ETIMEDOUT) {
        puts("The deadline has passed, and nothing runs any more.");
        return 0;
    }
    return result;
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 1;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (jg_run(amain, &seconds) < 0) {
        puts(errno == EINTR ? "Interrupted, and nothing runs any more." : "Something failed.");
        return 1;
    }
    return 0;
}
