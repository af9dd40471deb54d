/* Channels inside one thread: between tasks, and in select. */
#include "support.h"

#include <math.h>

static int take(void *channel)
{
    int element = 0;
    return jg_channel_get(channel, &element) < 0 ? -1 : element;
}

static int give_seven(void *channel)
{
    return jg_channel_put(channel, &(int){7});
}

TEST(a_channel_needs_no_loop)
{
    jg_autoptr(jg_channel) channel = jg_channel_new(sizeof(int), 2);
    int element = 0;
    ck_assert_ptr_nonnull(channel);
    errno = EXDEV;
    OK(jg_channel_put(channel, &(int){1}));
    OK(jg_channel_put_nowait(channel, &(int){2}));
    ck_assert_int_eq(errno, EXDEV);
    ck_assert_uint_eq(jg_channel_size(channel), 2);
    FAILS(jg_channel_put_nowait(channel, &(int){3}), EAGAIN);
    FAILS(jg_channel_put_for(channel, &(int){3}, 0), ETIMEDOUT);
    FAILS(jg_channel_put_for(channel, &(int){3}, 0.01), ETIMEDOUT);
    ck_assert_ptr_nonnull(strstr(jg_error_text(), "0.01 seconds"));
    FAILS(jg_channel_put_for(channel, &(int){3}, NAN), EINVAL);
    OK(jg_channel_get(channel, &element));
    ck_assert_int_eq(element, 1);
    OK(jg_channel_get_nowait(channel, &element));
    ck_assert_int_eq(element, 2);
    FAILS(jg_channel_get_nowait(channel, &element), EAGAIN);
    FAILS(jg_channel_get_for(channel, &element, -1), ETIMEDOUT);
    FAILS(jg_channel_get_for(channel, &element, 0.01), ETIMEDOUT);
    OK(jg_channel_put_for(channel, &(int){3}, 0));
    OK(jg_channel_get_for(channel, &element, INFINITY));
    ck_assert_int_eq(element, 3);
}

TEST(a_channel_is_shut_down)
{
    jg_autoptr(jg_channel) channel = jg_channel_new(sizeof(int), JG_UNBOUNDED);
    int element = 0;
    for (int i = 0; i < 100; i++)
        OK(jg_channel_put(channel, &i));
    jg_channel_shutdown(channel, false);
    FAILS(jg_channel_put(channel, &element), EPIPE);
    ck_assert_ptr_nonnull(strstr(jg_error_text(), "the channel is shut down"));
    OK(jg_channel_get(channel, &element));
    ck_assert_uint_eq(jg_channel_size(channel), 99);
    jg_channel_shutdown(channel, true);
    ck_assert_uint_eq(jg_channel_size(channel), 0);
    FAILS(jg_channel_get(channel, &element), EPIPE);
    FAILS(jg_channel_get_nowait(channel, &element), EPIPE);
    FAILS(jg_channel_get_for(channel, &element, 1), EPIPE);
}

TEST(a_channel_that_makes_no_sense_is_refused)
{
    control_allocations();
    errno = 0;
    ck_assert_ptr_null(jg_channel_new(0, 1));
    ck_assert_int_eq(errno, EINVAL);
    errno = 0;
    ck_assert_ptr_null(jg_channel_new(1, 0));
    ck_assert_int_eq(errno, EINVAL);
    errno = 0;
    ck_assert_ptr_null(jg_channel_new(SIZE_MAX, 1));
    ck_assert_int_eq(errno, ENOMEM);
    fail_allocations(true);
    errno = 0;
    ck_assert_ptr_null(jg_channel_new(1, 1));
    ck_assert_int_eq(errno, ENOMEM);
    fail_allocations(false);
    jg_channel *channel = jg_channel_new(1, 1);
    fail_allocations(true);
    FAILS(jg_channel_put(channel, ""), ENOMEM);
    FAILS(jg_channel_put_nowait(channel, ""), ENOMEM);
    fail_allocations(false);
    errno = EXDEV;
    jg_channel_free(channel);
    jg_channel_free(NULL);
    ck_assert_int_eq(errno, EXDEV);
}

static int serve_in_order(void *arg)
{
    jg_channel *channel = jg_channel_new(sizeof(int), 1);
    struct caller callers[] = {
        {take, channel, "a"}, {take, channel, "b"}, {take, channel, "c"}, {give_seven, channel, "d"}};
    jg_task *tasks[4];
    (void)arg;
    for (int i = 0; i < 3; i++)
        tasks[i] = start_caller(&callers[i]);
    jg_cancel(tasks[1]);
    OK(jg_channel_put(channel, &(int){1}));
    OK(jg_channel_put(channel, &(int){2}));
    jg_cancel(tasks[0]); /* too late */
    ck_assert_int_eq(jg_await(tasks[0]), 1);
    FAILS(jg_await(tasks[1]), ECANCELED);
    ck_assert_int_eq(jg_await(tasks[2]), 2);
    OK(give_seven(channel));
    tasks[3] = start_caller(&callers[3]);
    ck_assert_uint_eq(jg_channel_size(channel), 1);
    ck_assert_int_eq(take(channel), 7);
    ck_assert_int_eq(take(channel), 7);
    OK(jg_await(tasks[3]));
    jg_channel_free(channel);
    return 0;
}

TEST(tasks_in_a_channel_are_served_in_the_order_of_arrival)
{
    RUN(serve_in_order, NULL);
    TRACED("b!acd");
}

static int take_for_long(void *channel)
{
    int element = 0;
    return jg_channel_get_for(channel, &element, 1000);
}

static int interrupt(void *arg)
{
    jg_autoptr(jg_channel) channel = jg_channel_new(sizeof(int), 1);
    int element = 0;
    (void)arg;
    interrupt_in_every_way(take, channel);
    interrupt_in_every_way(take_for_long, channel);
    FAILS(jg_channel_get_for(channel, &element, 0.002), ETIMEDOUT);
    FAILS(jg_channel_get_for(channel, &element, 0), ETIMEDOUT);
    FAILS(jg_channel_get_for(channel, &element, NAN), EINVAL);
    FAILS(jg_channel_get_nowait(channel, &element), EAGAIN);
    OK(give_seven(channel));
    OK(jg_channel_get_for(channel, &element, 0));
    OK(give_seven(channel));
    interrupt_in_every_way(give_seven, channel);
    FAILS(jg_channel_put_for(channel, &element, 0.002), ETIMEDOUT);
    ck_assert_uint_eq(jg_channel_size(channel), 1);
    return 0;
}

TEST(waiting_in_a_channel_is_interrupted)
{
    RUN(interrupt, NULL);
}

static int end_and_free(void *arg)
{
    jg_channel *channel = jg_channel_new(sizeof(int), 1);
    struct caller callers[] = {{take, channel, "a"}, {take, channel, "b"}};
    jg_task *tasks[2];
    (void)arg;
    for (int i = 0; i < 2; i++)
        tasks[i] = start_caller(&callers[i]);
    jg_cancel(tasks[1]);
    jg_channel_shutdown(channel, false);
    jg_channel_free(channel); /* whoever was woken doesn't touch it */
    FAILS(jg_await(tasks[0]), EPIPE);
    FAILS(jg_await(tasks[1]), ECANCELED);
    return 0;
}

TEST(a_channel_may_be_freed_when_its_waiters_were_woken)
{
    RUN(end_and_free, NULL);
    TRACED("b!a#");
}

struct scene {
    jg_channel *empty, *full;
    jg_queue queue;
    int element, index;
};

static int select_channels(void *arg)
{
    struct scene *scene = arg;
    jg_case cases[] = {JG_TAKE(scene->empty, &scene->element), JG_GIVE(scene->full, &(int){4}),
                       JG_GET(&scene->queue, &scene->element), JG_TAKE(scene->empty, &scene->element)};
    scene->index = jg_select(cases, 4);
    return scene->index < 0 ? -1 : 0;
}

static void happen(struct scene *scene, int which)
{
    int element = 0;
    if (which == 0)
        OK(jg_channel_put(scene->empty, &(int){9}));
    else if (which == 1)
        OK(jg_channel_get(scene->full, &element));
    else
        OK(jg_queue_put(&scene->queue, &(int){9}));
}

static int select_one(void *arg)
{
    int which = *(int *)arg, element = 0;
    struct scene scene = {jg_channel_new(sizeof(int), 1), jg_channel_new(sizeof(int), 1), JG_QUEUE(int, 1), 0, -1};
    OK(jg_channel_put(scene.full, &element));
    jg_task *task = jg_create_task(select_channels, &scene);
    let_others_run(1);
    happen(&scene, which);
    jg_cancel(task); /* too late */
    if (which != 0)
        happen(&scene, 0);
    if (which != 1)
        happen(&scene, 1);
    if (which != 2)
        happen(&scene, 2);
    OK(jg_await(task));
    ck_assert_int_eq(scene.index, which);
    ck_assert_int_eq(scene.element, which == 1 ? 0 : 9);
    ck_assert_uint_eq(jg_channel_size(scene.empty), which != 0);
    ck_assert_uint_eq(jg_queue_size(&scene.queue), which != 2);
    ck_assert_uint_eq(jg_channel_size(scene.full), which == 1);
    jg_channel_free(scene.empty);
    jg_channel_free(scene.full);
    jg_queue_free(&scene.queue);
    return 0;
}

TEST(exactly_one_case_of_a_channel_happens)
{
    for (int i = 0; i < 3; i++)
        RUN(select_one, &i);
}

static int select_at_once(void *arg)
{
    jg_autoptr(jg_channel) channel = jg_channel_new(sizeof(int), 1);
    int element = 0;
    (void)arg;
    ck_assert_int_eq(JG_SELECT(JG_TAKE(channel, &element), JG_GIVE(channel, &(int){6})), 1);
    ck_assert_int_eq(JG_SELECT(JG_TAKE(channel, &element), JG_GIVE(channel, &(int){7})), 0);
    ck_assert_int_eq(element, 6);
    ck_assert_int_eq(JG_SELECT(JG_TAKE(channel, &element), JG_AFTER(0)), 1);
    jg_channel_shutdown(channel, false);
    FAILS(JG_SELECT(JG_TAKE(channel, &element), JG_AFTER(0)), EPIPE);
    FAILS(JG_SELECT(JG_GIVE(channel, &element), JG_AFTER(0)), EPIPE);
    return 0;
}

TEST(a_channel_that_can_serve_select_does_so_at_once)
{
    RUN(select_at_once, NULL);
}

static int select_from(void *channel)
{
    int element = 0;
    return JG_SELECT(JG_AFTER(INFINITY), JG_TAKE(channel, &element)) < 0 ? -1 : element;
}

static int end_select(void *arg)
{
    jg_autoptr(jg_channel) channel = jg_channel_new(sizeof(int), 1);
    (void)arg;
    interrupt_in_every_way(select_from, channel);
    jg_task *task = jg_create_task(select_from, channel);
    let_others_run(1);
    jg_channel_shutdown(channel, true);
    FAILS(jg_await(task), EPIPE);
    return 0;
}

TEST(select_on_a_channel_is_interrupted_and_told_of_the_end)
{
    RUN(end_select, NULL);
}
