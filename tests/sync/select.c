/* jg_select on queues, events, tasks and times. */
#include "support.h"

#include <math.h>

static int set_event(void *event)
{
    jg_event_set(event);
    return 0;
}

static int take_what_is_there(void *arg)
{
    jg_autoqueue first = JG_QUEUE(int, 1), second = JG_QUEUE(int, 1);
    jg_event event = {0};
    int element = 0;
    (void)arg;
    OK(jg_queue_put(&second, &(int){5}));
    errno = EXDEV;
    ck_assert_int_eq(JG_SELECT(JG_GET(&first, &element), JG_GET(&second, &element), JG_ON(&event)), 1);
    ck_assert_int_eq(element, 5);
    ck_assert(jg_queue_empty(&second));
    OK(jg_queue_put(&second, &element));
    ck_assert_int_eq(JG_SELECT(JG_PUT(&second, &(int){6}), JG_PUT(&first, &(int){7})), 1);
    ck_assert_int_eq(JG_SELECT(JG_PUT(&second, &(int){6}), JG_PUT(&first, &(int){7}), JG_AFTER(0)), 2);
    ck_assert_int_eq(JG_SELECT(JG_AFTER(-1)), 0);
    ck_assert_int_eq(JG_SELECT(JG_AT(jg_time())), 0);
    ck_assert_int_eq(JG_SELECT(JG_AFTER(0), JG_AFTER(5), JG_GET(&first, &element)), 2);
    ck_assert_int_eq(element, 7);
    jg_event_set(&event);
    ck_assert_int_eq(JG_SELECT(JG_GET(&first, &element), JG_ON(&event)), 1);
    ck_assert_int_eq(errno, EXDEV);
    return 0;
}

TEST(select_takes_the_case_that_can_happen)
{
    RUN(take_what_is_there, NULL);
}

struct scene {
    jg_queue empty, full;
    jg_event event;
    jg_task *task;
    int element;
    int index;
};

static int select_all(void *arg)
{
    struct scene *scene = arg;
    jg_case cases[] = {JG_GET(&scene->empty, &scene->element), JG_PUT(&scene->full, &(int){1}), JG_ON(&scene->event),
                       JG_DONE(scene->task), JG_AFTER(1000)};
    scene->index = jg_select(cases, 5);
    return scene->index < 0 ? -1 : 0;
}

static int await_event(void *event)
{
    return jg_event_wait(event);
}

/* Waits for everything, lets the case `which` happen, and checks that the others have left no trace. */
static int let_one_happen(void *arg)
{
    int which = *(int *)arg;
    jg_event end = {0};
    struct scene scene = {JG_QUEUE(int, 1), JG_QUEUE(int, 1), {0}, jg_create_task(await_event, &end), 0, -1};
    OK(jg_queue_put(&scene.full, &(int){0}));
    jg_task *selecting = jg_create_task(select_all, &scene);
    let_others_run(2);
    if (which == 0)
        OK(jg_queue_put(&scene.empty, &(int){9}));
    else if (which == 1)
        OK(jg_queue_get(&scene.full, &scene.element));
    else if (which == 2)
        jg_event_set(&scene.event);
    else
        jg_event_set(&end);
    OK(jg_await(selecting));
    ck_assert_int_eq(scene.index, which);
    ck_assert_int_eq(scene.element, which == 0 ? 9 : 0);
    OK(jg_queue_put_nowait(&scene.empty, &(int){3})); /* stays there: nobody waits for it */
    ck_assert_uint_eq(jg_queue_size(&scene.empty), 1);
    OK(jg_queue_get_nowait(&scene.full, &scene.element));
    ck_assert_int_eq(scene.element, which == 1 ? 1 : 0);
    ck_assert(jg_queue_empty(&scene.full));
    jg_event_set(&scene.event);
    jg_event_set(&end);
    OK(jg_await(scene.task));
    jg_queue_free(&scene.empty);
    jg_queue_free(&scene.full);
    return 0;
}

TEST(exactly_one_case_happens_and_the_others_leave_no_trace)
{
    for (int i = 0; i < 4; i++)
        RUN(let_one_happen, &i);
}

static int expire(void *arg)
{
    jg_event event = {0};
    (void)arg;
    double begin = jg_time();
    ck_assert_int_eq(JG_SELECT(JG_ON(&event), JG_AFTER(0.02), JG_AFTER(INFINITY), JG_AT(begin + 1000)), 1);
    ck_assert(jg_time() >= begin + 0.02);
    begin = jg_time();
    ck_assert_int_eq(JG_SELECT(JG_ON(&event), JG_AFTER(1000), JG_AT(begin + 0.01)), 2);
    ck_assert(jg_time() >= begin + 0.01);
    return 0;
}

TEST(select_waits_for_a_time)
{
    RUN(expire, NULL);
}

static int select_get(void *queue)
{
    int element = 0;
    jg_event never = {0};
    return JG_SELECT(JG_ON(&never), JG_GET(queue, &element)) < 0 ? -1 : element;
}

static int interrupt(void *arg)
{
    jg_autoqueue queue = JG_QUEUE(int, 1);
    (void)arg;
    interrupt_in_every_way(select_get, &queue);
    OK(jg_queue_put_nowait(&queue, &(int){3}));
    ck_assert_uint_eq(jg_queue_size(&queue), 1);
    JG_TIMEOUT(deadline, 0);
    FAILS(select_get(&queue), ETIMEDOUT); /* the entry check comes first */
    ck_assert_uint_eq(jg_queue_size(&queue), 1);
    return 0;
}

TEST(select_is_interrupted)
{
    RUN(interrupt, NULL);
}

static int select_then_check(void *queue)
{
    int element = select_get(queue);
    FAILS(jg_yield(), ECANCELED);
    return element;
}

static int serve_then_cancel(void *arg)
{
    jg_autoqueue queue = JG_QUEUE(int, 1);
    (void)arg;
    jg_task *task = jg_create_task(select_then_check, &queue);
    let_others_run(1);
    OK(jg_queue_put(&queue, &(int){5}));
    jg_cancel(task);
    ck_assert_int_eq(jg_await(task), 5);
    return 0;
}

TEST(a_select_that_is_served_and_cancelled_in_the_same_turn_was_served)
{
    RUN(serve_then_cancel, NULL);
}

static int get_plainly(void *queue)
{
    int element = 0;
    return jg_queue_get(queue, &element) < 0 ? -1 : element;
}

static int mix(void *arg)
{
    jg_autoqueue queue = JG_QUEUE(int, 1);
    struct caller callers[] = {
        {select_get, &queue, "a"}, {get_plainly, &queue, "b"}, {select_get, &queue, "c"}, {get_plainly, &queue, "d"}};
    jg_task *tasks[4];
    (void)arg;
    for (int i = 0; i < 4; i++)
        tasks[i] = start_caller(&callers[i]);
    jg_cancel(tasks[2]);
    for (int i = 0; i < 3; i++)
        OK(jg_queue_put(&queue, &i));
    FAILS(jg_await(tasks[2]), ECANCELED);
    ck_assert_int_eq(jg_await(tasks[0]), 0);
    ck_assert_int_eq(jg_await(tasks[1]), 1);
    ck_assert_int_eq(jg_await(tasks[3]), 2);
    return 0;
}

TEST(select_stands_in_line_like_every_other)
{
    RUN(mix, NULL);
    TRACED("c!abd");
}

static int select_twice_the_same(void *arg)
{
    jg_queue *queue = arg;
    int first = 0, second = 0;
    int index = JG_SELECT(JG_GET(queue, &first), JG_GET(queue, &second));
    ck_assert_int_ge(index, 0);
    ck_assert_int_eq(index == 0 ? first : second, 7);
    ck_assert_int_eq(index == 0 ? second : first, 0);
    return 0;
}

static int name_twice(void *arg)
{
    jg_autoqueue queue = JG_QUEUE(int, 2);
    jg_event event = {0};
    (void)arg;
    jg_task *task = jg_create_task(select_twice_the_same, &queue);
    let_others_run(1);
    OK(jg_queue_put(&queue, &(int){7}));
    OK(jg_await(task));
    OK(jg_queue_put(&queue, &(int){7}));
    OK(select_twice_the_same(&queue));
    task = jg_create_task(set_event, &event);
    ck_assert_int_ge(JG_SELECT(JG_DONE(task), JG_DONE(task)), 0);
    return jg_await(task);
}

TEST(cases_may_name_the_same_object)
{
    RUN(name_twice, NULL);
}

static int select_put_or_get(void *queue)
{
    int element = 0;
    int index = JG_SELECT(JG_PUT(queue, &(int){42}), JG_GET(queue, &element));
    ck_assert_int_ge(index, 0);
    ck_assert_int_eq(element, index == 1 ? 42 : 0);
    return index;
}

static int meet(void *arg)
{
    jg_autoqueue queue = JG_QUEUE(int, 0);
    jg_task *tasks[20];
    int getters = 0;
    (void)arg;
    for (int i = 0; i < 20; i++)
        tasks[i] = jg_create_task(select_put_or_get, &queue);
    for (int i = 0; i < 20; i++)
        getters += jg_await(tasks[i]);
    ck_assert_int_eq(getters, 10);
    return 0;
}

TEST(selects_meet_at_a_queue_without_capacity)
{
    RUN(meet, NULL);
}

static int draw(void *arg)
{
    jg_event set = {.set = true}, clear = {0};
    jg_autoqueue queue = JG_QUEUE(int, JG_UNBOUNDED);
    int times[5] = {0};
    (void)arg;
    for (int i = 0; i < 3000; i++) {
        int index = JG_SELECT(JG_ON(&set), JG_PUT(&queue, &i), JG_ON(&clear), JG_AT(0), JG_AFTER(0));
        ck_assert_int_ge(index, 0);
        times[index]++;
    }
    ck_assert_int_eq(times[2], 0);
    ck_assert_int_eq(times[4], 0);
    for (int i = 0; i < 4; i++)
        ck_assert_int_gt(times[i], i == 2 ? -1 : 800); /* of 1,000 */
    return 0;
}

TEST(several_that_can_happen_have_the_same_chance)
{
    RUN(draw, NULL);
}

static int shut_down_all(void *queues)
{
    jg_queue_shutdown((jg_queue *)queues);
    jg_queue_shutdown((jg_queue *)queues + 1);
    return 0;
}

static int end(void *arg)
{
    jg_queue queues[] = {JG_QUEUE(int, 1), JG_QUEUE(int, 1)};
    int element = 0;
    (void)arg;
    jg_event never = {0};
    jg_case cases[] = {JG_ON(&never), JG_GET(&queues[0], &element)};
    jg_task *other = jg_create_task(shut_down_all, queues);
    FAILS(jg_select(cases, 2), EPIPE); /* while it waits */
    ck_assert_int_eq(cases[0].result, 0);
    ck_assert_int_eq(cases[1].result, -EPIPE);
    OK(jg_await(other));
    cases[0] = JG_PUT(&queues[1], &element);
    FAILS(jg_select(cases, 1), EPIPE); /* at once */
    ck_assert_int_eq(cases[0].result, -EPIPE);
    ck_assert_ptr_nonnull(strstr(jg_error_text(), "case 0"));
    return 0;
}

TEST(a_case_that_fails_ends_select_and_tells_so)
{
    RUN(end, NULL);
}

static int refuse(void *arg)
{
    (void)arg;
    FAILS(jg_select(NULL, 0), EINVAL);
    FAILS(JG_SELECT(JG_AFTER(NAN)), EINVAL);
    FAILS(JG_SELECT(JG_AT(NAN), JG_AFTER(0)), EINVAL);
    FAILS(JG_SELECT(JG_AFTER(0), JG_DONE(NULL)), EINVAL);
    return 0;
}

TEST(select_refuses_what_makes_no_sense)
{
    RUN(refuse, NULL);
}

enum { MANY = 100 };

static int select_of_many(void *arg)
{
    jg_queue *queues = arg;
    jg_case cases[MANY];
    int elements[MANY] = {0};
    for (int i = 0; i < MANY; i++)
        cases[i] = JG_GET(&queues[i], &elements[i]);
    int index = jg_select(cases, MANY);
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(elements[i], i == index ? 8 : 0);
    return index;
}

static int select_many(void *arg)
{
    jg_queue queues[MANY];
    (void)arg;
    for (int i = 0; i < MANY; i++)
        queues[i] = (jg_queue)JG_QUEUE(int, 1);
    fail_allocations(true);
    FAILS(select_of_many(queues), ENOMEM);
    fail_allocations(false);
    for (int i = 0; i < MANY; i += 7) {
        jg_task *task = jg_create_task(select_of_many, queues);
        let_others_run(1);
        OK(jg_queue_put(&queues[i], &(int){8}));
        ck_assert_int_eq(jg_await(task), i);
    }
    for (int i = 0; i < MANY; i++)
        jg_queue_free(&queues[i]); /* nobody waits */
    return 0;
}

TEST(select_takes_many_cases)
{
    control_allocations();
    RUN(select_many, NULL);
}

static int end_two(void *arg)
{
    jg_event ends[2] = {{0}};
    jg_task *tasks[] = {jg_create_task(await_event, &ends[0]), jg_create_task(await_event, &ends[1])};
    (void)arg;
    let_others_run(1);
    jg_event_set(&ends[1]);
    ck_assert_int_eq(JG_SELECT(JG_DONE(tasks[0]), JG_DONE(tasks[1])), 1);
    OK(jg_await(tasks[1]));
    jg_cancel(tasks[0]);
    ck_assert_int_eq(JG_SELECT(JG_AFTER(1000), JG_DONE(tasks[0])), 1); /* a failure is an end */
    ck_assert_int_eq(JG_SELECT(JG_DONE(tasks[0])), 0);
    FAILS(jg_await(tasks[0]), ECANCELED);
    return 0;
}

TEST(select_waits_for_the_first_of_several_tasks)
{
    RUN(end_two, NULL);
}

static int work(void *arg)
{
    jg_queue *queues = arg;
    int element, count = 0;
    for (;;) {
        int index = JG_SELECT(JG_GET(&queues[0], &element), JG_GET(&queues[1], &element));
        if (index < 0)
            return errno == EPIPE ? count : -1;
        count++;
        jg_queue_task_done(&queues[index]);
        if (count % 10 == 0 && jg_yield() < 0)
            return -1;
    }
}

static int share_out(void *arg)
{
    jg_queue queues[] = {JG_QUEUE(int, 2), JG_QUEUE(int, 3)};
    jg_task *workers[4];
    int count = 0;
    (void)arg;
    for (int i = 0; i < 4; i++)
        workers[i] = jg_create_task(work, queues);
    for (int i = 0; i < 1000; i++)
        ck_assert_int_ge(JG_SELECT(JG_PUT(&queues[0], &i), JG_PUT(&queues[1], &i)), 0);
    OK(jg_queue_join(&queues[0]));
    OK(jg_queue_join(&queues[1]));
    shut_down_all(queues);
    for (int i = 0; i < 4; i++)
        count += jg_await(workers[i]);
    ck_assert_int_eq(count, 1000);
    jg_queue_free(&queues[0]);
    jg_queue_free(&queues[1]);
    return 0;
}

TEST(workers_select_from_two_queues)
{
    RUN(share_out, NULL);
}
