/* Sleeping, yielding and the order in which tasks run. */
#include "support.h"

#include <math.h>

static int measure_sleep(void *arg)
{
    jg_loop *loop = jg_task_loop();
    double before = jg_loop_time(loop);
    ck_assert_int_eq(jg_sleep(*(double *)arg), 0);
    ck_assert_double_ge(jg_loop_time(loop) - before, *(double *)arg);
    return 0;
}

TEST(sleep_is_never_shorter)
{
    RUN(measure_sleep, (&(double){0.02}));
    RUN(measure_sleep, (&(double){0.0000001}));
}

static int measure_sleep_until(void *arg)
{
    (void)arg;
    double when = jg_loop_time(jg_task_loop()) + 0.02;
    ck_assert_int_eq(jg_sleep_until(when), 0);
    ck_assert_double_ge(jg_loop_time(jg_task_loop()), when);
    return jg_sleep_until(when - 1);
}

TEST(sleep_until_is_never_early)
{
    RUN(measure_sleep_until, NULL);
}

static int sleep_badly(void *arg)
{
    (void)arg;
    FAILS(jg_sleep(NAN), EINVAL);
    FAILS(jg_sleep_until(NAN), EINVAL);
    return 0;
}

TEST(sleeping_for_not_a_number_is_refused)
{
    RUN(sleep_badly, NULL);
}

static int note_after(void *arg)
{
    ck_assert_int_eq(jg_sleep(*(double *)arg), 0);
    note(*(double *)arg > 0.02 ? "c" : *(double *)arg > 0.01 ? "b" : "a");
    return 0;
}

static int sleep_side_by_side(void *arg)
{
    static double times[] = {0.03, 0.005, 0.015};
    (void)arg;
    return jg_gather(jg_create_task(note_after, &times[0]), jg_create_task(note_after, &times[1]),
                     jg_create_task(note_after, &times[2]));
}

TEST(sleepers_wake_in_the_order_of_their_times)
{
    RUN(sleep_side_by_side, NULL);
    TRACED("abc");
}

static int note_and_yield(void *arg)
{
    for (int i = 0; i < 3; i++) {
        note(arg);
        ck_assert_int_eq(jg_yield(), 0);
    }
    return 0;
}

static int yield_in_turns(void *arg)
{
    static char names[] = "a\0b\0c";
    (void)arg;
    return jg_gather(jg_create_task(note_and_yield, &names[0]), jg_create_task(note_and_yield, &names[2]),
                     jg_create_task(note_and_yield, &names[4]));
}

TEST(yield_lets_every_ready_task_run_once)
{
    RUN(yield_in_turns, NULL);
    TRACED("abcabcabc");
}

static int sleep_zero(void *arg)
{
    jg_task *other = jg_create_task(note_and_yield, arg);
    ck_assert_int_eq(jg_sleep(0), 0);
    TRACED("x");
    ck_assert_int_eq(jg_sleep(-1), 0);
    TRACED("xx");
    return jg_await(other);
}

TEST(sleeping_zero_or_less_is_one_turn)
{
    char name[] = "x";
    RUN(sleep_zero, name);
}

static int yield_alone(void *arg)
{
    for (int i = 0; i < 100000; i++)
        ck_assert_int_eq(jg_yield(), 0);
    (void)arg;
    return 0;
}

TEST(a_task_alone_can_yield_to_nobody)
{
    RUN(yield_alone, NULL);
}

static void stop_yielding(void *arg)
{
    *(bool *)arg = true;
}

static int yield_until_called(void *arg)
{
    bool called = false;
    jg_timer timer = {.handle = {.fn = stop_yielding, .arg = &called}};
    (void)arg;
    jg_call_later(jg_task_loop(), &timer, 0.005);
    while (!called)
        ck_assert_int_eq(jg_yield(), 0);
    return 0;
}

TEST(tasks_that_yield_for_ever_do_not_starve_timers)
{
    RUN(yield_until_called, NULL);
}

static void note_callback(void *arg)
{
    note(arg);
}

static int note_task(void *arg)
{
    note(arg);
    return 0;
}

static int mix_with_callbacks(void *arg)
{
    static char names[] = "1\0"
                          "2\0"
                          "3\0"
                          "4";
    jg_handle first = {.fn = note_callback, .arg = &names[0]}, second = {.fn = note_callback, .arg = &names[4]};
    (void)arg;
    jg_call_soon(jg_task_loop(), &first);
    jg_task *third = jg_create_task(note_task, &names[2]);
    jg_call_soon(jg_task_loop(), &second);
    jg_task *fourth = jg_create_task(note_task, &names[6]);
    return jg_gather(third, fourth);
}

TEST(tasks_and_plain_callbacks_run_in_one_order)
{
    RUN(mix_with_callbacks, NULL);
    TRACED("1234");
}

static int never_parks(void *arg)
{
    jg_future *future = arg;
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(jg_future_wait(future, NULL), 0);
    note("n");
    return 0;
}

static int share_with_one_that_never_parks(void *arg)
{
    jg_future future = {0};
    char name[] = "x";
    (void)arg;
    ck_assert_int_eq(jg_future_set_result(&future, NULL), 0);
    jg_task *busy = jg_create_task(never_parks, &future);
    jg_task *other = jg_create_task(note_task, name);
    return jg_gather(busy, other);
}

TEST(a_task_that_finds_its_data_at_once_yields_now_and_then)
{
    RUN(share_with_one_that_never_parks, NULL);
    TRACED("xn");
}

static int set_own_errno(void *arg)
{
    int mine = *(int *)arg;
    errno = mine;
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(jg_yield(), 0);
        ck_assert_int_eq(errno, mine);
        ck_assert_int_eq(jg_sleep(0.001), 0);
        ck_assert_int_eq(errno, mine);
    }
    return 0;
}

static int share_errno(void *arg)
{
    static int numbers[] = {EDOM, ERANGE};
    (void)arg;
    errno = EILSEQ;
    ck_assert_int_eq(jg_gather(jg_create_task(set_own_errno, &numbers[0]), jg_create_task(set_own_errno, &numbers[1])),
                     0);
    ck_assert_int_eq(errno, EILSEQ);
    return 0;
}

TEST(errno_belongs_to_the_task)
{
    RUN(share_errno, NULL);
}

static int many_sleepers(void *arg)
{
    enum { MANY = 2000 };
    static jg_task *tasks[MANY];
    (void)arg;
    for (int i = 0; i < MANY; i++)
        tasks[i] = jg_create_task(sleep_a_little, NULL);
    return jg_gatherv(tasks, MANY);
}

TEST(thousands_of_tasks_sleep_at_once)
{
    RUN(many_sleepers, NULL);
}

/* A task that yields while no other is ready may be waiting for the kernel. */
static int count_turns(void *arg)
{
    (void)arg;
    jg_loop_statistics before, after;
    jg_loop_get_statistics(jg_task_loop(), &before);
    for (int i = 0; i < 10; i++)
        jg_yield();
    jg_loop_get_statistics(jg_task_loop(), &after);
    ck_assert_uint_ge(after.turns - before.turns, 10);
    return 0;
}

TEST(a_lone_yield_makes_a_turn)
{
    RUN(count_turns, NULL);
}

TEST(the_time_is_that_of_the_loops)
{
    double before = jg_time();
    jg_loop *loop = jg_loop_new();
    double between = jg_loop_time(loop);
    jg_loop_close(loop);
    ck_assert(before <= between && between <= jg_time());
}
