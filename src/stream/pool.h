/* Type-stable memory for objects with handles. Memory of a pool is never anything else while its loop lives, so a stale
 * handle is told by its generation before anything is touched that belongs to a stranger. */
#ifndef JUGGLE_STREAM_POOL_H
#define JUGGLE_STREAM_POOL_H

#include "loop/internal.h"

/* The first member of such an object. While it is free, the memory behind is the link to the next free one. */
struct jg__pooled {
    uint32_t generation; /* of the handle that is valid now */
    bool used;           /* not in the list of the free ones */
    bool live;           /* its handle is valid: it was not retired */
};

struct jg__origin;

struct jg__pool {
    const char *what; /* "a stream": an object that is to be closed */
    size_t object_size;
    struct jg__origin *origins; /* in debug mode */
    struct jg__pooled *free;
    struct jg__pool_block *blocks;
    void (*free_heap)(struct jg__pooled *object); /* of those that are used when the loop is closed */
};

/* The pools of a loop. */
struct jg__pools {
    struct jg__resident resident;
    jg_loop *loop;
    struct jg_stream *standard[3]; /* handles of the standard streams, or NULL */
    struct jg__pool streams, servers, endpoints;
};

/* The pools of this loop, made when first asked for; NULL with ENOMEM. */
struct jg__pools *jg__pools_of(jg_loop *loop);

/* An object whose fields behind the header are zero; NULL with ENOMEM. */
void *jg__pool_get(struct jg__pool *pool);

/* From now on its handle is stale; the object itself lives on until it is put back. */
void jg__pool_retire(struct jg__pooled *object);
void jg__pool_put(struct jg__pool *pool, struct jg__pooled *object);

/* A handle is the object's address with the generation in the bits that an address doesn't use: 16 at the top, 6 at the
 * bottom. */
enum { JG__POOL_ALIGNMENT = 64, JG__HANDLE_ADDRESS_BITS = 48 };

static inline uintptr_t jg__generation_bits(uint32_t generation)
{
    return (generation & (JG__POOL_ALIGNMENT - 1)) | (uintptr_t)(generation / JG__POOL_ALIGNMENT & 0xFFFF)
                                                         << JG__HANDLE_ADDRESS_BITS;
}

static inline void *jg__handle_of(struct jg__pooled *object)
{
    return (void *)((uintptr_t)object | jg__generation_bits(object->generation));
}

/* The object behind a handle, or NULL when it is stale. */
static inline struct jg__pooled *jg__pooled_of(const void *handle)
{
    uintptr_t bits = (uintptr_t)handle;
    uintptr_t address = bits & (((uintptr_t)1 << JG__HANDLE_ADDRESS_BITS) - 1) & ~(uintptr_t)(JG__POOL_ALIGNMENT - 1);
    struct jg__pooled *object = (struct jg__pooled *)address;
    return object && object->live && (address | jg__generation_bits(object->generation)) == bits ? object : NULL;
}

#endif
