/* The allocator behind the library. */
#ifndef JUGGLE_MEMORY_H
#define JUGGLE_MEMORY_H

#include <juggle/common.h>

JG_BEGIN

/* Replaces malloc, realloc and free for everything that the library allocates on the heap (stacks are mapped, not
 * allocated). All three are needed; `arg` is handed to each. `reallocate` gets NULL for a new block; both return NULL
 * when out of memory, which the library reports as ENOMEM. They may be called from several threads at once.
 * Call it before the first loop is created. Never waits.
 * Returns 0; -1 with EINVAL when one of the functions is NULL, EBUSY when something is allocated already. */
typedef struct jg_allocator {
    void *(*allocate)(size_t bytes, void *arg);
    void *(*reallocate)(void *block, size_t bytes, void *arg);
    void (*release)(void *block, void *arg);
    void *arg;
} jg_allocator;

JG_API int jg_set_allocator(const jg_allocator *allocator);

/* Frees memory that a call has handed over, such as what jg_read_file has read. Accepts NULL, preserves errno. Never
 * waits. Thread-safe. */
JG_API void jg_free(void *block);

/* How many blocks of the library's are allocated at this moment, in all threads: 0 when every loop is closed and every
 * object freed. For tests. Never waits. */
JG_API size_t jg_allocated_blocks(void);

JG_END

#endif
