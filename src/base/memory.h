/* Heap memory through the user's allocator. */
#ifndef JUGGLE_BASE_MEMORY_H
#define JUGGLE_BASE_MEMORY_H

#include <juggle/memory.h>

/* As malloc, calloc(1, n) and realloc: NULL with ENOMEM. jg__release accepts NULL and preserves errno. */
void *jg__allocate(size_t bytes);
void *jg__allocate_zeroed(size_t bytes);
void *jg__reallocate(void *block, size_t bytes);
void jg__release(void *block);

#endif
