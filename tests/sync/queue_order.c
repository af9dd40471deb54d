/* Queues of other orders: last in first out, and by priority. */
#include "support.h"

#include <stdlib.h>

static int stack_up(void *arg)
{
    jg_autoqueue queue = JG_LIFO_QUEUE(int, JG_UNBOUNDED);
    int element;
    (void)arg;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100; i++)
            OK(jg_queue_put(&queue, &i));
        for (int i = 99; i >= 50; i--) {
            OK(jg_queue_get(&queue, &element));
            ck_assert_int_eq(element, i);
        }
        OK(jg_queue_put(&queue, &(int){1000}));
        OK(jg_queue_get(&queue, &element));
        ck_assert_int_eq(element, 1000);
        for (int i = 49; i >= 0; i--) {
            OK(jg_queue_get(&queue, &element));
            ck_assert_int_eq(element, i);
        }
    }
    return 0;
}

TEST(a_lifo_queue_hands_out_the_last)
{
    RUN(stack_up, NULL);
}

struct job {
    int priority, number;
    char name[20];
};

static int by_priority(const void *a, const void *b)
{
    return ((const struct job *)a)->priority - ((const struct job *)b)->priority;
}

static int sort_jobs(void *arg)
{
    jg_autoqueue queue = JG_PRIORITY_QUEUE(struct job, JG_UNBOUNDED, by_priority);
    struct job job = {0}, last;
    (void)arg;
    srand(1);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 300; i++) {
            job.priority = rand() % 10;
            job.number++;
            OK(jg_queue_put(&queue, &job));
        }
        last = (struct job){.priority = -1};
        for (int i = 0; i < (round < 19 ? 150 : 150 * 19 + 300); i++) {
            struct job next;
            OK(jg_queue_get(&queue, &next));
            ck_assert_int_ge(next.priority, last.priority);
            if (next.priority == last.priority)
                ck_assert_int_gt(next.number, last.number); /* stable */
            last = next;
        }
    }
    ck_assert(jg_queue_empty(&queue));
    return 0;
}

TEST(a_priority_queue_sorts_and_is_stable)
{
    RUN(sort_jobs, NULL);
}

static int by_long_double(const void *a, const void *b)
{
    long double x = *(const long double *)a, y = *(const long double *)b;
    return (x > y) - (x < y);
}

static int sort_aligned(void *arg)
{
    jg_autoqueue queue = JG_PRIORITY_QUEUE(long double, 2, by_long_double);
    long double element;
    (void)arg;
    OK(jg_queue_put(&queue, &(long double){2}));
    OK(jg_queue_put(&queue, &(long double){1}));
    FAILS(jg_queue_put_nowait(&queue, &(long double){0}), EAGAIN);
    OK(jg_queue_get(&queue, &element));
    ck_assert(element == 1);
    return 0;
}

TEST(elements_are_aligned)
{
    RUN(sort_aligned, NULL);
}

static int get_job(void *queue)
{
    struct job job;
    return jg_queue_get(queue, &job) < 0 ? -1 : job.priority;
}

static int put_job(void *queue)
{
    return jg_queue_put(queue, &(struct job){.priority = 1});
}

static int wait_in_order(void *arg)
{
    jg_autoqueue queue = JG_PRIORITY_QUEUE(struct job, 1, by_priority);
    struct caller callers[] = {{get_job, &queue, "a"}, {get_job, &queue, "b"}, {put_job, &queue, "c"}};
    (void)arg;
    jg_task *a = start_caller(&callers[0]), *b = start_caller(&callers[1]);
    OK(jg_queue_put(&queue, &(struct job){.priority = 9})); /* the first who waits takes what comes first */
    OK(jg_queue_put(&queue, &(struct job){.priority = 3}));
    ck_assert_int_eq(jg_await(a), 9);
    ck_assert_int_eq(jg_await(b), 3);
    OK(jg_queue_put(&queue, &(struct job){.priority = 5}));
    jg_task *c = start_caller(&callers[2]);
    ck_assert_int_eq(get_job(&queue), 5);
    ck_assert_int_eq(get_job(&queue), 1);
    return jg_await(c);
}

TEST(waiters_of_a_priority_queue_are_served_in_the_order_of_arrival)
{
    RUN(wait_in_order, NULL);
    TRACED("abc");
}
