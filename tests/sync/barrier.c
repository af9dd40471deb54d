/* Barriers. */
#include "support.h"

static int wait_at(void *barrier)
{
    return jg_barrier_wait(barrier);
}

static int meet(void *arg)
{
    jg_barrier barrier = JG_BARRIER(3);
    struct caller callers[] = {{wait_at, &barrier, "a"}, {wait_at, &barrier, "b"}};
    (void)arg;
    ck_assert_uint_eq(jg_barrier_parties(&barrier), 3);
    for (int round = 0; round < 3; round++) {
        jg_task *a = start_caller(&callers[0]), *b = start_caller(&callers[1]);
        ck_assert_uint_eq(jg_barrier_n_waiting(&barrier), 2);
        errno = EXDEV;
        ck_assert_int_eq(jg_barrier_wait(&barrier), 2);
        ck_assert_int_eq(errno, EXDEV);
        ck_assert_uint_eq(jg_barrier_n_waiting(&barrier), 0);
        ck_assert_int_eq(jg_await(a), 0);
        ck_assert_int_eq(jg_await(b), 1);
    }
    ck_assert(!jg_barrier_broken(&barrier));
    return 0;
}

TEST(tasks_meet_at_a_barrier_again_and_again)
{
    RUN(meet, NULL);
    TRACED("ababab");
}

static int come_early(void *arg)
{
    jg_barrier barrier = JG_BARRIER(2);
    struct caller caller = {wait_at, &barrier, "a"};
    (void)arg;
    jg_task *first = start_caller(&caller);
    ck_assert_int_eq(jg_barrier_wait(&barrier), 1);
    jg_task *second = jg_create_task(call_and_note, &caller);
    ck_assert_uint_eq(jg_barrier_n_waiting(&barrier), 0);
    let_others_run(1);
    ck_assert_uint_eq(jg_barrier_n_waiting(&barrier), 1); /* of the next round */
    ck_assert_int_eq(jg_await(first), 0);
    ck_assert_int_eq(jg_barrier_wait(&barrier), 1);
    return jg_await(second);
}

TEST(the_next_round_begins_at_once)
{
    RUN(come_early, NULL);
}

static int cancel_party(void *arg)
{
    jg_barrier barrier = JG_BARRIER(3);
    struct caller callers[] = {{wait_at, &barrier, "a"}, {wait_at, &barrier, "b"}, {wait_at, &barrier, "c"}};
    jg_task *tasks[3];
    (void)arg;
    for (int i = 0; i < 2; i++)
        tasks[i] = start_caller(&callers[i]);
    jg_cancel(tasks[0]);
    ck_assert_uint_eq(jg_barrier_n_waiting(&barrier), 1);
    tasks[2] = start_caller(&callers[2]); /* comes before a has run, and is not the third */
    ck_assert_uint_eq(jg_barrier_n_waiting(&barrier), 2);
    FAILS(jg_await(tasks[0]), ECANCELED);
    ck_assert(!jg_barrier_broken(&barrier));
    ck_assert_int_eq(jg_barrier_wait(&barrier), 2);
    jg_cancel(tasks[1]); /* too late */
    ck_assert_int_eq(jg_await(tasks[1]), 0);
    ck_assert_int_eq(jg_await(tasks[2]), 1);
    return 0;
}

TEST(a_cancelled_party_leaves_the_others_waiting_for_one_more)
{
    RUN(cancel_party, NULL);
    TRACED("a!bc");
}

static int abort_and_reset(void *arg)
{
    jg_barrier barrier = JG_BARRIER(3);
    struct caller callers[] = {{wait_at, &barrier, "a"}, {wait_at, &barrier, "b"}};
    (void)arg;
    jg_task *a = start_caller(&callers[0]), *b = start_caller(&callers[1]);
    jg_barrier_abort(&barrier);
    ck_assert(jg_barrier_broken(&barrier));
    ck_assert_uint_eq(jg_barrier_n_waiting(&barrier), 0);
    FAILS(jg_await(a), EPIPE);
    FAILS(jg_await(b), EPIPE);
    FAILS(jg_barrier_wait(&barrier), EPIPE);
    ck_assert_ptr_nonnull(strstr(jg_error_text(), "broken"));
    jg_barrier_reset(&barrier);
    ck_assert(!jg_barrier_broken(&barrier));
    a = start_caller(&callers[0]);
    jg_barrier_reset(&barrier);
    ck_assert(!jg_barrier_broken(&barrier));
    b = start_caller(&callers[1]); /* first of the next round */
    ck_assert_uint_eq(jg_barrier_n_waiting(&barrier), 1);
    FAILS(jg_await(a), EPIPE);
    jg_cancel(b);
    FAILS(jg_await(b), ECANCELED);
    ck_assert_uint_eq(jg_barrier_n_waiting(&barrier), 0);
    return 0;
}

TEST(a_barrier_is_broken_and_reset)
{
    RUN(abort_and_reset, NULL);
    TRACED("a#b#a#b!");
}

static int interrupt(void *arg)
{
    static jg_barrier barrier = JG_BARRIER(2);
    (void)arg;
    interrupt_in_every_way(wait_at, &barrier);
    ck_assert_uint_eq(jg_barrier_n_waiting(&barrier), 0);
    jg_barrier none = {0}, one = JG_BARRIER(1), many = JG_BARRIER(1u << 31);
    FAILS(jg_barrier_wait(&none), EINVAL);
    FAILS(jg_barrier_wait(&many), EINVAL);
    ck_assert_int_eq(jg_barrier_wait(&one), 0);
    return 0;
}

TEST(waiting_at_a_barrier_is_interrupted)
{
    RUN(interrupt, NULL);
}
