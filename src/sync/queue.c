/* Queues. Who waits to get something waits because the queue is empty, who waits to put something because it is full:
 * so an element goes straight to the first who waits for it, and the room that it leaves to the first who waits for
 * that. */
#include "sync/queue.h"

/* ---- Without waiting ---- */

void jg__refuse_queue(void)
{
    jg__die("a jg_queue whose elements have no size: it must be initialised, by JG_QUEUE(type, capacity) or the like");
}

/* The queue has an element less: the first who waits to put one can. */
static void refill(jg_queue *queue)
{
    struct jg__place *putter = jg__line_next(queue->putters);
    if (!putter)
        return;
    jg__elements_add(queue, putter->element); /* there is room, since the queue was full */
    queue->unfinished++;
    jg__place_wake(putter, 0);
}

/* Of a queue without capacity: from hand to hand. */
static int get_from_putter(jg_queue *queue, void *element)
{
    struct jg__place *putter = jg__line_next(queue->putters);
    jg__check_queue(queue);
    if (!putter)
        return queue->shut_down ? -EPIPE : -EAGAIN;
    jg__element_copy(queue, element, putter->element);
    queue->unfinished++;
    jg__place_wake(putter, 0);
    return 0;
}

int jg__try_get(jg_queue *queue, void *element)
{
    if (queue->size == 0)
        return get_from_putter(queue, element);
    jg__element_copy(queue, element, jg__elements_next(queue));
    jg__elements_drop(queue);
    refill(queue);
    return 0;
}

bool jg__could_put(const jg_queue *queue)
{
    jg__check_queue(queue);
    return queue->shut_down || queue->size < queue->capacity || !jg__line_empty(queue->getters);
}

bool jg__could_get(const jg_queue *queue)
{
    jg__check_queue(queue);
    return queue->shut_down || queue->size > 0 || !jg__line_empty(queue->putters);
}

static void finish(jg_queue *queue)
{
    if (--queue->unfinished == 0)
        jg__line_wake_all(queue->joiners, 0);
}

void jg__shut_down(jg_queue *queue, bool immediate, void (*drop)(void *element))
{
    queue->shut_down = true;
    jg__line_wake_all(queue->putters, -EPIPE);
    while (immediate && queue->size > 0) {
        if (drop)
            drop(jg__elements_next(queue));
        jg__elements_drop(queue);
        if (queue->unfinished)
            finish(queue);
    }
    if (queue->size == 0)
        jg__line_wake_all(queue->getters, -EPIPE);
}

int jg__queue_failure(const char *call, const char *what, int result)
{
    switch (-result) {
    case EAGAIN:
        return jg__fail_again(call);
    case EPIPE:
        return jg_fail(EPIPE, "%s: the %s is shut down", call, what);
    case ENOMEM:
        return jg_fail(ENOMEM, "%s: out of memory", call);
    default:
        return jg__fail_interrupted(call, -result);
    }
}

static int outcome(const char *call, int result)
{
    return JG__LIKELY(result == 0) ? 0 : jg__queue_failure(call, "queue", result);
}

int jg_queue_put_nowait(jg_queue *queue, const void *element)
{
    return outcome("jg_queue_put_nowait", jg__try_put(queue, element));
}

int jg_queue_get_nowait(jg_queue *queue, void *element)
{
    return outcome("jg_queue_get_nowait", jg__try_get(queue, element));
}

/* ---- Waiting ---- */

int jg_queue_put(jg_queue *queue, const void *element)
{
    if (jg__enter("jg_queue_put") < 0)
        return -1;
    int result = jg__try_put(queue, element);
    if (result == -EAGAIN) {
        struct jg__place place = JG__PLACE("jg_queue_put", queue);
        place.element = (void *)(uintptr_t)element; // NOLINT(performance-no-int-to-ptr): it is only read
        result = jg__line_park(queue->putters, &place);
    }
    return outcome("jg_queue_put", result);
}

int jg_queue_get(jg_queue *queue, void *element)
{
    if (jg__enter("jg_queue_get") < 0)
        return -1;
    int result = jg__try_get(queue, element);
    if (result == -EAGAIN) {
        struct jg__place place = JG__PLACE("jg_queue_get", queue);
        place.element = element;
        result = jg__line_park(queue->getters, &place);
    }
    return outcome("jg_queue_get", result);
}

int jg_queue_join(jg_queue *queue)
{
    if (jg__enter("jg_queue_join") < 0)
        return -1;
    return queue->unfinished == 0 ? 0 : jg__line_wait("jg_queue_join", queue, queue->joiners);
}

void jg_queue_task_done(jg_queue *queue)
{
    if (JG__UNLIKELY(queue->unfinished == 0))
        jg__die("jg_queue_task_done: called more often than elements were put");
    finish(queue);
}

/* ---- The end ---- */

void jg_queue_shutdown_with(jg_queue *queue, const jg_queue_shutdown_options *options)
{
    jg_queue_shutdown_options whole;
    options = jg__whole_options(options, &whole, sizeof whole);
    jg__shut_down(queue, options->immediate, options->drop);
}

void jg_queue_free(jg_queue *queue)
{
    if (!queue)
        return;
    if (!jg__line_empty(queue->getters) || !jg__line_empty(queue->putters) || !jg__line_empty(queue->joiners))
        jg__die("jg_queue_free: a task waits in the queue");
    jg__elements_free(queue);
    queue->unfinished = 0;
}

/* ---- Looking ---- */

size_t jg_queue_size(const jg_queue *queue)
{
    return queue->size;
}

size_t jg_queue_capacity(const jg_queue *queue)
{
    return queue->capacity;
}

bool jg_queue_empty(const jg_queue *queue)
{
    return queue->size == 0;
}

bool jg_queue_full(const jg_queue *queue)
{
    return queue->size >= queue->capacity;
}
