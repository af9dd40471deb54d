/* Conditions. */
#include "support.h"

static int wait_locked(void *arg)
{
    jg_condition *condition = arg;
    if (jg_condition_acquire(condition) < 0)
        return -1;
    int result = jg_condition_wait(condition);
    ck_assert(jg_condition_locked(condition));
    int error = errno;
    jg_condition_release(condition);
    errno = error;
    return result;
}

static int notify_some(void *arg)
{
    jg_condition condition = {0};
    struct caller callers[] = {
        {wait_locked, &condition, "a"}, {wait_locked, &condition, "b"}, {wait_locked, &condition, "c"},
        {wait_locked, &condition, "d"}, {wait_locked, &condition, "e"},
    };
    jg_task *tasks[5];
    (void)arg;
    for (int i = 0; i < 5; i++)
        tasks[i] = start_caller(&callers[i]);
    ck_assert(!jg_condition_locked(&condition));
    OK(jg_condition_acquire(&condition));
    jg_condition_notify(&condition, 0);
    jg_condition_notify(&condition, 1);
    let_others_run(3);
    TRACED(""); /* the lock is still here */
    jg_condition_release(&condition);
    let_others_run(3);
    TRACED("a");
    OK(jg_condition_acquire(&condition));
    jg_condition_notify(&condition, 2);
    jg_condition_release(&condition);
    OK(jg_gather(tasks[0], tasks[1], tasks[2]));
    TRACED("abc");
    OK(jg_condition_acquire(&condition));
    jg_condition_notify_all(&condition);
    jg_condition_notify_all(&condition);
    jg_condition_release(&condition);
    return jg_gather(tasks[3], tasks[4]);
}

TEST(a_condition_wakes_so_many_in_the_order_of_arrival)
{
    RUN(notify_some, NULL);
    TRACED("abcde");
}

struct box {
    jg_condition condition;
    int value;
};

static bool is_full(void *arg)
{
    return ((struct box *)arg)->value >= 3;
}

static int wait_until_full(void *arg)
{
    struct box *box = arg;
    JG_LOCKED(held, jg_condition_lock(&box->condition));
    if (!held)
        return -1;
    return jg_condition_wait_for(&box->condition, is_full, box);
}

static int fill(void *arg)
{
    struct box box = {0};
    struct caller waiting = {wait_until_full, &box, "full"};
    jg_task *task = start_caller(&waiting);
    (void)arg;
    for (int i = 0; i < 3; i++) {
        TRACED("");
        OK(jg_condition_acquire(&box.condition));
        box.value++;
        jg_condition_notify_all(&box.condition);
        jg_condition_release(&box.condition);
        let_others_run(2);
    }
    OK(jg_await(task));
    OK(wait_until_full(&box)); /* at once */
    box.value = 0;
    interrupt_in_every_way(wait_until_full, &box);
    ck_assert(!jg_condition_locked(&box.condition));
    return 0;
}

TEST(a_condition_waits_for_a_predicate)
{
    RUN(fill, NULL);
    TRACED("full");
}

static int wait_with_lock(void *condition)
{
    return jg_condition_wait(condition);
}

static int interrupt(void *arg)
{
    jg_condition condition = {0};
    (void)arg;
    interrupt_in_every_way(wait_locked, &condition);
    ck_assert(!jg_condition_locked(&condition));
    OK(jg_condition_acquire(&condition));
    {
        JG_TIMEOUT(deadline, 0);
        FAILS(wait_with_lock(&condition), ETIMEDOUT);
    }
    {
        JG_TIMEOUT(deadline, 0.002);
        FAILS(wait_with_lock(&condition), ETIMEDOUT);
    }
    ck_assert(jg_condition_locked(&condition));
    jg_condition_release(&condition);
    return 0;
}

TEST(waiting_for_a_condition_is_interrupted_and_keeps_the_lock)
{
    RUN(interrupt, NULL);
}

static int cancel_while_locked(void *arg)
{
    jg_condition condition = {0};
    struct caller waiting = {wait_locked, &condition, "w"};
    (void)arg;
    jg_task *task = start_caller(&waiting);
    OK(jg_condition_acquire(&condition));
    jg_cancel(task);
    let_others_run(3);
    TRACED("");                         /* first it has to have the lock */
    jg_condition_notify(&condition, 1); /* it isn't in line any more */
    jg_condition_release(&condition);
    FAILS(jg_await(task), ECANCELED);
    ck_assert(!jg_condition_locked(&condition));
    return 0;
}

TEST(a_cancelled_waiter_takes_the_lock_before_it_returns)
{
    RUN(cancel_while_locked, NULL);
    TRACED("w!");
}

static int cancel_notified(void *arg)
{
    jg_condition condition = {0};
    struct caller callers[] = {{wait_locked, &condition, "a"}, {wait_locked, &condition, "b"}};
    jg_task *tasks[2];
    (void)arg;
    for (int i = 0; i < 2; i++)
        tasks[i] = start_caller(&callers[i]);
    OK(jg_condition_acquire(&condition));
    jg_condition_notify(&condition, 1);
    jg_cancel(tasks[0]); /* too late: it was notified */
    let_others_run(2);
    jg_condition_release(&condition);
    OK(jg_await(tasks[0]));
    jg_cancel(tasks[1]);
    FAILS(jg_await(tasks[1]), ECANCELED);
    return 0;
}

TEST(who_is_notified_and_cancelled_in_the_same_turn_was_notified)
{
    RUN(cancel_notified, NULL);
    TRACED("ab!");
}

static int cancel_then_notify(void *arg)
{
    jg_condition condition = {0};
    struct caller callers[] = {{wait_locked, &condition, "a"}, {wait_locked, &condition, "b"}};
    jg_task *tasks[2];
    (void)arg;
    for (int i = 0; i < 2; i++)
        tasks[i] = start_caller(&callers[i]);
    OK(jg_condition_acquire(&condition));
    jg_cancel(tasks[0]);
    jg_condition_notify(&condition, 1);
    jg_condition_release(&condition);
    FAILS(jg_await(tasks[0]), ECANCELED);
    return jg_await(tasks[1]);
}

TEST(a_cancelled_waiter_does_not_swallow_a_notification)
{
    RUN(cancel_then_notify, NULL);
    TRACED("a!b");
}

static int share(void *arg)
{
    jg_lock lock = {0};
    jg_condition full = {.lock = &lock}, empty = {.lock = &lock};
    struct caller callers[] = {{wait_locked, &full, "full"}, {wait_locked, &empty, "empty"}};
    jg_task *tasks[2];
    (void)arg;
    for (int i = 0; i < 2; i++)
        tasks[i] = start_caller(&callers[i]);
    ck_assert_ptr_eq(jg_condition_lock(&full), &lock);
    OK(jg_lock_acquire(&lock));
    ck_assert(jg_condition_locked(&full) && jg_condition_locked(&empty));
    jg_condition_notify_all(&empty);
    jg_lock_release(&lock);
    OK(jg_await(tasks[1]));
    TRACED("empty");
    OK(jg_lock_acquire(&lock));
    jg_condition_notify_all(&full);
    jg_lock_release(&lock);
    return jg_await(tasks[0]);
}

TEST(two_conditions_share_a_lock)
{
    RUN(share, NULL);
    TRACED("emptyfull");
}
