/* Events. */
#include "support.h"

static int wait_event(void *event)
{
    return jg_event_wait(event);
}

static jg_event static_event;

static int wait_for_set(void *arg)
{
    (void)arg;
    errno = EXDEV;
    OK(jg_event_wait(&static_event));
    ck_assert_int_eq(errno, EXDEV);
    jg_event_clear(&static_event);
    ck_assert(!jg_event_is_set(&static_event));
    return 0;
}

TEST(an_event_is_set_before_jg_run)
{
    ck_assert(!jg_event_is_set(&static_event));
    jg_event_set(&static_event);
    jg_event_set(&static_event);
    ck_assert(jg_event_is_set(&static_event));
    RUN(wait_for_set, NULL);
}

static int wake_all(void *arg)
{
    jg_event event = {0};
    struct caller callers[] = {{wait_event, &event, "a"}, {wait_event, &event, "b"}, {wait_event, &event, "c"}};
    jg_task *tasks[3];
    (void)arg;
    for (int i = 0; i < 3; i++)
        tasks[i] = start_caller(&callers[i]);
    jg_cancel(tasks[1]);
    jg_event_set(&event);
    jg_event_clear(&event);
    memset(&event, 0xff, sizeof event); /* nobody needs it any more */
    FAILS(jg_await(tasks[1]), ECANCELED);
    return jg_gather(tasks[0], tasks[2]);
}

TEST(an_event_wakes_all_even_if_it_is_cleared_at_once)
{
    RUN(wake_all, NULL);
    TRACED("b!ac");
}

static int wait_then_check(void *arg)
{
    OK(jg_event_wait(arg));
    FAILS(jg_event_wait(arg), ECANCELED);
    return 0;
}

static int set_then_cancel(void *arg)
{
    jg_event event = {0};
    jg_task *task = jg_create_task(wait_then_check, &event);
    (void)arg;
    let_others_run(1);
    jg_event_set(&event);
    jg_cancel(task);
    return jg_await(task);
}

TEST(who_is_woken_by_an_event_and_cancelled_in_the_same_turn_was_woken)
{
    RUN(set_then_cancel, NULL);
}

static int interrupt(void *arg)
{
    jg_event event = {0};
    (void)arg;
    interrupt_in_every_way(wait_event, &event);
    jg_event_set(&event);
    {
        JG_TIMEOUT(deadline, 0);
        FAILS(jg_event_wait(&event), ETIMEDOUT); /* the entry check comes first */
    }
    return jg_event_wait(&event);
}

TEST(waiting_for_an_event_is_interrupted)
{
    RUN(interrupt, NULL);
}

static void set_in_callback(void *arg)
{
    jg_event_set(arg);
}

static int wait_for_callback(void *arg)
{
    jg_event event = {0};
    jg_timer timer = {.handle = {.fn = set_in_callback, .arg = &event}};
    (void)arg;
    jg_call_later(jg_task_loop(), &timer, 0.001);
    return jg_event_wait(&event);
}

TEST(a_callback_sets_an_event)
{
    RUN(wait_for_callback, NULL);
}
