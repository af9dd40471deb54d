#include "base/memory.h"

#include "base/diagnostics.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static void *allocate_by_malloc(size_t bytes, void *arg)
{
    (void)arg;
    return malloc(bytes);
}

static void *reallocate_by_realloc(void *block, size_t bytes, void *arg)
{
    (void)arg;
    return realloc(block, bytes);
}

static void release_by_free(void *block, void *arg)
{
    (void)arg;
    free(block);
}

static jg_allocator allocator = {allocate_by_malloc, reallocate_by_realloc, release_by_free, NULL};
static atomic_size_t blocks;

int jg_set_allocator(const jg_allocator *replacement)
{
    if (!replacement || !replacement->allocate || !replacement->reallocate || !replacement->release)
        return jg_fail(EINVAL, "jg_set_allocator: allocate, reallocate and release are all needed");
    if (jg_allocated_blocks())
        return jg_fail(EBUSY, "jg_set_allocator: %zu blocks of the old allocator are in use", jg_allocated_blocks());
    allocator = *replacement;
    return 0;
}

size_t jg_allocated_blocks(void)
{
    return atomic_load_explicit(&blocks, memory_order_relaxed);
}

static void *counted(void *block)
{
    if (block)
        atomic_fetch_add_explicit(&blocks, 1, memory_order_relaxed);
    else
        errno = ENOMEM;
    return block;
}

void *jg__allocate(size_t bytes)
{
    return counted(allocator.allocate(bytes, allocator.arg));
}

void *jg__allocate_zeroed(size_t bytes)
{
    void *block = jg__allocate(bytes);
    return block ? memset(block, 0, bytes) : NULL;
}

void *jg__reallocate(void *block, size_t bytes)
{
    void *moved = allocator.reallocate(block, bytes, allocator.arg);
    if (!block)
        return counted(moved);
    if (!moved)
        errno = ENOMEM;
    return moved;
}

void jg__release(void *block)
{
    if (!block)
        return;
    int saved = errno;
    allocator.release(block, allocator.arg);
    atomic_fetch_sub_explicit(&blocks, 1, memory_order_relaxed);
    errno = saved;
}

void jg_free(void *block)
{
    jg__release(block);
}
