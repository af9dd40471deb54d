/* Deadlines and shields. */
#include "support.h"

#include <math.h>

static int sleep_under_deadline(void *arg)
{
    (void)arg;
    {
        JG_TIMEOUT(deadline, 0.01);
        double before = jg_loop_time(jg_task_loop());
        ck_assert(!jg_timeout_expired(&deadline));
        FAILS(jg_sleep(60), ETIMEDOUT);
        ck_assert_double_ge(jg_loop_time(jg_task_loop()) - before, 0.009);
        ck_assert(jg_timeout_expired(&deadline));
        FAILS(jg_check(), ETIMEDOUT);
        FAILS(jg_sleep(0.001), ETIMEDOUT);
    }
    return jg_sleep(0.001);
}

TEST(a_deadline_interrupts_every_wait_until_its_block_ends)
{
    RUN(sleep_under_deadline, NULL);
}

static int expire_at_once(void *arg)
{
    {
        JG_TIMEOUT(deadline, 0);
        ck_assert(jg_timeout_expired(&deadline));
        FAILS(jg_sleep(0.001), ETIMEDOUT);
    }
    {
        JG_TIMEOUT(deadline, -5);
        FAILS(jg_check(), ETIMEDOUT);
    }
    JG_TIMEOUT_AT(deadline, jg_loop_time(jg_task_loop()) - 1);
    FAILS(jg_yield(), ETIMEDOUT);
    return arg != NULL;
}

TEST(a_deadline_that_is_over_fails_the_first_wait)
{
    RUN(expire_at_once, NULL);
}

static int never_expire(void *arg)
{
    JG_TIMEOUT(first, INFINITY);
    JG_TIMEOUT(second, NAN);
    JG_TIMEOUT_AT(third, INFINITY);
    ck_assert_double_eq(jg_timeout_when(&first), INFINITY);
    ck_assert_double_eq(jg_timeout_when(&third), INFINITY);
    (void)arg;
    return jg_sleep(0.002);
}

TEST(an_infinite_deadline_never_comes)
{
    RUN(never_expire, NULL);
}

static int nest_deadlines(void *arg)
{
    JG_TIMEOUT(outer, 60);
    {
        JG_TIMEOUT(inner, 0.005);
        FAILS(jg_sleep(60), ETIMEDOUT);
        ck_assert(jg_timeout_expired(&inner));
        ck_assert(!jg_timeout_expired(&outer));
    }
    ck_assert_int_eq(jg_check(), 0);
    jg_timeout_reschedule(&outer, jg_loop_time(jg_task_loop()) + 0.005);
    JG_TIMEOUT(inner, 60);
    FAILS(jg_sleep(60), ETIMEDOUT);
    ck_assert(jg_timeout_expired(&outer));
    ck_assert(!jg_timeout_expired(&inner));
    return arg != NULL;
}

TEST(the_nearer_deadline_wins)
{
    RUN(nest_deadlines, NULL);
}

static int reschedule(void *arg)
{
    double start = jg_loop_time(jg_task_loop());
    JG_TIMEOUT_AT(deadline, start + 60);
    ck_assert_double_eq_tol(jg_timeout_when(&deadline), start + 60, 1e-6);
    jg_timeout_reschedule(&deadline, start + 0.005);
    FAILS(jg_sleep(60), ETIMEDOUT);
    jg_timeout_reschedule(&deadline, jg_loop_time(jg_task_loop()) + 60);
    ck_assert(!jg_timeout_expired(&deadline));
    ck_assert_int_eq(jg_sleep(0.001), 0);
    jg_timeout_reschedule(&deadline, INFINITY);
    ck_assert_double_eq(jg_timeout_when(&deadline), INFINITY);
    jg_timeout_reschedule(&deadline, start);
    FAILS(jg_check(), ETIMEDOUT);
    return arg != NULL;
}

static int interrupt_and_think_better_of_it(void *deadline)
{
    jg_timeout_reschedule(deadline, 0);
    jg_timeout_reschedule(deadline, INFINITY);
    return 0;
}

static int yield_meanwhile(void *arg)
{
    JG_TIMEOUT(deadline, 60);
    jg_task *task = jg_create_task(interrupt_and_think_better_of_it, &deadline);
    errno = EDOM;
    ck_assert_int_eq(jg_yield(), 0);
    ck_assert_int_eq(errno, EDOM);
    ck_assert(jg_task_done(task));
    return arg != NULL || jg_await(task);
}

TEST(a_yield_whose_interruption_is_taken_back_succeeds_and_keeps_errno)
{
    RUN(yield_meanwhile, NULL);
}

TEST(a_deadline_can_be_moved_and_comes_back_to_life)
{
    RUN(reschedule, NULL);
}

static int spin_past_deadline(void *arg)
{
    JG_TIMEOUT(deadline, 0.001);
    double start = jg_loop_time(jg_task_loop());
    while (jg_loop_time(jg_task_loop()) < start + 0.01)
        ;
    ck_assert_int_eq(jg_check(), 0);
    ck_assert(!jg_timeout_expired(&deadline));
    return arg != NULL;
}

TEST(deadlines_expire_in_the_loops_timer_phase_only)
{
    RUN(spin_past_deadline, NULL);
}

static int be_both(void *arg)
{
    JG_TIMEOUT(deadline, 0);
    FAILS(jg_check(), ETIMEDOUT);
    jg_cancel(jg_current_task());
    FAILS(jg_check(), ECANCELED);
    return arg != NULL;
}

TEST(a_cancellation_comes_before_a_deadline)
{
    RUN(be_both, NULL);
}

static int await_under_deadline(void *arg)
{
    {
        JG_TIMEOUT(deadline, 0.005);
        FAILS(jg_await(jg_create_task(sleep_long, arg)), ETIMEDOUT);
        ck_assert_ptr_nonnull(strstr(jg_error_text(), "jg_await"));
    }
    ck_assert_int_eq(jg_check(), 0);
    return 0;
}

TEST(an_await_under_a_deadline_cancels_the_child)
{
    RUN(await_under_deadline, NULL);
}

static int leave_by_return(void *arg)
{
    JG_TIMEOUT(deadline, *(double *)arg);
    errno = EDOM;
    return -1;
}

static int leave_by_break(void *arg)
{
    double times[] = {60, 0, -1, INFINITY};
    for (int i = 0; i < 4; i++) {
        JG_TIMEOUT(deadline, times[i]);
        FAILS(leave_by_return(&times[i]), EDOM);
        if (i == 1)
            continue;
        if (i == 3)
            break;
    }
    (void)arg;
    return jg_check();
}

TEST(a_scope_may_be_left_in_every_way_and_keeps_errno)
{
    RUN(leave_by_break, NULL);
}

/* ---- wait_for ---- */

static int wait_for_in_time(void *arg)
{
    int number = 6;
    ck_assert_int_eq(jg_wait_for(jg_create_task(return_number, &number), 60), 6);
    FAILS(jg_wait_for(jg_create_task(sleep_long, arg), 0.005), ETIMEDOUT);
    FAILS(jg_wait_for(jg_create_task(sleep_long, arg), 0), ETIMEDOUT);
    ck_assert_int_eq(jg_wait_for(jg_create_task(ignore_cancellation, arg), 0.005), 0);
    ck_assert_int_eq(jg_check(), 0);
    return 0;
}

TEST(wait_for_cancels_what_takes_too_long)
{
    RUN(wait_for_in_time, NULL);
}

static int wait_for_own_failure(void *arg)
{
    int error = ECANCELED;
    (void)arg;
    FAILS(jg_wait_for(jg_create_task(fail_with, &error), 60), ECANCELED);
    return 0;
}

TEST(wait_for_does_not_take_the_childs_own_ecanceled_for_its_timeout)
{
    RUN(wait_for_own_failure, NULL);
}

static int cancelled_wait_for(void *arg)
{
    return jg_wait_for(jg_create_task(sleep_long, arg), 60);
}

static int cancel_wait_for(void *arg)
{
    jg_task *task = jg_create_task(cancelled_wait_for, arg);
    let_others_run(2);
    jg_cancel(task);
    FAILS(jg_await(task), ECANCELED);
    return 0;
}

TEST(a_cancelled_wait_for_is_ecanceled)
{
    RUN(cancel_wait_for, NULL);
}

/* ---- Shields ---- */

static int shield_from_cancellation(void *arg)
{
    FAILS(jg_sleep(60), ECANCELED);
    {
        JG_SHIELD(shield, 60);
        ck_assert_int_eq(jg_check(), 0);
        ck_assert_int_eq(jg_sleep(0.002), 0);
        ck_assert(jg_task_cancelled(jg_current_task()));
    }
    FAILS(jg_check(), ECANCELED);
    return arg != NULL;
}

static int cancel_shielded(void *arg)
{
    jg_task *task = jg_create_task(shield_from_cancellation, arg);
    let_others_run(1);
    jg_cancel(task);
    return jg_await(task);
}

TEST(a_shield_hides_the_cancellation)
{
    RUN(cancel_shielded, NULL);
}

static int sleep_in_shield(void *arg)
{
    JG_SHIELD(shield, *(double *)arg);
    return jg_sleep(60);
}

static int cancel_inside_shield(void *arg)
{
    jg_task *task = jg_create_task(sleep_in_shield, (&(double){0.01}));
    let_others_run(1);
    jg_cancel(task);
    let_others_run(3);
    ck_assert(!jg_task_done(task));
    FAILS(jg_await(task), ECANCELED);
    return arg != NULL;
}

TEST(a_shield_ends_after_its_time_and_the_cancellation_shows)
{
    RUN(cancel_inside_shield, NULL);
}

static int shield_from_deadline(void *arg)
{
    JG_TIMEOUT(outer, 0.002);
    {
        JG_SHIELD(shield, 60);
        ck_assert_int_eq(jg_sleep(0.01), 0);
        ck_assert(jg_timeout_expired(&outer));
        JG_TIMEOUT(inner, 0.002);
        FAILS(jg_sleep(60), ETIMEDOUT);
        ck_assert(jg_timeout_expired(&inner));
    }
    FAILS(jg_check(), ETIMEDOUT);
    return arg != NULL;
}

TEST(a_shield_hides_outer_deadlines_and_honours_inner_ones)
{
    RUN(shield_from_deadline, NULL);
}

static int shield_for_no_time(void *arg)
{
    jg_cancel(jg_current_task());
    JG_SHIELD(shield, 0);
    FAILS(jg_check(), ECANCELED);
    return arg != NULL;
}

TEST(a_shield_of_no_time_hides_nothing)
{
    RUN(shield_for_no_time, NULL);
}

static int shield_a_child(void *arg)
{
    jg_cancel(jg_current_task());
    JG_SHIELD(shield, INFINITY);
    return jg_await(jg_create_task(sleep_a_little, arg));
}

TEST(a_shielded_await_does_not_cancel_its_child)
{
    RUN(shield_a_child, NULL);
}

static int deadline_then_late_cancellation(void *arg)
{
    JG_SHIELD(shield, 0.01);
    return jg_await(jg_create_task(sleep_long, arg));
}

static int cancel_late(void *arg)
{
    jg_task *task = jg_create_task(deadline_then_late_cancellation, arg);
    let_others_run(1);
    jg_cancel(task);
    FAILS(jg_await(task), ECANCELED);
    return 0;
}

TEST(a_reason_that_arrives_while_a_join_waits_cancels_the_child)
{
    RUN(cancel_late, NULL);
}
