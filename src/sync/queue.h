/* What a queue does without waiting, and without knowing who waits in it: shared by queues, channels and select. */
#ifndef JUGGLE_SYNC_QUEUE_H
#define JUGGLE_SYNC_QUEUE_H

#include "sync/elements.h"
#include "sync/line.h"

#pragma GCC visibility push(hidden)

/* A queue that nobody initialised would fail, or wait, for ever: so where a call would have to wait, it aborts. */
_Noreturn void jg__refuse_queue(void);
static inline void jg__check_queue(const jg_queue *queue)
{
    if (JG__UNLIKELY(queue->element_size == 0))
        jg__refuse_queue();
}

/* Puts or gets an element, and serves who waits for that: 0, -EPIPE, -ENOMEM, or -EAGAIN when it would have to wait. */
static inline int jg__try_put(jg_queue *queue, const void *element)
{
    if (JG__UNLIKELY(queue->shut_down))
        return -EPIPE;
    struct jg__place *getter = queue->size == 0 ? jg__line_next(queue->getters) : NULL;
    if (getter) {
        jg__element_copy(queue, getter->element, element);
        queue->unfinished++;
        jg__place_wake(getter, 0);
        return 0;
    }
    if (queue->size >= queue->capacity) {
        jg__check_queue(queue);
        return -EAGAIN;
    }
    if (jg__elements_reserve(queue) < 0)
        return -ENOMEM;
    jg__elements_add(queue, element);
    queue->unfinished++;
    return 0;
}

int jg__try_get(jg_queue *queue, void *element);

/* Would they, at this moment? A failure counts as no. */
bool jg__could_put(const jg_queue *queue);
bool jg__could_get(const jg_queue *queue);

/* Lets nothing in any more, and sends away who waits. */
void jg__shut_down(jg_queue *queue, bool immediate, void (*drop)(void *element));

/* The failure of a call with one of these results or a reason of interruption: sets errno, returns -1. `what` is the
 * object's kind, for the words. */
int jg__queue_failure(const char *call, const char *what, int result);

#pragma GCC visibility pop

#endif
