/* Semaphores. */
#include "support.h"

static int acquire(void *semaphore)
{
    return jg_semaphore_acquire(semaphore);
}

static int take_permits(void *arg)
{
    jg_semaphore *semaphore = arg;
    OK(jg_semaphore_acquire(semaphore));
    ck_assert(!jg_semaphore_locked(semaphore));
    OK(jg_semaphore_try_acquire(semaphore));
    ck_assert(jg_semaphore_locked(semaphore));
    FAILS(jg_semaphore_try_acquire(semaphore), EAGAIN);
    interrupt_in_every_way(acquire, semaphore);
    ck_assert(jg_semaphore_locked(semaphore));
    jg_semaphore_release(semaphore);
    jg_semaphore_release(semaphore);
    OK(jg_semaphore_acquire(semaphore));
    OK(jg_semaphore_acquire(semaphore));
    ck_assert(jg_semaphore_locked(semaphore));
    jg_semaphore_release(semaphore);
    jg_semaphore_release(semaphore);
    return 0;
}

TEST(a_semaphore_has_so_many_permits)
{
    static jg_semaphore plain = JG_SEMAPHORE(2), bounded = JG_BOUNDED_SEMAPHORE(2);
    RUN(take_permits, &plain);
    RUN(take_permits, &bounded);
}

static int begin_without(void *arg)
{
    jg_semaphore semaphore = {0};
    (void)arg;
    ck_assert(jg_semaphore_locked(&semaphore));
    FAILS(jg_semaphore_try_acquire(&semaphore), EAGAIN);
    for (int i = 0; i < 5; i++)
        jg_semaphore_release(&semaphore);
    for (int i = 0; i < 5; i++)
        OK(jg_semaphore_acquire(&semaphore));
    ck_assert(jg_semaphore_locked(&semaphore));
    return 0;
}

TEST(a_zero_semaphore_has_no_permits_and_no_bound)
{
    RUN(begin_without, NULL);
}

static int hand_over(void *arg)
{
    jg_semaphore semaphore = JG_SEMAPHORE(0);
    struct caller callers[] = {{acquire, &semaphore, "a"}, {acquire, &semaphore, "b"}, {acquire, &semaphore, "c"}};
    jg_task *tasks[3];
    (void)arg;
    for (int i = 0; i < 3; i++)
        tasks[i] = start_caller(&callers[i]);
    jg_semaphore_release(&semaphore);
    jg_semaphore_release(&semaphore);
    ck_assert(jg_semaphore_locked(&semaphore)); /* both are a's and b's already */
    FAILS(jg_semaphore_try_acquire(&semaphore), EAGAIN);
    OK(jg_gather(tasks[0], tasks[1]));
    TRACED("ab");
    jg_semaphore_release(&semaphore);
    OK(jg_await(tasks[2]));
    return 0;
}

TEST(permits_are_handed_over_in_the_order_of_arrival)
{
    RUN(hand_over, NULL);
    TRACED("abc");
}

/* The case that asyncio once got wrong: permits must neither get lost nor multiply when waiters are cancelled. */
static int cancel_waiters(void *arg)
{
    jg_semaphore semaphore = JG_SEMAPHORE(1);
    struct caller callers[] = {{acquire, &semaphore, "a"}, {acquire, &semaphore, "b"}, {acquire, &semaphore, "c"}};
    jg_task *tasks[3];
    (void)arg;
    OK(jg_semaphore_acquire(&semaphore));
    for (int i = 0; i < 3; i++)
        tasks[i] = start_caller(&callers[i]);
    jg_cancel(tasks[0]);
    jg_semaphore_release(&semaphore);
    jg_cancel(tasks[1]); /* has the permit already */
    jg_cancel(tasks[2]);
    FAILS(jg_await(tasks[0]), ECANCELED);
    OK(jg_await(tasks[1]));
    FAILS(jg_await(tasks[2]), ECANCELED);
    ck_assert(jg_semaphore_locked(&semaphore));
    jg_semaphore_release(&semaphore);
    OK(jg_semaphore_acquire(&semaphore));
    ck_assert(jg_semaphore_locked(&semaphore));
    return 0;
}

TEST(a_cancelled_waiter_does_not_swallow_a_permit)
{
    RUN(cancel_waiters, NULL);
    TRACED("a!bc!");
}

static int hold_for_scope(void *arg)
{
    JG_ACQUIRED(held, arg);
    return held ? jg_yield() : -1;
}

static int hold_by_scope(void *arg)
{
    jg_semaphore semaphore = JG_BOUNDED_SEMAPHORE(1);
    (void)arg;
    OK(hold_for_scope(&semaphore));
    ck_assert(!jg_semaphore_locked(&semaphore));
    JG_ACQUIRED(held, &semaphore);
    ck_assert_ptr_eq(held, &semaphore);
    JG_TIMEOUT(deadline, 0.001);
    FAILS(hold_for_scope(&semaphore), ETIMEDOUT);
    ck_assert(jg_semaphore_locked(&semaphore));
    return 0;
}

TEST(a_scope_holds_a_permit)
{
    RUN(hold_by_scope, NULL);
}

struct load {
    jg_semaphore *semaphore;
    int running, most;
};

static int run_limited(void *arg)
{
    struct load *load = arg;
    JG_ACQUIRED(held, load->semaphore);
    if (!held)
        return -1;
    if (++load->running > load->most)
        load->most = load->running;
    let_others_run(3);
    load->running--;
    return 0;
}

static int limit_load(void *arg)
{
    jg_semaphore semaphore = JG_SEMAPHORE(3);
    struct load load = {.semaphore = &semaphore};
    jg_autogroup group = {0};
    (void)arg;
    for (int i = 0; i < 50; i++)
        OK(jg_group_start(&group, run_limited, &load));
    OK(jg_group_wait(&group));
    ck_assert_int_eq(load.most, 3);
    return 0;
}

TEST(a_semaphore_limits_how_many_run)
{
    RUN(limit_load, NULL);
}
