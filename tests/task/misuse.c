/* Bugs of the caller: one sentence that names the call, then an abort. */
#include "support.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

TEST_ABORTS(sleeping_outside_of_run_aborts, "jg_sleep: called outside jg_run")
{
    jg_sleep(1);
}

TEST_ABORTS(yielding_outside_of_run_aborts, "jg_yield: called outside jg_run")
{
    jg_yield();
}

TEST_ABORTS(creating_outside_of_run_aborts, "jg_create_task: called outside jg_run")
{
    (void)!jg_create_task(succeed, NULL);
}

TEST_ABORTS(gathering_outside_of_run_aborts, "jg_gather: called outside jg_run")
{
    (void)!jg_gatherv(NULL, 0);
}

TEST_ABORTS(a_deadline_outside_of_run_aborts, "JG_TIMEOUT: called outside jg_run")
{
    JG_TIMEOUT(deadline, 1);
}

TEST_ABORTS(listing_tasks_outside_of_run_aborts, "jg_all_tasks: called outside jg_run")
{
    jg_all_tasks(NULL, 0);
}

static int await_twice(void *arg)
{
    jg_task *task = jg_create_task(succeed, arg);
    (void)!jg_await(task);
    return jg_await(task);
}

TEST_ABORTS(awaiting_twice_aborts, "jg_await")
{
    jg_run(await_twice, NULL);
}

static int await_twice_with_another_between(void *arg)
{
    jg_task *task = jg_create_task(succeed, arg);
    (void)!jg_await(task);
    jg_task *stranger = jg_create_task(sleep_long, arg);
    (void)stranger;
    return jg_await(task);
}

TEST_ABORTS(a_stale_handle_does_not_reach_a_stranger, "jg_await")
{
    jg_run(await_twice_with_another_between, NULL);
}

/* The record of the task that is gone is another's then, who must not be hit. */
static int cancel_stale(void *arg)
{
    jg_task *task = jg_create_task(succeed, arg);
    (void)!jg_await(task);
    jg_task *detached = jg_create_task(succeed, arg);
    jg_detach(detached);
    (void)!jg_sleep(0.01);
    jg_cancel(task);
    jg_cancel(detached);
    jg_task *next[] = {jg_create_task(succeed, arg), jg_create_task(succeed, arg), jg_create_task(succeed, arg)};
    jg_cancel(task);
    jg_cancel(detached);
    for (int i = 0; i < 3; i++) {
        ck_assert(!jg_task_cancelled(next[i]));
        ck_assert_int_eq(jg_await(next[i]), 0);
    }
    return 0;
}

TEST(cancelling_a_stale_handle_does_nothing)
{
    RUN(cancel_stale, NULL);
}

TEST_ABORTS(cancelling_outside_of_run_aborts, "jg_cancel: called outside jg_run")
{
    jg_cancel((jg_task *)(uintptr_t)64);
}

static int look_at_stale(void *arg)
{
    jg_task *task = jg_create_task(succeed, arg);
    jg_detach(task);
    let_others_run(3);
    return jg_task_done(task);
}

TEST_ABORTS(looking_at_a_detached_task_that_has_ended_aborts, "jg_task_done: the task is gone")
{
    jg_run(look_at_stale, NULL);
}

static int await_oneself(void *arg)
{
    (void)arg;
    return jg_await(jg_current_task());
}

TEST_ABORTS(awaiting_oneself_aborts, "jg_await: task \"main\" would wait for itself")
{
    jg_run(await_oneself, NULL);
}

static int await_given(void *arg)
{
    return jg_await(arg);
}

static int let_another_await(void *arg)
{
    jg_task *task = jg_create_task(sleep_long, arg, .name = "mine");
    return jg_await(jg_create_task(await_given, task));
}

TEST_ABORTS(awaiting_what_another_task_created_aborts, "jg_await: task \"mine\" is not this task's")
{
    jg_run(let_another_await, NULL);
}

static int await_detached(void *arg)
{
    jg_task *task = jg_create_task(sleep_long, arg);
    jg_detach(task);
    return jg_await(task);
}

TEST_ABORTS(awaiting_a_detached_task_aborts, "jg_await")
{
    jg_run(await_detached, NULL);
}

static int gather_twice(void *arg)
{
    jg_task *task = jg_create_task(sleep_long, arg);
    return jg_gather(task, task);
}

TEST_ABORTS(gathering_one_task_twice_aborts, "jg_gather: task \"sleep_long\" is awaited already")
{
    jg_run(gather_twice, NULL);
}

static jg_group outliving;

static int leave_group(void *arg)
{
    return jg_group_start(&outliving, sleep_long, arg);
}

static int cancel_group_of_the_dead(void *arg)
{
    jg_task *owner = jg_create_task(leave_group, arg);
    let_others_run(4);
    ck_assert(jg_task_done(owner));
    jg_group_cancel(&outliving);
    return jg_await(owner);
}

TEST_ABORTS(cancelling_a_group_whose_owner_has_ended_aborts, "jg_group_cancel: task \"leave_group\", to which")
{
    jg_run(cancel_group_of_the_dead, NULL);
}

static int start_sibling_late(void *arg)
{
    ck_assert_int_eq(jg_sleep(60), -1);
    return jg_group_start(&outliving, succeed, arg);
}

static int leave_group_too_early(void *arg)
{
    return jg_group_start(&outliving, start_sibling_late, arg);
}

TEST_ABORTS(starting_a_task_in_a_group_whose_owner_is_ending_aborts, "jg_group_start: task \"main\", to which")
{
    jg_run(leave_group_too_early, NULL);
}

static int await_of_group(void *arg)
{
    jg_group group = {0};
    jg_task *tasks[3];
    (void)jg_group_start(&group, sleep_long, arg, .name = "member");
    jg_all_tasks(tasks, 3);
    return jg_await(tasks[1]);
}

TEST_ABORTS(awaiting_the_child_of_a_group_aborts, "belongs to a group")
{
    jg_run(await_of_group, NULL);
}

static int wait_for_given_group(void *arg)
{
    return jg_group_wait(arg);
}

static int share_group(void *arg)
{
    jg_group group = {0};
    (void)jg_group_start(&group, sleep_long, arg);
    return jg_await(jg_create_task(wait_for_given_group, &group));
}

TEST_ABORTS(waiting_for_anothers_group_aborts, "jg_group_wait: the group belongs to another task")
{
    jg_run(share_group, NULL);
}

static int leave_in_wrong_order(void *arg)
{
    jg_timeout outer, inner;
    jg_timeout_enter(&outer, 1);
    jg_timeout_enter(&inner, 1);
    jg_timeout_leave(&outer);
    return arg != NULL;
}

TEST_ABORTS(leaving_a_scope_that_is_not_the_innermost_aborts, "jg_timeout_leave")
{
    jg_run(leave_in_wrong_order, NULL);
}

static int never_leave(void *arg)
{
    static jg_timeout scope;
    jg_timeout_enter(&scope, 1);
    return arg != NULL;
}

TEST_ABORTS(ending_inside_a_scope_aborts, "jg_timeout_enter: task \"main\" ended inside the scope")
{
    jg_run(never_leave, NULL);
}

/* ---- Deep calls ---- */

static int use_much_stack(void *arg)
{
    volatile char frame[2 << 20];
    frame[0] = frame[sizeof frame - 1] = 1;
    ck_assert_ptr_eq(jg_current_task(), *(jg_task **)arg);
    errno = EDOM;
    return frame[0] + 10;
}

static int call_deep(void *arg)
{
    jg_task *self = jg_current_task();
    (void)arg;
    ck_assert_int_eq(jg_call_deep(use_much_stack, &self), 11);
    ck_assert_int_eq(errno, EDOM);
    return jg_sleep(0.001);
}

TEST(a_deep_call_has_the_threads_stack)
{
    RUN(call_deep, NULL);
}

static int do_what_never_waits(void *arg)
{
    jg_task **task = arg;
    *task = jg_create_task(sleep_long, NULL);
    jg_cancel(*task);
    ck_assert_int_eq(jg_check(), 0);
    jg_cancel(jg_current_task());
    FAILS(jg_check(), ECANCELED);
    return jg_call_deep(succeed, NULL);
}

static int call_deep_and_back(void *arg)
{
    jg_task *task;
    (void)arg;
    ck_assert_int_eq(jg_call_deep(do_what_never_waits, &task), 0);
    FAILS(jg_sleep(1), ECANCELED);
    FAILS(jg_await(task), ECANCELED);
    return 0;
}

TEST(a_deep_call_may_do_all_that_never_waits)
{
    RUN(call_deep_and_back, NULL);
}

static int wait_in_deep_call(void *arg)
{
    (void)arg;
    return jg_sleep(1);
}

static int call_one_that_waits(void *arg)
{
    return jg_call_deep(wait_in_deep_call, arg);
}

TEST_ABORTS(waiting_in_a_deep_call_aborts, "jg_sleep: called inside jg_call_deep")
{
    jg_run(call_one_that_waits, NULL);
}

static int await_in_deep_call(void *arg)
{
    return jg_await(*(jg_task **)arg);
}

static int call_one_that_awaits(void *arg)
{
    jg_task *task = jg_create_task(sleep_long, arg);
    return jg_call_deep(await_in_deep_call, &task);
}

TEST_ABORTS(awaiting_in_a_deep_call_aborts, "jg_await: called inside jg_call_deep")
{
    jg_run(call_one_that_awaits, NULL);
}

/* ---- Forked children ---- */

static int fork_and_exit(void *arg)
{
    pid_t child = fork();
    if (child == 0)
        _exit(7);
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(WEXITSTATUS(status), 7);
    (void)arg;
    return jg_sleep(0.002);
}

TEST(a_forked_child_may_exit)
{
    RUN(fork_and_exit, NULL);
}

static int fork_and(int (*fn)(void *), void *arg)
{
    pid_t child = fork();
    if (child == 0)
        return fn(arg);
    int status = 0;
    waitpid(child, &status, 0);
    _exit(0);
}

static int fork_and_sleep(void *arg)
{
    return fork_and(wait_in_deep_call, arg);
}

/* The child aborts, its parent reads what it wrote. */
static bool child_says(jg_coroutine fn, const char *sentence)
{
    int ends[2];
    char text[512] = "";
    ck_assert_int_eq(pipe(ends), 0);
    fflush(NULL);
    pid_t parent = fork();
    if (parent == 0) {
        dup2(ends[1], STDERR_FILENO);
        jg_run(fn, NULL);
        _exit(0);
    }
    close(ends[1]);
    size_t length = 0;
    for (ssize_t n; length < sizeof text - 1 && (n = read(ends[0], text + length, sizeof text - 1 - length)) > 0;)
        length += (size_t)n;
    close(ends[0]);
    waitpid(parent, NULL, 0);
    return strstr(text, sentence);
}

TEST(a_forked_child_must_not_wait)
{
    ck_assert(child_says(fork_and_sleep, "jg_sleep: called in a forked child"));
}

static int create_and_await(void *arg)
{
    return jg_await(jg_create_task(succeed, arg));
}

static int fork_and_create(void *arg)
{
    return fork_and(create_and_await, arg);
}

TEST(a_forked_child_must_not_create_tasks)
{
    ck_assert(child_says(fork_and_create, "jg_create_task: called in a forked child"));
}

static void fork_in_callback(void *arg)
{
    if (fork() == 0)
        return;
    waitpid(-1, arg, 0);
    _exit(0);
}

static int fork_outside_of_a_task(void *arg)
{
    int status;
    jg_handle handle = {.fn = fork_in_callback, .arg = &status};
    jg_call_soon(jg_task_loop(), &handle);
    (void)arg;
    return jg_yield();
}

TEST(tasks_do_not_go_on_in_a_forked_child)
{
    ck_assert(child_says(fork_outside_of_a_task, "\"main\" would go on in a forked child"));
}

static int fork_and_return(void *arg)
{
    return fork_and(succeed, arg);
}

TEST(a_forked_child_must_not_return_to_the_loop)
{
    ck_assert(child_says(fork_and_return, "forked child"));
}
