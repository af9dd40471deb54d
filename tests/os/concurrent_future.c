/* jg_run_coroutine_threadsafe: into loops that sleep, are busy, end, and have ended; cancelling, giving up. What runs
 * on threads checks by abort, since Check counts its assertions without a lock. */
#include "os_support.h"

#include <juggle/runner.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static atomic_int ran, ended;

/* ---- A thread beside the run ---- */

struct visit {
    jg_loop *loop;
    void (*body)(jg_loop *loop);
    jg_future done; /* when the body has returned */
};

static void *visit(void *arg)
{
    struct visit *visit = arg;
    visit->body(visit->loop);
    CHECK(jg_future_set_result_threadsafe(&visit->done, NULL) == 0);
    return NULL;
}

static int wait_for_visit(void *arg)
{
    pthread_t thread;
    struct visit record = {.loop = jg_task_loop(), .body = *(void (**)(jg_loop *))arg};
    jg_future_bind(&record.done);
    ck_assert_int_eq(pthread_create(&thread, NULL, visit, &record), 0);
    int result = jg_future_wait(&record.done, NULL);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    return result;
}

/* Runs body(loop) on a thread, beside a loop that sleeps. */
static void beside_a_loop(void (*body)(jg_loop *loop))
{
    RUN(wait_for_visit, &body);
}

/* ---- Coroutines ---- */

static int add(void *arg)
{
    int *numbers = arg;
    CHECK(jg_sleep(0.001) == 0);
    atomic_fetch_add(&ran, 1);
    return numbers[0] + numbers[1];
}

static int fail_in_words(void *arg)
{
    return jg_fail(EXDEV, "no way to %s", (char *)arg);
}

static int sleep_for_ever(void *arg)
{
    atomic_fetch_add(&ran, 1);
    int result = jg_sleep(INFINITY);
    int error = errno;
    atomic_fetch_add(&ended, 1);
    errno = error;
    return arg ? 3 : result;
}

static int fail_late(void *arg)
{
    CHECK(jg_sleep(0.002) == 0);
    atomic_fetch_add(&ended, 1);
    return jg_fail(EXDEV, "%s", (char *)arg);
}

/* ---- Results ---- */

static void get_results(jg_loop *loop)
{
    int numbers[] = {4, 5}, result = 0;
    char there[] = "there";
    errno = EDOM;
    jg_concurrent_future *sum = jg_run_coroutine_threadsafe(loop, add, numbers);
    CHECK(sum && errno == EDOM);
    CHECK(jg_concurrent_future_wait(sum, 60, &result) == 0 && result == 9 && errno == EDOM);
    CHECK(jg_concurrent_future_done(sum));
    CHECK(jg_concurrent_future_wait(sum, 0, NULL) == 0);
    CHECK(!jg_concurrent_future_cancel(sum));
    jg_concurrent_future_free(sum);
    jg_autoptr(jg_concurrent_future) failure = jg_run_coroutine_threadsafe(loop, fail_in_words, there);
    CHECK(jg_concurrent_future_wait(failure, INFINITY, &result) == -1 && errno == EXDEV && result == 9);
    CHECK(!strcmp(jg_error_text(), "no way to there"));
    jg_concurrent_future_free(NULL);
}

TEST(a_thread_gets_the_result_of_a_coroutine)
{
    beside_a_loop(get_results);
    ck_assert_int_eq(ran, 1);
}

static int look_at_name(void *arg)
{
    CHECK(!strcmp(jg_task_name(jg_current_task()), arg));
    return 0;
}

static void give_names(jg_loop *loop)
{
    char own[] = "look_at_name", given[] = "given";
    jg_autoptr(jg_concurrent_future) one = jg_run_coroutine_threadsafe(loop, look_at_name, own);
    jg_autoptr(jg_concurrent_future) other =
        jg_run_coroutine_threadsafe(loop, look_at_name, given, .name = "given", .stack_size = 1 << 20);
    jg_autoptr(jg_concurrent_future) plain = jg_run_coroutine_threadsafe_with(loop, add, (int[]){1, 2}, NULL);
    CHECK(jg_concurrent_future_wait(one, 60, NULL) == 0);
    CHECK(jg_concurrent_future_wait(other, 60, NULL) == 0);
    CHECK(jg_concurrent_future_wait(plain, 60, NULL) == 0);
}

TEST(the_task_has_the_name_of_its_function_or_a_given_one)
{
    beside_a_loop(give_names);
}

static void wait_too_short(jg_loop *loop)
{
    jg_concurrent_future *future = jg_run_coroutine_threadsafe(loop, sleep_for_ever, NULL);
    CHECK(jg_concurrent_future_wait(future, 0.005, NULL) == -1 && errno == ETIMEDOUT);
    CHECK(jg_concurrent_future_wait(future, -1, NULL) == -1 && errno == ETIMEDOUT);
    CHECK(!jg_concurrent_future_done(future));
    CHECK(jg_concurrent_future_cancel(future));
    CHECK(jg_concurrent_future_wait(future, 60, NULL) == -1 && errno == ECANCELED);
    CHECK(strstr(jg_error_text(), "jg_sleep"));
    CHECK(!jg_concurrent_future_cancel(future));
    jg_concurrent_future_free(future);
}

TEST(a_thread_stops_waiting_or_cancels)
{
    beside_a_loop(wait_too_short);
    ck_assert_int_eq(ended, 1);
}

static void cancel_at_once(jg_loop *loop)
{
    int rounds = 300 / harness_slowness();
    for (int i = 0; i < rounds; i++) {
        jg_concurrent_future *future = jg_run_coroutine_threadsafe(loop, sleep_for_ever, i % 2 ? loop : NULL);
        if (i % 3 == 0)
            sched_yield();
        CHECK(jg_concurrent_future_cancel(future));
        jg_concurrent_future_cancel(future);
        int result = jg_concurrent_future_wait(future, 60, NULL);
        CHECK(i % 2 ? result == 0 : result == -1 && errno == ECANCELED);
        jg_concurrent_future_free(future);
    }
    CHECK(atomic_load(&ran) == rounds); /* a function runs, even if it is cancelled before it starts */
}

TEST(a_coroutine_cancelled_before_it_starts_runs_all_the_same)
{
    beside_a_loop(cancel_at_once);
}

/* ---- Many threads, a busy loop ---- */

static jg_loop *busy_loop;

static void *ask_often(void *arg)
{
    for (int i = 0; i < 100; i++) {
        int numbers[] = {i, 1}, result;
        jg_concurrent_future *future = jg_run_coroutine_threadsafe(busy_loop, add, numbers);
        CHECK(future && jg_concurrent_future_wait(future, 60, &result) == 0 && result == i + 1);
        jg_concurrent_future_free(future);
    }
    return arg;
}

static int be_busy(void *arg)
{
    pthread_t threads[4];
    (void)arg;
    busy_loop = jg_task_loop();
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_often, NULL), 0);
    while (atomic_load(&ran) < 400)
        ck_assert_int_eq(jg_yield(), 0);
    jg_sleep(0.005);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    return 0;
}

TEST(several_threads_ask_a_busy_loop)
{
    RUN(be_busy, NULL);
}

/* ---- Given up ---- */

static char reported[200];

static void keep_report(const jg_report *report, void *arg)
{
    (void)arg;
    snprintf(reported, sizeof reported, "%s: %s", report->task_name, report->message);
}

static void give_up(jg_loop *loop)
{
    static char words[] = "nobody hears this";
    static int numbers[] = {1, 2};
    jg_concurrent_future_free(jg_run_coroutine_threadsafe(loop, fail_late, words));
    errno = EDOM;
    jg_concurrent_future_free(jg_run_coroutine_threadsafe(loop, add, numbers));
    CHECK(errno == EDOM);
    while (atomic_load(&ended) < 1)
        usleep(500);
}

TEST(a_future_that_was_given_up_leaves_its_failure_to_the_error_handler)
{
    jg_set_error_handler(keep_report, NULL);
    beside_a_loop(give_up);
    ck_assert_str_eq(reported, "fail_late: failed: Invalid cross-device link (nobody hears this)");
}

/* ---- The end of the loop ---- */

static void *ask_until_the_end(void *arg)
{
    jg_loop *loop = arg;
    for (;;) {
        jg_concurrent_future *future = jg_run_coroutine_threadsafe(loop, sleep_for_ever, NULL);
        if (!future) {
            CHECK(errno == ESRCH);
            return NULL;
        }
        CHECK(jg_concurrent_future_wait(future, 0.001, NULL) == -1);
        CHECK(errno == ETIMEDOUT || errno == ECANCELED);
        CHECK(jg_concurrent_future_wait(future, 60, NULL) == -1 && errno == ECANCELED);
        jg_concurrent_future_free(future);
    }
}

static pthread_t visitors[3];

static int end_under_visitors(void *arg)
{
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(pthread_create(&visitors[i], NULL, ask_until_the_end, jg_task_loop()), 0);
    while (atomic_load(&ran) < 3)
        ck_assert_int_eq(jg_sleep(0.001), 0);
    return arg != NULL;
}

TEST(a_loop_that_ends_cancels_what_threads_have_started)
{
    RUN(end_under_visitors, NULL);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(pthread_join(visitors[i], NULL), 0);
    ck_assert_int_eq(ended, ran);
}

static atomic_bool loop_is_there;
static _Atomic(jg_loop *) short_lived;

static int live_shortly(void *arg)
{
    atomic_store(&short_lived, jg_task_loop());
    return jg_sleep(*(double *)arg);
}

static int add_softly(void *arg)
{
    int *numbers = arg;
    return jg_sleep(0.0002) < 0 ? -1 : numbers[0] + numbers[1];
}

static void *ask_softly(void *arg)
{
    int answered = 0;
    while (atomic_load(&loop_is_there)) {
        int numbers[] = {1, 1}, result = 0;
        jg_concurrent_future *future = jg_run_coroutine_threadsafe(atomic_load(&short_lived), add_softly, numbers);
        if (!future) {
            CHECK(errno == ESRCH);
            sched_yield();
            continue;
        }
        CHECK(jg_concurrent_future_wait(future, 60, &result) == 0 ? result == 2 : errno == ECANCELED);
        jg_concurrent_future_free(future);
        answered++;
    }
    *(int *)arg = answered;
    return NULL;
}

TEST(loops_come_and_go_under_a_thread_that_asks)
{
    int answered = 0, rounds = 200 / harness_slowness();
    double seconds = 0.0005;
    pthread_t thread;
    atomic_store(&loop_is_there, true);
    ck_assert_int_eq(pthread_create(&thread, NULL, ask_softly, &answered), 0);
    for (int i = 0; i < rounds; i++)
        RUN(live_shortly, &seconds);
    atomic_store(&loop_is_there, false);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_gt(answered, 0);
}

TEST(a_loop_that_is_gone_or_has_no_tasks_is_told)
{
    jg_loop *loop = jg_loop_new();
    ck_assert_ptr_null(jg_run_coroutine_threadsafe(loop, add, NULL));
    ck_assert_int_eq(errno, ESRCH);
    jg_loop_close(loop);
    ck_assert_ptr_null(jg_run_coroutine_threadsafe(loop, add, NULL));
    ck_assert_int_eq(errno, ESRCH);
    ck_assert_ptr_nonnull(strstr(jg_error_text(), "the loop has ended"));
    ck_assert_ptr_null(jg_run_coroutine_threadsafe(NULL, add, NULL));
}

/* ---- Between the runs of a runner ---- */

static int succeed(void *arg)
{
    return arg != NULL;
}

static int sleep_a_little(void *arg)
{
    return jg_sleep(arg ? 1 : 0.01);
}

TEST(a_runner_takes_coroutines_between_its_runs)
{
    jg_runner *runner = jg_runner_new();
    int numbers[] = {2, 3}, result = 0;
    ck_assert_int_eq(jg_runner_run(runner, succeed, NULL), 0);
    jg_concurrent_future *future = jg_run_coroutine_threadsafe(jg_runner_get_loop(runner), add, numbers);
    FAILS(jg_concurrent_future_wait(future, 0, NULL), ETIMEDOUT);
    ck_assert_int_eq(jg_runner_run(runner, sleep_a_little, NULL), 0);
    ck_assert_int_eq(jg_concurrent_future_wait(future, 0, &result), 0);
    ck_assert_int_eq(result, 5);
    jg_concurrent_future_free(future);
    future = jg_run_coroutine_threadsafe(jg_runner_get_loop(runner), sleep_for_ever, NULL);
    jg_runner_close(runner);
    FAILS(jg_concurrent_future_wait(future, 0, NULL), ECANCELED);
    ck_assert_int_eq(ran, 2); /* it ran, cancelled */
    jg_concurrent_future_free(future);
}

static int wait_for_oneself(void *arg)
{
    jg_concurrent_future *future = jg_run_coroutine_threadsafe(jg_task_loop(), succeed, arg);
    return jg_concurrent_future_wait(future, 1, NULL);
}

TEST_ABORTS(waiting_in_the_loops_own_thread_aborts, "jg_concurrent_future_wait: called in the thread of the very loop")
{
    jg_run(wait_for_oneself, NULL);
}

static int poll_from_the_loop(void *arg)
{
    jg_autoptr(jg_concurrent_future) future = jg_run_coroutine_threadsafe(jg_task_loop(), succeed, arg);
    while (!jg_concurrent_future_done(future))
        ck_assert_int_eq(jg_yield(), 0);
    return jg_concurrent_future_wait(future, 1, NULL);
}

TEST(a_task_may_ask_its_own_loop)
{
    RUN(poll_from_the_loop, NULL);
}

/* ---- Out of memory ---- */

static void starve(jg_loop *loop)
{
    atomic_store(&refuse_memory, true);
    CHECK(!jg_run_coroutine_threadsafe(loop, succeed, NULL) && errno == ENOMEM);
    atomic_store(&refuse_memory, false);
    jg_autoptr(jg_concurrent_future) future =
        jg_run_coroutine_threadsafe(loop, succeed, NULL, .stack_size = SIZE_MAX / 4);
    CHECK(jg_concurrent_future_wait(future, 60, NULL) == -1 && errno == ENOMEM);
}

TEST(without_memory_a_coroutine_fails_with_enomem)
{
    use_refusing_allocator();
    beside_a_loop(starve);
}
