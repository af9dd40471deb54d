/* Tasks that use a lock, a semaphore, a condition and two queues at random, while others cancel them and deadlines
 * pass: whatever happens, nothing gets lost, doubled, or held by two. */
#include "support.h"

enum { TASKS = 12, ROUNDS = 4000, PERMITS = 3, CAPACITY = 2 };

static unsigned long long state;

static unsigned below(unsigned limit)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 11) % limit;
}

struct world {
    jg_lock lock;
    jg_condition condition;
    jg_semaphore semaphore;
    jg_queue queues[2];
    jg_barrier barrier;
    int holders, users, sleepers, notified;
    long put[2], got[2];
    long next_put[2];
    bool ending;
};

static int dawdle(void)
{
    return below(2) ? jg_yield() : 0;
}

static void use_lock(struct world *world)
{
    JG_LOCKED(held, &world->lock);
    if (!held)
        return;
    ck_assert_int_eq(world->holders++, 0);
    (void)!dawdle();
    ck_assert_int_eq(--world->holders, 0);
    ck_assert(jg_lock_locked(&world->lock));
}

static void use_semaphore(struct world *world)
{
    JG_ACQUIRED(held, &world->semaphore);
    if (!held)
        return;
    ck_assert_int_le(++world->users, PERMITS);
    (void)!dawdle();
    world->users--;
}

static void use_condition(struct world *world)
{
    JG_LOCKED(held, jg_condition_lock(&world->condition));
    if (!held)
        return;
    if (below(2)) {
        unsigned wake = below(4);
        jg_condition_notify(&world->condition, wake);
        world->notified += (int)wake;
        return;
    }
    world->sleepers++;
    if (jg_condition_wait(&world->condition) == 0)
        ck_assert_int_ge(--world->notified, 0);
    world->sleepers--;
    ck_assert(jg_condition_locked(&world->condition));
}

static void put_one(struct world *world, int which)
{
    long number = world->next_put[which]++;
    int result = below(3) ? jg_queue_put(&world->queues[which], &number)
                          : JG_SELECT(JG_PUT(&world->queues[which], &number), JG_AFTER(0.00002));
    if (result == 0)
        world->put[which] += number;
}

static void get_one(struct world *world, int which)
{
    long number = 0;
    int result =
        below(2) ? jg_queue_get(&world->queues[which], &number) : jg_queue_get_nowait(&world->queues[which], &number);
    if (result == 0)
        world->got[which] += number;
}

static void get_any(struct world *world)
{
    long numbers[2] = {0};
    int index = JG_SELECT(JG_GET(&world->queues[0], &numbers[0]), JG_GET(&world->queues[1], &numbers[1]),
                          JG_AFTER(0.00005 * below(3)));
    if (index == 0 || index == 1) {
        world->got[index] += numbers[index];
        ck_assert_int_eq(numbers[!index], 0);
    } else {
        ck_assert_int_eq(numbers[0] + numbers[1], 0);
    }
}

static void meet(struct world *world)
{
    int index = jg_barrier_wait(&world->barrier);
    ck_assert_int_le(index, 1);
    if (below(8) == 0)
        jg_barrier_reset(&world->barrier);
}

static void act(struct world *world)
{
    switch (below(7)) {
    case 0:
        use_lock(world);
        break;
    case 1:
        use_semaphore(world);
        break;
    case 2:
        use_condition(world);
        break;
    case 3:
        put_one(world, (int)below(2));
        break;
    case 4:
        get_one(world, (int)below(2));
        break;
    case 5:
        get_any(world);
        break;
    default:
        meet(world);
    }
}

static int live(void *arg)
{
    struct world *world = arg;
    while (jg_check() == 0) {
        JG_TIMEOUT(deadline, 0.00002 * below(20));
        act(world);
    }
    return 0;
}

static void check_quiet(struct world *world)
{
    long number;
    ck_assert(!jg_lock_locked(&world->lock));
    ck_assert(!jg_condition_locked(&world->condition));
    ck_assert_int_eq(world->sleepers, 0);
    ck_assert_uint_eq(jg_barrier_n_waiting(&world->barrier), 0);
    for (int i = 0; i < PERMITS; i++)
        OK(jg_semaphore_try_acquire(&world->semaphore));
    FAILS(jg_semaphore_try_acquire(&world->semaphore), EAGAIN);
    for (int i = 0; i < 2; i++) {
        while (jg_queue_get_nowait(&world->queues[i], &number) == 0)
            world->got[i] += number;
        ck_assert_int_eq(world->put[i], world->got[i]);
        jg_queue_free(&world->queues[i]);
    }
}

static int play(void *arg)
{
    struct world world = {.semaphore = JG_BOUNDED_SEMAPHORE(PERMITS),
                          .queues = {JG_QUEUE(long, CAPACITY), JG_QUEUE(long, 0)},
                          .barrier = JG_BARRIER(2)};
    jg_task *tasks[TASKS];
    (void)arg;
    for (int i = 0; i < TASKS; i++)
        tasks[i] = jg_create_task(live, &world);
    for (int i = 0; i < ROUNDS / harness_slowness(); i++) {
        unsigned victim = below(TASKS);
        if (below(3) == 0) {
            jg_cancel_and_wait(tasks[victim]);
            tasks[victim] = jg_create_task(live, &world);
        }
        OK(below(20) ? jg_yield() : jg_sleep(0.00001));
    }
    for (int i = 0; i < TASKS; i++)
        jg_cancel_and_wait(tasks[i]);
    check_quiet(&world);
    return 0;
}

TEST(nothing_is_lost_at_random)
{
    for (unsigned seed = 1; seed <= 5; seed++) {
        state = seed * 2654435761u;
        RUN(play, NULL);
    }
}
