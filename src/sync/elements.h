/* The memory of a queue: its elements, in the order in which they leave. */
#ifndef JUGGLE_SYNC_ELEMENTS_H
#define JUGGLE_SYNC_ELEMENTS_H

#include <juggle/queue.h>
#include <string.h>

#pragma GCC visibility push(hidden)

/* queue->kind, as the macros for initialisation have it. */
enum { JG__FIFO, JG__LIFO, JG__PRIORITY };

/* Most elements are a number or a pointer: a call would take longer than the copy. */
static inline void jg__element_copy(const jg_queue *queue, void *to, const void *from)
{
    size_t size = queue->element_size;
    if (size == 8)
        memcpy(to, from, 8);
    else if (size == 4)
        memcpy(to, from, 4);
    else
        memcpy(to, from, size);
}

/* Makes room for one more element: 0, or -1 with ENOMEM. */
int jg__elements_grow(jg_queue *queue);
static inline int jg__elements_reserve(jg_queue *queue)
{
    return queue->size < queue->room ? 0 : jg__elements_grow(queue);
}

/* Copies an element into room that is there. */
void jg__elements_rank(jg_queue *queue, const void *element);
static inline void jg__elements_add(jg_queue *queue, const void *element)
{
    if (queue->kind == JG__PRIORITY) {
        jg__elements_rank(queue, element);
        return;
    }
    size_t behind = queue->head + queue->size++;
    if (behind >= queue->room)
        behind -= queue->room;
    jg__element_copy(queue, queue->memory + behind * queue->element_size, element);
}

/* The element that leaves next, of one or more. */
void *jg__elements_next(const jg_queue *queue);

/* Takes that one out. */
void jg__elements_drop(jg_queue *queue);

/* Gives the memory back. */
void jg__elements_free(jg_queue *queue);

#pragma GCC visibility pop

#endif
