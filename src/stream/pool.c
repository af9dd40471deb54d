#include "stream/pool.h"

#include "base/memory.h"
#include "stream/endpoint.h"
#include "stream/server.h"
#include "stream/stream.h"
#include "task/origin.h"

#include <string.h>

enum { OBJECTS_IN_A_BLOCK = 32 };

struct jg__pool_block {
    struct jg__pool_block *next;
};

static size_t rounded_up(size_t bytes)
{
    return (bytes + JG__POOL_ALIGNMENT - 1) / JG__POOL_ALIGNMENT * JG__POOL_ALIGNMENT;
}

static struct jg__pooled **link_of(struct jg__pooled *object)
{
    return (struct jg__pooled **)(void *)(object + 1);
}

static struct jg__pooled *object_at(const struct jg__pool *pool, struct jg__pool_block *block, size_t index)
{
    char *first = (char *)rounded_up((uintptr_t)(block + 1));
    return (struct jg__pooled *)(void *)(first + index * pool->object_size);
}

static bool grow(struct jg__pool *pool)
{
    struct jg__pool_block *block =
        jg__allocate_zeroed(sizeof *block + JG__POOL_ALIGNMENT + OBJECTS_IN_A_BLOCK * pool->object_size);
    if (!block)
        return false;
    block->next = pool->blocks;
    pool->blocks = block;
    for (size_t i = OBJECTS_IN_A_BLOCK; i-- > 0;) {
        struct jg__pooled *object = object_at(pool, block, i);
        *link_of(object) = pool->free;
        pool->free = object;
    }
    return true;
}

void *jg__pool_get(struct jg__pool *pool)
{
    if (!pool->free && !grow(pool))
        return NULL;
    struct jg__pooled *object = pool->free;
    pool->free = *link_of(object);
    memset(object + 1, 0, pool->object_size - sizeof *object);
    object->generation++;
    object->used = object->live = true;
    jg__origin_note(&pool->origins, object);
    return object;
}

void jg__pool_retire(struct jg__pooled *object)
{
    object->live = false;
}

void jg__pool_put(struct jg__pool *pool, struct jg__pooled *object)
{
    object->used = object->live = false;
    jg__origin_forget(&pool->origins, object);
    *link_of(object) = pool->free;
    pool->free = object;
}

static void free_pool(struct jg__pool *pool)
{
    while (pool->blocks) {
        struct jg__pool_block *block = pool->blocks;
        pool->blocks = block->next;
        for (size_t i = 0; i < OBJECTS_IN_A_BLOCK; i++) {
            struct jg__pooled *object = object_at(pool, block, i);
            if (object->live)
                jg__origin_tell(&pool->origins, object, pool->what);
            if (object->used)
                pool->free_heap(object);
        }
        jg__release(block);
    }
    jg__origins_free(&pool->origins);
}

/* The transports in the streams are residents too: the memory goes last. */
static void evict(struct jg__resident *resident)
{
    struct jg__pools *pools = jg__container_of(resident, struct jg__pools, resident);
    if (!jg__list_empty(&pools->loop->residents)) {
        jg__list_append(&pools->loop->residents, &resident->node);
        return;
    }
    free_pool(&pools->servers); /* which put back the streams that wait to be served */
    free_pool(&pools->streams);
    free_pool(&pools->endpoints);
    pools->loop->pools = NULL;
    jg__release(pools);
}

struct jg__pools *jg__pools_of(jg_loop *loop)
{
    if (!loop->pools) {
        struct jg__pools *pools = jg__allocate_zeroed(sizeof *pools);
        if (!pools)
            return NULL;
        pools->loop = loop;
        pools->streams.what = "a stream";
        pools->streams.object_size = rounded_up(sizeof(struct jg__stream));
        pools->streams.free_heap = jg__stream_free_heap;
        pools->servers.what = "a server";
        pools->servers.object_size = rounded_up(sizeof(struct jg__server));
        pools->servers.free_heap = jg__server_free_heap;
        pools->endpoints.what = "an endpoint";
        pools->endpoints.object_size = rounded_up(sizeof(struct jg__endpoint));
        pools->endpoints.free_heap = jg__endpoint_free_heap;
        pools->resident.evict = evict;
        jg__list_append(&loop->residents, &pools->resident.node);
        loop->pools = pools;
    }
    return loop->pools;
}
