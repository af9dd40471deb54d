/* Closing what another task is about to wait for. The entry check of a wait lets others run now and then: here at each
 * of the first calls in turn. */
#include "os_support.h"

#include <juggle/process.h>
#include <juggle/signal.h>
#include <juggle/watch.h>
#include <signal.h>
#include <stdlib.h>

enum { CALLS = 140 }; /* more than a task makes without letting others run */

struct case_of {
    int (*call)(void *object);
    void (*close)(void *object);
    void *object;
    int calls; /* before this one */
};

static bool closed;  /* by close_it */
static int outcomes; /* of calls that began before */

static int call_late(void *arg)
{
    const struct case_of *one = arg;
    jg_event set = {0};
    jg_event_set(&set);
    for (int i = 0; i < one->calls; i++)
        ck_assert_int_eq(jg_event_wait(&set), 0);
    if (closed)
        return 0;
    outcomes++;
    return one->call(one->object);
}

static int close_it(void *arg)
{
    const struct case_of *one = arg;
    closed = true;
    one->close(one->object);
    return 0;
}

/* That the call returns this, or fails with this errno, negated: unless it came too late to be made. */
static void expect(int expected, struct case_of one)
{
    int before = outcomes;
    closed = false;
    jg_task *caller = jg_create_task(call_late, &one), *closer = jg_create_task(close_it, &one);
    int result = jg_await(caller), error = errno;
    ck_assert_int_eq(jg_await(closer), 0);
    if (outcomes > before)
        ck_assert_int_eq(result < 0 ? -error : result, expected);
}

static int next_signal(void *signals)
{
    return jg_next_signal(signals);
}

static void close_signals(void *signals)
{
    jg_signals_close(signals);
}

static int next_change(void *watch)
{
    jg_watch_event event;
    return jg_watch_next(watch, &event);
}

static void close_watch(void *watch)
{
    jg_watch_close(watch);
}

static int listeners(void *arg)
{
    for (int i = CALLS / 2; i < CALLS; i++) {
        jg_signals *signals = jg_watch_signals(SIGUSR1);
        expect(-EBADF, (struct case_of){next_signal, close_signals, signals, i});
        jg_watch *watch = jg_watch_path(arg);
        expect(-EBADF, (struct case_of){next_change, close_watch, watch, i});
    }
    return 0;
}

TEST(what_is_listened_to_may_be_closed_at_any_moment)
{
    IN_FOLDER(listeners);
}

static int wait_for_end(void *process)
{
    int returncode = 0;
    return jg_process_wait(process, &returncode) < 0 ? -1 : -returncode;
}

static int communicate(void *process)
{
    return jg_process_communicate(process, "x", 1, NULL);
}

static void close_process(void *process)
{
    jg_process_close(process);
}

static jg_process *start(void)
{
    jg_process *process =
        jg_create_subprocess_exec(JG_ARGV("sleep", "1000"), .in = JG_PIPE, .out = JG_PIPE, .err = JG_PIPE);
    ck_assert_ptr_nonnull(process);
    return process;
}

static int processes(void *arg)
{
    (void)arg;
    for (int i = CALLS - 20; i < CALLS; i++) {
        expect(SIGTERM, (struct case_of){wait_for_end, close_process, start(), i});
        expect(-EBADF, (struct case_of){communicate, close_process, start(), i});
    }
    return 0;
}

TEST(a_process_may_be_closed_at_any_moment)
{
    RUN(processes, NULL);
}

/* The tasks that read and write have not begun then, or are about to go on. */
static int conversations(void *arg)
{
    (void)arg;
    for (int turns = 0; turns < 20; turns++) {
        jg_process *process = jg_create_subprocess_exec(JG_ARGV("cat"), .in = JG_PIPE, .out = JG_PIPE, .err = JG_PIPE);
        ck_assert_ptr_nonnull(process);
        jg_task *task = jg_create_task(communicate, process);
        for (int i = 0; i < turns; i++)
            ck_assert_int_eq(jg_yield(), 0);
        jg_process_close(process);
        if (jg_await(task) < 0)
            ck_assert_int_eq(errno, EBADF);
    }
    return 0;
}

TEST(a_conversation_may_end_at_any_moment)
{
    RUN(conversations, NULL);
}
