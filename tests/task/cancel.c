/* Cancellation: asynchronous, level-triggered, never lost. */
#include "support.h"

#include <math.h>

static int cancel_and_await(void *arg)
{
    jg_task *task = jg_create_task(sleep_long, arg);
    let_others_run(1);
    jg_cancel(task);
    jg_cancel(task);
    FAILS(jg_await(task), ECANCELED);
    return 0;
}

TEST(cancelling_interrupts_the_present_wait)
{
    RUN(cancel_and_await, NULL);
}

static int wait_again_and_again(void *arg)
{
    jg_future future = {0};
    FAILS(jg_sleep(60), ECANCELED);
    FAILS(jg_sleep(60), ECANCELED);
    FAILS(jg_yield(), ECANCELED);
    FAILS(jg_check(), ECANCELED);
    FAILS(jg_sleep_until(0), ECANCELED);
    FAILS(jg_future_wait(&future, NULL), ECANCELED);
    FAILS(jg_wait_fd(0, POLLIN), ECANCELED);
    FAILS(jg_wait((jg_task *[]){jg_current_task()}, 1, JG_ALL_COMPLETED), ECANCELED);
    *(int *)arg = 1;
    return 0;
}

static int cancel_one_that_goes_on(void *arg)
{
    jg_task *task = jg_create_task(wait_again_and_again, arg);
    let_others_run(1);
    jg_cancel(task);
    return jg_await(task);
}

TEST(every_later_wait_fails_too)
{
    int ended = 0;
    RUN(cancel_one_that_goes_on, &ended);
    ck_assert_int_eq(ended, 1);
}

static int cancel_oneself(void *arg)
{
    (void)arg;
    ck_assert_int_eq(jg_check(), 0);
    jg_cancel(jg_current_task());
    ck_assert(jg_task_cancelled(jg_current_task()));
    FAILS(jg_check(), ECANCELED);
    FAILS(jg_yield(), ECANCELED);
    return 5;
}

TEST(a_task_may_cancel_itself_and_succeed)
{
    ck_assert_int_eq(jg_run(cancel_oneself, NULL), 5);
}

static int cancel_ended(void *arg)
{
    jg_task *task = jg_create_task(return_number, arg);
    let_others_run(2);
    jg_cancel(task);
    ck_assert(!jg_task_cancelled(task));
    ck_assert_int_eq(jg_await(task), *(int *)arg);
    return 0;
}

TEST(cancelling_a_task_that_has_ended_does_nothing)
{
    RUN(cancel_ended, (&(int){4}));
}

static int yield_and_note(void *arg)
{
    (void)arg;
    FAILS(jg_yield(), ECANCELED);
    note("c");
    return 0;
}

static int cancel_while_it_yields(void *arg)
{
    jg_task *task = jg_create_task(yield_and_note, arg);
    let_others_run(1);
    jg_cancel(task);
    return jg_await(task);
}

TEST(a_yield_is_interrupted_like_any_wait)
{
    RUN(cancel_while_it_yields, NULL);
    TRACED("c");
}

static int wait_for_future(void *arg)
{
    void *value = NULL;
    ck_assert_int_eq(jg_future_wait(arg, &value), 0);
    ck_assert_ptr_eq(value, arg);
    FAILS(jg_check(), ECANCELED);
    return 0;
}

static int complete_then_cancel(void *arg)
{
    jg_future future = {0};
    (void)arg;
    jg_task *task = jg_create_task(wait_for_future, &future);
    let_others_run(1);
    ck_assert_int_eq(jg_future_set_result(&future, &future), 0);
    jg_cancel(task);
    return jg_await(task);
}

TEST(completion_wins_and_the_next_wait_reports_the_cancellation)
{
    RUN(complete_then_cancel, NULL);
}

/* ---- Joins ---- */

static int clean_up_slowly(void *arg)
{
    FAILS(jg_sleep(60), ECANCELED);
    JG_SHIELD(shield, 5);
    ck_assert_int_eq(jg_sleep(0.01), 0);
    note("cleaned ");
    errno = arg ? *(int *)arg : ECANCELED;
    return -1;
}

static int await_cleaner(void *arg)
{
    int result = jg_await(jg_create_task(clean_up_slowly, arg));
    int error = errno;
    note("joined");
    errno = error;
    return result;
}

static int cancel_the_waiter(void *arg)
{
    jg_task *task = jg_create_task(await_cleaner, NULL);
    let_others_run(2);
    jg_cancel(task);
    FAILS(jg_await(task), ECANCELED);
    TRACED("cleaned joined");
    (void)arg;
    return 0;
}

TEST(a_cancelled_await_cancels_the_child_and_waits_for_its_end)
{
    RUN(cancel_the_waiter, NULL);
}

static int cancel_the_waiter_of_a_failure(void *arg)
{
    jg_task *task = jg_create_task(await_cleaner, arg);
    let_others_run(2);
    jg_cancel(task);
    FAILS(jg_await(task), EXDEV);
    return 0;
}

TEST(an_interrupted_await_returns_the_childs_own_failure)
{
    RUN(cancel_the_waiter_of_a_failure, (&(int){EXDEV}));
}

static int await_one_that_ignores(void *arg)
{
    ck_assert_int_eq(jg_await(jg_create_task(ignore_cancellation, arg)), 0);
    FAILS(jg_check(), ECANCELED);
    return 9;
}

static int cancel_the_waiter_of_a_success(void *arg)
{
    jg_task *task = jg_create_task(await_one_that_ignores, arg);
    let_others_run(2);
    jg_cancel(task);
    ck_assert_int_eq(jg_await(task), 9);
    return 0;
}

TEST(an_interrupted_await_returns_the_childs_success)
{
    RUN(cancel_the_waiter_of_a_success, NULL);
}

static int await_when_cancelled(void *arg)
{
    jg_cancel(jg_current_task());
    jg_task *task = jg_create_task(sleep_long, arg);
    FAILS(jg_await(task), ECANCELED);
    jg_task *quick = jg_create_task(succeed, arg);
    ck_assert_int_eq(jg_await(quick), 0);
    FAILS(jg_gather(jg_create_task(sleep_long, arg), jg_create_task(sleep_long, arg)), ECANCELED);
    return 0;
}

TEST(joins_in_a_cancelled_task_still_consume)
{
    RUN(await_when_cancelled, NULL);
}

/* ---- Who does not listen ---- */

static int ignore_for_long(void *arg)
{
    double start = jg_loop_time(jg_task_loop());
    for (int i = 0; i < *(int *)arg; i++)
        FAILS(jg_sleep(1), ECANCELED);
    return jg_loop_time(jg_task_loop()) - start > 0.05;
}

static int cancel_one_that_ignores(void *arg)
{
    jg_task *task = jg_create_task(ignore_for_long, arg, .name = "deaf");
    jg_cancel(task);
    return jg_await(task);
}

TEST(a_task_that_ignores_its_cancellation_is_slowed_down_and_reported_once)
{
    collect_reports();
    ck_assert_int_eq(jg_run(cancel_one_that_ignores, (&(int){1015})), 1);
    ck_assert_uint_eq(report_count, 1);
    ck_assert_str_eq(reports[0].task, "deaf");
    ck_assert_ptr_nonnull(strstr(reports[0].message, "jg_sleep"));
}

TEST(a_thousand_refused_waits_are_not_slowed_down)
{
    collect_reports();
    ck_assert_int_ge(jg_run(cancel_one_that_ignores, (&(int){1000})), 0);
    ck_assert_uint_eq(report_count, 0);
}

static int refuse_in_turns(void *arg)
{
    for (int i = 0; i < 3; i++) {
        FAILS(jg_sleep(1), ECANCELED);
        note(arg);
    }
    return 0;
}

static int cancel_two(void *arg)
{
    char a[] = "a", b[] = "b";
    jg_task *first = jg_create_task(refuse_in_turns, a), *second = jg_create_task(refuse_in_turns, b);
    (void)arg;
    jg_cancel(first);
    jg_cancel(second);
    return jg_gather(first, second);
}

TEST(a_refused_wait_lets_others_run)
{
    RUN(cancel_two, NULL);
    TRACED("ababab");
}

/* ---- Words ---- */

static int look_at_words(void *arg)
{
    (void)arg;
    FAILS(jg_sleep(NAN), EINVAL);
    ck_assert_ptr_nonnull(strstr(jg_error_text(), "not a number"));
    jg_cancel(jg_current_task());
    FAILS(jg_sleep(1), ECANCELED);
    ck_assert_ptr_nonnull(strstr(jg_error_text(), strerror(ECANCELED)));
    ck_assert_ptr_nonnull(strstr(jg_error_text(), "jg_sleep"));
    ck_assert_int_eq(errno, ECANCELED);
    return 0;
}

TEST(the_error_text_of_an_interruption_names_the_call)
{
    RUN(look_at_words, NULL);
}

static int fail_with_words(void *arg)
{
    (void)arg;
    return jg_sleep(NAN);
}

static int compare_words(void *arg)
{
    jg_future future = {0};
    FAILS(jg_future_set_error(&future, -1), EINVAL);
    jg_task *task = jg_create_task(fail_with_words, arg);
    let_others_run(2);
    ck_assert_ptr_nonnull(strstr(jg_error_text(), "jg_future_set_error"));
    FAILS(jg_await(task), EINVAL);
    ck_assert_ptr_nonnull(strstr(jg_error_text(), "jg_sleep"));
    return 0;
}

TEST(each_task_has_its_error_text_and_await_hands_it_up)
{
    RUN(compare_words, NULL);
}

/* ---- Cancel and wait ---- */

static int sleep_and_tell(void *arg)
{
    int result = jg_sleep(1000);
    *(bool *)arg = true;
    return result;
}

static int cancel_and_wait(void *arg)
{
    (void)arg;
    bool ended = false;
    jg_task *task = jg_create_task(sleep_and_tell, &ended);
    jg_yield();
    errno = ELOOP;
    jg_cancel_and_wait(task);
    ck_assert_int_eq(errno, ELOOP);
    ck_assert(ended);
    jg_cancel_and_wait(NULL);
    ck_assert_uint_eq(jg_all_tasks(NULL, 0), 1);
    return 0;
}

TEST(cancel_and_wait_returns_when_the_task_has_ended)
{
    RUN(cancel_and_wait, NULL);
}
