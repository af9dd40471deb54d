/* Locks. */
#include "support.h"

static int acquire(void *lock)
{
    return jg_lock_acquire(lock);
}

static int take_and_release(void *arg)
{
    jg_lock lock = {0};
    (void)arg;
    ck_assert(!jg_lock_locked(&lock));
    errno = EXDEV;
    OK(jg_lock_acquire(&lock));
    ck_assert_int_eq(errno, EXDEV);
    ck_assert(jg_lock_locked(&lock));
    FAILS(jg_lock_try_acquire(&lock), EAGAIN);
    ck_assert_ptr_nonnull(strstr(jg_error_text(), "jg_lock_try_acquire"));
    jg_lock_release(&lock);
    ck_assert(!jg_lock_locked(&lock));
    OK(jg_lock_try_acquire(&lock));
    jg_lock_release(&lock);
    return 0;
}

TEST(a_lock_is_taken_and_released)
{
    RUN(take_and_release, NULL);
}

static int hand_over(void *arg)
{
    jg_lock lock = {0};
    struct caller callers[] = {{acquire, &lock, "a"}, {acquire, &lock, "b"}, {acquire, &lock, "c"}};
    jg_task *tasks[3];
    (void)arg;
    OK(jg_lock_acquire(&lock));
    for (int i = 0; i < 3; i++)
        tasks[i] = start_caller(&callers[i]);
    TRACED("");
    jg_lock_release(&lock);
    ck_assert(jg_lock_locked(&lock)); /* a's, although it hasn't run */
    FAILS(jg_lock_try_acquire(&lock), EAGAIN);
    let_others_run(3);
    TRACED("a");
    jg_lock_release(&lock); /* for a, by another task */
    let_others_run(1);
    TRACED("ab");
    jg_lock_release(&lock);
    OK(jg_gather(tasks[0], tasks[1], tasks[2]));
    jg_lock_release(&lock);
    ck_assert(!jg_lock_locked(&lock));
    return 0;
}

TEST(a_lock_is_handed_over_in_the_order_of_arrival)
{
    RUN(hand_over, NULL);
    TRACED("abc");
}

static int barge(void *arg)
{
    jg_lock lock = {0};
    struct caller waiting = {acquire, &lock, "waiting"};
    (void)arg;
    OK(jg_lock_acquire(&lock));
    jg_task *task = start_caller(&waiting);
    jg_lock_release(&lock);
    struct caller barging = {acquire, &lock, "barging"};
    jg_task *second = start_caller(&barging);
    TRACED("waiting");
    jg_lock_release(&lock);
    OK(jg_gather(task, second));
    jg_lock_release(&lock);
    return 0;
}

TEST(nobody_overtakes_who_waits_for_a_lock)
{
    RUN(barge, NULL);
    TRACED("waitingbarging");
}

static int cancel_waiters(void *arg)
{
    jg_lock lock = {0};
    struct caller callers[] = {{acquire, &lock, "a"}, {acquire, &lock, "b"}, {acquire, &lock, "c"}};
    jg_task *tasks[3];
    (void)arg;
    OK(jg_lock_acquire(&lock));
    for (int i = 0; i < 3; i++)
        tasks[i] = start_caller(&callers[i]);
    jg_cancel(tasks[0]);
    jg_cancel(tasks[2]);
    jg_lock_release(&lock); /* in the same turn: goes to b */
    let_others_run(2);
    TRACED("a!c!b");
    FAILS(jg_await(tasks[0]), ECANCELED);
    FAILS(jg_await(tasks[2]), ECANCELED);
    OK(jg_await(tasks[1]));
    jg_lock_release(&lock);
    ck_assert(!jg_lock_locked(&lock));
    return 0;
}

TEST(a_cancelled_waiter_does_not_swallow_a_lock)
{
    RUN(cancel_waiters, NULL);
}

static int acquire_then_check(void *arg)
{
    OK(jg_lock_acquire(arg));
    FAILS(jg_yield(), ECANCELED);
    jg_lock_release(arg);
    return 0;
}

static int wake_then_cancel(void *arg)
{
    jg_lock lock = {0};
    (void)arg;
    OK(jg_lock_acquire(&lock));
    jg_task *task = jg_create_task(acquire_then_check, &lock);
    let_others_run(1);
    jg_lock_release(&lock);
    jg_cancel(task);
    OK(jg_await(task));
    ck_assert(!jg_lock_locked(&lock));
    return 0;
}

TEST(who_is_handed_a_lock_and_cancelled_in_the_same_turn_has_it)
{
    RUN(wake_then_cancel, NULL);
}

static int interrupt(void *arg)
{
    jg_lock lock = {0};
    (void)arg;
    OK(jg_lock_acquire(&lock));
    interrupt_in_every_way(acquire, &lock);
    jg_lock_release(&lock);
    ck_assert(!jg_lock_locked(&lock));
    return 0;
}

TEST(waiting_for_a_lock_is_interrupted)
{
    RUN(interrupt, NULL);
}

static int refuse_free_lock(void *arg)
{
    jg_lock lock = {0};
    (void)arg;
    {
        JG_TIMEOUT(deadline, 0);
        FAILS(jg_lock_acquire(&lock), ETIMEDOUT);
    }
    ck_assert(!jg_lock_locked(&lock));
    jg_cancel(jg_current_task());
    FAILS(jg_lock_acquire(&lock), ECANCELED);
    ck_assert(!jg_lock_locked(&lock));
    OK(jg_lock_try_acquire(&lock)); /* never waits */
    jg_lock_release(&lock);
    return 0;
}

TEST(a_refused_acquire_has_no_effect)
{
    RUN(refuse_free_lock, NULL);
}

static int hold_for_scope(void *arg)
{
    jg_lock *lock = arg;
    JG_LOCKED(held, lock);
    if (!held)
        return -1;
    ck_assert(jg_lock_locked(lock));
    return jg_yield();
}

static int hold_by_scope(void *arg)
{
    jg_lock lock = {0};
    (void)arg;
    OK(hold_for_scope(&lock));
    ck_assert(!jg_lock_locked(&lock));
    OK(jg_lock_acquire(&lock));
    {
        JG_TIMEOUT(deadline, 0.001);
        FAILS(hold_for_scope(&lock), ETIMEDOUT);
    }
    ck_assert(jg_lock_locked(&lock));
    jg_lock_release(&lock);
    {
        JG_LOCKED(held, &lock);
        ck_assert_ptr_eq(held, &lock);
        jg_lock_release(held);
        held = NULL;
    }
    ck_assert(!jg_lock_locked(&lock));
    return 0;
}

TEST(a_scope_holds_a_lock)
{
    RUN(hold_by_scope, NULL);
}

static int cancel_and_forget(void *arg)
{
    jg_lock lock = {0};
    struct caller callers[] = {{acquire, &lock, "a"}, {acquire, &lock, "b"}};
    (void)arg;
    OK(jg_lock_acquire(&lock));
    jg_task *cancelled = start_caller(&callers[0]), *woken = start_caller(&callers[1]);
    jg_cancel(cancelled);
    jg_lock_release(&lock);
    memset(&lock, 0xff, sizeof lock); /* nobody needs it any more */
    FAILS(jg_await(cancelled), ECANCELED);
    return jg_await(woken);
}

TEST(who_was_woken_or_interrupted_does_not_touch_the_lock)
{
    RUN(cancel_and_forget, NULL);
    TRACED("a!b");
}

static void release_in_callback(void *arg)
{
    jg_lock_release(arg);
}

static jg_lock static_lock;

static int acquire_static(void *arg)
{
    jg_handle handle = {.fn = release_in_callback, .arg = &static_lock};
    (void)arg;
    ck_assert(jg_lock_locked(&static_lock));
    jg_call_soon(jg_task_loop(), &handle);
    return jg_lock_acquire(&static_lock);
}

TEST(a_static_lock_works_before_jg_run_and_between_two)
{
    OK(jg_lock_try_acquire(&static_lock));
    FAILS(jg_lock_try_acquire(&static_lock), EAGAIN);
    RUN(acquire_static, NULL);
    RUN(acquire_static, NULL);
    jg_lock_release(&static_lock);
    ck_assert(!jg_lock_locked(&static_lock));
}

static int acquire_for_ever(void *arg)
{
    jg_lock lock = {0};
    bool *stop = arg;
    while (!*stop) {
        OK(jg_lock_acquire(&lock));
        jg_lock_release(&lock);
    }
    return 0;
}

static int stop_busy(void *arg)
{
    bool stop = false;
    jg_task *busy = jg_create_task(acquire_for_ever, &stop);
    (void)arg;
    let_others_run(3);
    stop = true;
    return jg_await(busy);
}

TEST(a_task_that_finds_its_lock_free_lets_others_run)
{
    RUN(stop_busy, NULL);
}
