/* Timers: never early, in exact order, cancelled at any time. */
#include "loop/timers.h"

#include "base/clock.h"
#include "base/list.h"
#include "support.h"

#include <math.h>
#include <stdlib.h>

struct alarm {
    jg_timer timer;
    jg_loop *loop;
    double due, fired;
    struct trace *trace;
    char letter;
};

static void ring(void *arg)
{
    struct alarm *alarm = arg;
    alarm->fired = jg_loop_time(alarm->loop);
    if (alarm->trace)
        trace(alarm->trace, alarm->letter);
}

static struct alarm *make_alarm(jg_loop *loop, struct trace *trace, char letter)
{
    struct alarm *alarm = calloc(1, sizeof *alarm);
    *alarm = (struct alarm){.loop = loop, .trace = trace, .letter = letter};
    alarm->timer.handle = (jg_handle){.fn = ring, .arg = alarm};
    return alarm;
}

static void run_traced(jg_loop *loop, struct trace *trace, size_t length)
{
    while (trace->length < length)
        ck_assert_int_eq(jg_loop_run_once(loop, 5), 0);
}

static void set_fired(void *arg)
{
    *(bool *)arg = true;
}

TEST(a_timer_is_never_early)
{
    jg_loop *loop = new_loop();
    for (int i = 0; i < 50; i++) {
        struct trace trace = {0};
        struct alarm *alarm = make_alarm(loop, &trace, 'a');
        double delay = i * 0.000137;
        alarm->due = jg_loop_time(loop) + delay;
        jg_call_later(loop, &alarm->timer, delay);
        run_traced(loop, &trace, 1);
        ck_assert(alarm->fired >= alarm->due);
        free(alarm);
    }
    jg_loop_close(loop);
}

TEST(timers_run_by_time_then_by_age)
{
    jg_loop *loop = new_loop();
    struct trace trace = {0};
    double now = jg_loop_time(loop);
    static const double offsets[] = {0.03, 0.01, 0.02, 0.01, 0.03, 0.01};
    struct alarm *alarms[6];
    for (int i = 0; i < 6; i++) {
        alarms[i] = make_alarm(loop, &trace, (char)('a' + i));
        jg_call_at(loop, &alarms[i]->timer, now + offsets[i]);
    }
    run_traced(loop, &trace, 6);
    ck_assert_str_eq(trace.text, "bdfcae");
    for (int i = 0; i < 6; i++)
        free(alarms[i]);
    jg_loop_close(loop);
}

TEST(times_in_the_past_run_at_once_in_order)
{
    jg_loop *loop = new_loop();
    struct trace trace = {0};
    static const double offsets[] = {-1, -3, -2, -3, -1000000};
    struct alarm *alarms[5];
    double now = jg_loop_time(loop);
    jg_loop_run_once(loop, 0);
    for (int i = 0; i < 5; i++) {
        alarms[i] = make_alarm(loop, &trace, (char)('a' + i));
        jg_call_at(loop, &alarms[i]->timer, now + offsets[i]);
    }
    jg_loop_run_once(loop, 0);
    ck_assert_str_eq(trace.text, "ebdca");
    for (int i = 0; i < 5; i++)
        free(alarms[i]);
    jg_loop_close(loop);
}

TEST(a_time_before_all_time_has_come)
{
    jg_loop *loop = new_loop();
    bool fired = false;
    jg_timer timer = {.handle = {.fn = set_fired, .arg = &fired}};
    jg_call_at(loop, &timer, -1e300);
    jg_loop_run_once(loop, 60);
    ck_assert(fired);
    jg_loop_close(loop);
}

TEST(a_cancelled_timer_does_not_run)
{
    jg_loop *loop = new_loop();
    struct trace trace = {0};
    struct alarm *a = make_alarm(loop, &trace, 'a'), *b = make_alarm(loop, &trace, 'b');
    jg_call_later(loop, &a->timer, 0.001);
    jg_call_later(loop, &b->timer, 0.002);
    jg_timer_cancel(loop, &a->timer);
    jg_timer_cancel(loop, &a->timer);
    run_traced(loop, &trace, 1);
    ck_assert_str_eq(trace.text, "b");
    free(a);
    free(b);
    jg_loop_close(loop);
}

TEST(a_pending_timer_is_moved)
{
    jg_loop *loop = new_loop();
    struct trace trace = {0};
    struct alarm *a = make_alarm(loop, &trace, 'a'), *b = make_alarm(loop, &trace, 'b');
    jg_call_later(loop, &a->timer, 0.001);
    jg_call_later(loop, &b->timer, 0.01);
    jg_call_later(loop, &a->timer, 0.02);
    run_traced(loop, &trace, 2);
    ck_assert_str_eq(trace.text, "ba");
    free(a);
    free(b);
    jg_loop_close(loop);
}

static void cancel_timer(void *arg)
{
    struct alarm *alarm = arg;
    jg_timer_cancel(alarm->loop, &alarm->timer);
}

TEST(a_timer_that_is_queued_to_run_can_be_cancelled)
{
    jg_loop *loop = new_loop();
    struct trace trace = {0};
    struct alarm *victim = make_alarm(loop, &trace, 'v');
    jg_timer first = {.handle = {.fn = cancel_timer, .arg = victim}};
    double now = jg_loop_time(loop);
    jg_call_at(loop, &first, now);
    jg_call_at(loop, &victim->timer, now);
    jg_loop_run_once(loop, 0);
    jg_loop_run_once(loop, 0);
    ck_assert_str_eq(trace.text, "");
    free(victim);
    jg_loop_close(loop);
}

TEST(infinite_and_undefined_times_never_come)
{
    jg_loop *loop = new_loop();
    struct trace trace = {0};
    static const double delays[] = {INFINITY, NAN, 1e300};
    struct alarm *alarms[3];
    for (int i = 0; i < 3; i++) {
        alarms[i] = make_alarm(loop, &trace, 'x');
        jg_call_later(loop, &alarms[i]->timer, delays[i]);
    }
    jg_loop_run_once(loop, 0.01);
    ck_assert_str_eq(trace.text, "");
    for (int i = 0; i < 3; i++) {
        jg_timer_cancel(loop, &alarms[i]->timer);
        free(alarms[i]);
    }
    jg_loop_close(loop);
}

/* The queue by itself, against sorting: times spread over all its levels, cancellations, equal times, a clock that
 * jumps. */
enum { MANY = 20000 };

struct entry {
    jg_timer timer;
    int64_t when;
    int age;
    bool cancelled, fired;
};

static uint64_t pseudo_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 17;
}

static void check_fired(jg_handle *ready, int64_t now, int64_t *last_when, int *last_age)
{
    while (!jg__queue_empty(ready)) {
        struct entry *entry = jg__container_of(ready->next, struct entry, timer.handle);
        jg__queue_remove(ready->next);
        ck_assert(!entry->cancelled && !entry->fired);
        ck_assert_int_le(entry->when, now);
        ck_assert(entry->when > *last_when || (entry->when == *last_when && entry->age > *last_age));
        *last_when = entry->when;
        *last_age = entry->age;
        entry->fired = true;
    }
}

TEST(the_timer_queue_agrees_with_sorting)
{
    struct jg__timers *timers = malloc(sizeof *timers);
    struct entry *entries = calloc(MANY, sizeof *entries);
    for (uint64_t seed = 1; seed <= 4; seed++) {
        uint64_t random = seed;
        int64_t start = INT64_C(123456789012345), now = start, last_when = -1;
        int last_age = -1, fired = 0, cancelled = 0;
        memset(entries, 0, MANY * sizeof *entries);
        jg__timers_init(timers, now);
        jg_handle ready;
        jg__queue_init(&ready);
        for (int i = 0; i < MANY; i++) {
            int shift = (int)(pseudo_random(&random) % 45);
            entries[i].when = now + (int64_t)(pseudo_random(&random) & ((UINT64_C(1) << shift) - 1));
            entries[i].age = i;
            jg__timers_add(timers, &entries[i].timer, entries[i].when);
            if (pseudo_random(&random) % 3 == 0) {
                struct entry *victim = &entries[pseudo_random(&random) % (uint64_t)(i + 1)];
                if (victim->timer.slot) {
                    jg__timers_remove(timers, &victim->timer);
                    victim->cancelled = true;
                }
            }
            if (pseudo_random(&random) % 50 == 0) {
                int64_t next = jg__timers_next(timers);
                now =
                    next > now && pseudo_random(&random) % 2 ? next : now + (int64_t)(pseudo_random(&random) % 100000);
                jg__timers_expire(timers, now, &ready);
                check_fired(&ready, now, &last_when, &last_age);
            }
        }
        while (timers->count) {
            int64_t next = jg__timers_next(timers);
            ck_assert_int_ne(next, JG__NEVER);
            now = next > now ? next : now;
            jg__timers_expire(timers, now, &ready);
            check_fired(&ready, now, &last_when, &last_age);
        }
        ck_assert_int_eq(jg__timers_next(timers), JG__NEVER);
        for (int i = 0; i < MANY; i++) {
            ck_assert(entries[i].fired != entries[i].cancelled);
            fired += entries[i].fired;
            cancelled += entries[i].cancelled;
        }
        ck_assert_int_eq(fired + cancelled, MANY);
        ck_assert_int_gt(cancelled, MANY / 10);
    }
    free(entries);
    free(timers);
}

TEST(cancelling_every_timer_leaves_an_empty_queue)
{
    jg_loop *loop = new_loop();
    static struct alarm alarms[3000];
    for (int i = 0; i < 3000; i++) {
        alarms[i].timer.handle = (jg_handle){.fn = ring, .arg = &alarms[i]};
        jg_call_later(loop, &alarms[i].timer, (i * 7919 % 3000) * 0.37);
    }
    for (int i = 0; i < 3000; i++)
        jg_timer_cancel(loop, &alarms[(i * 1231) % 3000].timer);
    jg_loop_statistics before, after;
    jg_loop_get_statistics(loop, &before);
    jg_loop_run_once(loop, 0.01);
    jg_loop_get_statistics(loop, &after);
    ck_assert_uint_eq(after.timers, before.timers);
    jg_loop_close(loop);
}
