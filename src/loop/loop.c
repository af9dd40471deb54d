/* The loop: its life and its turns. */
#include "base/diagnostics.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/probes.h"
#include "loop/internal.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    BATCHES_MOST = 64,          /* of tasks between two looks at the clock... */
    BATCH_TIME = 100 * 1000,    /* ...which shall come after about so many nanoseconds... */
    TURN_TIME_MOST = 500 * 1000 /* ...and end the turn when so many have passed since the last poll */
};

static _Thread_local jg_loop *running_loop;

static unsigned forks;
static pthread_once_t watch_forks_once = PTHREAD_ONCE_INIT;

static void count_fork(void)
{
    forks++;
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, count_fork);
}

static void no_task(void *arg)
{
    (void)arg;
}

static void drain_wake_fd(void *arg)
{
    jg_loop *loop = arg;
    uint64_t count;
    loop->statistics.wakeups++;
    while (read(loop->wake_fd, &count, sizeof count) < 0 && errno == EINTR)
        ;
}

/* ---- Life ---- */

static int open_named_poller(jg_loop *loop, const char *name, const jg_loop_options *options)
{
    if (!strcmp(name, jg__epoll.name))
        loop->poller = &jg__epoll;
#ifdef HAVE_LIBURING
    else if (!strcmp(name, jg__io_uring.name))
        loop->poller = &jg__io_uring;
#else
    else if (!strcmp(name, "io_uring"))
        return jg_fail(ENOTSUP, "jg_loop_new: this library was built without liburing: use epoll");
#endif
    else
        return jg_fail(EINVAL, "jg_loop_new: there is no poller \"%s\": use epoll or io_uring", name);
    if (loop->poller->open(loop, options) == 0)
        return 0;
    if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
        return jg_fail(errno, "jg_loop_new: %s: %s", name, strerror(errno));
    return jg_fail(ENOTSUP, "jg_loop_new: %s is not allowed here: %s", name, strerror(errno));
}

static int open_poller(jg_loop *loop, const jg_loop_options *options)
{
    const char *name = options->poller ? options->poller : getenv("JUGGLE_POLLER");
    if (name && *name)
        return open_named_poller(loop, name, options);
#ifdef HAVE_LIBURING
    int saved = errno;
    loop->poller = &jg__io_uring;
    if (loop->poller->open(loop, options) == 0)
        return 0;
    errno = saved;
#endif
    return open_named_poller(loop, jg__epoll.name, options);
}

static void init_queues(jg_loop *loop)
{
    jg__queue_init(&loop->ready);
    jg__queue_init(&loop->before_poll);
    jg__list_init(&loop->all_watches);
    jg__list_init(&loop->listeners_without_fds);
    jg__list_init(&loop->residents);
    loop->now = jg__clock();
    jg__timers_init(&loop->timers, loop->now);
    loop->task_fn = no_task;
    loop->batches_allowed = 1;
}

jg_loop *jg_loop_new_with(const jg_loop_options *options)
{
    jg_loop_options whole;
    options = jg__whole_options(options, &whole, sizeof whole);
    pthread_once(&watch_forks_once, watch_forks);
    jg_loop *loop = jg__allocate_zeroed(sizeof *loop);
    if (!loop) {
        jg_fail(ENOMEM, "jg_loop_new: out of memory");
        return NULL;
    }
    init_queues(loop);
    loop->forks = forks;
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->wake_fd < 0)
        jg_fail(errno, "jg_loop_new: eventfd: %s", strerror(errno));
    else if (open_poller(loop, options) == 0) {
        if (jg_add_reader(loop, loop->wake_fd, drain_wake_fd, loop) == 0)
            return loop;
        loop->poller->close(loop);
    }
    int saved = errno;
    jg__watches_free(loop);
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
    jg__release(loop);
    errno = saved;
    return NULL;
}

static void evict_residents(jg_loop *loop)
{
    while (!jg__list_empty(&loop->residents)) {
        struct jg__resident *resident = jg__container_of(loop->residents.next, struct jg__resident, node);
        jg__list_remove(&resident->node);
        resident->evict(resident);
    }
    if (loop->jobs)
        loop->jobs->evict(loop->jobs);
}

/* What a thread has sent may have been the reason to close the loop, while that thread is still about to wake it. */
static void wait_for_senders(jg_loop *loop)
{
    while (atomic_load(&loop->senders))
        sched_yield();
}

static void refuse_in_child(const jg_loop *loop, const char *call)
{
    if (loop->forks != forks)
        jg__die("%s: this loop belongs to the parent process; after fork a child may only exec or exit", call);
}

void jg_loop_close(jg_loop *loop)
{
    if (!loop)
        return;
    if (loop->running)
        jg__die("jg_loop_close: the loop is running: stop it first");
    refuse_in_child(loop, "jg_loop_close");
    int saved = errno;
    wait_for_senders(loop);
    loop->poller->close(loop);
    evict_residents(loop);
    jg__watches_free(loop);
    close(loop->wake_fd);
    jg__release(loop);
    errno = saved;
}

jg_loop *jg_get_running_loop(void)
{
    return running_loop;
}

const char *jg_loop_poller(const jg_loop *loop)
{
    return loop->poller->name;
}

/* ---- A turn ---- */

bool jg__budget_lasts(jg_loop *loop)
{
    int64_t now = jg__clock();
    int64_t each = (now - loop->batches_since) / loop->batches_allowed + 1; // NOLINT(*DivideZero): at least 1
    loop->batches_allowed = each >= BATCH_TIME ? 1 : (unsigned)(BATCH_TIME / each);
    if (loop->batches_allowed > BATCHES_MOST)
        loop->batches_allowed = BATCHES_MOST;
    loop->batches_since = now;
    loop->batches = 0;
    if (loop->ending_turn || now - loop->now > TURN_TIME_MOST)
        return false;
    loop->batches = loop->batches_allowed - 1;
    return true;
}

static void run_ready(jg_loop *loop)
{
    loop->batches = loop->batches_allowed;
    loop->ending_turn = false;
    loop->batches_since = loop->now;
    jg__queue_append(&loop->ready, &loop->turn_end);
    for (;;) {
        jg_handle *handle = loop->ready.next;
        if (handle == &loop->turn_end) {
            if (jg__next_batch(loop))
                continue;
            jg__queue_pop(&loop->ready);
            return;
        }
        jg__queue_pop(&loop->ready);
        loop->statistics.callbacks++;
        handle->fn(handle->arg);
    }
}

static void run_before_poll(jg_loop *loop)
{
    while (!jg__queue_empty(&loop->before_poll)) {
        jg_handle *handle = loop->before_poll.next;
        jg__queue_remove(handle);
        handle->fn(handle->arg);
    }
}

/* How long the kernel may let us wait, at most `most` nanoseconds. Sets *now if it has to look at the clock. */
static int64_t time_to_wait(jg_loop *loop, int64_t most, int64_t *now)
{
    if (loop->stopping || !jg__queue_empty(&loop->ready))
        return 0;
    int64_t next = jg__timers_next(&loop->timers);
    if (next == JG__NEVER || most == 0)
        return most;
    *now = jg__clock();
    if (next <= *now)
        return 0;
    return next - *now < most ? next - *now : most;
}

/* The turn that began at loop->now has taken until `now`. */
static void note_lag(jg_loop *loop, int64_t now)
{
    uint64_t microseconds = (uint64_t)(now - loop->now) / 1000;
    int bucket = microseconds ? 64 - __builtin_clzll(microseconds) : 0;
    if (loop->turned)
        loop->statistics.lag[bucket < JG_LAG_BUCKETS ? bucket : JG_LAG_BUCKETS - 1]++;
}

static int poll_kernel(jg_loop *loop, int64_t wait)
{
    if (wait != 0) {
        atomic_store(&loop->asleep, true);
        if (atomic_load(&loop->inbox))
            wait = 0;
    }
    bool hooks = wait != 0;
    if (hooks && loop->hooks.before_poll)
        loop->hooks.before_poll(loop->hooks.arg);
    JG__PROBE2(poll_begin, loop, wait);
    int result = loop->poller->poll(loop, wait);
    int error = errno;
    JG__PROBE2(poll_end, loop, result);
    if (hooks && loop->hooks.after_poll)
        loop->hooks.after_poll(loop->hooks.arg);
    atomic_store_explicit(&loop->asleep, false, memory_order_relaxed);
    if (result == 0)
        return 0;
    errno = error;
    if (error != EINTR)
        return jg_fail(error, "jg_loop_run: %s: %s", loop->poller->name, strerror(error));
    return loop->hooks.interrupted ? loop->hooks.interrupted(loop->hooks.arg) : 0;
}

static int turn(jg_loop *loop, int64_t most)
{
    refuse_in_child(loop, "jg_loop_run");
    int saved = errno;
    run_before_poll(loop);
    int64_t before = 0, wait = time_to_wait(loop, most, &before);
    if (wait != 0)
        note_lag(loop, before ? before : jg__clock());
    if (poll_kernel(loop, wait) < 0)
        return -1;
    errno = saved;
    int64_t now = jg__clock();
    if (wait == 0)
        note_lag(loop, now);
    loop->now = now;
    loop->turned = true;
    loop->statistics.turns++;
    loop->statistics.timers += jg__timers_expire(&loop->timers, loop->now, &loop->ready);
    jg__take_inbox(loop);
    run_ready(loop);
    return 0;
}

/* ---- Running ---- */

static int begin_run(jg_loop *loop, const char *call)
{
    if (loop->running)
        jg__die("%s: the loop is running already", call);
    if (running_loop)
        jg__die("%s: another loop is running on this thread", call);
    if (loop->poller->start(loop) < 0)
        return jg_fail(errno, "%s: %s: %s", call, loop->poller->name, strerror(errno));
    loop->running = true;
    running_loop = loop;
    return 0;
}

/* What the last turn has written leaves now: no poll follows. */
static int end_run(jg_loop *loop, int result)
{
    int saved = errno;
    run_before_poll(loop);
    jg__operations_flush(loop);
    note_lag(loop, jg__clock());
    loop->running = loop->stopping = loop->turned = false;
    running_loop = NULL;
    errno = saved;
    return result;
}

int jg_loop_run_forever(jg_loop *loop)
{
    return jg_loop_run_until(loop, NULL, NULL);
}

int jg_loop_run_until(jg_loop *loop, bool (*done)(void *arg), void *arg)
{
    if (begin_run(loop, "jg_loop_run_until") < 0)
        return -1;
    int result = 0;
    bool stopped = false;
    while (result == 0 && !stopped && !(done && done(arg))) {
        stopped = loop->stopping; /* before the run: it makes one turn */
        result = turn(loop, JG__NEVER);
        stopped |= loop->stopping;
    }
    return end_run(loop, result);
}

int jg_loop_run_once(jg_loop *loop, double max_wait)
{
    if (begin_run(loop, "jg_loop_run_once") < 0)
        return -1;
    return end_run(loop, turn(loop, max_wait < 0 ? JG__NEVER : jg__nanoseconds(max_wait)));
}

void jg_loop_stop(jg_loop *loop)
{
    loop->stopping = true;
    jg__end_turn(loop);
}

bool jg_loop_is_running(const jg_loop *loop)
{
    return loop->running;
}

double jg_loop_time(const jg_loop *loop)
{
    (void)loop; /* all share one clock, but for a simulated one */
    return jg__seconds(jg__clock());
}

/* ---- Around the poll ---- */

void jg_loop_set_hooks(jg_loop *loop, const jg_loop_hooks *hooks)
{
    loop->hooks = hooks ? *hooks : (jg_loop_hooks){0};
}

int jg_loop_fileno(const jg_loop *loop)
{
    return loop->poller->fileno(loop);
}

double jg_loop_prepare(jg_loop *loop)
{
    run_before_poll(loop);
    jg__operations_flush(loop);
    atomic_store(&loop->asleep, true);
    if (atomic_load(&loop->inbox))
        return 0;
    int64_t now, wait = time_to_wait(loop, JG__NEVER, &now);
    return wait == JG__NEVER ? -1 : jg__seconds(wait);
}

/* The `next` of the last one need not be valid. */
static uint64_t count_ready(const jg_loop *loop)
{
    uint64_t count = 0;
    const jg_handle *last = loop->ready.previous;
    for (const jg_handle *handle = &loop->ready; handle != last;) {
        handle = handle->next;
        count += handle != &loop->turn_end;
    }
    return count;
}

void jg_loop_get_statistics(const jg_loop *loop, jg_loop_statistics *statistics)
{
    *statistics = loop->statistics;
    statistics->poller = loop->poller->name;
    statistics->ready = count_ready(loop);
}
