/* Tasks that wait for signals. */
#include "harness.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

static int send_signals(void *arg)
{
    for (const int *signum = arg; *signum; signum++) {
        if (jg_sleep(0.01) < 0)
            return -1;
        kill(getpid(), *signum);
    }
    return 0;
}

static void (*disposition(int signum))(int)
{
    struct sigaction action;
    ck_assert_int_eq(sigaction(signum, NULL, &action), 0);
    return action.sa_handler;
}

/* ---- jg_wait_signal ---- */

static int wait_for_one(void *arg)
{
    (void)arg;
    jg_task *sender = jg_create_task(send_signals, ((int[]){SIGUSR1, 0}));
    errno = 77;
    ck_assert_int_eq(jg_wait_signal(SIGUSR1), SIGUSR1);
    ck_assert_int_eq(errno, 77);
    ck_assert_ptr_eq(disposition(SIGUSR1), SIG_DFL);
    return jg_await(sender);
}

TEST(wait_signal_returns_its_number_and_restores_the_disposition)
{
    RUN(wait_for_one, NULL);
}

static int wait_in_vain(void *arg)
{
    (void)arg;
    {
        JG_TIMEOUT(soon, 0.01);
        errno = 0;
        ck_assert_int_eq(jg_wait_signal(SIGUSR1), -1);
        ck_assert_int_eq(errno, ETIMEDOUT);
        ck_assert_ptr_eq(disposition(SIGUSR1), SIG_DFL);
    }
    jg_cancel(jg_current_task());
    ck_assert_int_eq(jg_wait_signal(SIGUSR1), -1);
    ck_assert_int_eq(errno, ECANCELED);
    return 0;
}

TEST(wait_signal_can_be_interrupted)
{
    RUN(wait_in_vain, NULL);
}

static int ask_for_impossible(void *arg)
{
    (void)arg;
    static const int refused[] = {SIGKILL, SIGSTOP, SIGSEGV, 0, -3, 65};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        errno = 0;
        ck_assert_int_eq(jg_wait_signal(refused[i]), -1);
        ck_assert_int_eq(errno, EINVAL);
    }
    errno = 0;
    ck_assert_ptr_null(jg_watch_signals(SIGUSR1, SIGKILL, SIGUSR2));
    ck_assert_int_eq(errno, EINVAL);
    ck_assert_ptr_eq(disposition(SIGUSR1), SIG_DFL);
    ck_assert_ptr_null(jg_watch_signals_in((const int[]){0}));
    ck_assert_int_eq(errno, EINVAL);
    ck_assert_ptr_null(jg_watch_signals(100));
    ck_assert_int_eq(errno, EINVAL);
    return 0;
}

TEST(signals_that_cannot_be_caught_are_refused)
{
    RUN(ask_for_impossible, NULL);
}

/* Blocks the loop, so that the signal and the deadline are both there when it goes on. */
static int wait_with_a_late_loop(void *arg)
{
    (void)arg;
    JG_TIMEOUT(soon, 0.02);
    kill(getpid(), SIGUSR1);
    usleep(40000);
    return 0;
}

static int signal_and_deadline(void *arg)
{
    (void)arg;
    jg_signals *keep = jg_watch_signals(SIGUSR1);
    ck_assert_ptr_nonnull(keep);
    jg_task *late = jg_create_task(wait_with_a_late_loop, NULL);
    int result;
    {
        JG_TIMEOUT(soon, 0.02);
        result = jg_wait_signal(SIGUSR1);
    }
    ck_assert_int_eq(result, SIGUSR1); /* it had come: completion wins */
    ck_assert_int_eq(jg_next_signal(keep), SIGUSR1);
    jg_signals_close(keep);
    return jg_await(late);
}

TEST(a_signal_that_came_before_the_deadline_was_seen_wins)
{
    RUN(signal_and_deadline, NULL);
}

/* ---- jg_signals ---- */

static int watch_two(void *arg)
{
    (void)arg;
    jg_autoptr(jg_signals) signals = jg_watch_signals(SIGUSR1, SIGUSR2);
    ck_assert_ptr_nonnull(signals);
    for (int i = 0; i < 10; i++)
        kill(getpid(), SIGUSR2);
    kill(getpid(), SIGUSR1);
    ck_assert_int_eq(jg_sleep(0.01), 0); /* nobody waits at the moment */
    ck_assert_int_eq(jg_next_signal(signals), SIGUSR1);
    ck_assert_int_eq(jg_next_signal(signals), SIGUSR2);
    JG_TIMEOUT(soon, 0.01);
    errno = 0;
    ck_assert_int_eq(jg_next_signal(signals), -1);
    ck_assert_int_eq(errno, ETIMEDOUT);
    return 0;
}

TEST(signals_are_kept_until_somebody_asks_and_count_once)
{
    RUN(watch_two, NULL);
    ck_assert_ptr_eq(disposition(SIGUSR1), SIG_DFL);
    ck_assert_ptr_eq(disposition(SIGUSR2), SIG_DFL);
}

static int arrivals[4], arrived;

static int take_one(void *arg)
{
    int signum = jg_next_signal(*(jg_signals **)arg);
    if (signum < 0)
        return -1;
    arrivals[arrived++] = signum;
    return 0;
}

static int share(void *arg)
{
    (void)arg;
    jg_autoptr(jg_signals) signals = jg_watch_signals(SIGUSR1, SIGUSR2);
    jg_task *impatient = jg_create_task(take_one, &signals);
    jg_task *first = jg_create_task(take_one, &signals), *second = jg_create_task(take_one, &signals);
    ck_assert_int_eq(jg_sleep(0.01), 0);
    jg_cancel_and_wait(impatient); /* swallows nothing */
    ck_assert_int_eq(send_signals((int[]){SIGUSR2, SIGUSR1, 0}), 0);
    ck_assert_int_eq(jg_gather(first, second), 0);
    ck_assert_int_eq(arrivals[0], SIGUSR2);
    ck_assert_int_eq(arrivals[1], SIGUSR1);
    return 0;
}

TEST(each_signal_goes_to_one_waiter_in_their_order)
{
    RUN(share, NULL);
}

static int cancelled_when_it_came(void *arg)
{
    (void)arg;
    jg_autoptr(jg_signals) signals = jg_watch_signals(SIGUSR1);
    jg_task *first = jg_create_task(take_one, &signals), *second = jg_create_task(take_one, &signals);
    ck_assert_int_eq(jg_sleep(0.01), 0);
    jg_cancel(first);
    kill(getpid(), SIGUSR1);
    ck_assert_int_eq(jg_await(first), -1);
    ck_assert_int_eq(errno, ECANCELED);
    ck_assert_int_eq(jg_await(second), 0);
    ck_assert_int_eq(arrived, 1);
    return 0;
}

TEST(a_cancelled_waiter_swallows_no_signal)
{
    RUN(cancelled_when_it_came, NULL);
}

static int close_under_waiters(void *arg)
{
    (void)arg;
    jg_signals *signals = jg_watch_signals(SIGUSR1);
    jg_task *first = jg_create_task(take_one, &signals), *second = jg_create_task(take_one, &signals);
    ck_assert_int_eq(jg_sleep(0.01), 0);
    jg_cancel(second);
    errno = 77;
    jg_signals_close(signals);
    jg_signals_close(NULL);
    ck_assert_int_eq(errno, 77);
    ck_assert_int_eq(jg_await(first), -1);
    ck_assert_int_eq(errno, EBADF);
    ck_assert_int_eq(jg_await(second), -1);
    ck_assert_int_eq(errno, ECANCELED);
    return 0;
}

TEST(closing_wakes_the_waiters)
{
    RUN(close_under_waiters, NULL);
}

static int leave_it_open(void *arg)
{
    (void)arg;
    return jg_watch_signals(SIGUSR1) ? 0 : -1;
}

TEST(the_end_of_the_run_frees_what_was_left_open)
{
    RUN(leave_it_open, NULL);
    ck_assert_ptr_eq(disposition(SIGUSR1), SIG_DFL);
}

static int told;

static void tell(int signum, void *arg)
{
    (void)arg;
    told = signum;
}

static int several_ways(void *arg)
{
    (void)arg;
    jg_autoptr(jg_signals) one = jg_watch_signals(SIGUSR1);
    jg_autoptr(jg_signals) other = jg_watch_signals(SIGUSR1);
    ck_assert_int_eq(jg_add_signal_handler(jg_task_loop(), SIGUSR1, tell, NULL), 0);
    kill(getpid(), SIGUSR1);
    ck_assert_int_eq(jg_next_signal(one), SIGUSR1);
    ck_assert_int_eq(jg_next_signal(other), SIGUSR1);
    ck_assert_int_eq(told, SIGUSR1);
    return 0;
}

TEST(everybody_who_listens_is_told)
{
    RUN(several_ways, NULL);
}

/* ---- Beside jg_run's own SIGINT ---- */

static int listen_for_ctrl_c(void *arg)
{
    (void)arg;
    jg_signals *signals = jg_watch_signals(SIGINT);
    kill(getpid(), SIGINT);
    ck_assert_int_eq(jg_next_signal(signals), SIGINT);
    kill(getpid(), SIGINT);
    ck_assert_int_eq(jg_next_signal(signals), SIGINT); /* nobody was cancelled, nothing killed */
    jg_signals_close(signals);
    kill(getpid(), SIGINT);
    return jg_sleep(15);
}

TEST(who_listens_for_ctrl_c_gets_it_and_later_it_cancels_main_again)
{
    ck_assert_int_eq(jg_run(listen_for_ctrl_c, NULL), -1);
    ck_assert_int_eq(errno, EINTR);
    ck_assert_ptr_eq(disposition(SIGINT), SIG_DFL);
}

static int listen_in_thread(void *arg)
{
    atomic_int *stage = arg;
    jg_autoptr(jg_signals) signals = jg_watch_signals(SIGINT);
    *stage = 1;
    while (*stage != 2)
        if (jg_sleep(0.001) < 0)
            return -1;
    kill(getpid(), SIGINT);
    return jg_next_signal(signals) == SIGINT ? 0 : -1;
}

static void *run_in_thread(void *arg)
{
    RUN(listen_in_thread, arg);
    return NULL;
}

static int wait_for_stage(void *arg)
{
    atomic_int *stage = arg;
    while (*stage != 1)
        if (jg_sleep(0.001) < 0)
            return -1;
    return 0;
}

static void ignore(int signum, void *arg)
{
    (void)signum;
    (void)arg;
}

static int outlast_a_listener(void *loop)
{
    ck_assert(jg_remove_signal_handler(loop, SIGINT));
    kill(getpid(), SIGINT);
    return jg_sleep(15);
}

TEST(who_listened_for_ctrl_c_before_the_run_stands_before_it_too)
{
    jg_loop *loop = jg_loop_new();
    ck_assert_int_eq(jg_add_signal_handler(loop, SIGINT, ignore, NULL), 0);
    ck_assert_int_eq(jg_run(outlast_a_listener, loop), -1);
    ck_assert_int_eq(errno, EINTR);
    jg_loop_close(loop);
    ck_assert_ptr_eq(disposition(SIGINT), SIG_DFL);
}

TEST(a_run_that_ends_takes_ctrl_c_from_no_other_loop)
{
    static atomic_int stage;
    pthread_t thread;
    pthread_create(&thread, NULL, run_in_thread, &stage);
    RUN(wait_for_stage, &stage);
    stage = 2;
    pthread_join(thread, NULL);
    ck_assert_ptr_eq(disposition(SIGINT), SIG_DFL);
}

TEST_ABORTS(next_signal_outside_of_a_run, "jg_watch_signals: called outside jg_run")
{
    (void)!jg_watch_signals(SIGUSR1);
}
