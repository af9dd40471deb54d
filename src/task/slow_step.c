#include "task/slow_step.h"

#include "base/clock.h"
#include "coro/backtrace.h"
#include "task/debug.h"

#include <juggle/debug.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

_Static_assert(sizeof((struct jg__step *)NULL)->name == JG__NAME_SIZE, "a task's name");

enum { LOOKS = 4, /* at each loop, in the time that makes a step slow */ FRAMES = 24, STACK = 256 * 1024 };

static _Atomic(int64_t) limit = JG__SECOND / 10;

int jg_set_slow_step(double seconds)
{
    if (!(seconds > 0))
        return jg_fail(EINVAL, "jg_set_slow_step: %g seconds are not more than 0", seconds);
    atomic_store(&limit, jg__nanoseconds(seconds));
    return 0;
}

/* ---- What the thread itself sees, being interrupted ---- */

static _Atomic(const struct jg__scheduler *) asked; /* NULL: none is */
static struct {
    bool here; /* it is in the same step still */
    char task[JG__NAME_SIZE], created_at[128];
    void *addresses[FRAMES];
    size_t count;
    int64_t lasted; /* it is over, after so long; else 0 */
} sample;
static sem_t sampled;

/* No tool is to wonder that the loop's thread writes these meanwhile. */
__attribute__((no_sanitize_thread, noinline)) static struct jg__step step_of(const struct jg__scheduler *scheduler)
{
    const jg_loop *loop = scheduler->loop;
    struct jg__step step = {
        .task = *(struct jg__task *const volatile *)&scheduler->here->task,
        .turns = *(const volatile uint64_t *)&loop->statistics.turns,
        .callbacks = *(const volatile uint64_t *)&loop->statistics.callbacks,
        .batches = *(const volatile unsigned *)&loop->batches,
    };
    bool idle = !step.task &&
                (atomic_load_explicit(&loop->asleep, memory_order_relaxed) || !*(const volatile bool *)&loop->running);
    step.since = !idle;
    return step;
}

static bool same(const struct jg__step *a, const struct jg__step *b)
{
    return a->since && b->since && a->task == b->task && a->turns == b->turns && a->callbacks == b->callbacks &&
           a->batches == b->batches;
}

static void take_sample(int signum)
{
    (void)signum;
    const struct jg__scheduler *scheduler = atomic_load(&asked);
    if (!scheduler || scheduler != jg__here.scheduler)
        return;
    int saved = errno;
    const struct jg__task *task = jg__here.task;
    struct jg__step now = step_of(scheduler);
    sample.here = same(&now, &scheduler->step);
    strncpy(sample.task, task ? task->name : "", sizeof sample.task - 1);
    strncpy(sample.created_at, task ? jg__task_created_at(task) : "", sizeof sample.created_at - 1);
    sample.count = jg__backtrace(sample.addresses, FRAMES);
    atomic_store(&asked, NULL);
    sem_post(&sampled);
    errno = saved;
}

/* The highest signal that nobody uses. It stays ours: one that is pending must not kill when we no longer listen. */
static int own_signal(void)
{
    static int chosen;
    struct sigaction action = {.sa_handler = take_sample, .sa_flags = SA_RESTART | SA_ONSTACK}, before;
    sigemptyset(&action.sa_mask);
    for (int signum = SIGRTMAX; !chosen && signum >= SIGRTMIN; signum--)
        if (sigaction(signum, NULL, &before) == 0 && !(before.sa_flags & SA_SIGINFO) && before.sa_handler == SIG_DFL &&
            sigaction(signum, &action, NULL) == 0)
            chosen = signum;
    return chosen;
}

/* ---- What the thread that watches does ---- */

static pthread_t watcher;
static bool watching;        /* that thread exists */
static sem_t end_of_watch;   /* posted to end it */
static struct jg__rate rate; /* of what it tells */
static atomic_bool wanted;   /* debug mode is on */

static void tell_left_out(unsigned left_out)
{
    if (left_out)
        jg__report(NULL, 0, "%u more slow steps within a minute were not reported", left_out);
}

static void tell_sample(void)
{
    char calls[384];
    const char *place = sample.created_at;
    if (sample.lasted) {
        jg__report(*sample.task ? sample.task : NULL, 0, "the slow step is over, after about %.0f ms",
                   (double)sample.lasted / 1e6);
        return;
    }
    jg__describe_calls(calls, sizeof calls, sample.addresses, sample.count);
    jg__report(*sample.task ? sample.task : NULL, 0, "%s for more than %.0f ms without a wait%s%s%s%s%s",
               *sample.task ? "has run" : "a callback of the loop has run", (double)atomic_load(&limit) / 1e6,
               *calls ? ", in " : "", calls, *place ? " (created at " : "", place, *place ? ")" : "");
}

/* Asks a thread where it is. Its signals may be blocked, or it may be deep in the kernel: then nothing is known. */
static bool ask(const struct jg__scheduler *scheduler, pid_t thread)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec++;
    while (sem_trywait(&sampled) == 0)
        ;
    memset(&sample, 0, sizeof sample);
    atomic_store(&asked, scheduler);
    bool waits = tgkill(getpid(), thread, own_signal()) == 0;
    while (waits)
        waits = sem_timedwait(&sampled, &until) < 0 && errno == EINTR;
    bool answered = atomic_exchange(&asked, NULL) == NULL;
    return answered && sample.here;
}

static bool is_there(const struct jg__scheduler *scheduler)
{
    struct jg__list *node = jg__schedulers.next;
    while (node != &jg__schedulers && node != &scheduler->node)
        node = node->next;
    return node != &jg__schedulers;
}

/* With the lock held, but not meanwhile: other threads' runs shall begin and end while one does not answer. */
static bool interrogate(const struct jg__scheduler *scheduler)
{
    pid_t thread = scheduler->thread;
    pthread_mutex_unlock(&jg__schedulers_lock);
    bool here = ask(scheduler, thread);
    pthread_mutex_lock(&jg__schedulers_lock);
    return here && is_there(scheduler) && scheduler->step.told;
}

static bool note_end(const struct jg__step *step, int64_t now)
{
    memset(&sample, 0, sizeof sample);
    memcpy(sample.task, step->name, sizeof step->name);
    sample.lasted = now - step->since;
    return atomic_load(&wanted);
}

/* Looks at one loop; returns whether there is something to tell, in `sample`. `late`: this look comes so late that the
 * process may have been stopped meanwhile. `asked_it`: its thread was asked, and the loop may be gone. */
static bool look_at(struct jg__scheduler *scheduler, int64_t now, bool late, bool *asked_it)
{
    struct jg__step step = step_of(scheduler), *last = &scheduler->step;
    if (!same(&step, last)) {
        bool over = last->reported && note_end(last, now);
        step.since = step.since ? now : 0;
        *last = step;
        return over;
    }
    if (last->told)
        return false;
    if (late)
        last->since = now;
    if (now - last->since <= atomic_load(&limit))
        return false;
    last->told = *asked_it = true;
    if (!interrogate(scheduler))
        return false;
    last->reported = atomic_load(&wanted) && jg__rate_allows(&rate, now);
    memcpy(last->name, sample.task, sizeof last->name);
    return last->reported;
}

/* Until there is something to tell, or a thread was asked: then the list may be another one. */
static bool look_at_some(int64_t now, bool late, bool *asked_one)
{
    bool found = false;
    for (struct jg__list *node = jg__schedulers.next; node != &jg__schedulers; node = node->next) {
        found = look_at(jg__container_of(node, struct jg__scheduler, node), now, late, asked_one);
        if (found || *asked_one)
            break;
    }
    return found;
}

/* The lock keeps the schedulers where they are, but is not held while the error handler is called. */
static bool look_at_all(int64_t now, bool late)
{
    bool found, asked_one;
    pthread_mutex_lock(&jg__schedulers_lock);
    do {
        asked_one = false;
        found = look_at_some(now, late, &asked_one);
    } while (asked_one && !found);
    pthread_mutex_unlock(&jg__schedulers_lock);
    return found;
}

static bool told_to_end(int64_t interval)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    int64_t when = jg__later((int64_t)until.tv_sec * JG__SECOND + until.tv_nsec, interval);
    until.tv_sec = when / JG__SECOND;
    until.tv_nsec = when % JG__SECOND;
    int result;
    do
        result = sem_timedwait(&end_of_watch, &until);
    while (result < 0 && errno == EINTR);
    return result == 0;
}

static _Thread_local bool is_watcher;

static void *watch(void *arg)
{
    is_watcher = true;
    int64_t last = jg__clock();
    for (int64_t interval; interval = atomic_load(&limit) / LOOKS + 1, !told_to_end(interval);) {
        int64_t now = jg__clock();
        unsigned left_out;
        bool late = now - last > LOOKS * interval;
        if (jg__rate_over(&rate, now, &left_out))
            tell_left_out(left_out);
        while (look_at_all(now, late)) {
            tell_sample();
            late = false;
        }
        last = jg__clock();
    }
    tell_left_out(rate.left_out);
    rate = (struct jg__rate){0};
    return arg;
}

/* ---- Its life ---- */

static pthread_mutex_t life = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static unsigned schedulers;

/* The first unwinding of a process may load the unwinder, which no signal handler should. */
static void prepare(void)
{
    void *address[1];
    jg__backtrace(address, 1);
    sem_init(&sampled, 0, 0);
    sem_init(&end_of_watch, 0, 0);
}

static int start(void)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    pthread_once(&once, prepare);
    if (!own_signal())
        return EBUSY;
    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the program's own threads */
    int error = pthread_create(&watcher, &attributes, watch, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    watching = error == 0;
    return error;
}

static int update(void)
{
    bool should = wanted && schedulers > 0;
    if (should && !watching)
        return start();
    if (watching && !should) {
        sem_post(&end_of_watch);
        sem_post(&sampled); /* it may wait for a thread that does not answer */
        pthread_join(watcher, NULL);
        watching = false;
    }
    return 0;
}

int jg__slow_steps_watch(bool on)
{
    atomic_store(&wanted, on);
    if (is_watcher) /* the error handler has called: whoever comes next sees to the thread */
        return 0;
    pthread_mutex_lock(&life);
    int error = update();
    pthread_mutex_unlock(&life);
    return error;
}

void jg__slow_steps_enter(void)
{
    pthread_mutex_lock(&life);
    schedulers++;
    update();
    pthread_mutex_unlock(&life);
}

void jg__slow_steps_leave(void)
{
    pthread_mutex_lock(&life);
    schedulers--;
    update();
    pthread_mutex_unlock(&life);
}

void jg__slow_steps_after_fork(void)
{
    pthread_mutex_init(&life, NULL);
    watching = false;
    schedulers = 0;
}
