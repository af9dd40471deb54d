/* What a sleeping coroutine takes: of a million with JUGGLE_LONG set, else of 200,000. */
#include "coroutine.h"

#include <stdio.h>
#include <stdlib.h>

/* Kilobytes of a line of /proc/self/status. */
static long status(const char *key)
{
    char line[256];
    long value = -1;
    FILE *file = fopen("/proc/self/status", "re");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, key, strlen(key)) == 0)
            value = atol(line + strlen(key));
    }
    fclose(file);
    ck_assert_int_ge(value, 0);
    return value;
}

static long used(void)
{
    return status("VmRSS:") + status("VmPTE:");
}

static long available(void)
{
    long value = 0;
    FILE *file = fopen("/proc/meminfo", "re");
    ck_assert_ptr_nonnull(file);
    while (fscanf(file, "MemAvailable: %ld", &value) != 1 && fscanf(file, "%*[^\n]\n") != EOF)
        continue;
    fclose(file);
    return value;
}

/* Where a task's record would be: at the top. */
struct sleeper {
    struct jg__context context;
    struct jg__stack stack;
    struct sleeper *next;
    char rest[256];
};

static struct jg__context owner;

static void sleep_for_ever(void *arg)
{
    struct sleeper *self = arg;
    for (;;)
        jg__context_switch(&self->context, &owner);
}

static struct sleeper *start_sleeper(struct jg__stacks *stacks, struct sleeper *next)
{
    struct jg__stack stack;
    if (!jg__stacks_get(stacks, 0, &stack))
        return NULL;
    struct sleeper *sleeper = (struct sleeper *)((uintptr_t)(stack.top - sizeof *sleeper) & ~(uintptr_t)63);
    *sleeper = (struct sleeper){.stack = stack, .next = next};
    jg__context_init(&sleeper->context, stack.bottom, sleeper, sleep_for_ever, sleeper);
    jg__context_switch(&owner, &sleeper->context);
    return sleeper;
}

static long put_sleepers(struct jg__stacks *stacks, struct sleeper *sleeper)
{
    long count = 0;
    for (; sleeper != NULL; count++) {
        struct jg__stack stack = sleeper->stack;
        sleeper = sleeper->next;
        jg__stacks_put(stacks, &stack);
    }
    return count;
}

TEST(sleeping_coroutine_takes_a_page)
{
    long count = getenv("JUGGLE_LONG") != NULL ? 1000000 : 200000;
    if (harness_slowness() > 1)
        SKIP("only in an ordinary build");
    if (available() < count * 5)
        SKIP("needs more free memory");
    struct jg__stacks *stacks = jg__stacks_new();
    struct sleeper *sleepers = NULL, *next;
    long before = used();
    jg__context_init_thread(&owner);
    for (long i = 0; i < count; i++) {
        next = start_sleeper(stacks, sleepers);
        if (next == NULL && stacks->guards_by_mprotect)
            SKIP("the kernel has no MADV_GUARD_INSTALL, so there are as many stacks as mappings");
        ck_assert_ptr_nonnull(next);
        sleepers = next;
    }
    double each = (double)(used() - before) / (double)count;
    ck_assert_msg(each <= 4.7, "%.3f KiB each", each);
    ck_assert_int_eq(put_sleepers(stacks, sleepers), count);
    jg__stacks_free(stacks);
}
