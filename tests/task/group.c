/* Groups. */
#include "support.h"

static int wait_for_successes(void *arg)
{
    jg_group group = {0};
    ck_assert_int_eq(jg_group_wait(&group), 0);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(jg_group_start(&group, sleep_a_little, arg), 0);
    ck_assert_uint_eq(jg_group_running(&group), 3);
    ck_assert_int_eq(jg_group_wait(&group), 0);
    ck_assert_uint_eq(jg_group_running(&group), 0);
    ck_assert_int_eq(jg_group_start(&group, succeed, arg), 0);
    return jg_group_wait(&group);
}

TEST(a_group_waits_for_all_and_is_as_new)
{
    RUN(wait_for_successes, NULL);
}

static int note_cancelled(void *arg)
{
    FAILS(jg_sleep(60), ECANCELED);
    note(arg);
    errno = ECANCELED;
    return -1;
}

static int wait_for_failure(void *arg)
{
    char x[] = "x", y[] = "y";
    int error = EXDEV;
    jg_group group = {0};
    (void)arg;
    ck_assert_int_eq(jg_group_start(&group, note_cancelled, x), 0);
    ck_assert_int_eq(jg_group_start(&group, fail_with, &error), 0);
    ck_assert_int_eq(jg_group_start(&group, note_cancelled, y), 0);
    FAILS(jg_group_wait(&group), EXDEV);
    TRACED("xy");
    ck_assert_int_eq(jg_check(), 0);
    return 0;
}

TEST(the_first_failure_cancels_the_rest_of_the_group)
{
    RUN(wait_for_failure, NULL);
}

static int fail_in_cleanup(void *arg)
{
    FAILS(jg_sleep(60), ECANCELED);
    errno = *(int *)arg;
    return -1;
}

static int cancel_group(void *arg)
{
    int error = EXDEV;
    jg_group group = {0};
    ck_assert_int_eq(jg_group_start(&group, sleep_long, arg), 0);
    let_others_run(1);
    jg_group_cancel(&group);
    ck_assert_int_eq(jg_group_wait(&group), 0);
    ck_assert_int_eq(jg_group_start(&group, fail_in_cleanup, &error), 0);
    let_others_run(1);
    jg_group_cancel(&group);
    FAILS(jg_group_wait(&group), EXDEV);
    return 0;
}

TEST(ecanceled_of_a_child_that_the_group_cancelled_is_no_failure)
{
    RUN(cancel_group, NULL);
}

static int be_cancelled_alone(void *arg)
{
    int error = ECANCELED;
    jg_group group = {0};
    ck_assert_int_eq(jg_group_start(&group, fail_with, &error), 0);
    ck_assert_int_eq(jg_group_start(&group, sleep_long, arg), 0);
    FAILS(jg_group_wait(&group), ECANCELED);
    return 0;
}

TEST(ecanceled_of_a_child_that_the_group_did_not_cancel_is_a_failure)
{
    RUN(be_cancelled_alone, NULL);
}

static int start_in_cancelled(void *arg)
{
    jg_group group = {0};
    jg_group_cancel(&group);
    char x[] = "x";
    (void)arg;
    ck_assert_int_eq(jg_group_start(&group, note_cancelled, x), 0);
    ck_assert_int_eq(jg_group_wait(&group), 0);
    TRACED("x");
    return 0;
}

TEST(a_child_of_a_cancelled_group_starts_cancelled)
{
    RUN(start_in_cancelled, NULL);
}

static int fail_to_start(void *arg)
{
    static char bytes[1 << 20];
    int error = EXDEV;
    jg_group group = {0};
    ck_assert_int_eq(jg_group_start(&group, sleep_long, arg), 0);
    FAILS(jg_group_start(&group, succeed, bytes, .copy = sizeof bytes), EINVAL);
    ck_assert_int_eq(jg_group_start(&group, fail_with, &error), 0);
    FAILS(jg_group_wait(&group), EINVAL);
    return jg_group_wait(&group);
}

TEST(a_failed_start_sticks_and_cancels_the_rest)
{
    RUN(fail_to_start, NULL);
}

static int wait_for_group(void *arg)
{
    jg_group group = {0};
    ck_assert_int_eq(jg_group_start(&group, sleep_long, arg), 0);
    ck_assert_int_eq(jg_group_start(&group, sleep_long, arg), 0);
    return jg_group_wait(&group);
}

static int interrupt_group(void *arg)
{
    jg_task *task = jg_create_task(wait_for_group, arg);
    let_others_run(2);
    jg_cancel(task);
    FAILS(jg_await(task), ECANCELED);
    JG_TIMEOUT(deadline, 0.005);
    FAILS(wait_for_group(arg), ETIMEDOUT);
    return 0;
}

TEST(an_interrupted_group_wait_cancels_the_children_and_returns_the_reason)
{
    RUN(interrupt_group, NULL);
}

static int interrupt_stubborn_group(void *arg)
{
    int error = EXDEV;
    jg_group group = {0};
    ck_assert_int_eq(jg_group_start(&group, ignore_cancellation, arg), 0);
    {
        JG_TIMEOUT(deadline, 0.005);
        ck_assert_int_eq(jg_group_wait(&group), 0);
    }
    ck_assert_int_eq(jg_group_start(&group, fail_in_cleanup, &error), 0);
    JG_TIMEOUT(deadline, 0.005);
    FAILS(jg_group_wait(&group), EXDEV);
    return 0;
}

TEST(an_interrupted_group_wait_returns_the_childrens_outcome)
{
    RUN(interrupt_stubborn_group, NULL);
}

/* ---- One after the other ---- */

static int sleep_then_return(void *arg)
{
    int number = *(int *)arg;
    if (jg_sleep(number * 0.005) < 0)
        return -1;
    return number;
}

static int take_in_order(void *arg)
{
    static int numbers[] = {3, 1, 2};
    jg_group group = {0};
    int result, taken = 0;
    void *argument;
    (void)arg;
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(jg_group_start(&group, sleep_then_return, &numbers[i]), 0);
    while (jg_group_next(&group, &result, &argument) > 0) {
        taken = taken * 10 + result;
        ck_assert_int_eq(*(int *)argument, result);
    }
    ck_assert_int_eq(taken, 123);
    return jg_group_wait(&group);
}

TEST(next_hands_out_children_in_the_order_of_their_ends)
{
    RUN(take_in_order, NULL);
}

static int take_failures(void *arg)
{
    int error = EXDEV, result, ended = 0;
    jg_group group = {0};
    ck_assert_int_eq(jg_group_next(&group, &result, NULL), 0);
    ck_assert_int_eq(jg_group_start(&group, fail_with, &error), 0);
    ck_assert_int_eq(jg_group_start(&group, sleep_a_little, arg), 0);
    ck_assert_int_eq(jg_group_next(&group, &result, NULL), 1);
    ck_assert_int_eq(result, -EXDEV);
    while (jg_group_next(&group, &result, NULL) > 0) {
        ck_assert_int_eq(result, 0);
        ended++;
    }
    ck_assert_int_eq(ended, 1);
    return jg_group_wait(&group);
}

TEST(once_next_is_called_failures_cancel_nothing)
{
    RUN(take_failures, NULL);
}

static int take_the_first(void *arg)
{
    int results[3], number = 7;
    jg_group group = {0};
    ck_assert_int_eq(jg_group_start(&group, sleep_long, arg), 0);
    ck_assert_int_eq(jg_group_start(&group, return_number, &number), 0);
    ck_assert_int_eq(jg_group_start(&group, ignore_cancellation, arg), 0);
    ck_assert_int_eq(jg_group_next(&group, &results[0], NULL), 1);
    jg_group_cancel(&group);
    ck_assert_int_eq(jg_group_next(&group, &results[1], NULL), 1);
    ck_assert_int_eq(jg_group_next(&group, &results[2], NULL), 1);
    ck_assert_int_eq(results[0], 7);
    ck_assert_int_eq(results[1], -ECANCELED);
    ck_assert_int_eq(results[2], 0);
    return jg_group_wait(&group);
}

TEST(losers_that_were_cancelled_are_handed_out_too)
{
    RUN(take_the_first, NULL);
}

static int interrupt_next(void *arg)
{
    int result;
    jg_group group = {0};
    ck_assert_int_eq(jg_group_start(&group, sleep_long, arg), 0);
    {
        JG_TIMEOUT(deadline, 0.005);
        FAILS(jg_group_next(&group, &result, NULL), ETIMEDOUT);
        FAILS(jg_group_next(&group, &result, NULL), ETIMEDOUT); /* refused */
    }
    ck_assert_uint_eq(jg_group_running(&group), 1);
    jg_group_cancel(&group);
    ck_assert_int_eq(jg_group_next(&group, &result, NULL), 1);
    return jg_group_wait(&group);
}

TEST(an_interrupted_next_leaves_the_children_running)
{
    RUN(interrupt_next, NULL);
}

static int leave_failures_to_wait(void *arg)
{
    int error = EXDEV, result;
    jg_group group = {0};
    ck_assert_int_eq(jg_group_start(&group, succeed, arg), 0);
    ck_assert_int_eq(jg_group_next(&group, &result, NULL), 1);
    ck_assert_int_eq(jg_group_start(&group, fail_with, &error), 0);
    FAILS(jg_group_wait(&group), EXDEV);
    return 0;
}

TEST(a_failure_that_next_did_not_hand_out_is_returned_by_wait)
{
    RUN(leave_failures_to_wait, NULL);
}

static int count_to_three(void *arg)
{
    int count = 0;
    jg_group group = {0};
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(jg_group_start(&group, succeed, arg), 0);
    while (jg_group_next(&group, NULL, NULL) > 0)
        count++;
    ck_assert_int_eq(count, 3);
    return jg_group_wait(&group);
}

TEST(next_hands_out_only_what_is_wanted)
{
    RUN(count_to_three, NULL);
}

static int start_sibling(void *arg)
{
    return jg_group_start(arg, sleep_a_little, NULL);
}

static int grow_from_inside(void *arg)
{
    jg_group group = {0};
    (void)arg;
    ck_assert_int_eq(jg_group_start(&group, start_sibling, &group), 0);
    ck_assert_int_eq(jg_group_wait(&group), 0);
    return 0;
}

TEST(a_child_may_start_siblings)
{
    RUN(grow_from_inside, NULL);
}

/* ---- Bound to a scope ---- */

static int leave_early(void *arg)
{
    jg_autogroup group = {0};
    (void)jg_group_start(&group, note_cancelled, arg);
    let_others_run(1);
    errno = EDOM;
    return -1;
}

static int call_one_that_leaves(void *arg)
{
    FAILS(leave_early(arg), EDOM);
    TRACED("x");
    return 0;
}

TEST(an_autogroup_that_is_left_early_cancels_and_waits)
{
    char x[] = "x";
    RUN(call_one_that_leaves, x);
}

static int clean_up_slowly(void *arg)
{
    FAILS(jg_sleep(60), ECANCELED);
    JG_SHIELD(shield, 5);
    ck_assert_int_eq(jg_sleep(0.01), 0);
    note(arg);
    return 0;
}

static int leave_when_cancelled(void *arg)
{
    jg_autogroup group = {0};
    (void)jg_group_start(&group, clean_up_slowly, arg);
    return jg_sleep(60);
}

static int cancel_one_that_leaves(void *arg)
{
    jg_task *task = jg_create_task(leave_when_cancelled, arg);
    let_others_run(2);
    jg_cancel(task);
    FAILS(jg_await(task), ECANCELED);
    TRACED("x");
    return 0;
}

TEST(an_autogroup_of_a_cancelled_task_waits_all_the_same)
{
    char x[] = "x";
    RUN(cancel_one_that_leaves, x);
}

static int leave_a_failure(void *arg)
{
    jg_autogroup group = {0};
    (void)jg_group_start(&group, fail_with, arg, .name = "unheard");
    let_others_run(2);
    return 0;
}

TEST(a_failure_in_an_autogroup_that_nobody_waited_for_is_reported)
{
    collect_reports();
    RUN(leave_a_failure, (&(int){EXDEV}));
    ck_assert_uint_eq(report_count, 1);
    ck_assert_str_eq(reports[0].task, "unheard");
    ck_assert_int_eq(reports[0].error, EXDEV);
}

static int forget_group(void *arg)
{
    jg_group group = {0};
    ck_assert_int_eq(jg_group_start(&group, sleep_long, arg, .name = "forgotten"), 0);
    return jg_yield();
}

TEST(children_of_a_forgotten_group_are_cancelled_and_reported)
{
    collect_reports();
    RUN(forget_group, NULL);
    ck_assert_uint_eq(report_count, 1);
    ck_assert_str_eq(reports[0].task, "forgotten");
}
