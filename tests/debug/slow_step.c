/* Steps that take too long, in debug mode. */
#include "support.h"

#include "task/slow_step.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char SLOW[] = "without a wait";

/* ThreadSanitizer keeps signals until the next system call, which is where it shows their handlers. */
#if defined(__SANITIZE_THREAD__)
static const bool under_thread_sanitizer = true;
#else
static const bool under_thread_sanitizer = false;
#endif

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Keeps the thread busy until so many reports have come. */
static int __attribute__((noinline)) compute(int reports)
{
    double end = seconds_now() + 20 * harness_slowness();
    while (reports_heard() < reports && seconds_now() < end)
        ;
    return 0;
}

static void __attribute__((noinline)) keep_busy(double seconds)
{
    for (double end = seconds_now() + seconds; seconds_now() < end;)
        ;
}

static int worker(void *arg)
{
    int result = compute(*(int *)arg);
    __asm__ volatile("" : "+r"(result));
    return result;
}

static int run_worker(void *arg)
{
    return jg_await(jg_create_task(worker, arg, .name = "busy bee"));
}

static void debug_with_limit(double seconds)
{
    listen_to_reports(SLOW);
    ck_assert_int_eq(jg_set_slow_step(seconds), 0);
    ck_assert_int_eq(jg_set_debug(true), 0);
}

TEST(a_slow_step_is_reported_with_task_place_and_functions)
{
    int one = 1;
    debug_with_limit(0.05);
    RUN(run_worker, &one);
    ck_assert_int_eq(reports_heard(), 1);
    ck_assert(in_order(last_report(), "busy bee: has run for more than 50 ms", ", in ", "slow_step.c:"));
    if (!under_thread_sanitizer)
        ck_assert(in_order(last_report(), ", in ", "compute", "called by worker (created at "));
    ck_assert_ptr_null(strstr(last_report(), "jg__"));
}

static int two_steps(void *arg)
{
    (void)arg;
    compute(1);
    keep_busy(0.2); /* the same step: it is reported once */
    ck_assert_int_eq(reports_heard(), 1);
    jg_yield();
    compute(2);
    return 0;
}

TEST(each_slow_step_is_reported_once)
{
    debug_with_limit(0.04);
    RUN(two_steps, NULL);
    ck_assert_int_eq(reports_heard(), 2);
}

static int slow_then_quick(void *arg)
{
    keep_busy(0.3);
    double end = seconds_now() + 20 * harness_slowness();
    while (reports_heard() < 1 && seconds_now() < end)
        jg_sleep(0.01);
    return arg == NULL ? 0 : -1;
}

TEST(the_end_of_a_slow_step_is_reported)
{
    listen_to_reports("the slow step is over, after about ");
    jg_set_slow_step(0.05);
    ck_assert_int_eq(jg_set_debug(true), 0);
    RUN(slow_then_quick, NULL);
    ck_assert_int_eq(reports_heard(), 1);
    int took = 0;
    const char *about = strstr(last_report(), "about ");
    ck_assert_int_eq(sscanf(about, "about %d ms", &took), 1);
    ck_assert_int_gt(took, 50);
    ck_assert(in_order(last_report(), "main: ", "the slow step is over"));
}

static void __attribute__((noinline)) slow_callback(void *arg)
{
    compute(*(int *)arg);
    __asm__ volatile("");
}

static int wait_for_callback(void *arg)
{
    jg_handle handle = {.fn = slow_callback, .arg = arg};
    jg_call_soon(jg_task_loop(), &handle);
    return jg_sleep(0.001);
}

TEST(a_slow_callback_of_the_loop_is_reported)
{
    int one = 1;
    debug_with_limit(0.05);
    RUN(wait_for_callback, &one);
    ck_assert_int_eq(reports_heard(), 1);
    ck_assert(in_order(last_report(), "a callback of the loop has run", ", in "));
    if (!under_thread_sanitizer)
        ck_assert(in_order(last_report(), ", in ", "slow_callback"));
}

static int short_steps(void *arg)
{
    (void)arg;
    for (int i = 0; i < 40; i++) {
        keep_busy(0.005);
        jg_yield();
    }
    return 0;
}

static int many_short_steps(void *arg)
{
    for (int i = 0; i < 3; i++) {
        keep_busy(0.02);
        if (jg_sleep(0.06) < 0)
            return -1;
    }
    return jg_gather(jg_create_task(short_steps, arg), jg_create_task(short_steps, arg),
                     jg_create_task(short_steps, arg));
}

/* Together they are slow, none of them alone; nor does it count when the loop sleeps. Only a machine that stops for so
 * long can make a step of them a slow one. */
TEST(steps_that_take_turns_are_not_slow)
{
    debug_with_limit(2);
    jg_set_slow_step(0.3);
    RUN(many_short_steps, NULL);
    ck_assert_int_eq(reports_heard(), 0);
}

static int slow_without_debug(void *arg)
{
    (void)arg;
    keep_busy(0.15);
    return 0;
}

TEST(without_debug_mode_nothing_is_reported)
{
    listen_to_reports(SLOW);
    jg_set_slow_step(0.01);
    ck_assert(!jg_get_debug());
    RUN(slow_without_debug, NULL);
    ck_assert_int_eq(jg_set_debug(true), 0);
    ck_assert(jg_get_debug());
    ck_assert_int_eq(jg_set_debug(false), 0);
    ck_assert(!jg_get_debug());
    RUN(slow_without_debug, NULL);
    ck_assert_int_eq(reports_heard(), 0);
}

static int turn_on_and_be_slow(void *arg)
{
    ck_assert_int_eq(jg_set_debug(true), 0);
    worker(arg);
    ck_assert_int_eq(jg_set_debug(false), 0);
    jg_yield();
    keep_busy(0.1);
    return 0;
}

TEST(debug_mode_may_be_turned_on_and_off_in_a_run)
{
    int one = 1;
    listen_to_reports(SLOW);
    jg_set_slow_step(0.03);
    RUN(turn_on_and_be_slow, &one);
    ck_assert_int_eq(reports_heard(), 1);
}

TEST(the_environment_turns_debug_mode_on)
{
    setenv("JUGGLE_DEBUG", "1", 1);
    ck_assert(jg_get_debug());
}

TEST(the_environment_may_say_no)
{
    setenv("JUGGLE_DEBUG", "0", 1);
    ck_assert(!jg_get_debug());
}

TEST(jg_set_debug_is_stronger_than_the_environment)
{
    setenv("JUGGLE_DEBUG", "1", 1);
    jg_set_debug(false);
    RUN(slow_without_debug, NULL);
    ck_assert(!jg_get_debug());
}

static int do_nothing(void *arg)
{
    (void)arg;
    return 0;
}

TEST(a_run_looks_at_the_environment)
{
    int one = 1;
    setenv("JUGGLE_DEBUG", "yes", 1);
    listen_to_reports(SLOW);
    jg_set_slow_step(0.03);
    RUN(run_worker, &one);
    ck_assert_int_eq(reports_heard(), 1);
    RUN(do_nothing, NULL);
}

TEST(a_limit_of_nothing_is_refused)
{
    ck_assert_int_eq(jg_set_slow_step(0), -1);
    ck_assert_int_eq(errno, EINVAL);
    ck_assert_int_eq(jg_set_slow_step(-1), -1);
    ck_assert_int_eq(errno, EINVAL);
}

TEST(five_reports_a_minute_and_then_how_many_were_left_out)
{
    struct jg__rate rate = {0};
    int64_t second = 1000000000;
    unsigned left_out = 77;
    for (int i = 0; i < 5; i++)
        ck_assert(jg__rate_allows(&rate, 100 * second + i));
    ck_assert(!jg__rate_allows(&rate, 110 * second));
    ck_assert(!jg__rate_allows(&rate, 159 * second));
    ck_assert(!jg__rate_over(&rate, 159 * second, &left_out));
    ck_assert(jg__rate_over(&rate, 160 * second, &left_out));
    ck_assert_uint_eq(left_out, 2);
    ck_assert(!jg__rate_over(&rate, 300 * second, &left_out));
    ck_assert(jg__rate_allows(&rate, 300 * second));
    ck_assert(jg__rate_over(&rate, 360 * second, &left_out));
    ck_assert_uint_eq(left_out, 0);
}

static int many_slow_steps(void *arg)
{
    (void)arg;
    for (int i = 0; i < 16; i++) {
        keep_busy(0.1 * harness_slowness());
        jg_yield();
    }
    return 0;
}

TEST(what_was_left_out_is_told_at_the_end)
{
    listen_to_reports("were not reported");
    jg_set_slow_step(0.03 * harness_slowness());
    jg_set_debug(true);
    RUN(many_slow_steps, NULL);
    ck_assert_int_eq(reports_heard(), 1);
    ck_assert(in_order(last_report(), " more slow steps within a minute were not reported"));
}

static int waiting_thread(void *arg)
{
    int result = worker(arg);
    jg_sleep(0.01);
    return result;
}

static void *other_thread(void *arg)
{
    RUN(waiting_thread, arg);
    return NULL;
}

TEST(the_steps_of_all_threads_are_watched)
{
    pthread_t threads[2];
    int two = 2;
    debug_with_limit(0.05);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, other_thread, &two), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(reports_heard(), 2);
}

static double silence; /* a step of a thread that does not answer ends then */

static int be_silent(void *arg)
{
    (void)arg;
    while (seconds_now() < silence)
        ;
    return 0;
}

static void *silent_thread(void *arg)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    RUN(be_silent, NULL);
    return arg;
}

/* The one that looks waits a second for an answer; other runs begin and end meanwhile. */
TEST(a_thread_that_does_not_answer_holds_up_no_other_run)
{
    pthread_t thread;
    int runs = 0;
    debug_with_limit(0.01);
    silence = seconds_now() + 0.8;
    double asked = seconds_now() + 0.3;
    ck_assert_int_eq(pthread_create(&thread, NULL, silent_thread, NULL), 0);
    while (seconds_now() < silence) {
        RUN(do_nothing, NULL);
        runs += seconds_now() > asked && seconds_now() < silence;
    }
    pthread_join(thread, NULL);
    ck_assert_int_gt(runs, 0);
    ck_assert_int_eq(reports_heard(), 0);
}

static atomic_bool child_is_over;

static int run_till_the_child_is_over(void *arg)
{
    (void)arg;
    while (!atomic_load(&child_is_over))
        if (jg_sleep(0.005) < 0)
            return -1;
    return 0;
}

static void *running_thread(void *arg)
{
    RUN(run_till_the_child_is_over, arg);
    return NULL;
}

/* Neither the thread that looks nor the locks of others come along. */
TEST(a_child_of_a_program_in_debug_mode_has_its_own)
{
    if (under_thread_sanitizer)
        SKIP("ThreadSanitizer starts no threads in the child of a fork");
    pthread_t thread;
    int one = 1, status;
    debug_with_limit(0.05);
    ck_assert_int_eq(pthread_create(&thread, NULL, running_thread, NULL), 0);
    nanosleep(&(struct timespec){.tv_nsec = 50 * 1000 * 1000}, NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(jg_run(run_worker, &one) == 0 && reports_heard() == 1 ? 0 : 1);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    atomic_store(&child_is_over, true);
    pthread_join(thread, NULL);
    ck_assert_int_eq(status, 0);
}

static void turn_off(const jg_report *report, void *arg)
{
    (void)report;
    ck_assert_int_eq(jg_set_debug(false), 0);
    __atomic_store_n((bool *)arg, true, __ATOMIC_SEQ_CST);
}

static int slow_until_told(void *arg)
{
    while (!__atomic_load_n((bool *)arg, __ATOMIC_SEQ_CST))
        ;
    return 0;
}

TEST(the_error_handler_may_turn_debug_mode_off)
{
    bool told = false;
    jg_set_error_handler(turn_off, &told);
    jg_set_slow_step(0.02);
    jg_set_debug(true);
    RUN(slow_until_told, &told);
    ck_assert(!jg_get_debug());
    RUN(do_nothing, NULL);
}

static int forget_child(void *arg)
{
    jg_task *task = jg_create_task(do_nothing, arg, .name = "forgotten");
    (void)task;
    return 0;
}

TEST(a_task_that_was_never_awaited_is_told_with_its_place)
{
    listen_to_reports("never awaited");
    RUN(forget_child, NULL);
    ck_assert_int_eq(reports_heard(), 1);
    ck_assert(
        in_order(last_report(), "forgotten: never awaited by its creator", "main", ", created at ", "slow_step.c:"));
}

static int turn_on_in_vain(void *arg)
{
    (void)arg;
    errno = 0;
    ck_assert_int_eq(jg_set_debug(true), -1);
    ck_assert_int_eq(errno, EBUSY);
    ck_assert(jg_get_debug()); /* but for the slow steps */
    return 0;
}

TEST(debug_mode_without_a_free_signal_says_so)
{
    for (int signum = SIGRTMIN; signum <= SIGRTMAX; signum++)
        signal(signum, SIG_IGN);
    RUN(turn_on_in_vain, NULL);
}
