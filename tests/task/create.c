/* Creating, awaiting and looking at tasks. */
#include "support.h"

#include "task/scheduler.h"

#include <stdlib.h>

static int await_number(void *arg)
{
    ck_assert_int_eq(jg_await(jg_create_task(return_number, arg)), *(int *)arg);
    return 0;
}

TEST(await_returns_the_result)
{
    RUN(await_number, (&(int){17}));
    RUN(await_number, (&(int){0}));
}

static int await_failure(void *arg)
{
    FAILS(jg_await(jg_create_task(fail_with, arg)), *(int *)arg);
    return 0;
}

TEST(await_returns_the_failure_with_its_errno)
{
    RUN(await_failure, (&(int){EXDEV}));
    RUN(await_failure, (&(int){ECANCELED}));
    RUN(await_failure, (&(int){ETIMEDOUT}));
}

static int fail_without_errno(void *arg)
{
    errno = 0;
    return arg ? 0 : -5;
}

static int await_failure_without_errno(void *arg)
{
    FAILS(jg_await(jg_create_task(fail_without_errno, arg)), EIO);
    return 0;
}

TEST(a_failure_is_never_without_an_errno)
{
    RUN(await_failure_without_errno, NULL);
}

static int await_an_ended_one(void *arg)
{
    jg_task *task = jg_create_task(return_number, arg);
    ck_assert(!jg_task_done(task));
    let_others_run(3);
    ck_assert(jg_task_done(task));
    ck_assert_int_eq(jg_await(task), *(int *)arg);
    return 0;
}

TEST(a_task_that_has_ended_keeps_its_result)
{
    RUN(await_an_ended_one, (&(int){3}));
}

static int await_nothing(void *arg)
{
    (void)arg;
    errno = EXDEV;
    ck_assert_int_eq(jg_await(NULL), -1);
    ck_assert_int_eq(errno, EXDEV);
    ck_assert_int_eq(jg_wait_for(NULL, 1), -1);
    ck_assert_int_eq(errno, EXDEV);
    jg_detach(NULL);
    jg_cancel(NULL);
    return 0;
}

TEST(awaiting_null_fails_as_its_creation_did)
{
    RUN(await_nothing, NULL);
}

static int note_it(void *arg)
{
    note(arg);
    return 0;
}

static int create_and_look(void *arg)
{
    jg_task *task = jg_create_task(note_it, arg);
    TRACED("");
    ck_assert_int_eq(jg_await(task), 0);
    TRACED("x");
    return 0;
}

TEST(a_task_does_not_start_inside_its_creation)
{
    char name[] = "x";
    RUN(create_and_look, name);
}

static int cancel_unstarted(void *arg)
{
    jg_task *task = jg_create_task(note_it, arg);
    jg_cancel(task);
    ck_assert(jg_task_cancelled(task));
    ck_assert_int_eq(jg_await(task), 0);
    TRACED("x");
    return 0;
}

TEST(a_task_that_is_cancelled_before_it_starts_runs_all_the_same)
{
    char name[] = "x";
    RUN(cancel_unstarted, name);
}

struct point {
    int x, y;
    char text[40];
};

static int read_point(void *arg)
{
    struct point *point = arg;
    ck_assert_uint_eq((uintptr_t)arg % 16, 0);
    ck_assert_str_eq(point->text, "of the child");
    return point->x + point->y;
}

static int copy_argument(void *arg)
{
    jg_task *tasks[3];
    int results[3];
    (void)arg;
    for (int i = 0; i < 3; i++) {
        struct point point = {i, 10, "of the child"};
        tasks[i] = jg_create_task(read_point, &point, .copy = sizeof point);
        memset(&point, 0, sizeof point);
    }
    ck_assert_int_eq(jg_gatherv(tasks, 3, .results = results), 0);
    ck_assert_int_eq(results[0], 10);
    ck_assert_int_eq(results[2], 12);
    return 0;
}

TEST(a_copied_argument_is_the_childs_own)
{
    RUN(copy_argument, NULL);
}

static int wait_until_trimmed(void *arg)
{
    const struct jg__scheduler *scheduler = jg_task_loop()->tasks;
    const struct jg__stack_class *class = &scheduler->stacks->classes[0];
    ck_assert_int_eq(jg_gather(jg_create_task(sleep_a_little, arg), jg_create_task(sleep_a_little, arg)), 0);
    while (scheduler->trims)
        ck_assert_int_eq(jg_sleep(0.01), 0);
    ck_assert_uint_eq(class->trimmed, 2);
    return 0;
}

TEST(the_memory_of_stacks_goes_back_after_a_while)
{
    RUN(wait_until_trimmed, NULL);
}

static int sum_bytes(void *arg)
{
    int sum = 0;
    for (int i = 0; i < 100000; i++)
        sum += ((unsigned char *)arg)[i];
    return sum;
}

static int copy_too_much(void *arg)
{
    static unsigned char bytes[100000];
    bytes[0] = bytes[99999] = 1;
    ck_assert_ptr_null(jg_create_task(sum_bytes, bytes, .copy = sizeof bytes, .stack_size = 64 * 1024));
    ck_assert_int_eq(errno, EINVAL);
    ck_assert_ptr_nonnull(strstr(jg_error_text(), "100000"));
    ck_assert_ptr_null(jg_create_task(sum_bytes, bytes, .copy = SIZE_MAX - 8));
    ck_assert_int_eq(errno, EINVAL);
    ck_assert_ptr_null(jg_create_task(sum_bytes, bytes, .copy = (1ul << 32) + 1, .stack_size = 1ul << 33));
    ck_assert(errno == EINVAL || errno == ENOMEM); /* where there is no address space for such a stack */
    ck_assert_int_eq(jg_await(jg_create_task(sum_bytes, bytes, .copy = sizeof bytes)), 2);
    return arg != NULL;
}

TEST(a_copy_that_does_not_fit_the_stack_is_refused)
{
    RUN(copy_too_much, NULL);
}

static int use_large_stack(void *arg)
{
    volatile char frame[900 * 1024];
    frame[0] = frame[sizeof frame - 1] = 1;
    return frame[0] + (arg != NULL);
}

static int create_with_large_stack(void *arg)
{
    ck_assert_int_eq(jg_await(jg_create_task(use_large_stack, arg, .stack_size = 1 << 20)), 1);
    ck_assert_int_eq(jg_await(jg_create_task(succeed, arg, .stack_size = 1)), 0);
    return 0;
}

TEST(a_task_has_the_stack_that_is_asked_for)
{
    RUN(create_with_large_stack, NULL);
}

static int create_with_absurd_stack(void *arg)
{
    ck_assert_ptr_null(jg_create_task(succeed, arg, .stack_size = SIZE_MAX / 4));
    ck_assert_int_eq(errno, ENOMEM);
    return jg_await(jg_create_task(succeed, arg));
}

TEST(a_stack_that_cannot_be_had_is_enomem)
{
    RUN(create_with_absurd_stack, NULL);
}

static volatile bool go_on = true;

static int overflow(void *arg)
{
    volatile char frame[4096];
    frame[0] = (char)(arg != NULL);
    return (go_on ? overflow((void *)frame) : 0) + frame[0];
}

static int overflow_in_child(void *arg)
{
    return jg_await(jg_create_task(overflow, arg, .name = "glutton", .stack_size = 32 * 1024));
}

TEST_ABORTS(a_stack_overflow_names_the_task, "glutton")
{
    jg_run(overflow_in_child, NULL);
}

TEST_ABORTS(a_stack_overflow_names_the_remedy, ".stack_size")
{
    jg_run(overflow_in_child, NULL);
}

/* ---- Names ---- */

static int look_at_names(void *arg)
{
    char name[] = "a name that is longer than thirty-one bytes";
    jg_task *task = jg_create_task(succeed, arg);
    ck_assert_str_eq(jg_task_name(task), "succeed");
    jg_task_set_name(task, name);
    ck_assert_str_eq(jg_task_name(task), "a name that is longer than thir");
    jg_task *named = jg_create_task(succeed, arg, .name = name);
    memset(name, 'x', 5);
    ck_assert_str_eq(jg_task_name(named), "a name that is longer than thir");
    jg_task *plain = jg_create_task_with(succeed, arg, NULL);
    ck_assert_str_eq(jg_task_name(plain), "task");
    return jg_gather(task, named, plain);
}

TEST(names_are_copied_and_cut)
{
    RUN(look_at_names, NULL);
}

/* ---- Current and all ---- */

static int look_at_oneself(void *arg)
{
    *(jg_task **)arg = jg_current_task();
    return jg_yield();
}

static int compare_handles(void *arg)
{
    jg_task *seen = NULL;
    (void)arg;
    jg_task *task = jg_create_task(look_at_oneself, &seen);
    let_others_run(1);
    ck_assert_ptr_eq(seen, task);
    ck_assert_ptr_ne(seen, jg_current_task());
    return jg_await(task);
}

TEST(a_task_sees_the_handle_that_its_creator_has)
{
    RUN(compare_handles, NULL);
}

TEST(there_is_no_current_task_outside_of_run)
{
    ck_assert_ptr_null(jg_current_task());
}

static int start_grandchildren(void *arg)
{
    jg_task *first = jg_create_task(sleep_long, arg), *second = jg_create_task(sleep_long, arg);
    return jg_gather(first, second);
}

static int count_tasks(void *arg)
{
    jg_task *tasks[10] = {0}, *few[2];
    jg_task *parent = jg_create_task(start_grandchildren, arg);
    jg_task *ended = jg_create_task(succeed, arg);
    jg_detach(jg_create_task(sleep_long, arg));
    jg_group group = {0};
    ck_assert_int_eq(jg_group_start(&group, sleep_long, arg), 0);
    let_others_run(3);
    ck_assert_uint_eq(jg_all_tasks(tasks, 10), 6);
    ck_assert_uint_eq(jg_all_tasks(few, 2), 6);
    ck_assert_uint_eq(jg_all_tasks(NULL, 0), 6);
    ck_assert_ptr_eq(tasks[0], jg_current_task());
    ck_assert_ptr_eq(tasks[1], parent);
    jg_cancel(parent);
    FAILS(jg_await(parent), ECANCELED);
    jg_group_cancel(&group);
    ck_assert_int_eq(jg_group_wait(&group), 0);
    return jg_await(ended);
}

TEST(all_unfinished_tasks_can_be_listed)
{
    RUN(count_tasks, NULL);
}

/* ---- From callbacks of the loop ---- */

static void create_in_callback(void *arg)
{
    ck_assert_ptr_null(jg_current_task());
    jg_task *task = jg_create_task(note_it, arg);
    ck_assert_ptr_nonnull(task);
    jg_detach(task);
}

static int call_back(void *arg)
{
    jg_handle handle = {.fn = create_in_callback, .arg = arg};
    jg_call_soon(jg_task_loop(), &handle);
    let_others_run(4);
    return 0;
}

TEST(a_task_created_by_a_callback_belongs_to_nobody)
{
    char name[] = "x";
    RUN(call_back, name);
    TRACED("x");
}

/* ---- Left behind ---- */

static int abandon(void *arg)
{
    (void)!jg_create_task(sleep_long, arg, .name = "orphan");
    (void)!jg_create_task(succeed, arg, .name = "ready");
    return jg_yield();
}

static int await_one_that_abandons(void *arg)
{
    jg_task *tasks[4];
    ck_assert_int_eq(jg_await(jg_create_task(abandon, arg, .name = "parent")), 0);
    ck_assert_uint_eq(jg_all_tasks(tasks, 4), 1);
    return 0;
}

TEST(a_task_that_nobody_awaited_is_cancelled_waited_for_and_reported)
{
    collect_reports();
    RUN(await_one_that_abandons, NULL);
    ck_assert_uint_eq(report_count, 2);
    ck_assert_str_eq(reports[0].task, "orphan");
    ck_assert_ptr_nonnull(strstr(reports[0].message, "parent"));
    ck_assert_str_eq(reports[1].task, "ready");
    ck_assert_int_eq(reports[0].error, 0);
}

static int fail_at_cancellation(void *arg)
{
    ck_assert_int_eq(jg_sleep(60), -1);
    errno = *(int *)arg;
    return -1;
}

static int abandon_one_that_fails(void *arg)
{
    (void)!jg_create_task(fail_at_cancellation, arg);
    (void)!jg_yield();
    errno = EDOM;
    return -1;
}

TEST(waiting_for_the_abandoned_keeps_the_result)
{
    collect_reports();
    FAILS(jg_run(abandon_one_that_fails, (&(int){EXDEV})), EDOM);
    ck_assert_uint_eq(report_count, 1);
    ck_assert_ptr_nonnull(strstr(reports[0].message, strerror(EXDEV)));
}

static int descend(void *arg)
{
    int depth = *(int *)arg;
    if (depth == 0)
        return jg_sleep(60);
    jg_task *child = jg_create_task(descend, (&(int){depth - 1}), .stack_size = 16 * 1024);
    return jg_await(child);
}

static int cancel_a_deep_chain(void *arg)
{
    jg_task *task = jg_create_task(descend, arg);
    let_others_run(*(int *)arg + 2);
    jg_cancel(task);
    FAILS(jg_await(task), ECANCELED);
    return 0;
}

TEST(a_chain_of_thousands_of_awaits_is_cancelled_at_once)
{
    RUN(cancel_a_deep_chain, (&(int){5000}));
}
