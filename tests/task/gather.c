/* jg_gather and jg_wait. */
#include "support.h"

static int gather_successes(void *arg)
{
    int one = 1, two = 2, results[2];
    ck_assert_int_eq(jg_gather(jg_create_task(return_number, &one), jg_create_task(return_number, &two)), 0);
    jg_task *tasks[] = {jg_create_task(return_number, &one), jg_create_task(return_number, &two)};
    ck_assert_int_eq(jg_gatherv(tasks, 2, .results = results), 0);
    ck_assert_int_eq(results[0], 1);
    ck_assert_int_eq(results[1], 2);
    ck_assert_int_eq(jg_gatherv(NULL, 0), 0);
    return arg != NULL;
}

TEST(gather_waits_for_all_and_hands_out_results)
{
    RUN(gather_successes, NULL);
}

static int note_it(void *arg)
{
    note(arg);
    return 0;
}

static int gather_in_order(void *arg)
{
    char a[] = "a", b[] = "b", c[] = "c";
    (void)arg;
    return jg_gather(jg_create_task(note_it, a), jg_create_task(note_it, b), jg_create_task(note_it, c));
}

TEST(tasks_created_among_the_arguments_start_in_their_order)
{
    RUN(gather_in_order, NULL);
    TRACED("abc");
}

struct failure {
    double after;
    int error;
};

static int fail_later(void *arg)
{
    struct failure *failure = arg;
    if (jg_sleep(failure->after) < 0)
        return -1;
    errno = failure->error;
    return -1;
}

static int note_cancelled(void *arg)
{
    FAILS(jg_sleep(60), ECANCELED);
    note(arg);
    errno = ECANCELED;
    return -1;
}

static int gather_failures(void *arg)
{
    struct failure late = {0.02, EDOM}, early = {0.005, EXDEV};
    char x[] = "x";
    int results[3];
    (void)arg;
    jg_task *tasks[] = {jg_create_task(fail_later, &late), jg_create_task(fail_later, &early),
                        jg_create_task(note_cancelled, x)};
    FAILS(jg_gatherv(tasks, 3, .results = results), EXDEV);
    ck_assert_int_eq(results[0], -ECANCELED);
    ck_assert_int_eq(results[1], -EXDEV);
    TRACED("x");
    return 0;
}

TEST(the_first_failure_in_time_cancels_the_rest_and_is_returned)
{
    RUN(gather_failures, NULL);
}

static int gather_ended_failures(void *arg)
{
    struct failure late = {0.01, EDOM};
    int early = EXDEV;
    (void)arg;
    jg_task *first = jg_create_task(fail_later, &late), *second = jg_create_task(fail_with, &early);
    ck_assert_int_eq(jg_sleep(0.03), 0);
    while (!jg_task_done(first))
        ck_assert_int_eq(jg_sleep(0.01), 0);
    jg_task *third = jg_create_task(sleep_long, NULL);
    FAILS(jg_gather(first, second, third), EXDEV);
    return 0;
}

TEST(failures_before_the_gather_count_in_the_order_of_time)
{
    RUN(gather_ended_failures, NULL);
}

static int gather_all(void *arg)
{
    int error = EXDEV, number = 3, results[4];
    (void)arg;
    jg_task *tasks[] = {jg_create_task(fail_with, &error), jg_create_task(sleep_a_little, NULL),
                        jg_create_task(return_number, &number), NULL};
    errno = ENOMEM;
    ck_assert_int_eq(jg_gatherv(tasks, 4, .results = results, .all = true), 0);
    ck_assert_int_eq(results[0], -EXDEV);
    ck_assert_int_eq(results[1], 0);
    ck_assert_int_eq(results[2], 3);
    ck_assert_int_eq(results[3], -ENOMEM);
    return 0;
}

TEST(with_all_nothing_is_cancelled_and_each_outcome_is_handed_back)
{
    RUN(gather_all, NULL);
}

static int gather_a_null(void *arg)
{
    static char bytes[1 << 20];
    char x[] = "x";
    int results[2];
    (void)arg;
    jg_task *tasks[] = {jg_create_task(note_cancelled, x), jg_create_task(succeed, bytes, .copy = sizeof bytes)};
    ck_assert_int_eq(jg_gatherv(tasks, 2, .results = results), -1);
    ck_assert_int_eq(errno, EINVAL);
    ck_assert_int_eq(results[0], -ECANCELED);
    ck_assert_int_eq(results[1], -EINVAL);
    ck_assert_ptr_nonnull(strstr(jg_error_text(), "jg_create_task"));
    TRACED("x");
    return 0;
}

TEST(a_null_is_a_child_that_failed_with_the_errno_of_its_creation)
{
    RUN(gather_a_null, NULL);
}

static int gather_a_null_and_a_failure(void *arg)
{
    static char bytes[1 << 20];
    int error = EXDEV;
    jg_task *tasks[] = {jg_create_task(fail_with, &error), NULL};
    let_others_run(2);
    ck_assert(jg_task_done(tasks[0]));
    tasks[1] = jg_create_task(succeed, bytes, .copy = sizeof bytes);
    ck_assert_int_eq(jg_gatherv(tasks, 2), -1);
    ck_assert_int_eq(errno, EINVAL);
    return arg != NULL;
}

TEST(a_failed_creation_comes_before_all_other_failures)
{
    RUN(gather_a_null_and_a_failure, NULL);
}

static int gather_two_sleepers(void *arg)
{
    return jg_gather(jg_create_task(sleep_long, arg), jg_create_task(sleep_long, arg));
}

static int interrupt_gather(void *arg)
{
    jg_task *task = jg_create_task(gather_two_sleepers, arg);
    let_others_run(2);
    jg_cancel(task);
    FAILS(jg_await(task), ECANCELED);
    JG_TIMEOUT(deadline, 0.005);
    FAILS(gather_two_sleepers(arg), ETIMEDOUT);
    ck_assert(jg_timeout_expired(&deadline));
    return 0;
}

TEST(an_interrupted_gather_cancels_all_and_returns_the_waiters_reason)
{
    RUN(interrupt_gather, NULL);
}

static int gather_one_that_ignores(void *arg)
{
    JG_TIMEOUT(deadline, 0.005);
    ck_assert_int_eq(jg_gather(jg_create_task(ignore_cancellation, arg), jg_create_task(ignore_cancellation, arg)), 0);
    FAILS(jg_check(), ETIMEDOUT);
    return 0;
}

TEST(an_interrupted_gather_whose_children_succeed_succeeds)
{
    RUN(gather_one_that_ignores, NULL);
}

static int interrupt_gather_of_all(void *arg)
{
    int number = 5, results[2];
    jg_task *tasks[] = {jg_create_task(return_number, &number), jg_create_task(sleep_long, arg)};
    JG_TIMEOUT(deadline, 0.005);
    FAILS(jg_gatherv(tasks, 2, .results = results, .all = true), ETIMEDOUT);
    ck_assert_int_eq(results[0], 5);
    ck_assert_int_eq(results[1], -ECANCELED);
    return 0;
}

TEST(an_interrupted_gather_of_all_hands_out_what_there_is)
{
    RUN(interrupt_gather_of_all, NULL);
}

static int gather_many(void *arg)
{
    enum { MANY = 3000 };
    static jg_task *tasks[MANY];
    static int results[MANY], numbers[MANY];
    (void)arg;
    for (int i = 0; i < MANY; i++) {
        numbers[i] = i;
        tasks[i] = jg_create_task(return_number, &numbers[i]);
    }
    ck_assert_int_eq(jg_gatherv(tasks, MANY, .results = results), 0);
    ck_assert_mem_eq(results, numbers, sizeof results);
    return 0;
}

TEST(gather_takes_thousands)
{
    RUN(gather_many, NULL);
}

/* ---- jg_wait ---- */

static int wait_in_three_ways(void *arg)
{
    struct failure failure = {0.01, EXDEV};
    jg_task *tasks[] = {jg_create_task(sleep_long, arg), jg_create_task(succeed, arg),
                        jg_create_task(fail_later, &failure)};
    ck_assert_int_eq(jg_wait(tasks, 3, JG_FIRST_COMPLETED), 1);
    ck_assert(jg_task_done(tasks[1]));
    ck_assert_int_eq(jg_wait(tasks, 3, JG_FIRST_FAILURE), 2);
    ck_assert(jg_task_done(tasks[2]));
    ck_assert(!jg_task_done(tasks[0]));
    jg_cancel(tasks[0]);
    ck_assert_int_eq(jg_wait(tasks, 3, JG_ALL_COMPLETED), 3);
    FAILS(jg_gatherv(tasks, 3), EXDEV);
    return 0;
}

TEST(wait_returns_at_the_first_end_the_first_failure_or_the_last_end)
{
    RUN(wait_in_three_ways, NULL);
}

static int wait_without_failures(void *arg)
{
    jg_task *tasks[] = {jg_create_task(sleep_a_little, arg), jg_create_task(succeed, arg)};
    ck_assert_int_eq(jg_wait(tasks, 2, JG_FIRST_FAILURE), 2);
    return jg_gatherv(tasks, 2);
}

TEST(waiting_for_a_failure_ends_when_all_have_succeeded)
{
    RUN(wait_without_failures, NULL);
}

static int wait_with_deadline(void *arg)
{
    jg_task *tasks[] = {jg_create_task(sleep_long, arg)};
    {
        JG_TIMEOUT(deadline, 0.005);
        FAILS(jg_wait(tasks, 1, JG_ALL_COMPLETED), ETIMEDOUT);
    }
    ck_assert(!jg_task_done(tasks[0]));
    ck_assert(!jg_task_cancelled(tasks[0]));
    jg_cancel(tasks[0]);
    FAILS(jg_await(tasks[0]), ECANCELED);
    return 0;
}

TEST(an_interrupted_wait_cancels_and_consumes_nothing)
{
    RUN(wait_with_deadline, NULL);
}

static int wait_for_bad_arguments(void *arg)
{
    jg_task *tasks[] = {jg_current_task(), NULL};
    FAILS(jg_wait(tasks, 0, JG_ALL_COMPLETED), EINVAL);
    FAILS(jg_wait(tasks, 2, JG_ALL_COMPLETED), EINVAL);
    return arg != NULL;
}

TEST(waiting_for_nothing_is_refused)
{
    RUN(wait_for_bad_arguments, NULL);
}

static int wait_for_arg(void *arg)
{
    return jg_wait(arg, 1, JG_ALL_COMPLETED) - 1;
}

static int wait_by_several(void *arg)
{
    jg_task *sleeper = jg_create_task(sleep_a_little, arg);
    jg_task *first = jg_create_task(wait_for_arg, &sleeper), *second = jg_create_task(wait_for_arg, &sleeper);
    jg_task *impatient = jg_create_task(wait_for_arg, &sleeper);
    let_others_run(1);
    jg_cancel(impatient);
    FAILS(jg_await(impatient), ECANCELED);
    return jg_gather(sleeper, first, second);
}

TEST(several_tasks_may_wait_for_one)
{
    RUN(wait_by_several, NULL);
}

static int wait_for_many(void *arg)
{
    enum { MANY = 100 };
    jg_task *tasks[MANY];
    for (int i = 0; i < MANY; i++)
        tasks[i] = jg_create_task(sleep_a_little, arg);
    ck_assert_int_eq(jg_wait(tasks, MANY, JG_ALL_COMPLETED), MANY);
    return jg_gatherv(tasks, MANY);
}

TEST(wait_takes_more_than_fit_on_the_stack)
{
    RUN(wait_for_many, NULL);
}
