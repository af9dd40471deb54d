/* The counters of a loop. */
#include "support.h"

#include <pthread.h>
#include <time.h>

static jg_loop_statistics statistics_of(const jg_loop *loop)
{
    jg_loop_statistics statistics;
    jg_loop_get_statistics(loop, &statistics);
    return statistics;
}

static uint64_t lags(const jg_loop_statistics *statistics, int from, int to)
{
    uint64_t count = 0;
    for (int i = from; i < to; i++)
        count += statistics->lag[i];
    return count;
}

static void do_nothing(void *arg)
{
    (void)arg;
}

TEST(statistics_name_the_poller_and_count_what_is_ready)
{
    jg_loop *loop = new_loop();
    jg_handle handles[3] = {{.fn = do_nothing}, {.fn = do_nothing}, {.fn = do_nothing}};
    ck_assert_str_eq(statistics_of(loop).poller, jg_loop_poller(loop));
    ck_assert_uint_eq(statistics_of(loop).ready, 0);
    for (int i = 0; i < 3; i++)
        jg_call_soon(loop, &handles[i]);
    ck_assert_uint_eq(statistics_of(loop).ready, 3);
    jg_handle_cancel(loop, &handles[1]);
    ck_assert_uint_eq(statistics_of(loop).ready, 2);
    ck_assert_int_eq(jg_loop_run_once(loop, 0), 0);
    ck_assert_uint_eq(statistics_of(loop).ready, 0);
    ck_assert_uint_eq(statistics_of(loop).callbacks, 2);
    jg_loop_close(loop);
}

struct counted {
    jg_loop *loop;
    uint64_t ready;
};

static void count_from_inside(void *arg)
{
    struct counted *counted = arg;
    counted->ready = statistics_of(counted->loop).ready;
}

TEST(what_is_ready_is_counted_from_inside_too)
{
    jg_loop *loop = new_loop();
    struct counted counted = {.loop = loop};
    jg_handle first = {.fn = count_from_inside, .arg = &counted}, second = {.fn = do_nothing};
    jg_call_soon(loop, &first);
    jg_call_soon(loop, &second);
    ck_assert_int_eq(jg_loop_run_once(loop, 0), 0);
    ck_assert_uint_eq(counted.ready, 1);
    jg_loop_close(loop);
}

static void take_a_while(void *arg)
{
    (void)arg;
    nanosleep(&(struct timespec){.tv_nsec = 20 * 1000 * 1000}, NULL);
}

TEST(each_turn_is_in_the_histogram_of_lags)
{
    jg_loop *loop = new_loop();
    jg_handle slow = {.fn = take_a_while};
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(jg_loop_run_once(loop, 0), 0);
    jg_loop_statistics before = statistics_of(loop);
    ck_assert_uint_eq(before.turns, 10);
    ck_assert_uint_eq(lags(&before, 0, JG_LAG_BUCKETS), 10);
    jg_call_soon(loop, &slow);
    ck_assert_int_eq(jg_loop_run_once(loop, 0), 0);
    jg_loop_statistics after = statistics_of(loop);
    ck_assert_uint_eq(lags(&after, 0, JG_LAG_BUCKETS), 11);
    ck_assert_uint_ge(lags(&after, 15, JG_LAG_BUCKETS), lags(&before, 15, JG_LAG_BUCKETS) + 1); /* 16384 us or more */
    jg_loop_close(loop);
}

static bool three_turns(void *arg)
{
    return statistics_of(arg).turns == 3;
}

/* The time that a loop sleeps is no lag. */
TEST(waiting_is_no_lag)
{
    jg_loop *loop = new_loop();
    jg_timer timers[3] = {{.handle.fn = do_nothing}, {.handle.fn = do_nothing}, {.handle.fn = do_nothing}};
    for (int i = 0; i < 3; i++)
        jg_call_later(loop, &timers[i], 0.3 * (i + 1));
    ck_assert_int_eq(jg_loop_run_until(loop, three_turns, loop), 0);
    jg_loop_statistics statistics = statistics_of(loop);
    ck_assert_uint_eq(lags(&statistics, 0, JG_LAG_BUCKETS), 3);
    ck_assert_uint_lt(lags(&statistics, 19, JG_LAG_BUCKETS), 3); /* 262 ms or more: a machine that stops now and then */
    jg_loop_close(loop);
}

struct waker {
    jg_loop *loop;
    jg_handle handle;
    bool woken;
};

static void note_waking(void *arg)
{
    *(bool *)arg = true;
}

static void *wake(void *arg)
{
    struct waker *waker = arg;
    nanosleep(&(struct timespec){.tv_nsec = 20 * 1000 * 1000}, NULL);
    jg_call_soon_threadsafe(waker->loop, &waker->handle);
    return NULL;
}

TEST(wake_ups_by_other_threads_are_counted)
{
    struct waker waker = {.loop = new_loop()};
    waker.handle = (jg_handle){.fn = note_waking, .arg = &waker.woken};
    pthread_t thread;
    ck_assert_uint_eq(statistics_of(waker.loop).wakeups, 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, wake, &waker), 0);
    run_until(waker.loop, &waker.woken);
    pthread_join(thread, NULL);
    ck_assert_int_eq(jg_loop_run_once(waker.loop, 0), 0); /* where the call came before the loop slept */
    ck_assert_uint_le(statistics_of(waker.loop).wakeups, 1);
    jg_loop_close(waker.loop);
}
