/* A signal that dumps the tasks of all threads. Its handler only wakes a thread, which asks each loop to write its own
 * tree: no other may look at it. */
#include "debug/dump.h"
#include "task/scheduler.h"

#include <errno.h>
#include <juggle/debug.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SMALL_STACK = 64 * 1024 };

static const struct timespec PATIENCE = {.tv_nsec = 100 * 1000 * 1000};
enum { PATIENCES = 10 };

static sem_t wanted;
static bool started; /* the thread */
static pthread_mutex_t starting = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t one_by_one = PTHREAD_MUTEX_INITIALIZER;

/* ---- In each loop's thread ---- */

static void dump_here(void *arg)
{
    struct jg__scheduler *scheduler = arg;
    int saved = errno;
    pthread_mutex_lock(&one_by_one);
    jg__dump_tasks("jg_dump_on_signal", STDERR_FILENO);
    pthread_mutex_unlock(&one_by_one);
    atomic_store(&scheduler->dumping, false);
    errno = saved;
}

/* ---- In the thread that asks them ---- */

static struct jg__scheduler *scheduler_at(struct jg__list *node)
{
    return jg__container_of(node, struct jg__scheduler, node);
}

static void ask_all(void)
{
    pthread_mutex_lock(&jg__schedulers_lock);
    for (struct jg__list *node = jg__schedulers.next; node != &jg__schedulers; node = node->next) {
        struct jg__scheduler *scheduler = scheduler_at(node);
        if (atomic_exchange(&scheduler->dumping, true))
            continue;
        scheduler->dump = (jg_handle){.fn = dump_here, .arg = scheduler};
        jg_call_soon_threadsafe(scheduler->loop, &scheduler->dump);
    }
    pthread_mutex_unlock(&jg__schedulers_lock);
}

static bool all_have_answered(bool complain)
{
    bool all = true;
    pthread_mutex_lock(&jg__schedulers_lock);
    for (struct jg__list *node = jg__schedulers.next; node != &jg__schedulers; node = node->next) {
        const struct jg__scheduler *scheduler = scheduler_at(node);
        if (!atomic_load(&scheduler->dumping))
            continue;
        all = false;
        if (complain)
            dprintf(STDERR_FILENO,
                    "thread %d of process %d is in a step that does not end; `juggle pstree %d` shows in which\n",
                    (int)scheduler->thread, (int)getpid(), (int)getpid());
    }
    pthread_mutex_unlock(&jg__schedulers_lock);
    return all;
}

static void *serve(void *arg)
{
    for (;;) {
        while (sem_wait(&wanted) < 0)
            ;
        ask_all();
        int patience = PATIENCES;
        while (patience-- > 0 && !all_have_answered(patience == 0))
            nanosleep(&PATIENCE, NULL);
    }
    return arg;
}

static int start_thread(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    sem_init(&wanted, 0, 0);
    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, SMALL_STACK);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the program's own threads */
    int error = pthread_create(&thread, &attributes, serve, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return error;
}

static int start_once(void)
{
    pthread_mutex_lock(&starting);
    int error = started ? 0 : start_thread();
    started = error == 0;
    pthread_mutex_unlock(&starting);
    return error;
}

/* ---- The signal ---- */

static void on_signal(int signum)
{
    (void)signum;
    int saved = errno;
    sem_post(&wanted);
    errno = saved;
}

int jg_dump_on_signal(int signum)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART | SA_ONSTACK};
    int saved = errno;
    sigemptyset(&action.sa_mask);
    int error = start_once();
    if (error)
        return jg_fail(error, "jg_dump_on_signal: the thread: %s", strerror(error));
    if (sigaction(signum, &action, NULL) < 0)
        return jg_fail(errno, "jg_dump_on_signal: signal %d cannot be caught", signum);
    errno = saved;
    return 0;
}
