#include "transport/chunk.h"

#include "base/memory.h"

#include <errno.h>
#include <string.h>

enum {
    USUAL_SIZE = 4096 - 16, /* with its header and the heap's: a page */
    USUAL_CAPACITY = USUAL_SIZE - sizeof(struct jg__chunk),
    SPARE_MOST = 256,
};

/* The spare chunks of a loop, linked by write.next. */
struct jg__chunks {
    struct jg__resident resident;
    jg_loop *loop;
    struct jg__write *first;
    unsigned count;
};

static struct jg__write *take(struct jg__chunks *chunks)
{
    struct jg__write *write = chunks->first;
    chunks->first = write->next;
    chunks->count--;
    return write;
}

static void evict(struct jg__resident *resident)
{
    struct jg__chunks *chunks = jg__container_of(resident, struct jg__chunks, resident);
    while (chunks->first)
        jg__release(jg__chunk_of(take(chunks)));
    chunks->loop->chunks = NULL;
    jg__release(chunks);
}

static struct jg__chunks *chunks_of(jg_loop *loop)
{
    if (!loop->chunks) {
        int saved = errno;
        loop->chunks = jg__allocate_zeroed(sizeof *loop->chunks);
        errno = saved;
        if (!loop->chunks)
            return NULL;
        loop->chunks->loop = loop;
        loop->chunks->resident.evict = evict;
        jg__list_append(&loop->residents, &loop->chunks->resident.node);
    }
    return loop->chunks;
}

struct jg__chunk *jg__chunk_new(jg_loop *loop, size_t bytes)
{
    struct jg__chunk *chunk;
    size_t capacity = bytes <= USUAL_CAPACITY ? USUAL_CAPACITY : bytes;
    if (bytes <= USUAL_CAPACITY && loop->chunks && loop->chunks->first)
        chunk = jg__chunk_of(take(loop->chunks));
    else if (capacity <= SIZE_MAX - sizeof *chunk)
        chunk = jg__allocate(sizeof *chunk + capacity);
    else
        chunk = (errno = ENOMEM, NULL);
    if (!chunk)
        return NULL;
    memset(chunk, 0, sizeof *chunk);
    chunk->capacity = capacity;
    return chunk;
}

struct jg__chunk *jg__chunk_grow(struct jg__chunk *chunk, size_t bytes)
{
    size_t capacity;
    if (__builtin_add_overflow(chunk->write.length, bytes, &capacity) || capacity > SIZE_MAX / 2) {
        errno = ENOMEM;
        return NULL;
    }
    if (capacity < chunk->capacity * 2)
        capacity = chunk->capacity * 2;
    chunk = jg__reallocate(chunk, sizeof *chunk + capacity);
    if (chunk)
        chunk->capacity = capacity;
    return chunk;
}

void jg__chunk_fill(struct jg__chunk *chunk, const struct iovec *vector, int count)
{
    for (int i = 0; i < count; i++) {
        if (vector[i].iov_len)
            memcpy(chunk->data + chunk->write.length, vector[i].iov_base, vector[i].iov_len);
        chunk->write.length += vector[i].iov_len;
    }
}

void jg__chunk_free(jg_loop *loop, struct jg__chunk *chunk)
{
    struct jg__chunks *chunks = chunk->capacity == USUAL_CAPACITY ? chunks_of(loop) : NULL;
    if (!chunks || chunks->count == SPARE_MOST) {
        jg__release(chunk);
        return;
    }
    chunk->write.next = chunks->first;
    chunks->first = &chunk->write;
    chunks->count++;
}
