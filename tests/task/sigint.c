/* Ctrl-C. */
#include "support.h"

#include "loop/internal.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int interrupt_oneself(void *arg)
{
    (void)arg;
    kill(getpid(), SIGINT);
    int result = jg_sleep(60);
    int error = errno;
    note("cleaned up");
    errno = error;
    return result;
}

TEST(ctrl_c_cancels_main_and_run_returns_eintr)
{
    FAILS(jg_run(interrupt_oneself, NULL), EINTR);
    TRACED("cleaned up");
}

static int catch_it(void *arg)
{
    (void)arg;
    kill(getpid(), SIGINT);
    FAILS(jg_sleep(60), ECANCELED);
    return 3;
}

TEST(main_may_survive_ctrl_c)
{
    ck_assert_int_eq(jg_run(catch_it, NULL), 3);
}

TEST(the_disposition_of_sigint_is_restored)
{
    struct sigaction action;
    FAILS(jg_run(interrupt_oneself, NULL), EINTR);
    ck_assert_int_eq(sigaction(SIGINT, NULL, &action), 0);
    ck_assert_ptr_eq(action.sa_handler, SIG_DFL);
    FAILS(jg_run(interrupt_oneself, NULL), EINTR);
}

static volatile sig_atomic_t handled;

static void on_sigint(int number)
{
    (void)number;
    handled = 1;
}

static int interrupt_and_yield(void *arg)
{
    (void)arg;
    kill(getpid(), SIGINT);
    return jg_sleep(0.005);
}

TEST(a_handler_of_the_programs_own_stays)
{
    signal(SIGINT, on_sigint);
    RUN(interrupt_and_yield, NULL);
    ck_assert_int_eq(handled, 1);
}

TEST(sigint_that_is_ignored_stays_ignored)
{
    signal(SIGINT, SIG_IGN);
    RUN(interrupt_and_yield, NULL);
}

static int signal_that_killed(jg_coroutine fn, bool no_sigint)
{
    int status;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        alarm(10);
        jg_run(fn, NULL, .no_sigint = no_sigint);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* Two signals within a tenth of a second count as one. */
static void lose_patience(void)
{
    for (double until = jg_time() + 0.11; jg_time() < until;)
        ;
}

static int interrupt_twice_in_a_busy_loop(void *arg)
{
    (void)arg;
    kill(getpid(), SIGINT);
    lose_patience();
    kill(getpid(), SIGINT);
    while (!handled)
        ;
    return 0;
}

TEST(a_second_ctrl_c_kills_even_when_the_loop_is_stuck)
{
    ck_assert_int_eq(signal_that_killed(interrupt_twice_in_a_busy_loop, false), SIGINT);
}

static int interrupt_a_slow_cleanup(void *arg)
{
    (void)arg;
    kill(getpid(), SIGINT);
    FAILS(jg_sleep(60), ECANCELED);
    JG_SHIELD(shield, 60);
    lose_patience();
    kill(getpid(), SIGINT);
    return jg_sleep(60);
}

TEST(a_second_ctrl_c_kills_a_slow_cleanup)
{
    ck_assert_int_eq(signal_that_killed(interrupt_a_slow_cleanup, false), SIGINT);
}

static int interrupt_doubly(void *arg)
{
    kill(getpid(), SIGINT);
    kill(getpid(), SIGINT);
    FAILS(jg_sleep(60), ECANCELED);
    return arg != NULL;
}

TEST(a_ctrl_c_that_arrives_twice_at_once_is_one)
{
    RUN(interrupt_doubly, NULL);
}

TEST(no_sigint_leaves_ctrl_c_alone)
{
    ck_assert_int_eq(signal_that_killed(interrupt_oneself, true), SIGINT);
}

static void *look_in_thread(void *arg)
{
    (void)arg;
    jg_run(sleep_a_little, NULL);
    return NULL;
}

static int look_at_disposition(void *arg)
{
    struct sigaction before, after;
    pthread_t thread;
    ck_assert_int_eq(sigaction(SIGINT, NULL, &before), 0);
    ck_assert_ptr_ne(before.sa_handler, SIG_DFL);
    ck_assert_int_eq(pthread_create(&thread, NULL, look_in_thread, NULL), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(sigaction(SIGINT, NULL, &after), 0);
    ck_assert_ptr_eq(before.sa_handler, after.sa_handler);
    return arg != NULL;
}

TEST(only_the_main_threads_run_takes_sigint)
{
    RUN(look_at_disposition, NULL);
}

static void interrupt_late(jg_task *task, int result, void *arg)
{
    (void)task;
    (void)result;
    (void)arg;
    kill(getpid(), SIGINT);
}

static int leave_something_lingering(void *arg)
{
    jg_task_loop()->lingering++; /* for ever */
    ck_assert_int_eq(jg_task_add_done_callback(jg_current_task(), interrupt_late, arg), 0);
    return 5;
}

TEST(ctrl_c_after_the_end_of_main_ends_the_lingering)
{
    ck_assert_int_eq(jg_run(leave_something_lingering, NULL), 5);
}

static int survive_detached(void *arg)
{
    FAILS(jg_sleep(60), ECANCELED);
    *(int *)arg = 1;
    return 0;
}

static int interrupt_with_children(void *arg)
{
    jg_detach(jg_create_task(survive_detached, arg));
    let_others_run(1);
    kill(getpid(), SIGINT);
    return jg_gather(jg_create_task(sleep_long, NULL), jg_create_task(sleep_long, NULL));
}

TEST(after_ctrl_c_all_tasks_are_cancelled_and_waited_for)
{
    int ended = 0;
    FAILS(jg_run(interrupt_with_children, &ended), EINTR);
    ck_assert_int_eq(ended, 1);
}
