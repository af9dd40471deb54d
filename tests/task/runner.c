/* Several mains in one loop. */
#include "support.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static int note_from_afar(void *arg)
{
    if (jg_sleep(0.001) < 0) {
        note("!");
        return -1;
    }
    note(arg);
    return 0;
}

static int leave_behind(void *arg)
{
    jg_detach(jg_create_task(note_from_afar, arg));
    return 5;
}

static int wait_a_little(void *arg)
{
    ck_assert_ptr_eq(jg_task_loop(), arg);
    return jg_sleep(0.02);
}

TEST(what_one_main_leaves_goes_on_in_the_next_run)
{
    char a[] = "a";
    jg_runner *runner = jg_runner_new();
    ck_assert_ptr_nonnull(runner);
    errno = EDOM;
    ck_assert_int_eq(jg_runner_run(runner, leave_behind, a), 5);
    ck_assert_int_eq(errno, EDOM);
    usleep(5000);
    TRACED("");
    ck_assert_ptr_null(jg_get_running_loop());
    ck_assert(!jg_loop_is_running(jg_runner_get_loop(runner)));
    ck_assert_int_eq(jg_runner_run(runner, wait_a_little, jg_runner_get_loop(runner)), 0);
    TRACED("a");
    jg_runner_close(runner);
    ck_assert_int_eq(errno, EDOM);
}

TEST(closing_a_runner_cancels_what_is_left)
{
    char a[] = "a";
    jg_autoptr(jg_runner) runner = jg_runner_new(.name = "boss", .poller = "epoll");
    ck_assert_str_eq(jg_loop_poller(jg_runner_get_loop(runner)), "epoll");
    ck_assert_int_eq(jg_runner_run(runner, leave_behind, a), 5);
    jg_runner_close(runner);
    TRACED("!");
    runner = jg_runner_new_with(NULL);
    jg_runner_close(runner);
    runner = NULL;
    jg_runner_close(NULL);
}

static int look_at_name(void *arg)
{
    ck_assert_str_eq(jg_task_name(jg_current_task()), arg);
    return jg_fail(EXDEV, "words of %s", (char *)arg);
}

TEST(a_runner_hands_out_results_and_words)
{
    char name[] = "a name of our own", *copy = strdup(name);
    jg_autoptr(jg_runner) runner = jg_runner_new(.name = copy, .stack_size = 1 << 20);
    memset(copy, 'x', strlen(copy));
    free(copy);
    for (int i = 0; i < 3; i++) {
        FAILS(jg_runner_run(runner, look_at_name, name), EXDEV);
        ck_assert_str_eq(jg_error_text(), "words of a name of our own");
        ck_assert_int_eq(jg_runner_run(runner, return_number, &i), i);
    }
}

TEST(runners_and_runs_take_turns_on_a_thread)
{
    jg_autoptr(jg_runner) one = jg_runner_new();
    jg_autoptr(jg_runner) other = jg_runner_new();
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(jg_runner_run(one, sleep_a_little, NULL), 0);
        RUN(sleep_a_little, NULL);
        ck_assert_int_eq(jg_runner_run(other, sleep_a_little, NULL), 0);
    }
}

static int run_inside(void *arg)
{
    return jg_runner_run(arg, succeed, NULL);
}

TEST_ABORTS(a_runner_inside_run_aborts, "jg_runner_run: called inside jg_run")
{
    jg_run(run_inside, jg_runner_new());
}

static int close_inside(void *arg)
{
    jg_runner_close(arg);
    return 0;
}

TEST_ABORTS(closing_a_runner_inside_its_run_aborts, "jg_runner_close: called inside jg_run")
{
    jg_runner *runner = jg_runner_new();
    jg_runner_run(runner, close_inside, runner);
}

TEST(a_runner_needs_a_poller_that_there_is)
{
    ck_assert_ptr_null(jg_runner_new(.poller = "kqueue"));
    ck_assert_int_eq(errno, EINVAL);
}

static int interrupt_itself(void *arg)
{
    kill(getpid(), SIGINT);
    FAILS(jg_sleep(10), ECANCELED);
    errno = ECANCELED;
    return arg ? 0 : -1;
}

TEST(sigint_cancels_each_main_of_a_runner)
{
    jg_autoptr(jg_runner) runner = jg_runner_new();
    for (int i = 0; i < 3; i++) {
        FAILS(jg_runner_run(runner, interrupt_itself, NULL), EINTR);
        ck_assert_int_eq(jg_runner_run(runner, interrupt_itself, runner), 0);
        ck_assert_int_eq(jg_runner_run(runner, sleep_a_little, NULL), 0);
    }
}

static void *run_in_thread(void *arg)
{
    (void)arg;
    jg_runner *runner = jg_runner_new();
    for (int i = 0; i < 20; i++)
        if (jg_runner_run(runner, sleep_a_little, NULL) != 0)
            return runner;
    jg_runner_close(runner);
    return NULL;
}

TEST(several_threads_have_a_runner_each)
{
    pthread_t threads[4];
    void *failed;
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, run_in_thread, NULL), 0);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_join(threads[i], &failed), 0);
        ck_assert_ptr_null(failed);
    }
}
