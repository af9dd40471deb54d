/* Cancellations taken back, results looked at, callbacks taken back, futures without waiting, where one may wait. */
#include "support.h"

/* ---- jg_uncancel ---- */

static int refuse_to_end(void *arg)
{
    FAILS(jg_sleep(60), ECANCELED);
    FAILS(jg_yield(), ECANCELED);
    ck_assert(jg_uncancel(jg_current_task()));
    ck_assert(!jg_uncancel(jg_current_task()));
    ck_assert(!jg_task_cancelled(jg_current_task()));
    ck_assert_int_eq(jg_check(), 0);
    ck_assert_int_eq(jg_sleep(0.001), 0);
    return *(int *)arg;
}

static int cancel_twice(void *arg)
{
    jg_task *task = jg_create_task(refuse_to_end, arg);
    ck_assert(!jg_uncancel(task));
    let_others_run(1);
    jg_cancel(task);
    ck_assert(jg_task_cancelled(task));
    ck_assert_int_eq(jg_await(task), 6);
    jg_task *ended = jg_create_task(succeed, NULL);
    jg_cancel(ended);
    let_others_run(1);
    ck_assert(!jg_uncancel(ended));
    return jg_await(ended);
}

TEST(a_cancellation_can_be_taken_back)
{
    int six = 6;
    RUN(cancel_twice, &six);
}

static int yield_once(void *arg)
{
    errno = EDOM;
    int result = jg_yield();
    ck_assert_int_eq(errno, EDOM);
    return result == 0 && arg == NULL ? 0 : -1;
}

static int change_ones_mind(void *arg)
{
    jg_task *task = jg_create_task(yield_once, arg);
    let_others_run(1);
    jg_cancel(task);
    ck_assert(jg_uncancel(task));
    return jg_await(task);
}

TEST(a_yield_hears_nothing_of_a_cancellation_that_was_taken_back)
{
    RUN(change_ones_mind, NULL);
}

static int try_to_stay(void *arg)
{
    FAILS(jg_sleep(60), ECANCELED);
    ck_assert(!jg_uncancel(jg_current_task()));
    FAILS(jg_sleep(60), ECANCELED);
    return arg != NULL;
}

static int leave_stubborn(void *arg)
{
    jg_detach(jg_create_task(try_to_stay, arg));
    return jg_yield();
}

TEST(at_the_end_of_the_run_nothing_is_taken_back)
{
    RUN(leave_stubborn, NULL);
}

/* ---- jg_task_result ---- */

static int look_at_results(void *arg)
{
    int number = 9, error = EXDEV, result = -1;
    jg_task *good = jg_create_task(return_number, &number), *bad = jg_create_task(fail_with, &error);
    (void)arg;
    FAILS(jg_task_result(good, &result), EINPROGRESS);
    ck_assert_int_eq(result, -1);
    let_others_run(2);
    ck_assert_int_eq(jg_task_result(good, &result), 0);
    ck_assert_int_eq(result, 9);
    ck_assert_int_eq(jg_task_result(bad, NULL), 0);
    ck_assert_int_eq(jg_task_result(bad, &result), 0);
    ck_assert_int_eq(result, -EXDEV);
    ck_assert_int_eq(jg_await(good), 9);
    FAILS(jg_await(bad), EXDEV);
    return 0;
}

TEST(the_result_of_a_task_can_be_seen_before_it_is_consumed)
{
    RUN(look_at_results, NULL);
}

/* ---- Done callbacks of tasks ---- */

static void note_end(jg_task *task, int result, void *arg)
{
    (void)task;
    (void)result;
    note(arg);
}

static void note_otherwise(jg_task *task, int result, void *arg)
{
    note_end(task, result, arg);
}

static char a[] = "a", b[] = "b";

static int take_back(void *arg)
{
    (void)arg;
    jg_task *task = jg_create_task(succeed, NULL);
    ck_assert_int_eq(jg_task_add_done_callback(task, note_end, a), 0);
    ck_assert_int_eq(jg_task_add_done_callback(task, note_end, b), 0);
    ck_assert_int_eq(jg_task_add_done_callback(task, note_otherwise, a), 0);
    ck_assert_int_eq(jg_task_add_done_callback(task, note_end, a), 0);
    ck_assert_uint_eq(jg_task_remove_done_callback(task, note_end, a), 2);
    ck_assert_uint_eq(jg_task_remove_done_callback(task, note_end, a), 0);
    ck_assert_int_eq(jg_await(task), 0);
    let_others_run(2);
    TRACED("ba");
    return 0;
}

TEST(done_callbacks_are_taken_back_by_function_and_argument)
{
    RUN(take_back, NULL);
}

static jg_task *watched;

static void take_back_the_other(jg_task *task, int result, void *arg)
{
    ck_assert_uint_eq(jg_task_remove_done_callback(task, take_back_the_other, arg), 0); /* it runs */
    ck_assert_uint_eq(jg_task_remove_done_callback(task, note_end, b), 1);
    note_end(task, result, arg);
}

static int take_back_meanwhile(void *arg)
{
    watched = jg_create_task(succeed, arg);
    ck_assert_int_eq(jg_task_add_done_callback(watched, take_back_the_other, a), 0);
    ck_assert_int_eq(jg_task_add_done_callback(watched, note_end, b), 0);
    ck_assert_int_eq(jg_await(watched), 0); /* only its callbacks keep it */
    let_others_run(2);
    TRACED("a");
    jg_task *task = jg_create_task(succeed, arg);
    let_others_run(1);
    ck_assert_int_eq(jg_task_add_done_callback(task, note_end, b), 0); /* queued */
    ck_assert_uint_eq(jg_task_remove_done_callback(task, note_end, b), 1);
    let_others_run(2);
    return jg_await(task);
}

TEST(a_done_callback_may_take_back_the_next)
{
    RUN(take_back_meanwhile, NULL);
    TRACED("a");
}

/* ---- Futures ---- */

static void note_future(jg_future *future, void *arg)
{
    ck_assert(jg_future_done(future));
    ck_assert_ptr_null(jg_current_task());
    note(arg);
}

static int look_at_future(void *arg)
{
    jg_future future = {0}, failed = {0}, cancelled = {0};
    void *value = NULL;
    FAILS(jg_future_result(&future, &value), EINPROGRESS);
    FAILS(jg_future_error(&future), EINPROGRESS);
    ck_assert_int_eq(jg_future_set_result(&future, arg), 0);
    ck_assert_int_eq(jg_future_result(&future, &value), 0);
    ck_assert_ptr_eq(value, arg);
    ck_assert_int_eq(jg_future_result(&future, NULL), 0);
    ck_assert_int_eq(jg_future_error(&future), 0);
    ck_assert(!jg_future_cancelled(&future));
    ck_assert(!jg_future_cancel(&future));
    ck_assert_int_eq(jg_future_set_error(&failed, EXDEV), 0);
    FAILS(jg_future_result(&failed, &value), EXDEV);
    ck_assert_int_eq(jg_future_error(&failed), EXDEV);
    ck_assert(!jg_future_cancelled(&cancelled));
    ck_assert(jg_future_cancel(&cancelled));
    ck_assert(jg_future_cancelled(&cancelled));
    FAILS(jg_future_wait(&cancelled, NULL), ECANCELED);
    ck_assert_int_eq(jg_check(), 0);
    FAILS(jg_future_set_result(&cancelled, NULL), EALREADY);
    return 0;
}

TEST(a_future_can_be_looked_at_and_cancelled)
{
    RUN(look_at_future, a);
}

static int watch_future(void *arg)
{
    jg_future future = {0}, never = {0};
    (void)arg;
    ck_assert_int_eq(jg_future_add_done_callback(&future, note_future, a), 0);
    ck_assert_int_eq(jg_future_add_done_callback(&future, note_future, b), 0);
    ck_assert_int_eq(jg_future_add_done_callback(&future, note_future, a), 0);
    ck_assert_uint_eq(jg_future_remove_done_callback(&future, note_future, b), 1);
    ck_assert_int_eq(jg_future_add_done_callback(&future, note_future, b), 0);
    ck_assert_int_eq(jg_future_set_result(&future, NULL), 0);
    TRACED("");
    let_others_run(2);
    TRACED("aab");
    ck_assert_int_eq(jg_future_add_done_callback(&future, note_future, b), 0);
    ck_assert_int_eq(jg_future_add_done_callback(&future, note_future, a), 0);
    ck_assert_uint_eq(jg_future_remove_done_callback(&future, note_future, b), 1); /* queued */
    let_others_run(2);
    TRACED("aaba");
    ck_assert_int_eq(jg_future_add_done_callback(&never, note_future, a), 0);
    ck_assert_uint_eq(jg_future_remove_done_callback(&never, note_future, a), 1);
    return 0;
}

TEST(a_future_calls_back)
{
    RUN(watch_future, NULL);
}

/* ---- jg_may_wait ---- */

static int may_wait_here(void *arg)
{
    (void)arg;
    return jg_may_wait();
}

static void may_wait_in_callback(void *arg)
{
    *(int *)arg = jg_may_wait();
}

static int ask_everywhere(void *arg)
{
    int answer = -1;
    jg_handle handle = {.fn = may_wait_in_callback, .arg = &answer};
    (void)arg;
    ck_assert(jg_may_wait());
    ck_assert_int_eq(jg_call_deep(may_wait_here, NULL), 0);
    jg_call_soon(jg_task_loop(), &handle);
    let_others_run(2);
    ck_assert_int_eq(answer, 0);
    jg_cancel(jg_current_task());
    ck_assert(jg_may_wait()); /* it fails, but it does not abort */
    return 0;
}

TEST(one_may_wait_in_tasks_only)
{
    ck_assert(!jg_may_wait());
    RUN(ask_everywhere, NULL);
}
