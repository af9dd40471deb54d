/* jg_run: from the first task to the end of the last. */
#include "support.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

TEST(run_returns_what_main_returns)
{
    int number = 42;
    ck_assert_int_eq(jg_run(return_number, &number), 42);
}

TEST(run_returns_the_failure_of_main_with_its_errno)
{
    int error = EXDEV;
    FAILS(jg_run(fail_with, &error), EXDEV);
}

static int fail_in_words(void *arg)
{
    (void)arg;
    return jg_sleep(NAN);
}

TEST(run_hands_out_the_error_text_of_main)
{
    FAILS(jg_run(fail_in_words, NULL), EINVAL);
    ck_assert_ptr_nonnull(strstr(jg_error_text(), "jg_sleep"));
}

static int fail_otherwise(void *arg)
{
    FAILS(fail_in_words(arg), EINVAL);
    errno = EDOM;
    return -1;
}

TEST(run_does_not_hand_out_the_words_of_another_failure)
{
    FAILS(jg_run(fail_otherwise, NULL), EDOM);
    ck_assert_str_eq(jg_error_text(), strerror(EDOM));
}

TEST(run_leaves_errno_alone_when_it_succeeds)
{
    errno = EDOM;
    RUN(sleep_a_little, NULL);
    ck_assert_int_eq(errno, EDOM);
}

TEST(runs_follow_each_other)
{
    for (int i = 0; i < 20; i++)
        RUN(sleep_a_little, NULL);
}

static int look_at_poller(void *arg)
{
    ck_assert_str_eq(jg_loop_poller(jg_task_loop()), arg);
    ck_assert_ptr_eq(jg_task_loop(), jg_get_running_loop());
    return 0;
}

TEST(run_uses_the_poller_that_is_asked_for)
{
    char name[] = "epoll";
    ck_assert_int_eq(jg_run(look_at_poller, name, .poller = "epoll"), 0);
}

TEST(run_refuses_an_unknown_poller)
{
    FAILS(jg_run(succeed, NULL, .poller = "kqueue"), EINVAL);
    ck_assert_ptr_nonnull(strstr(jg_error_text(), "kqueue"));
}

static int look_at_name(void *arg)
{
    ck_assert_str_eq(jg_task_name(jg_current_task()), arg);
    return 0;
}

TEST(the_main_task_is_called_main_or_as_asked)
{
    char main_name[] = "main", name[] = "boss";
    RUN(look_at_name, main_name);
    ck_assert_int_eq(jg_run(look_at_name, name, .name = "boss"), 0);
}

static int use_stack(void *arg)
{
    volatile char frame[600 * 1024];
    (void)arg;
    frame[0] = 1;
    return frame[0] - 1;
}

TEST(run_gives_main_the_stack_that_is_asked_for)
{
    ck_assert_int_eq(jg_run(use_stack, NULL, .stack_size = 1 << 20), 0);
}

TEST(options_of_an_older_program_are_filled_up_with_defaults)
{
    jg_run_options options = {.size = offsetof(jg_run_options, name), .name = (const char *)1, .stack_size = 1};
    ck_assert_int_eq(jg_run_with(succeed, NULL, &options), 0);
    ck_assert_int_eq(jg_run_with(succeed, NULL, NULL), 0);
}

static int run_inside(void *arg)
{
    return jg_run(succeed, arg);
}

TEST_ABORTS(run_inside_run_aborts, "jg_run: called inside jg_run")
{
    jg_run(run_inside, NULL);
}

static void run_in_callback(void *arg)
{
    jg_run(succeed, arg);
}

TEST_ABORTS(run_inside_another_loop_aborts, "jg_run: another loop is running")
{
    jg_loop *loop = jg_loop_new();
    jg_handle handle = {.fn = run_in_callback};
    jg_call_soon(loop, &handle);
    jg_loop_run_once(loop, 0);
}

/* ---- What is left when main ends ---- */

static int outlive(void *arg)
{
    *(int *)arg = 1;
    FAILS(jg_sleep(60), ECANCELED);
    *(int *)arg = 2;
    errno = ECANCELED;
    return -1;
}

static int leave_detached(void *arg)
{
    jg_detach(jg_create_task(outlive, arg));
    let_others_run(2);
    return 7;
}

TEST(detached_tasks_are_cancelled_and_waited_for_at_the_end)
{
    int state = 0;
    ck_assert_int_eq(jg_run(leave_detached, &state), 7);
    ck_assert_int_eq(state, 2);
}

static int detach_at_the_end(void *arg)
{
    FAILS(jg_sleep(60), ECANCELED);
    jg_detach(jg_create_task(outlive, arg));
    return 0;
}

static int leave_one_that_detaches(void *arg)
{
    jg_detach(jg_create_task(detach_at_the_end, arg));
    return jg_yield();
}

TEST(what_is_detached_after_the_end_of_main_is_cancelled_too)
{
    int state = 0;
    RUN(leave_one_that_detaches, &state);
    ck_assert_int_eq(state, 2);
}

static int leave_unstarted(void *arg)
{
    jg_detach(jg_create_task(outlive, arg));
    return 0;
}

TEST(a_detached_task_runs_even_if_main_ends_before_it_starts)
{
    int state = 0;
    RUN(leave_unstarted, &state);
    ck_assert_int_eq(state, 2);
}

/* ---- Threads and signals ---- */

static void *run_in_thread(void *arg)
{
    for (int i = 0; i < 20; i++)
        if (jg_run(sleep_a_little, NULL) != 0)
            *(int *)arg = 1;
    return NULL;
}

TEST(several_threads_run_one_each)
{
    pthread_t threads[4];
    int failed[4] = {0};
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, run_in_thread, &failed[i]), 0);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        ck_assert_int_eq(failed[i], 0);
    }
}

static int write_to_nobody(void *arg)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    close(ends[0]);
    ck_assert_int_eq(write(ends[1], "x", 1), -1);
    ck_assert_int_eq(errno, EPIPE);
    close(ends[1]);
    return arg != NULL;
}

TEST(sigpipe_does_not_kill)
{
    signal(SIGPIPE, SIG_DFL);
    RUN(write_to_nobody, NULL);
}

static void on_sigpipe(int number)
{
    (void)number;
}

TEST(a_handler_of_sigpipe_stays)
{
    struct sigaction action;
    signal(SIGPIPE, on_sigpipe);
    RUN(succeed, NULL);
    ck_assert_int_eq(sigaction(SIGPIPE, NULL, &action), 0);
    ck_assert_ptr_eq(action.sa_handler, on_sigpipe);
}

static int stop_the_loop(void *arg)
{
    (void)arg;
    jg_loop_stop(jg_task_loop());
    return jg_sleep(0.01);
}

TEST(stopping_the_loop_does_not_end_the_run)
{
    RUN(stop_the_loop, NULL);
}
