/* First in first out: a ring. Last in first out: a stack. By priority: a heap of ranks, so that elements, which may be
 * large, are copied only once on their way in and once on their way out. */
#include "sync/elements.h"

#include "base/memory.h"

enum { FIRST_ROOM = 16, KEPT_ROOM = 64, KEPT_BYTES = 64 * 1024 };

struct rank {
    uint64_t put; /* how many were put before it */
    size_t slot;  /* where in memory it is; in the ranks behind the last, where it is free */
};

/* ---- Room ---- */

static size_t next_room(const jg_queue *queue)
{
    size_t most = SIZE_MAX / 2 / (queue->element_size + sizeof(struct rank));
    size_t room = queue->room ? 2 * queue->room : FIRST_ROOM;
    if (room > queue->capacity)
        room = queue->capacity;
    return room < most ? room : most;
}

/* The part of the ring before the wrap goes to the end of the memory. */
static void unwrap(jg_queue *queue, size_t room)
{
    size_t before = queue->room - queue->head, size = queue->element_size;
    if (queue->head == 0)
        return;
    memmove(queue->memory + (room - before) * size, queue->memory + queue->head * size, before * size);
    queue->head = room - before;
}

static int grow_ranks(jg_queue *queue, size_t room)
{
    struct rank *ranks = jg__reallocate(queue->ranks, room * sizeof *ranks);
    if (!ranks)
        return -1;
    for (size_t i = queue->room; i < room; i++)
        ranks[i].slot = i;
    queue->ranks = ranks;
    return 0;
}

int jg__elements_grow(jg_queue *queue)
{
    size_t room = next_room(queue);
    if (queue->kind == JG__PRIORITY && grow_ranks(queue, room) < 0)
        return -1;
    char *memory = jg__reallocate(queue->memory, room * queue->element_size);
    if (!memory)
        return -1;
    queue->memory = memory;
    unwrap(queue, room);
    queue->room = room;
    return 0;
}

void jg__elements_free(jg_queue *queue)
{
    jg__release(queue->memory);
    jg__release(queue->ranks);
    queue->memory = NULL;
    queue->ranks = NULL;
    queue->size = queue->head = queue->room = 0;
}

/* ---- The heap ---- */

static char *element_of(const jg_queue *queue, const struct rank *rank)
{
    return queue->memory + rank->slot * queue->element_size;
}

static bool comes_before(const jg_queue *queue, const struct rank *a, const struct rank *b)
{
    int order = queue->compare(element_of(queue, a), element_of(queue, b));
    return order ? order < 0 : a->put < b->put;
}

void jg__elements_rank(jg_queue *queue, const void *element)
{
    struct rank *ranks = queue->ranks;
    size_t hole = queue->size++;
    struct rank added = {.put = queue->puts++, .slot = ranks[hole].slot};
    jg__element_copy(queue, element_of(queue, &added), element);
    while (hole > 0 && comes_before(queue, &added, &ranks[(hole - 1) / 2])) {
        ranks[hole] = ranks[(hole - 1) / 2];
        hole = (hole - 1) / 2;
    }
    ranks[hole] = added;
}

static void drop_first(const jg_queue *queue)
{
    struct rank *ranks = queue->ranks;
    size_t count = queue->size - 1, hole = 0, child;
    struct rank first = ranks[0], last = ranks[count];
    while ((child = 2 * hole + 1) < count) {
        if (child + 1 < count && comes_before(queue, &ranks[child + 1], &ranks[child]))
            child++;
        if (!comes_before(queue, &ranks[child], &last))
            break;
        ranks[hole] = ranks[child];
        hole = child;
    }
    ranks[hole] = last;
    ranks[count].slot = first.slot;
}

/* ---- Leaving ---- */

void *jg__elements_next(const jg_queue *queue)
{
    if (queue->kind == JG__PRIORITY)
        return element_of(queue, queue->ranks);
    size_t next = queue->kind == JG__LIFO ? queue->size - 1 : queue->head;
    return queue->memory + next * queue->element_size;
}

/* What a peak has left behind. */
static void trim(jg_queue *queue)
{
    if (queue->room > KEPT_ROOM && queue->room * queue->element_size > KEPT_BYTES)
        jg__elements_free(queue);
    queue->head = 0;
}

void jg__elements_drop(jg_queue *queue)
{
    if (queue->kind == JG__PRIORITY)
        drop_first(queue);
    else if (queue->kind == JG__FIFO && ++queue->head == queue->room)
        queue->head = 0;
    if (--queue->size == 0)
        trim(queue);
}
