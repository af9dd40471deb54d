/* Runs a shell command periodically, without drift and without overlap: the n-th run is due n periods after the start,
 * however long the runs take; runs that fell due while one was still going on are skipped, and counted. SIGTERM and
 * Ctrl-C stop it gracefully: no further run begins, the one that is going on may end.
 *
 *     periodic SECONDS COMMAND */
#include <errno.h>
#include <juggle.h>
#include <stdio.h>
#include <stdlib.h>

struct job {
    const char *command;
    double period;
    unsigned long runs, skipped, failed;
};

/* Runs to its end, for another minute at most, although it is being stopped. In a group of its own, the command does
 * not see the terminal's Ctrl-C. */
static int run_once(struct job *job)
{
    int code;
    JG_SHIELD(to_the_end, 60.0);
    jg_autoptr(jg_process) process = jg_create_subprocess_shell(job->command, .process_group = JG_NEW_GROUP);
    if (!process || jg_process_wait(process, &code) < 0)
        return -1;
    job->runs++;
    job->failed += code != 0;
    return 0;
}

static int run_periodically(void *arg)
{
    struct job *job = arg;
    double start = jg_time();
    for (double n = 1;; n++) {
        double late = (double)(unsigned long)((jg_time() - start) / job->period) + 1 - n;
        if (late > 0) {
            job->skipped += (unsigned long)late;
            n += late;
        }
        if (jg_sleep_until(start + n * job->period) < 0 || run_once(job) < 0)
            return -1;
    }
}

/* Cancels the task that it is given when a signal comes. */
static int stop_on_signal(void *arg)
{
    jg_autoptr(jg_signals) stop = jg_watch_signals(SIGTERM, SIGINT);
    if (!stop || jg_next_signal(stop) < 0)
        return -1;
    jg_cancel(arg);
    return 0;
}

static int amain(void *arg)
{
    jg_task *runner = jg_create_task(run_periodically, arg);
    jg_task *stopper = runner ? jg_create_task(stop_on_signal, runner) : NULL;
    int result = jg_await(runner);
    jg_cancel_and_wait(stopper);
    return result < 0 && errno == ECANCELED ? 0 : result;
}

int main(int count, char **arguments)
{
    struct job job = {0};
    if (count == 3) {
        job.period = strtod(arguments[1], NULL);
        job.command = arguments[2];
    }
    if (!(job.period > 0)) {
        fprintf(stderr, "usage: periodic SECONDS COMMAND\n");
        return 2;
    }
    if (jg_run(amain, &job) < 0) {
        fprintf(stderr, "periodic: %s\n", jg_error_text());
        return EXIT_FAILURE;
    }
    printf("%lu runs, %lu failed, %lu skipped\n", job.runs, job.failed, job.skipped);
    return EXIT_SUCCESS;
}
