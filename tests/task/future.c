/* Futures, also from threads and signal handlers. */
#include "support.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static int complete_before(void *arg)
{
    jg_future future = {0};
    void *value = NULL;
    ck_assert(!jg_future_done(&future));
    ck_assert_int_eq(jg_future_set_result(&future, arg), 0);
    ck_assert(jg_future_done(&future));
    ck_assert_int_eq(jg_future_wait(&future, &value), 0);
    ck_assert_ptr_eq(value, arg);
    ck_assert_int_eq(jg_future_wait(&future, NULL), 0);
    FAILS(jg_future_set_result(&future, NULL), EALREADY);
    FAILS(jg_future_set_error(&future, EXDEV), EALREADY);
    ck_assert_int_eq(jg_future_wait(&future, &value), 0);
    ck_assert_ptr_eq(value, arg);
    return 0;
}

TEST(a_future_keeps_its_first_result)
{
    int something;
    RUN(complete_before, &something);
}

static int complete_with_error(void *arg)
{
    jg_future future = {0};
    FAILS(jg_future_set_error(&future, 0), EINVAL);
    FAILS(jg_future_set_error(&future, -EXDEV), EINVAL);
    ck_assert(!jg_future_done(&future));
    ck_assert_int_eq(jg_future_set_error(&future, EXDEV), 0);
    FAILS(jg_future_wait(&future, NULL), EXDEV);
    return arg != NULL;
}

TEST(a_future_hands_out_its_error)
{
    RUN(complete_with_error, NULL);
}

struct waiter {
    jg_future *future;
    const char *name;
};

static int wait_and_note(void *arg)
{
    struct waiter *waiter = arg;
    void *value;
    if (jg_future_wait(waiter->future, &value) < 0)
        return -1;
    ck_assert_ptr_eq(value, trace);
    note(waiter->name);
    return 0;
}

static int complete_for_several(void *arg)
{
    jg_future future = {0};
    struct waiter waiters[] = {{&future, "a"}, {&future, "b"}, {&future, "c"}};
    jg_task *tasks[3];
    (void)arg;
    for (int i = 0; i < 3; i++)
        tasks[i] = jg_create_task(wait_and_note, &waiters[i]);
    let_others_run(1);
    jg_cancel(tasks[1]);
    FAILS(jg_await(tasks[1]), ECANCELED);
    ck_assert_int_eq(jg_future_set_result(&future, trace), 0);
    memset(&future, 0xff, sizeof future); /* nobody needs it any more */
    return jg_gather(tasks[0], tasks[2]);
}

TEST(waiters_wake_in_the_order_of_their_arrival)
{
    RUN(complete_for_several, NULL);
    TRACED("ac");
}

static int wait_too_long(void *arg)
{
    jg_future future = {0};
    void *value;
    {
        JG_TIMEOUT(deadline, 0.005);
        FAILS(jg_future_wait(&future, &value), ETIMEDOUT);
    }
    ck_assert_int_eq(jg_future_set_result(&future, arg), 0);
    return jg_future_wait(&future, &value);
}

TEST(an_interrupted_waiter_leaves_the_future_as_it_is)
{
    RUN(wait_too_long, NULL);
}

static void complete_in_callback(void *arg)
{
    ck_assert_int_eq(jg_future_set_result(arg, arg), 0);
}

static int wait_for_callback(void *arg)
{
    jg_future future = {0};
    jg_timer timer = {.handle = {.fn = complete_in_callback, .arg = &future}};
    (void)arg;
    jg_call_later(jg_task_loop(), &timer, 0.002);
    return jg_future_wait(&future, NULL);
}

TEST(plain_callbacks_complete_futures)
{
    RUN(wait_for_callback, NULL);
}

/* ---- From elsewhere ---- */

static void *complete_in_thread(void *arg)
{
    if (jg_future_set_result_threadsafe(arg, trace) != 0)
        abort();
    return NULL;
}

static int wait_for_thread(void *arg)
{
    (void)arg;
    for (int i = 0; i < 200; i++) {
        jg_future future = {0};
        pthread_t thread;
        void *value = NULL;
        jg_future_bind(&future);
        ck_assert_int_eq(pthread_create(&thread, NULL, complete_in_thread, &future), 0);
        ck_assert_int_eq(jg_future_wait(&future, &value), 0);
        ck_assert_ptr_eq(value, trace);
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
    }
    return 0;
}

TEST(a_thread_completes_a_future)
{
    RUN(wait_for_thread, NULL);
}

struct last_act {
    jg_future future;
    pthread_t thread;
};

static int wait_for_last_act(void *arg)
{
    struct last_act *act = arg;
    jg_future_bind(&act->future);
    ck_assert_int_eq(pthread_create(&act->thread, NULL, complete_in_thread, &act->future), 0);
    return jg_future_wait(&act->future, NULL);
}

TEST(the_run_may_end_while_the_thread_is_still_in_the_call)
{
    for (int i = 0; i < 100; i++) {
        struct last_act act = {0};
        RUN(wait_for_last_act, &act);
        ck_assert_int_eq(pthread_join(act.thread, NULL), 0);
    }
}

static void *fail_in_thread(void *arg)
{
    if (jg_future_set_error_threadsafe(arg, -1) != -1 || errno != EINVAL)
        abort();
    if (jg_future_set_error_threadsafe(arg, EXDEV) != 0)
        abort();
    if (jg_future_set_result_threadsafe(arg, NULL) != -1 || errno != EALREADY)
        abort();
    return NULL;
}

static int wait_for_failing_thread(void *arg)
{
    jg_future future = {0};
    pthread_t thread;
    (void)arg;
    jg_future_bind(&future);
    ck_assert_int_eq(pthread_create(&thread, NULL, fail_in_thread, &future), 0);
    FAILS(jg_future_wait(&future, NULL), EXDEV);
    FAILS(jg_future_set_result(&future, NULL), EALREADY);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    return 0;
}

TEST(a_thread_fails_a_future_once)
{
    RUN(wait_for_failing_thread, NULL);
}

static jg_future from_signal;

static void on_signal(int number)
{
    (void)number;
    jg_future_set_result_threadsafe(&from_signal, NULL); // NOLINT(bugprone-signal-handler)
}

static int wait_for_signal(void *arg)
{
    (void)arg;
    jg_future_bind(&from_signal);
    signal(SIGALRM, on_signal);
    ualarm(5000, 5000); /* again and again: ThreadSanitizer may hold one back until the next system call */
    int result = jg_future_wait(&from_signal, NULL);
    ualarm(0, 0);
    return result;
}

TEST(a_signal_handler_completes_a_future)
{
    RUN(wait_for_signal, NULL);
}

TEST_ABORTS(a_thread_needs_a_future_that_is_bound, "jg_future_bind")
{
    jg_future future = {0};
    jg_future_set_result_threadsafe(&future, NULL);
}

TEST_ABORTS(binding_a_future_outside_of_run_aborts, "jg_future_bind: called outside jg_run")
{
    jg_future future = {0};
    jg_future_bind(&future);
}
