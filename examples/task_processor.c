/* A background task processor: jobs come over TCP, workers do them, what fails is tried again later.
 *
 *     build/release/examples/task_processor [port [workers]]
 *     echo 'sleep 0.5' | nc -N 127.0.0.1 8888
 *
 * A job is a line: a command for the shell. It is done when the command exits with 0; else it is tried again after 0.1,
 * 0.2, 0.4 ... seconds, five times in all. The queue is bounded: when it is full, whoever brings more has to wait.
 * SIGTERM or Ctrl-C stops it in order: no more jobs are taken, those in the queue are done, then it ends. */
#include <errno.h>
#include <juggle.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COMMAND = 200, ATTEMPTS = 5, WAITING = 100 };

struct job {
    unsigned number;
    char command[COMMAND];
};

static struct {
    int port, workers;
} settings = {8888, 4};

static jg_queue jobs = JG_QUEUE(struct job, WAITING);
static unsigned done, given_up;

/* Returns whether the command succeeded. */
static int attempt(const struct job *job)
{
    jg_autoptr(jg_process) process = jg_create_subprocess_shell(job->command, .in = JG_DEVNULL);
    int returncode;
    if (!process || jg_process_wait(process, &returncode) < 0)
        return -1;
    return returncode == 0;
}

static int process(const struct job *job)
{
    double delay = 0.1;
    for (int attempts = 1; attempts <= ATTEMPTS; attempts++, delay *= 2) {
        int success = attempt(job);
        if (success < 0)
            return -1;
        if (success) {
            printf("job %u: done at attempt %d\n", job->number, attempts);
            done++;
            return 0;
        }
        if (attempts < ATTEMPTS && jg_sleep(delay) < 0)
            return -1;
    }
    printf("job %u: given up\n", job->number);
    given_up++;
    return 0;
}

static int worker(void *arg)
{
    (void)arg;
    struct job job;
    while (jg_queue_get(&jobs, &job) == 0)
        if (process(&job) < 0)
            return -1;
    return errno == EPIPE ? 0 : -1; /* shut down, and nothing is left */
}

static int take_jobs(jg_stream *client, void *arg)
{
    (void)arg;
    static unsigned number;
    char line[COMMAND];
    ssize_t n;
    while ((n = jg_read_line(client, line, sizeof line)) > 0) {
        struct job job = {.number = ++number};
        line[strcspn(line, "\r\n")] = '\0';
        snprintf(job.command, sizeof job.command, "%s", line);
        if (jg_queue_put(&jobs, &job) < 0)
            return -1;
        jg_printf(client, "job %u\n", job.number);
    }
    return n < 0 ? -1 : 0;
}

static int wait_for_end(void)
{
    jg_autoptr(jg_signals) signals = jg_watch_signals(SIGTERM, SIGINT);
    int number = signals ? jg_next_signal(signals) : -1;
    if (number < 0)
        return -1;
    printf("signal %d: the queue is drained\n", number);
    return 0;
}

static int amain(void *arg)
{
    (void)arg;
    jg_autogroup workers = {0};
    for (int i = 0; i < settings.workers; i++)
        jg_group_start(&workers, worker, NULL);
    {
        jg_autoptr(jg_server) server = jg_start_server(take_jobs, NULL, "127.0.0.1", settings.port);
        if (!server)
            return -1;
        printf("Taking jobs on %s\n", jg_server_address(server, 0));
        if (wait_for_end() < 0)
            return -1;
    } /* nobody brings jobs any more */
    jg_queue_shutdown(&jobs);
    if (jg_group_wait(&workers) < 0)
        return -1;
    printf("%u jobs done, %u given up\n", done, given_up);
    jg_queue_free(&jobs);
    return 0;
}

int main(int argc, char **argv)
{
    settings.port = argc > 1 ? atoi(argv[1]) : settings.port;
    settings.workers = argc > 2 ? atoi(argv[2]) : settings.workers;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (jg_run(amain, NULL, .no_sigint = true) < 0) {
        fprintf(stderr, "task_processor: %s\n", jg_error_text());
        return 1;
    }
    return 0;
}
