/* Channels between threads, with and without loops. */
#include "support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

static void start(pthread_t *thread, void *(*fn)(void *), void *arg)
{
    OK(pthread_create(thread, NULL, fn, arg));
}

static void join(pthread_t thread)
{
    OK(pthread_join(thread, NULL));
}

/* ---- A thread and a loop ---- */

struct both {
    jg_channel *requests, *answers;
    int count;
};

static void *answer_in_thread(void *arg)
{
    struct both *both = arg;
    int number;
    while (jg_channel_get(both->requests, &number) == 0) {
        number *= 2;
        OK(jg_channel_put(both->answers, &number));
    }
    ck_assert_int_eq(errno, EPIPE);
    jg_channel_shutdown(both->answers, false);
    return NULL;
}

static int ask(void *arg)
{
    struct both *both = arg;
    for (int i = 0; i < both->count; i++) {
        int number = 0;
        OK(jg_channel_put(both->requests, &i));
        OK(jg_channel_get(both->answers, &number));
        ck_assert_int_eq(number, 2 * i);
    }
    jg_channel_shutdown(both->requests, false);
    FAILS(jg_channel_get(both->answers, &(int){0}), EPIPE);
    return 0;
}

static struct both new_pair(size_t capacity, int count)
{
    return (struct both){jg_channel_new(sizeof(int), capacity), jg_channel_new(sizeof(int), capacity), count};
}

static void free_pair(const struct both *both)
{
    jg_channel_free(both->requests);
    jg_channel_free(both->answers);
}

TEST(a_task_asks_a_thread)
{
    struct both both = new_pair(1, 2000);
    pthread_t thread;
    start(&thread, answer_in_thread, &both);
    RUN(ask, &both);
    join(thread);
    free_pair(&both);
}

static int answer(void *arg)
{
    answer_in_thread(arg);
    return 0;
}

static void *answer_in_loop(void *arg)
{
    RUN(answer, arg);
    return NULL;
}

TEST(two_loops_talk)
{
    struct both both = new_pair(1, 2000);
    pthread_t thread;
    start(&thread, answer_in_loop, &both);
    RUN(ask, &both);
    join(thread);
    free_pair(&both);
}

TEST(a_thread_asks_a_loop)
{
    struct both both = new_pair(1, 2000);
    pthread_t thread;
    start(&thread, answer_in_loop, &both);
    OK(ask(&both));
    join(thread);
    free_pair(&both);
}

/* ---- Sleeping loops, blocked threads ---- */

static void *put_late(void *channel)
{
    usleep(20 * 1000);
    OK(jg_channel_put_nowait(channel, &(int){3}));
    return NULL;
}

static int get_late(void *channel)
{
    int element = 0;
    OK(jg_channel_get(channel, &element));
    ck_assert_int_eq(element, 3);
    return 0;
}

TEST(a_loop_that_sleeps_is_woken)
{
    jg_autoptr(jg_channel) channel = jg_channel_new(sizeof(int), 1);
    pthread_t thread;
    start(&thread, put_late, channel);
    RUN(get_late, channel);
    join(thread);
}

static int select_late(void *channel)
{
    int element = 0;
    jg_event never = {0};
    ck_assert_int_eq(JG_SELECT(JG_ON(&never), JG_TAKE(channel, &element), JG_AFTER(1000)), 1);
    ck_assert_int_eq(element, 3);
    return 0;
}

TEST(a_select_that_sleeps_is_woken)
{
    jg_autoptr(jg_channel) channel = jg_channel_new(sizeof(int), 1);
    pthread_t thread;
    start(&thread, put_late, channel);
    RUN(select_late, channel);
    join(thread);
}

static void *get_until_end(void *channel)
{
    FAILS(jg_channel_get(channel, &(int){0}), EPIPE);
    return NULL;
}

static void *get_for_until_end(void *channel)
{
    FAILS(jg_channel_get_for(channel, &(int){0}, 1000), EPIPE);
    return NULL;
}

static void *put_until_end(void *channel)
{
    FAILS(jg_channel_put(channel, &(int){0}), EPIPE);
    return NULL;
}

static int get_until_end_in_task(void *channel)
{
    get_until_end(channel);
    return 0;
}

static void *get_until_end_in_loop(void *channel)
{
    RUN(get_until_end_in_task, channel);
    return NULL;
}

TEST(shutting_down_wakes_threads_and_loops)
{
    jg_channel *empty = jg_channel_new(sizeof(int), 1), *full = jg_channel_new(sizeof(int), 1);
    void *(*const getters[])(void *) = {get_until_end, get_for_until_end, get_until_end_in_loop};
    pthread_t threads[4];
    OK(jg_channel_put(full, &(int){0}));
    for (int i = 0; i < 3; i++)
        start(&threads[i], getters[i], empty);
    start(&threads[3], put_until_end, full);
    usleep(20 * 1000); /* most likely they wait by now; it has to work if not */
    jg_channel_shutdown(empty, false);
    jg_channel_shutdown(full, false);
    for (int i = 0; i < 4; i++)
        join(threads[i]);
    ck_assert_uint_eq(jg_channel_size(full), 1);
    jg_channel_free(empty);
    jg_channel_free(full);
}

static void *give_last(void *channel)
{
    OK(jg_channel_put(channel, &(int){1}));
    return NULL;
}

static int free_after_last(void *channel)
{
    OK(jg_channel_get(channel, &(int){0}));
    jg_channel_free(channel);
    return 0;
}

TEST(who_got_the_last_element_may_free_the_channel)
{
    for (int i = 0; i < 200; i++) {
        jg_channel *channel = jg_channel_new(sizeof(int), 1);
        pthread_t thread;
        start(&thread, give_last, channel);
        if (i % 2)
            OK(free_after_last(channel));
        else
            RUN(free_after_last, channel);
        join(thread);
    }
}

TEST_ABORTS(freeing_a_channel_while_a_thread_waits_aborts, "jg_channel_free: somebody waits in the channel")
{
    jg_channel *channel = jg_channel_new(sizeof(int), 1);
    pthread_t thread;
    start(&thread, get_until_end, channel);
    usleep(100 * 1000);
    jg_channel_free(channel);
}

/* ---- Many ---- */

enum { PRODUCERS = 3, CONSUMERS = 3, EACH = 3000 };

struct market {
    jg_channel *channels[2];
    atomic_long sum;
    atomic_int taken;
};

static int produce(void *arg)
{
    struct market *market = arg;
    for (int i = 1; i <= EACH; i++)
        OK(jg_channel_put(market->channels[i % 2], &i));
    return 0;
}

static int produce_by_select(void *arg)
{
    struct market *market = arg;
    for (int i = 1; i <= EACH; i++)
        ck_assert_int_ge(JG_SELECT(JG_GIVE(market->channels[0], &i), JG_GIVE(market->channels[1], &i)), 0);
    return 0;
}

static void note_taken(struct market *market, int element)
{
    atomic_fetch_add(&market->sum, element);
    atomic_fetch_add(&market->taken, 1);
}

static int consume(void *arg)
{
    struct market *market = arg;
    int element;
    while (jg_channel_get(market->channels[0], &element) == 0)
        note_taken(market, element);
    while (jg_channel_get(market->channels[1], &element) == 0)
        note_taken(market, element);
    return 0;
}

static int consume_by_select(void *arg)
{
    struct market *market = arg;
    int element;
    while (JG_SELECT(JG_TAKE(market->channels[0], &element), JG_TAKE(market->channels[1], &element)) >= 0)
        note_taken(market, element);
    return consume(market);
}

/* Deadlines that pass all the time: no element gets lost or doubled. */
static int consume_impatiently(void *arg)
{
    struct market *market = arg;
    int element;
    for (;;) {
        JG_TIMEOUT(deadline, 0.0001);
        if (JG_SELECT(JG_TAKE(market->channels[1], &element), JG_TAKE(market->channels[0], &element)) >= 0)
            note_taken(market, element);
        else if (errno != ETIMEDOUT)
            break;
    }
    return consume(market);
}

static int consume_twice(void *arg)
{
    return jg_gather(jg_create_task(consume_by_select, arg), jg_create_task(consume_impatiently, arg));
}

static void *consume_twice_in_loop(void *arg)
{
    RUN(consume_twice, arg);
    return NULL;
}

static void *consume_in_thread(void *arg)
{
    OK(consume(arg));
    return NULL;
}

static void *produce_in_thread(void *arg)
{
    OK(produce(arg));
    return NULL;
}

static void *produce_in_loop(void *arg)
{
    RUN(produce, arg);
    return NULL;
}

static void *produce_by_select_in_loop(void *arg)
{
    RUN(produce_by_select, arg);
    return NULL;
}

TEST(nothing_is_lost_between_many_threads_and_loops)
{
    struct market market = {.channels = {jg_channel_new(sizeof(int), 2), jg_channel_new(sizeof(int), 5)}};
    void *(*const producers[])(void *) = {produce_in_thread, produce_in_loop, produce_by_select_in_loop};
    void *(*const consumers[])(void *) = {consume_in_thread, consume_twice_in_loop, consume_twice_in_loop};
    pthread_t threads[PRODUCERS + CONSUMERS];
    for (int i = 0; i < CONSUMERS; i++)
        start(&threads[PRODUCERS + i], consumers[i], &market);
    for (int i = 0; i < PRODUCERS; i++)
        start(&threads[i], producers[i], &market);
    for (int i = 0; i < PRODUCERS; i++)
        join(threads[i]);
    jg_channel_shutdown(market.channels[0], false);
    jg_channel_shutdown(market.channels[1], false);
    for (int i = 0; i < CONSUMERS; i++)
        join(threads[PRODUCERS + i]);
    ck_assert_int_eq(atomic_load(&market.taken), PRODUCERS * EACH);
    ck_assert_int_eq(atomic_load(&market.sum), (long)PRODUCERS * EACH * (EACH + 1) / 2);
    jg_channel_free(market.channels[0]);
    jg_channel_free(market.channels[1]);
}

/* ---- Cancellation against a thread ---- */

static int take_counting(void *arg)
{
    struct market *market = arg;
    int element;
    if (jg_channel_get(market->channels[0], &element) < 0)
        return -1;
    note_taken(market, element);
    return 0;
}

static int take_and_cancel(void *arg)
{
    for (int i = 0; i < 500; i++) {
        jg_task *task = jg_create_task(take_counting, arg);
        if (jg_sleep(i % 3 ? 0 : 0.00005) < 0)
            return -1;
        jg_cancel_and_wait(task);
    }
    return consume(arg);
}

static void *put_and_end(void *arg)
{
    struct market *market = arg;
    for (int i = 1; i <= EACH; i++)
        OK(jg_channel_put(market->channels[0], &i));
    jg_channel_shutdown(market->channels[0], false);
    return NULL;
}

TEST(cancelled_takers_lose_nothing)
{
    struct market market = {.channels = {jg_channel_new(sizeof(int), 1), jg_channel_new(sizeof(int), 1)}};
    pthread_t thread, competitor;
    jg_channel_shutdown(market.channels[1], false);
    start(&thread, put_and_end, &market);
    start(&competitor, consume_in_thread, &market);
    RUN(take_and_cancel, &market);
    join(thread);
    join(competitor);
    ck_assert_int_eq(atomic_load(&market.taken), EACH);
    ck_assert_int_eq(atomic_load(&market.sum), (long)EACH * (EACH + 1) / 2);
    jg_channel_free(market.channels[0]);
    jg_channel_free(market.channels[1]);
}
