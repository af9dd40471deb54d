/* Stacks: address space in slabs, touched by the page, reused last-in first-out. */
#ifndef JUGGLE_CORO_STACK_H
#define JUGGLE_CORO_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A default stack takes this much address space, guard included; the guard is the lowest part of each stack. */
enum { JG__STACK_DEFAULT = 256 * 1024, JG__STACK_LEAST = 16 * 1024, JG__STACK_GUARD = 64 * 1024 };

/* Class 0 is the default one, then powers of two from JG__STACK_LEAST to 1 TiB. */
enum { JG__STACK_CLASSES = 28 };

/* The owner keeps it. The top is aligned to 64 bytes and coloured: tops differ in their page and in their place in it,
 * so as to share no sets of caches and TLBs. */
struct jg__stack {
    char *top;      /* use the bytes below it */
    char *bottom;   /* lowest usable byte; the guard lies below */
    uint32_t class; /* of size */
};

/* The free ones are kept in an array, so that neither getting nor putting touches a stack. */
struct jg__stack_class {
    char **free;            /* their tops, coldest first */
    size_t count;           /* of them */
    size_t fast_above;      /* down to this count, one is simply taken: `least`, or SIZE_MAX where tools watch */
    size_t room;            /* from bottom to the end of the page that holds the top */
    size_t least;           /* that `count` was since the last trim: so many were not needed */
    size_t trimmed;         /* the first so many free ones hold no memory */
    size_t capacity;        /* of `free`: all stacks of the slabs */
    struct jg__slab *slabs; /* newest first; only that one has stacks that were never used */
};

struct jg__stacks {
    struct jg__stack_class classes[JG__STACK_CLASSES];
    bool guards_by_mprotect; /* the kernel is older than MADV_GUARD_INSTALL (Linux 6.13), or a test says so */
    bool guards_proven;      /* MADV_GUARD_INSTALL does what it says */
};

/* NULL with ENOMEM. */
struct jg__stacks *jg__stacks_new(void);

/* Unmaps everything; all stacks have been put back. Accepts NULL, preserves errno. */
void jg__stacks_free(struct jg__stacks *stacks);

/* The end of the page that holds the top; colours are less than the smallest page, whatever the size of pages is. */
static inline char *jg__stack_end(char *top)
{
    return top + (-(uintptr_t)top & 4095);
}

bool jg__stacks_get_slowly(struct jg__stacks *stacks, size_t size, struct jg__stack *stack);

/* A stack of at least `size` usable bytes (0: a default one), including the owner's record at the top. Returns false
 * with ENOMEM and the error text set: out of memory, or out of mappings (vm.max_map_count) where guards are mappings of
 * their own. */
static inline bool jg__stacks_get(struct jg__stacks *stacks, size_t size, struct jg__stack *stack)
{
    struct jg__stack_class *class = &stacks->classes[0];
    if (__builtin_expect(size != 0 || class->count <= class->fast_above, 0)) {
        struct jg__stack slow; /* so that the caller's may live in registers */
        if (!jg__stacks_get_slowly(stacks, size, &slow))
            return false;
        stack->top = slow.top;
        stack->bottom = slow.bottom;
        stack->class = slow.class;
        return true;
    }
    char *top = class->free[--class->count];
    stack->top = top;
    stack->bottom = jg__stack_end(top) - class->room;
    stack->class = 0;
    return true;
}

/* Is getting a default one a matter of a few instructions now? */
static inline bool jg__stacks_at_hand(const struct jg__stacks *stacks)
{
    return stacks->classes[0].count > stacks->classes[0].fast_above;
}

/* Takes it back. Its contents stay as they are until it is reused, or trimmed and zero; its addresses stay readable
 * until jg__stacks_free. */
static inline void jg__stacks_put(struct jg__stacks *stacks, const struct jg__stack *stack)
{
    struct jg__stack_class *class = &stacks->classes[stack->class];
    class->free[class->count++] = stack->top;
}

/* Gives memory of free stacks that were not needed since the last call back to the kernel, the coldest first and half
 * of them at a time; cheap when there is nothing to do. Called about once a second, until it returns false: no free
 * stack has memory any more. Preserves errno. */
bool jg__stacks_trim(struct jg__stacks *stacks);

/* How many bytes it was made for: what a message should say of it. */
size_t jg__stack_size(const struct jg__stack *stack);

/* Is the address within the guard of this stack? */
bool jg__stack_guards(const struct jg__stack *stack, const void *address);

#endif
