/* Bugs of the caller: one sentence that names the call, then an abort. */
#include "support.h"

#include <pthread.h>

TEST_ABORTS(releasing_a_free_lock_aborts, "jg_lock_release: the lock is not locked")
{
    jg_lock lock = {0};
    jg_lock_release(&lock);
}

TEST_ABORTS(acquiring_outside_of_run_aborts, "jg_lock_acquire: called outside jg_run")
{
    jg_lock lock = {0};
    (void)!jg_lock_acquire(&lock);
}

TEST_ABORTS(waiting_for_an_event_outside_of_run_aborts, "jg_event_wait: called outside jg_run")
{
    jg_event event = {0};
    (void)!jg_event_wait(&event);
}

TEST_ABORTS(getting_outside_of_run_aborts, "jg_queue_get: called outside jg_run")
{
    jg_queue queue = JG_QUEUE(int, 1);
    (void)!jg_queue_get(&queue, &(int){0});
}

static int use_zero_queue(void *arg)
{
    jg_queue queue = {0};
    int element = 0;
    switch (*(int *)arg) {
    case 0:
        return jg_queue_put(&queue, &element);
    case 1:
        return jg_queue_get(&queue, &element);
    case 2:
        return jg_queue_put_nowait(&queue, &element);
    case 3:
        return jg_queue_get_nowait(&queue, &element);
    case 4:
        return JG_SELECT(JG_PUT(&queue, &element));
    default:
        return JG_SELECT(JG_GET(&queue, &element));
    }
}

#define ZERO_QUEUE_ABORTS(name, way)                              \
    TEST_ABORTS(name, "it must be initialised, by JG_QUEUE(type") \
    {                                                             \
        jg_run(use_zero_queue, &(int){way});                      \
    }
ZERO_QUEUE_ABORTS(putting_into_a_zero_queue_aborts, 0)
ZERO_QUEUE_ABORTS(getting_from_a_zero_queue_aborts, 1)
ZERO_QUEUE_ABORTS(putting_into_a_zero_queue_without_waiting_aborts, 2)
ZERO_QUEUE_ABORTS(getting_from_a_zero_queue_without_waiting_aborts, 3)
ZERO_QUEUE_ABORTS(selecting_to_put_into_a_zero_queue_aborts, 4)
ZERO_QUEUE_ABORTS(selecting_to_get_from_a_zero_queue_aborts, 5)

TEST_ABORTS(putting_into_no_channel_aborts, "jg_channel_put: the channel is NULL")
{
    (void)!jg_channel_put(NULL, "");
}

TEST_ABORTS(getting_from_no_channel_without_waiting_aborts, "jg_channel_get_nowait: the channel is NULL")
{
    (void)!jg_channel_get_nowait(NULL, (char[1]){0});
}

TEST_ABORTS(the_size_of_no_channel_aborts, "jg_channel_size: the channel is NULL")
{
    jg_channel_size(NULL);
}

TEST_ABORTS(shutting_down_no_channel_aborts, "jg_channel_shutdown: the channel is NULL")
{
    jg_channel_shutdown(NULL, false);
}

static int select_without_channel(void *arg)
{
    return JG_SELECT(JG_TAKE(arg, (char[1]){0}));
}

TEST_ABORTS(selecting_without_a_channel_aborts, "jg_select: the channel is NULL")
{
    jg_run(select_without_channel, NULL);
}

TEST_ABORTS(selecting_outside_of_run_aborts, "jg_select: called outside jg_run")
{
    (void)!JG_SELECT(JG_AFTER(0));
}

static int wait_unlocked(void *arg)
{
    jg_condition condition = {0};
    (void)arg;
    return jg_condition_wait(&condition);
}

TEST_ABORTS(waiting_for_a_condition_without_its_lock_aborts, "jg_condition_wait: the lock of the condition")
{
    jg_run(wait_unlocked, NULL);
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

static int wait_for_unlocked(void *arg)
{
    jg_condition condition = {0};
    return jg_condition_wait_for(&condition, never, arg);
}

TEST_ABORTS(waiting_for_a_predicate_without_the_lock_aborts, "jg_condition_wait_for: the lock of the condition")
{
    jg_run(wait_for_unlocked, NULL);
}

TEST_ABORTS(notifying_without_the_lock_aborts, "jg_condition_notify: the lock of the condition is not locked")
{
    jg_condition condition = {0};
    jg_condition_notify(&condition, 1);
}

TEST_ABORTS(releasing_more_than_the_bound_aborts, "jg_semaphore_release: more permits than the 2")
{
    jg_semaphore semaphore = JG_BOUNDED_SEMAPHORE(2);
    jg_semaphore_release(&semaphore);
}

TEST_ABORTS(being_done_too_often_aborts, "jg_queue_task_done: called more often")
{
    jg_queue queue = JG_QUEUE(int, 2);
    (void)!jg_queue_put_nowait(&queue, &(int){0});
    jg_queue_task_done(&queue);
    jg_queue_task_done(&queue);
}

static int get_one(void *queue)
{
    return jg_queue_get(queue, &(int){0});
}

static int join(void *queue)
{
    return jg_queue_join(queue);
}

static int free_waited_for(void *arg)
{
    jg_queue queue = JG_QUEUE(int, 2);
    if (arg)
        (void)!jg_queue_put_nowait(&queue, &(int){0});
    jg_task *task = jg_create_task(arg ? join : get_one, &queue);
    (void)task;
    let_others_run(1);
    jg_queue_free(&queue);
    return 0;
}

TEST_ABORTS(freeing_a_queue_while_somebody_gets_aborts, "jg_queue_free: a task waits in the queue")
{
    jg_run(free_waited_for, NULL);
}

TEST_ABORTS(freeing_a_queue_while_somebody_joins_aborts, "jg_queue_free: a task waits in the queue")
{
    jg_run(free_waited_for, "");
}

static int take_one(void *channel)
{
    return jg_channel_get(channel, &(int){0});
}

static int free_visited(void *arg)
{
    jg_channel *channel = jg_channel_new(sizeof(int), 1);
    jg_task *task = jg_create_task(take_one, channel);
    (void)arg;
    (void)task;
    let_others_run(1);
    jg_channel_free(channel);
    return 0;
}

TEST_ABORTS(freeing_a_channel_while_a_task_waits_aborts, "jg_channel_free: somebody waits in the channel")
{
    jg_run(free_visited, NULL);
}

static void take_in_callback(void *channel)
{
    (void)!jg_channel_get(channel, &(int){0});
}

static int call_back(void *arg)
{
    jg_handle handle = {.fn = take_in_callback, .arg = arg};
    jg_call_soon(jg_task_loop(), &handle);
    return jg_sleep(1);
}

TEST_ABORTS(blocking_in_a_callback_aborts, "jg_channel_get: called outside of a task, from a callback of the loop")
{
    jg_run(call_back, jg_channel_new(sizeof(int), 1));
}

TEST_ABORTS(blocking_in_a_plain_loop_aborts, "jg_channel_get: called outside jg_run")
{
    jg_loop *loop = jg_loop_new();
    jg_handle handle = {.fn = take_in_callback, .arg = jg_channel_new(sizeof(int), 1)};
    jg_call_soon(loop, &handle);
    jg_loop_run_once(loop, 0);
}

static int take_deep(void *arg)
{
    return jg_call_deep(take_one, arg);
}

TEST_ABORTS(waiting_in_a_deep_call_aborts, "jg_channel_get: called inside jg_call_deep")
{
    jg_run(take_deep, jg_channel_new(sizeof(int), 1));
}

static int wait_event(void *event)
{
    return jg_event_wait(event);
}

static void *set_in_thread(void *event)
{
    jg_event_set(event);
    return NULL;
}

static int select_event(void *event)
{
    return JG_SELECT(JG_ON((jg_event *)event));
}

static int wait_for_thread(void *arg)
{
    jg_event event = {0};
    pthread_t thread;
    jg_task *task = jg_create_task(arg ? select_event : wait_event, &event);
    (void)task;
    let_others_run(1);
    return pthread_create(&thread, NULL, set_in_thread, &event) || pthread_join(thread, NULL) ? -1 : 0;
}

TEST_ABORTS(waking_a_task_from_another_thread_aborts, "jg_event_wait: another thread would wake the task")
{
    jg_run(wait_for_thread, NULL);
}

TEST_ABORTS(waking_a_select_from_another_thread_aborts, "jg_select: another thread would wake the task")
{
    jg_run(wait_for_thread, "");
}
