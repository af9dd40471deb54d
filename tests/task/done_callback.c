/* Done callbacks, and failures that nobody waits for. */
#include "support.h"

struct seen {
    int calls, result, error;
    jg_task *task;
};

static void see(jg_task *task, int result, void *arg)
{
    struct seen *seen = arg;
    seen->error = errno;
    seen->calls++;
    seen->result = result;
    seen->task = task;
    ck_assert_ptr_null(jg_current_task());
    ck_assert(jg_task_done(task));
    ck_assert_str_eq(jg_task_name(task), "watched");
}

static int watch_success(void *arg)
{
    struct seen seen = {0};
    int number = 8;
    jg_task *task = jg_create_task(return_number, &number, .name = "watched");
    ck_assert_int_eq(jg_task_add_done_callback(task, see, &seen), 0);
    ck_assert_int_eq(jg_await(task), 8);
    let_others_run(2);
    ck_assert_int_eq(seen.calls, 1);
    ck_assert_int_eq(seen.result, 8);
    ck_assert_ptr_eq(seen.task, task);
    return arg != NULL;
}

TEST(a_done_callback_gets_the_result)
{
    RUN(watch_success, NULL);
}

static int watch_failure(void *arg)
{
    struct seen seen = {0};
    int error = EXDEV;
    jg_task *task = jg_create_task(fail_with, &error, .name = "watched");
    let_others_run(2);
    ck_assert_int_eq(jg_task_add_done_callback(task, see, &seen), 0);
    ck_assert_int_eq(seen.calls, 0);
    FAILS(jg_await(task), EXDEV);
    ck_assert_int_eq(seen.calls, 0);
    let_others_run(2);
    ck_assert_int_eq(seen.calls, 1);
    ck_assert_int_eq(seen.result, -1);
    ck_assert_int_eq(seen.error, EXDEV);
    return arg != NULL;
}

TEST(a_done_callback_added_after_the_end_is_called_too)
{
    RUN(watch_failure, NULL);
}

static void note_done(jg_task *task, int result, void *arg)
{
    (void)task;
    (void)result;
    note(arg);
}

static int watch_several_times(void *arg)
{
    char a[] = "a", b[] = "b", c[] = "c";
    jg_task *task = jg_create_task(succeed, arg);
    jg_detach(task);
    ck_assert_int_eq(jg_task_add_done_callback(task, note_done, a), 0);
    ck_assert_int_eq(jg_task_add_done_callback(task, note_done, b), 0);
    ck_assert_int_eq(jg_task_add_done_callback(task, note_done, c), 0);
    let_others_run(3);
    TRACED("abc");
    return 0;
}

TEST(done_callbacks_run_in_the_order_of_their_addition)
{
    RUN(watch_several_times, NULL);
}

static void create_late(jg_task *task, int result, void *arg)
{
    (void)result;
    if (jg_create_task(sleep_long, arg))
        note(jg_task_name(task));
}

static int end_before_a_creation(void *arg)
{
    return jg_task_add_done_callback(jg_current_task(), create_late, arg);
}

TEST(a_task_created_by_a_callback_after_the_end_of_main_is_cancelled)
{
    RUN(end_before_a_creation, NULL);
    TRACED("main");
}

static int watch_main(void *arg)
{
    return jg_task_add_done_callback(jg_current_task(), note_done, arg);
}

TEST(the_done_callback_of_main_is_called)
{
    char x[] = "x";
    RUN(watch_main, x);
    TRACED("x");
}

static void wait_in_callback(jg_task *task, int result, void *arg)
{
    (void)task;
    (void)result;
    (void)arg;
    jg_sleep(1);
}

static int watch_and_wait(void *arg)
{
    jg_task *task = jg_create_task(succeed, arg);
    if (jg_task_add_done_callback(task, wait_in_callback, NULL) < 0)
        return -1;
    return jg_await(task) + jg_sleep(1);
}

TEST_ABORTS(waiting_in_a_callback_aborts, "jg_sleep: called outside of a task")
{
    jg_run(watch_and_wait, NULL);
}

/* ---- Failures of detached tasks ---- */

static int fail_in_words(void *arg)
{
    jg_future future = {0};
    return jg_future_set_error(&future, arg ? 0 : -1);
}

static int detach_failures(void *arg)
{
    int error = EXDEV;
    jg_detach(jg_create_task(fail_with, &error, .name = "silent"));
    jg_detach(jg_create_task(fail_in_words, arg, .name = "eloquent"));
    jg_detach(jg_create_task(succeed, arg));
    jg_task *ended = jg_create_task(fail_with, &error, .name = "ended");
    let_others_run(3);
    ck_assert_uint_eq(report_count, 2);
    jg_detach(ended);
    return 0;
}

TEST(failures_of_detached_tasks_go_to_the_error_handler)
{
    collect_reports();
    RUN(detach_failures, NULL);
    ck_assert_uint_eq(report_count, 3);
    ck_assert_str_eq(reports[0].task, "silent");
    ck_assert_int_eq(reports[0].error, EXDEV);
    ck_assert_ptr_nonnull(strstr(reports[0].message, strerror(EXDEV)));
    ck_assert_ptr_nonnull(strstr(reports[1].message, "jg_future_set_error"));
    ck_assert_str_eq(reports[2].task, "ended");
}

/* Far more than the stack of the task that fails. */
static void print_much(const jg_report *report, void *arg)
{
    volatile char frame[512 * 1024];
    frame[0] = frame[sizeof frame - 1] = *report->message;
    ck_assert_ptr_eq(arg, trace);
    note("r");
}

static int abandon_small(void *arg)
{
    (void)!jg_create_task(fail_with, arg, .stack_size = 16 * 1024);
    return jg_yield();
}

static int report_from_small_stack(void *arg)
{
    jg_set_error_handler(print_much, trace);
    return jg_await(jg_create_task(abandon_small, arg, .stack_size = 16 * 1024));
}

TEST(the_error_handler_has_the_threads_stack)
{
    RUN(report_from_small_stack, (&(int){EXDEV}));
    TRACED("r");
}

static int detach_many(void *arg)
{
    for (int i = 0; i < 1000; i++) {
        jg_detach(jg_create_task(sleep_a_little, arg));
        if (i % 50 == 0)
            ck_assert_int_eq(jg_sleep(0.002), 0);
    }
    return 0;
}

TEST(detached_tasks_free_themselves)
{
    RUN(detach_many, NULL);
}
