/* A run for each worker thread, and in the calling thread a loop that hears of their ends and of signals. */
#include "base/memory.h"
#include "task/internal.h"

#include <juggle/signal.h>
#include <juggle/workers.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

enum { WORKERS_MOST = 4096 };

/* One Ctrl-C may arrive twice, sent to the process and to its group: that is not somebody losing patience. */
static const int64_t PATIENCE = JG__SECOND / 10;

struct crew;

struct worker {
    struct crew *crew;
    int index;
    pthread_t thread;
    jg_loop *loop; /* while its main runs; guarded by the crew's lock */
    bool told;     /* to stop; guarded by it too */
    jg_handle cancel, ended;
    int result, error; /* of its run */
    char *words;
};

struct crew {
    jg_coroutine fn;
    void *arg;
    jg_workers_options options;
    jg_loop *loop; /* of the calling thread */
    pthread_mutex_t lock;
    bool stopping;
    bool cancelled;   /* a main has ended by ECANCELED, since it was told to stop */
    int signum;       /* that stopped it, or 0 */
    int64_t stopped;  /* when */
    unsigned running; /* threads */
    int failed;       /* the first in time; -1: none */
    int error;
    unsigned count;
    struct worker workers[];
};

static _Thread_local const struct worker *this_worker;

/* ---- In a worker's thread ---- */

static void cancel_main(void *arg)
{
    jg_cancel(arg);
}

/* Returns whether it shall stop already. */
static bool set_loop(struct worker *worker, jg_loop *loop)
{
    pthread_mutex_lock(&worker->crew->lock);
    worker->loop = loop;
    bool stopping = worker->crew->stopping;
    pthread_mutex_unlock(&worker->crew->lock);
    return stopping;
}

static int run_main(void *arg)
{
    struct worker *worker = arg;
    const struct crew *crew = worker->crew;
    jg_loop *loop = jg_task_loop();
    worker->cancel = (jg_handle){.fn = cancel_main, .arg = jg_current_task()};
    if (set_loop(worker, loop))
        jg_cancel(jg_current_task());
    int result = crew->fn(crew->arg), error = errno;
    set_loop(worker, NULL);
    jg_handle_cancel(loop, &worker->cancel);
    errno = error;
    return result;
}

static void pin(unsigned index)
{
    cpu_set_t all, one;
    if (sched_getaffinity(0, sizeof all, &all) < 0)
        return;
    unsigned skip = index % (unsigned)CPU_COUNT(&all), processor = 0;
    while (!CPU_ISSET(processor, &all) || skip-- > 0)
        processor++;
    CPU_ZERO(&one);
    CPU_SET(processor, &one);
    pthread_setaffinity_np(pthread_self(), sizeof one, &one);
}

static void note_failure(struct worker *worker)
{
    worker->error = errno;
    const char *words = jg_error_text();
    size_t size = strlen(words) + 1;
    worker->words = jg__allocate(size);
    if (worker->words)
        memcpy(worker->words, words, size);
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    struct crew *crew = worker->crew;
    char name[32];
    this_worker = worker;
    snprintf(name, sizeof name, "%.20s-%d", crew->options.name ? crew->options.name : "worker", worker->index);
    pthread_setname_np(pthread_self(), name);
    if (crew->options.pin)
        pin((unsigned)worker->index);
    jg_run_options options = {
        .size = sizeof options,
        .poller = crew->options.poller,
        .name = name,
        .stack_size = crew->options.stack_size,
        .no_sigint = true,
        .function = crew->options.function,
    };
    worker->result = jg_run_with(run_main, worker, &options);
    if (worker->result < 0)
        note_failure(worker);
    jg_call_soon_threadsafe(crew->loop, &worker->ended);
    return NULL;
}

/* ---- In the calling thread ---- */

static void stop_all(struct crew *crew)
{
    pthread_mutex_lock(&crew->lock);
    crew->stopping = true;
    for (struct worker *worker = crew->workers; worker < crew->workers + crew->count; worker++) {
        if (worker->loop && !worker->told) {
            worker->told = true;
            jg_call_soon_threadsafe(worker->loop, &worker->cancel);
        }
    }
    pthread_mutex_unlock(&crew->lock);
}

static void fail(struct crew *crew, int index, int error)
{
    if (crew->failed < 0) {
        crew->failed = index;
        crew->error = error;
    }
    stop_all(crew);
}

static void worker_ended(void *arg)
{
    struct worker *worker = arg;
    struct crew *crew = worker->crew;
    pthread_join(worker->thread, NULL);
    crew->running--;
    if (worker->result >= 0)
        return;
    if (crew->stopping && worker->error == ECANCELED)
        crew->cancelled = true;
    else
        fail(crew, worker->index, worker->error);
}

static void start_worker(struct crew *crew, unsigned index)
{
    struct worker *worker = &crew->workers[index];
    *worker = (struct worker){.crew = crew, .index = (int)index, .ended = {.fn = worker_ended, .arg = worker}};
    int error = pthread_create(&worker->thread, NULL, work, worker);
    if (error)
        fail(crew, (int)index, error);
    else
        crew->running++;
}

static bool all_ended(void *arg)
{
    const struct crew *crew = arg;
    return crew->running == 0;
}

/* ---- Signals ---- */

static void on_signal(int signum, void *arg)
{
    struct crew *crew = arg;
    if (!crew->signum) {
        crew->signum = signum;
        crew->stopped = jg__clock();
        stop_all(crew);
    } else if (jg__clock() - crew->stopped > PATIENCE) {
        jg_remove_signal_handler(crew->loop, signum);
        raise(signum);
    }
}

static int listen_for(struct crew *crew, int signum)
{
    struct sigaction before;
    if (sigaction(signum, NULL, &before) < 0 || before.sa_flags & SA_SIGINFO || before.sa_handler != SIG_DFL)
        return 0;
    return jg_add_signal_handler(crew->loop, signum, on_signal, crew);
}

/* ---- The whole ---- */

static int outcome(const struct crew *crew)
{
    if (crew->options.failed)
        *crew->options.failed = crew->failed;
    if (crew->failed >= 0) {
        const char *words = crew->workers[crew->failed].words;
        return jg_fail(crew->error, "jg_run_workers: worker %d of %u: %s", crew->failed, crew->count,
                       words ? words : strerror(crew->error));
    }
    if (crew->cancelled && crew->signum)
        return jg_fail(EINTR, "jg_run_workers: interrupted by SIG%s", sigabbrev_np(crew->signum));
    return 0;
}

static int run_crew(struct crew *crew)
{
    if (!crew->options.no_signals && (listen_for(crew, SIGINT) < 0 || listen_for(crew, SIGTERM) < 0))
        return -1;
    for (unsigned i = 0; i < crew->count && crew->failed < 0; i++)
        start_worker(crew, i);
    while (!all_ended(crew))
        if (jg_loop_run_until(crew->loop, all_ended, crew) < 0)
            jg__die("jg_run_workers: the calling thread cannot wait: %s", strerror(errno));
    return outcome(crew);
}

static struct crew *new_crew(jg_coroutine fn, void *arg, const jg_workers_options *options)
{
    cpu_set_t processors;
    unsigned count = options->workers;
    if (!count)
        count = sched_getaffinity(0, sizeof processors, &processors) == 0 ? (unsigned)CPU_COUNT(&processors) : 1;
    struct crew *crew = jg__allocate_zeroed(sizeof *crew + count * sizeof *crew->workers);
    if (!crew) {
        jg_fail(ENOMEM, "jg_run_workers: out of memory for %u workers", count);
        return NULL;
    }
    *crew = (struct crew){.fn = fn, .arg = arg, .options = *options, .failed = -1, .count = count};
    pthread_mutex_init(&crew->lock, NULL);
    crew->loop = jg_loop_new(.poller = "epoll");
    if (crew->loop)
        return crew;
    jg__release(crew);
    return NULL;
}

static void free_crew(struct crew *crew)
{
    for (unsigned i = 0; i < crew->count; i++)
        jg__release(crew->workers[i].words);
    jg_loop_close(crew->loop);
    pthread_mutex_destroy(&crew->lock);
    jg__release(crew);
}

int jg_run_workers_with(jg_coroutine fn, void *arg, const jg_workers_options *options)
{
    jg_workers_options whole;
    int before = errno;
    options = jg__whole_options(options, &whole, sizeof whole);
    if (jg__here.scheduler || jg_get_running_loop())
        jg__die("jg_run_workers: called inside jg_run or a loop");
    if (options->failed)
        *options->failed = -1;
    if (options->workers > WORKERS_MOST)
        return jg_fail(EINVAL, "jg_run_workers: %u workers are more than %d", options->workers, WORKERS_MOST);
    struct crew *crew = new_crew(fn, arg, options);
    if (!crew)
        return -1;
    int result = run_crew(crew), error = result < 0 ? errno : before;
    free_crew(crew);
    errno = error;
    return result;
}

int jg_worker_index(void)
{
    return this_worker ? this_worker->index : 0;
}

int jg_worker_count(void)
{
    return this_worker ? (int)this_worker->crew->count : 1;
}
