/* Where stacks come from. Neighbouring slabs are one mapping to the kernel, and a guard made by MADV_GUARD_INSTALL
 * needs none of its own, so a million stacks take one. The stacks of a slab are of one size, are used from its low end
 * on, and stay mapped until the end. */
#include "coro/stack.h"

#include "base/diagnostics.h"
#include "base/memory.h"
#include "coro/sanitizers.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

enum {
    SLAB_LEAST = 16 * (JG__STACK_DEFAULT + 4096),
    SLAB_MOST = 256 * 1024 * 1024,
    COLOURS = 16,
    TRIM_MOST = 1024, /* stacks a call and class: some milliseconds */
};

struct jg__slab {
    struct jg__slab *next;
    char *base;
    size_t length, guard, room;
    size_t stacks, used;
    unsigned watch[]; /* where somebody watches: one for each stack */
};

static size_t pages(size_t bytes)
{
    size_t page = (size_t)getpagesize();
    return (bytes + page - 1) & ~(page - 1);
}

static size_t class_size(uint32_t class)
{
    return class == 0 ? JG__STACK_DEFAULT - JG__STACK_GUARD : (size_t)JG__STACK_LEAST << (class - 1);
}

/* JG__STACK_CLASSES: there is none. */
static uint32_t class_of(size_t size)
{
    uint32_t class = 1;
    while (class < JG__STACK_CLASSES && class_size(class) < size)
        class += 1;
    return size == 0 || (size <= class_size(0) && class_size(class) > class_size(0)) ? 0 : class;
}

/* A small stack gets a small guard: else most of its page tables would be the guard's. */
static size_t guard_size(size_t size)
{
    return pages(size < JG__STACK_GUARD ? size : JG__STACK_GUARD);
}

/* A page more than asked for: room for the colours, and a stride that is no power of two, which spreads the tops over
 * the sets of the TLB. */
static size_t room_for(size_t size)
{
    return pages(size) + (size_t)getpagesize();
}

static void set_least(struct jg__stack_class *class, size_t least)
{
    class->least = least;
    class->fast_above = jg__stacks_watched() ? SIZE_MAX : least;
}

struct jg__stacks *jg__stacks_new(void)
{
    struct jg__stacks *stacks = jg__allocate_zeroed(sizeof *stacks);
    if (stacks == NULL)
        return jg_fail(ENOMEM, "no memory for stacks"), NULL;
    for (uint32_t i = 0; i < JG__STACK_CLASSES; i++) {
        stacks->classes[i].room = room_for(class_size(i));
        set_least(&stacks->classes[i], 0);
    }
    stacks->guards_by_mprotect = jg__on_valgrind(); /* it would not know of the others, and read there itself */
    return stacks;
}

static char *slab_bottom(const struct jg__slab *slab, size_t index)
{
    return slab->base + index * (slab->guard + slab->room) + slab->guard;
}

static void unmap_slab(struct jg__slab *slab)
{
    for (size_t i = 0; jg__stacks_watched() && i < slab->used; i++)
        jg__unwatch_stack(slab->watch[i], slab_bottom(slab, i), slab_bottom(slab, i) + slab->room);
    if (munmap(slab->base, slab->length) != 0)
        jg__report(NULL, errno, "the memory of stacks cannot be unmapped: %s", strerror(errno));
    jg__release(slab);
}

void jg__stacks_free(struct jg__stacks *stacks)
{
    int saved = errno;
    if (stacks == NULL)
        return;
    for (uint32_t i = 0; i < JG__STACK_CLASSES; i++) {
        for (struct jg__slab *slab = stacks->classes[i].slabs, *next; slab != NULL; slab = next) {
            next = slab->next;
            unmap_slab(slab);
        }
        jg__release(stacks->classes[i].free);
    }
    jg__release(stacks);
    errno = saved;
}

/* A huge page would make each first touch one of 2 MiB. */
static char *map(size_t length)
{
    int saved = errno;
    char *base =
        mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (base == MAP_FAILED)
        return NULL;
    if (madvise(base, length, MADV_NOHUGEPAGE) != 0)
        errno = saved; /* a kernel without huge pages */
    return base;
}

static struct jg__slab *new_slab(size_t size, size_t stacks)
{
    struct jg__slab *slab =
        jg__allocate_zeroed(sizeof *slab + (jg__stacks_watched() ? stacks * sizeof slab->watch[0] : 0));
    if (slab == NULL)
        return NULL;
    slab->guard = guard_size(size);
    slab->room = room_for(size);
    slab->stacks = stacks;
    slab->length = stacks * (slab->guard + slab->room);
    slab->base = map(slab->length);
    if (slab->base == NULL) {
        jg__release(slab);
        return NULL;
    }
    return slab;
}

static int fail(size_t size)
{
    return jg_fail(ENOMEM,
                   "a stack of %zu bytes: %s (memory, address space, or the number of mappings: see vm.max_map_count)",
                   size, strerror(ENOMEM));
}

/* The free list is made large enough for all stacks beforehand, so that putting one back cannot fail. */
static bool add_slab(struct jg__stack_class *class, size_t size)
{
    size_t stride = guard_size(size) + class->room;
    size_t bytes = class->capacity * stride;
    bytes = bytes < SLAB_LEAST ? SLAB_LEAST : bytes > SLAB_MOST ? SLAB_MOST : bytes;
    for (size_t stacks = bytes > stride ? bytes / stride : 1; stacks > 0; stacks /= 4) {
        char **free = jg__reallocate(class->free, (class->capacity + stacks) * sizeof *free);
        if (free == NULL)
            continue;
        class->free = free;
        struct jg__slab *slab = new_slab(size, stacks);
        if (slab == NULL)
            continue;
        slab->next = class->slabs;
        class->slabs = slab;
        class->capacity += stacks;
        return true;
    }
    return false;
}

/* An emulator may take advice that it doesn't know without a word, so the first guard is tried: does the kernel refuse
 * to read a path from there? */
static bool guard_by_advice(struct jg__stacks *stacks, char *guard, size_t length)
{
    if (madvise(guard, length, MADV_GUARD_INSTALL) != 0) {
        stacks->guards_by_mprotect = errno == EINVAL; /* an older kernel, or memory that is locked */
        return false;
    }
    if (!stacks->guards_proven)
        stacks->guards_by_mprotect = access(guard, F_OK) == 0 || errno != EFAULT;
    stacks->guards_proven = true;
    return !stacks->guards_by_mprotect;
}

static bool set_guard(struct jg__stacks *stacks, char *guard, size_t length)
{
    int saved = errno;
    bool done = !stacks->guards_by_mprotect && guard_by_advice(stacks, guard, length);
    if (stacks->guards_by_mprotect)
        done = mprotect(guard, length, PROT_NONE) == 0;
    errno = saved;
    return done;
}

/* Takes the slab's next stack that was never used. */
static bool use_fresh(struct jg__stacks *stacks, struct jg__slab *slab, size_t colour, struct jg__stack *stack)
{
    char *bottom = slab_bottom(slab, slab->used);
    if (!set_guard(stacks, bottom - slab->guard, slab->guard))
        return false;
    stack->bottom = bottom;
    stack->top = bottom + slab->room - colour % COLOURS * 64;
    if (jg__stacks_watched())
        slab->watch[slab->used] = jg__watch_stack(bottom, bottom + slab->room);
    slab->used++;
    return true;
}

static void use_free(struct jg__stack_class *class, struct jg__stack *stack)
{
    stack->top = class->free[--class->count];
    stack->bottom = jg__stack_end(stack->top) - class->room;
    if (class->least > class->count)
        set_least(class, class->count);
    if (class->trimmed > class->count)
        class->trimmed = class->count;
    jg__wipe_stack(stack->bottom, stack->top);
}

bool jg__stacks_get_slowly(struct jg__stacks *stacks, size_t size, struct jg__stack *stack)
{
    stack->class = class_of(size);
    if (stack->class == JG__STACK_CLASSES)
        return fail(size), false;
    struct jg__stack_class *class = &stacks->classes[stack->class];
    size_t usable = class_size(stack->class);
    if (class->count > 0) {
        use_free(class, stack);
        return true;
    }
    if (class->slabs == NULL || class->slabs->used == class->slabs->stacks) {
        if (!add_slab(class, usable))
            return fail(usable), false;
    }
    size_t made = class->capacity - class->slabs->stacks + class->slabs->used;
    if (!use_fresh(stacks, class->slabs, made, stack))
        return fail(usable), false;
    return true;
}

/* Returns whether there are free stacks with memory left. */
static bool trim_class(struct jg__stack_class *class)
{
    size_t half = (class->least - class->trimmed + 1) / 2;
    for (size_t left = half < TRIM_MOST ? half : TRIM_MOST; left > 0; left--) {
        char *end = jg__stack_end(class->free[class->trimmed++]);
        madvise(end - class->room, class->room, MADV_DONTNEED); /* fails for locked memory, which stays */
    }
    set_least(class, class->count);
    return class->trimmed < class->count;
}

bool jg__stacks_trim(struct jg__stacks *stacks)
{
    int saved = errno;
    bool more = false;
    for (uint32_t i = 0; i < JG__STACK_CLASSES; i++)
        more |= trim_class(&stacks->classes[i]);
    errno = saved;
    return more;
}

size_t jg__stack_size(const struct jg__stack *stack)
{
    return class_size(stack->class);
}

bool jg__stack_guards(const struct jg__stack *stack, const void *address)
{
    return (uintptr_t)stack->bottom - (uintptr_t)address - 1 < guard_size(jg__stack_size(stack));
}
