/* Queues between the tasks of one thread, for elements of any type, copied by value. asyncio's counterparts: Queue,
 * LifoQueue, PriorityQueue. Between threads see channel.h; for several queues at once, select.h.
 *
 * A queue is a struct of the caller's, initialised by one of the macros, also statically and before jg_run (calls that
 * put or get abort when it was only made zero); it stays where it is while somebody waits. Calls that don't wait may
 * also be made by callbacks of the loop. Who waits is served in the order of arrival: an element goes straight to the
 * first who waits for one (also in a LIFO or priority queue, which is empty then), so nobody who comes later gets it
 * first. A task that is interrupted while it waits leaves its element, or itself, out of the queue; one that is woken
 * and interrupted in the same turn has put or got its element, and hears of the interruption in its next wait. */
#ifndef JUGGLE_QUEUE_H
#define JUGGLE_QUEUE_H

#include <juggle/task.h>

JG_BEGIN

/* All fields are private. */
typedef struct jg_queue {
    size_t element_size;
    size_t capacity;
    int (*compare)(const void *a, const void *b); /* of a priority queue */
    int kind;
    bool shut_down;
    size_t size;       /* elements in it */
    size_t head;       /* where the oldest stands */
    size_t room;       /* elements that its memory holds */
    size_t unfinished; /* put, but not done with */
    char *memory;
    void *ranks; /* of a priority queue: which element comes when */
    uint64_t puts;
    void *getters[2], *putters[2], *joiners[2];
    void *reserved[4];
} jg_queue;

/* The capacity of a queue that never is full. (asyncio: 0, which is something else here.) */
#define JG_UNBOUNDED SIZE_MAX

/* `jg_queue jobs = JG_QUEUE(struct job, 100);`: first in first out; last in first out; the least first, by compare,
 * which is one for qsort(3), and equal ones in the order in which they were put. A queue of capacity 0 holds nothing: a
 * put waits until somebody gets the element. Memory is allocated when the first element has to stay in the queue, and
 * grows with their number; else putting and getting allocates nothing. What a peak took is given back when the queue is
 * empty. asyncio: Queue, LifoQueue, PriorityQueue. */
#define JG_QUEUE(type, capacity) JG_QUEUE_OF(type, capacity, 0, NULL)
#define JG_LIFO_QUEUE(type, capacity) JG_QUEUE_OF(type, capacity, 1, NULL)
#define JG_PRIORITY_QUEUE(type, capacity, compare) JG_QUEUE_OF(type, capacity, 2, compare)
/* clang-format off */
#ifdef __cplusplus
#define JG_CAPACITY(capacity) static_cast<size_t>(capacity)
#else
#define JG_CAPACITY(capacity) (size_t)(capacity)
#endif
#define JG_QUEUE_OF(type, capacity, kind, compare) \
    {sizeof(type), JG_CAPACITY(capacity), compare, kind, false, 0, 0, 0, 0, NULL, NULL, 0, \
     {NULL, NULL}, {NULL, NULL}, {NULL, NULL}, {NULL, NULL, NULL, NULL}}
/* clang-format on */

/* Copies *element into the queue; waits while it is full. Returns 0; -1 with EPIPE (the queue is shut down), ENOMEM,
 * ECANCELED, ETIMEDOUT: then the element isn't in the queue. asyncio: Queue.put. */
JG_API int jg_queue_put(jg_queue *queue, const void *element) JG_MUST_USE;

/* Takes the next element out, into *element; waits while there is none. Returns 0; -1 with EPIPE (the queue is shut
 * down, and empty), ECANCELED, ETIMEDOUT: then *element is as it was. asyncio: Queue.get. */
JG_API int jg_queue_get(jg_queue *queue, void *element) JG_MUST_USE;

/* The same without waiting: -1 with EAGAIN when the queue is full, or empty. asyncio: put_nowait, get_nowait,
 * QueueFull, QueueEmpty. */
JG_API int jg_queue_put_nowait(jg_queue *queue, const void *element) JG_MUST_USE;
JG_API int jg_queue_get_nowait(jg_queue *queue, void *element) JG_MUST_USE;

/* How many elements are in it, and can be; is it empty, is it full? Never wait. asyncio: qsize, maxsize, empty, full.
 */
JG_API size_t jg_queue_size(const jg_queue *queue);
JG_API size_t jg_queue_capacity(const jg_queue *queue);
JG_API bool jg_queue_empty(const jg_queue *queue);
JG_API bool jg_queue_full(const jg_queue *queue);

/* Says that an element which was got is done with. Aborts when called more often than elements were put. Never waits.
 * asyncio: task_done. */
JG_API void jg_queue_task_done(jg_queue *queue);

/* Waits until every element that was put is done with. Returns 0; -1 with ECANCELED, ETIMEDOUT. asyncio: join. */
JG_API int jg_queue_join(jg_queue *queue) JG_MUST_USE;

typedef struct jg_queue_shutdown_options {
    size_t size;
    bool immediate;              /* drop what is in the queue, and count it as done */
    void (*drop)(void *element); /* called for each element so dropped, to free what it owns; must not use the queue */
} jg_queue_shutdown_options;

/* No more elements: who puts, or waits to, fails with EPIPE; who gets is served until the queue is empty, and then
 * fails with EPIPE. For good: a second call can only add .immediate. Never waits. asyncio: shutdown, QueueShutDown. */
#define jg_queue_shutdown(queue, ...) jg_queue_shutdown_with(queue, JG_OPTIONS(jg_queue_shutdown_options, __VA_ARGS__))
JG_API void jg_queue_shutdown_with(jg_queue *queue, const jg_queue_shutdown_options *options);

/* Frees the memory of the queue and drops what is in it; what the elements own is not freed (see .drop). Aborts when
 * somebody waits. The queue is as new then, if not shut down. Accepts NULL, preserves errno. Never waits. */
JG_API void jg_queue_free(jg_queue *queue);

/* A queue that is freed at the end of its scope: `jg_autoqueue jobs = JG_QUEUE(int, 10);`. Declare it before the group
 * of the tasks that use it. */
#define jg_autoqueue __attribute__((cleanup(jg_queue_free))) jg_queue

JG_END

#endif
