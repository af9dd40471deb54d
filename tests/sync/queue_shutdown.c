/* The end of queues. */
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

static int join(void *queue)
{
    return jg_queue_join(queue);
}

static int drain(void *arg)
{
    jg_autoqueue queue = JG_QUEUE(int, 2);
    struct caller callers[] = {{put_seven, &queue, "a"}, {put_seven, &queue, "b"}};
    (void)arg;
    OK(jg_queue_put(&queue, &(int){1}));
    OK(jg_queue_put(&queue, &(int){2}));
    jg_task *a = start_caller(&callers[0]), *b = start_caller(&callers[1]);
    jg_queue_shutdown(&queue);
    FAILS(jg_await(a), EPIPE);
    FAILS(jg_await(b), EPIPE);
    FAILS(put_seven(&queue), EPIPE);
    ck_assert_ptr_nonnull(strstr(jg_error_text(), "shut down"));
    FAILS(jg_queue_put_nowait(&queue, &(int){7}), EPIPE);
    ck_assert_int_eq(get_any(&queue), 1);
    int element;
    OK(jg_queue_get_nowait(&queue, &element));
    ck_assert_int_eq(element, 2);
    FAILS(get_any(&queue), EPIPE);
    FAILS(jg_queue_get_nowait(&queue, &element), EPIPE);
    jg_queue_task_done(&queue);
    jg_queue_task_done(&queue);
    return jg_queue_join(&queue);
}

TEST(a_queue_that_is_shut_down_is_drained)
{
    RUN(drain, NULL);
    TRACED("a#b#");
}

static int send_getters_away(void *arg)
{
    jg_autoqueue queue = JG_QUEUE(int, 2);
    struct caller callers[] = {{get_any, &queue, "a"}, {get_any, &queue, "b"}, {get_any, &queue, "c"}};
    jg_task *tasks[3];
    (void)arg;
    for (int i = 0; i < 3; i++)
        tasks[i] = start_caller(&callers[i]);
    OK(put_seven(&queue)); /* a's */
    jg_queue_shutdown(&queue);
    jg_cancel(tasks[1]); /* too late: it was told of the end */
    ck_assert_int_eq(jg_await(tasks[0]), 7);
    FAILS(jg_await(tasks[1]), EPIPE);
    FAILS(jg_await(tasks[2]), EPIPE);
    return 0;
}

TEST(shutting_down_wakes_the_getters)
{
    RUN(send_getters_away, NULL);
    TRACED("ab#c#");
}

static int dropped;

static void drop(void *element)
{
    free(*(char **)element);
    dropped++;
}

static int drop_all(void *arg)
{
    jg_autoqueue queue = JG_QUEUE(char *, JG_UNBOUNDED);
    struct caller caller = {join, &queue, "j"};
    char *got;
    (void)arg;
    for (int i = 0; i < 40; i++) {
        char *text = strdup("text");
        OK(jg_queue_put(&queue, &text));
    }
    OK(jg_queue_get(&queue, &got));
    free(got);
    jg_task *joiner = start_caller(&caller);
    jg_queue_shutdown(&queue);
    ck_assert_int_eq(dropped, 0);
    jg_queue_shutdown(&queue, .immediate = true, .drop = drop);
    ck_assert_int_eq(dropped, 39);
    ck_assert(jg_queue_empty(&queue));
    let_others_run(2);
    ck_assert(!jg_task_done(joiner)); /* one was got and is not done */
    jg_queue_task_done(&queue);
    OK(jg_await(joiner));
    FAILS(jg_queue_get(&queue, &got), EPIPE);
    return 0;
}

TEST(shutting_down_at_once_drops_and_counts_as_done)
{
    RUN(drop_all, NULL);
}

static int by_value(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

static char order[8];

static void note_element(void *element)
{
    order[strlen(order)] = (char)('0' + *(int *)element);
}

static int drop_in_order(void *arg)
{
    jg_autoqueue first = JG_QUEUE(int, 5), last = JG_LIFO_QUEUE(int, 5), least = JG_PRIORITY_QUEUE(int, 5, by_value);
    jg_queue *queues[] = {&first, &last, &least};
    const char *expected[] = {"231", "132", "123"};
    (void)arg;
    for (int i = 0; i < 3; i++) {
        OK(jg_queue_put(queues[i], &(int){2}));
        OK(jg_queue_put(queues[i], &(int){3}));
        OK(jg_queue_put(queues[i], &(int){1}));
        memset(order, 0, sizeof order);
        jg_queue_shutdown(queues[i], .immediate = true, .drop = note_element);
        ck_assert_str_eq(order, expected[i]);
        OK(jg_queue_join(queues[i]));
    }
    return 0;
}

TEST(elements_are_dropped_in_their_order)
{
    RUN(drop_in_order, NULL);
}

static int end_hand_to_hand(void *arg)
{
    jg_queue queue = JG_QUEUE(int, 0);
    struct caller callers[] = {{put_seven, &queue, "a"}, {get_any, &queue, "b"}};
    (void)arg;
    jg_task *a = start_caller(&callers[0]);
    jg_queue_shutdown_with(&queue, NULL);
    FAILS(jg_await(a), EPIPE);
    FAILS(get_any(&queue), EPIPE);
    jg_queue other = JG_QUEUE(int, 0);
    callers[1].object = &other;
    jg_task *b = start_caller(&callers[1]);
    jg_queue_shutdown(&other, .immediate = true);
    jg_queue_free(&other); /* whoever was woken doesn't touch it */
    memset(&other, 0xff, sizeof other);
    FAILS(jg_await(b), EPIPE);
    return 0;
}

TEST(a_queue_without_capacity_is_shut_down)
{
    RUN(end_hand_to_hand, NULL);
}

/* ---- Workers of a group, one of which fails ---- */

static int work_or_fail(void *arg)
{
    jg_queue *jobs = arg;
    int job;
    while (jg_queue_get(jobs, &job) == 0) {
        int result = job == 3 ? jg_fail(EIO, "a bad job") : jg_sleep(job == 1 ? 1000 : 0.001);
        int error = errno;
        jg_queue_task_done(jobs);
        if (result < 0) {
            jg_queue_shutdown(jobs, .immediate = true);
            errno = error;
            return -1;
        }
    }
    return errno == EPIPE ? 0 : -1;
}

static int share_jobs(void *arg)
{
    (void)arg;
    jg_autoqueue jobs = JG_QUEUE(int, 1);
    jg_autogroup group = {0};
    int job = 0;
    for (int i = 0; i < 3; i++)
        OK(jg_group_start(&group, work_or_fail, &jobs));
    while (job < 100 && jg_queue_put(&jobs, &job) == 0)
        job++;
    ck_assert_int_lt(job, 100);
    OK(jg_queue_join(&jobs));
    FAILS(jg_group_wait(&group), EIO);
    ck_assert_str_eq((errno = EIO, jg_error_text()), "a bad job");
    return 0;
}

TEST(a_worker_that_fails_may_end_the_whole_group)
{
    RUN(share_jobs, NULL);
}
