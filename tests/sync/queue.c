/* Queues: putting, getting, waiting, and being done. */
#include "support.h"

#include <stdlib.h>

static int get_any(void *queue)
{
    int element = 0;
    return jg_queue_get(queue, &element) < 0 ? -1 : element;
}

static int put_seven(void *queue)
{
    return jg_queue_put(queue, &(int){7});
}

static int put_and_get(void *arg)
{
    jg_autoqueue queue = JG_QUEUE(int, 3);
    int element = 0;
    (void)arg;
    ck_assert(jg_queue_empty(&queue) && !jg_queue_full(&queue));
    ck_assert_uint_eq(jg_queue_capacity(&queue), 3);
    FAILS(jg_queue_get_nowait(&queue, &element), EAGAIN);
    for (int round = 0; round < 4; round++) {
        errno = EXDEV;
        OK(jg_queue_put(&queue, &(int){1}));
        OK(jg_queue_put_nowait(&queue, &(int){2}));
        OK(jg_queue_get(&queue, &element));
        ck_assert_int_eq(errno, EXDEV);
        ck_assert_int_eq(element, 1);
        OK(jg_queue_put(&queue, &(int){3}));
        OK(jg_queue_put(&queue, &(int){4}));
        ck_assert(jg_queue_full(&queue) && !jg_queue_empty(&queue));
        ck_assert_uint_eq(jg_queue_size(&queue), 3);
        FAILS(jg_queue_put_nowait(&queue, &(int){5}), EAGAIN);
        for (int i = 2; i <= 4; i++) {
            OK(jg_queue_get_nowait(&queue, &element));
            ck_assert_int_eq(element, i);
        }
    }
    return 0;
}

TEST(a_queue_hands_out_what_was_put_in_order)
{
    RUN(put_and_get, NULL);
}

struct large {
    char bytes[1001];
};

static int grow(void *arg)
{
    jg_autoqueue queue = JG_QUEUE(struct large, JG_UNBOUNDED);
    struct large element, expected;
    size_t put = 0, got = 0;
    (void)arg;
    for (size_t burst = 1; burst < 400; burst += 7) {
        for (size_t i = 0; i < burst; i++) {
            memset(&element, (int)(put++ % 251), sizeof element);
            OK(jg_queue_put(&queue, &element));
        }
        for (size_t i = 0; i < burst / 2; i++) {
            OK(jg_queue_get(&queue, &element));
            memset(&expected, (int)(got++ % 251), sizeof expected);
            ck_assert_mem_eq(&element, &expected, sizeof element);
        }
    }
    ck_assert_uint_eq(jg_queue_size(&queue), put - got);
    ck_assert(!jg_queue_full(&queue));
    while (jg_queue_get_nowait(&queue, &element) == 0)
        ck_assert_uint_eq((unsigned char)element.bytes[1000], got++ % 251);
    ck_assert_uint_eq(put, got);
    ck_assert_ptr_null(queue.memory); /* as large as it was, it is not kept */
    return 0;
}

TEST(a_queue_grows_and_shrinks)
{
    RUN(grow, NULL);
}

static int wait_to_get(void *arg)
{
    jg_autoqueue queue = JG_QUEUE(int, 1);
    struct caller callers[] = {{get_any, &queue, "a"}, {get_any, &queue, "b"}, {get_any, &queue, "c"}};
    jg_task *tasks[3];
    (void)arg;
    for (int i = 0; i < 3; i++)
        tasks[i] = start_caller(&callers[i]);
    jg_cancel(tasks[1]);
    for (int i = 10; i <= 20; i += 10)
        OK(jg_queue_put(&queue, &i)); /* doesn't wait: they are a's and c's */
    ck_assert(jg_queue_empty(&queue));
    FAILS(jg_queue_get_nowait(&queue, &(int){0}), EAGAIN);
    FAILS(jg_await(tasks[1]), ECANCELED);
    ck_assert_int_eq(jg_await(tasks[0]), 10);
    ck_assert_int_eq(jg_await(tasks[2]), 20);
    return 0;
}

TEST(getters_are_served_in_the_order_of_arrival)
{
    RUN(wait_to_get, NULL);
    TRACED("b!ac");
}

struct number {
    jg_queue *queue;
    int value;
};

static int put_number(void *arg)
{
    struct number *number = arg;
    return jg_queue_put(number->queue, &number->value);
}

static int wait_to_put(void *arg)
{
    jg_autoqueue queue = JG_QUEUE(int, 1);
    struct number numbers[] = {{&queue, 1}, {&queue, 2}, {&queue, 3}};
    struct caller callers[] = {
        {put_number, &numbers[0], "a"}, {put_number, &numbers[1], "b"}, {put_number, &numbers[2], "c"}};
    jg_task *tasks[3];
    (void)arg;
    OK(jg_queue_put(&queue, &(int){0}));
    for (int i = 0; i < 3; i++)
        tasks[i] = start_caller(&callers[i]);
    jg_cancel(tasks[1]);
    for (int i = 0; i < 3; i++) {
        ck_assert(jg_queue_full(&queue));
        ck_assert_int_eq(get_any(&queue), i < 2 ? i : 3);
    }
    ck_assert(jg_queue_empty(&queue));
    FAILS(jg_await(tasks[1]), ECANCELED);
    return jg_gather(tasks[0], tasks[2]);
}

TEST(putters_are_served_in_the_order_of_arrival)
{
    RUN(wait_to_put, NULL);
    TRACED("b!ac");
}

static int get_then_check(void *arg)
{
    int element = get_any(arg);
    FAILS(jg_queue_get(arg, &(int){0}), ECANCELED);
    return element;
}

static int put_then_check(void *arg)
{
    OK(put_seven(arg));
    FAILS(put_seven(arg), ECANCELED);
    return 0;
}

static int serve_then_cancel(void *arg)
{
    jg_autoqueue queue = JG_QUEUE(int, 1);
    (void)arg;
    jg_task *task = jg_create_task(get_then_check, &queue);
    let_others_run(1);
    OK(jg_queue_put(&queue, &(int){5}));
    jg_cancel(task);
    ck_assert_int_eq(jg_await(task), 5);
    OK(jg_queue_put(&queue, &(int){6}));
    task = jg_create_task(put_then_check, &queue);
    let_others_run(1);
    ck_assert_int_eq(get_any(&queue), 6);
    jg_cancel(task);
    OK(jg_await(task));
    ck_assert_int_eq(get_any(&queue), 7);
    ck_assert(jg_queue_empty(&queue));
    return 0;
}

TEST(who_is_served_and_cancelled_in_the_same_turn_was_served)
{
    RUN(serve_then_cancel, NULL);
}

static int interrupt(void *arg)
{
    jg_autoqueue queue = JG_QUEUE(int, 2);
    (void)arg;
    interrupt_in_every_way(get_any, &queue);
    OK(put_seven(&queue));
    OK(put_seven(&queue));
    interrupt_in_every_way(put_seven, &queue);
    ck_assert_uint_eq(jg_queue_size(&queue), 2);
    JG_TIMEOUT(deadline, 0);
    FAILS(jg_queue_get(&queue, &(int){0}), ETIMEDOUT); /* the entry check comes first */
    ck_assert_uint_eq(jg_queue_size(&queue), 2);
    return 0;
}

TEST(waiting_for_a_queue_is_interrupted)
{
    RUN(interrupt, NULL);
}

static int hand_to_hand(void *arg)
{
    jg_autoqueue queue = JG_QUEUE(int, 0);
    (void)arg;
    ck_assert(jg_queue_empty(&queue) && jg_queue_full(&queue));
    FAILS(jg_queue_put_nowait(&queue, &(int){1}), EAGAIN);
    FAILS(jg_queue_get_nowait(&queue, &(int){1}), EAGAIN);
    interrupt_in_every_way(get_any, &queue);
    interrupt_in_every_way(put_seven, &queue);
    jg_task *getter = jg_create_task(get_any, &queue);
    let_others_run(1);
    OK(jg_queue_put_nowait(&queue, &(int){1}));
    ck_assert_int_eq(jg_await(getter), 1);
    jg_task *putter = jg_create_task(put_seven, &queue);
    let_others_run(2);
    ck_assert(!jg_task_done(putter));
    ck_assert_int_eq(get_any(&queue), 7);
    OK(jg_await(putter));
    jg_queue_task_done(&queue);
    jg_queue_task_done(&queue);
    ck_assert_ptr_null(queue.memory);
    return 0;
}

TEST(a_queue_without_capacity_hands_over)
{
    RUN(hand_to_hand, NULL);
}

static int join(void *queue)
{
    return jg_queue_join(queue);
}

static int work_off(void *arg)
{
    jg_autoqueue queue = JG_QUEUE(int, JG_UNBOUNDED);
    struct caller callers[] = {{join, &queue, "a"}, {join, &queue, "b"}};
    (void)arg;
    OK(jg_queue_join(&queue));
    OK(put_seven(&queue));
    OK(put_seven(&queue));
    interrupt_in_every_way(join, &queue);
    jg_task *a = start_caller(&callers[0]), *b = start_caller(&callers[1]);
    ck_assert_int_eq(get_any(&queue), 7);
    ck_assert_int_eq(get_any(&queue), 7);
    jg_queue_task_done(&queue);
    let_others_run(2);
    TRACED("");
    jg_queue_task_done(&queue);
    OK(put_seven(&queue)); /* they were woken before */
    return jg_gather(a, b);
}

TEST(joining_waits_until_all_is_done)
{
    RUN(work_off, NULL);
    TRACED("ab");
}

static int run_short_of_memory(void *arg)
{
    jg_autoqueue queue = JG_QUEUE(int, JG_UNBOUNDED), ranked = JG_PRIORITY_QUEUE(int, 5, NULL);
    int put = 0;
    (void)arg;
    fail_allocations(true);
    FAILS(put_seven(&queue), ENOMEM);
    FAILS(jg_queue_put_nowait(&queue, &(int){7}), ENOMEM);
    FAILS(put_seven(&ranked), ENOMEM);
    ck_assert(jg_queue_empty(&queue));
    OK(jg_queue_join(&queue));
    fail_allocations(false);
    OK(put_seven(&queue));
    fail_allocations(true);
    while (put_seven(&queue) == 0)
        put++;
    ck_assert_int_eq(errno, ENOMEM);
    ck_assert_int_gt(put, 0);
    ck_assert_uint_eq(jg_queue_size(&queue), (size_t)put + 1);
    fail_allocations(false);
    OK(put_seven(&queue));
    return 0;
}

TEST(a_queue_reports_that_memory_is_short)
{
    control_allocations();
    RUN(run_short_of_memory, NULL);
}

static jg_queue static_queue = JG_QUEUE(int, 4);

static int get_static(void *arg)
{
    (void)arg;
    return get_any(&static_queue);
}

TEST(a_static_queue_works_before_jg_run_and_between_two)
{
    OK(jg_queue_put_nowait(&static_queue, &(int){4}));
    OK(jg_queue_put_nowait(&static_queue, &(int){5}));
    ck_assert_int_eq(jg_run(get_static, NULL), 4);
    ck_assert_int_eq(jg_run(get_static, NULL), 5);
    errno = EXDEV;
    jg_queue_free(&static_queue);
    jg_queue_free(&static_queue);
    jg_queue_free(NULL);
    ck_assert_int_eq(errno, EXDEV);
    OK(jg_queue_put_nowait(&static_queue, &(int){6})); /* as new */
    jg_queue_free(&static_queue);
}

struct feed {
    jg_handle handle;
    jg_queue *queue;
};

static void put_in_callback(void *arg)
{
    struct feed *feed = arg;
    OK(jg_queue_put_nowait(feed->queue, &(int){9}));
}

static int feed_by_callback(void *arg)
{
    jg_autoqueue queue = JG_QUEUE(int, 1);
    struct feed feed = {{.fn = put_in_callback, .arg = &feed}, &queue};
    (void)arg;
    jg_call_soon(jg_task_loop(), &feed.handle);
    ck_assert_int_eq(get_any(&queue), 9);
    return 0;
}

TEST(a_callback_feeds_a_queue)
{
    RUN(feed_by_callback, NULL);
}

static int ping(void *arg)
{
    jg_queue *queues = arg;
    for (int i = 0; i < 1000; i++) {
        int got = get_any(&queues[0]);
        OK(jg_queue_put(&queues[1], &got));
    }
    return 0;
}

static int play(void *arg)
{
    jg_queue queues[] = {JG_QUEUE(int, 1), JG_QUEUE(int, 1)};
    jg_task *other = jg_create_task(ping, queues);
    (void)arg;
    let_others_run(1);
    for (int i = 0; i < 1000; i++) {
        OK(jg_queue_put(&queues[0], &i));
        ck_assert_int_eq(get_any(&queues[1]), i);
    }
    OK(jg_await(other));
    ck_assert_ptr_null(queues[0].memory); /* all went from hand to hand */
    ck_assert_ptr_null(queues[1].memory);
    return 0;
}

TEST(two_tasks_play_ping_pong_without_memory)
{
    RUN(play, NULL);
}
