/* Bad days: no memory, no address space, no mappings. */
#include "many.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

static void *refuse(size_t bytes, void *arg)
{
    (void)bytes;
    return *(bool *)arg ? NULL : malloc(bytes);
}

static void *refuse_again(void *block, size_t bytes, void *arg)
{
    return *(bool *)arg ? NULL : realloc(block, bytes);
}

static void release(void *block, void *arg)
{
    (void)arg;
    free(block);
}

TEST(allocator_that_refuses_is_enomem)
{
    bool refusing = true;
    const jg_allocator allocator = {refuse, refuse_again, release, &refusing};
    struct jg__stack stack;
    ck_assert_int_eq(jg_set_allocator(&allocator), 0);
    errno = 0;
    ck_assert_ptr_null(jg__stacks_new());
    ck_assert_int_eq(errno, ENOMEM);
    refusing = false;
    struct jg__stacks *stacks = jg__stacks_new();
    refusing = true;
    for (int i = 0; i < 2; i++) {
        errno = 0;
        ck_assert(!jg__stacks_get(stacks, i == 0 ? 0 : 20 << 20, &stack));
        ck_assert_int_eq(errno, ENOMEM);
    }
    refusing = false;
    ck_assert(jg__stacks_get(stacks, 0, &stack));
    refusing = true;
    jg__stacks_put(stacks, &stack);
    jg__stacks_free(stacks);
}

static void check_error_text(const char *part)
{
    ck_assert_int_eq(errno, ENOMEM);
    ck_assert_msg(strstr(jg_error_text(), part) != NULL, "%s", jg_error_text());
}

TEST(size_beyond_the_address_space_is_enomem)
{
    struct jg__stacks *stacks = jg__stacks_new();
    struct jg__stack stack;
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 100000, SIZE_MAX / 2, ((size_t)1 << 40) + 1};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        errno = 0;
        ck_assert(!jg__stacks_get(stacks, sizes[i], &stack));
        check_error_text("stack of");
    }
    jg__stacks_free(stacks);
}

TEST(address_space_limit_is_enomem_and_recovers)
{
    if (harness_slowness() > 1)
        SKIP("a sanitizer or an emulator needs its address space");
    struct jg__stacks *stacks = jg__stacks_new();
    struct rlimit limit = {(size_t)256 << 20, RLIM_INFINITY};
    int count = 0;
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
    while (count < MANY && jg__stacks_get(stacks, 0, &many[count]))
        count++;
    check_error_text("vm.max_map_count");
    ck_assert_int_gt(count, 256);
    ck_assert_int_lt(count, 1024);
    jg__stacks_put(stacks, &many[count - 1]);
    ck_assert(jg__stacks_get(stacks, 0, &many[count - 1]));
    limit.rlim_cur = RLIM_INFINITY;
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
    get_many(stacks, count, count + 100);
    touch_many(0, count + 100);
    put_many(stacks, 0, count + 100);
    jg__stacks_free(stacks);
}

static long read_number(const char *path)
{
    long number = -1;
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        if (fscanf(file, "%ld", &number) != 1)
            number = -1;
        fclose(file);
    }
    return number;
}

TEST(mapping_limit_is_enomem_and_recovers)
{
    long limit = read_number("/proc/sys/vm/max_map_count");
    if (limit < 0 || limit > 100000)
        SKIP("vm.max_map_count is too large to be reached");
    if (harness_slowness() > 1)
        SKIP("a sanitizer or an emulator needs mappings of its own");
    struct jg__stacks *stacks = jg__stacks_new();
    struct jg__stack *all = calloc((size_t)limit, sizeof *all);
    long count = 0;
    stacks->guards_by_mprotect = true;
    while (count < limit && jg__stacks_get(stacks, 0, &all[count]))
        count++;
    check_error_text("vm.max_map_count");
    ck_assert_int_gt(count, limit / 2 - 1000);
    ck_assert_int_le(count, limit / 2);
    for (long i = 0; i < 10; i++)
        jg__stacks_put(stacks, &all[i]);
    for (long i = 0; i < 10; i++)
        ck_assert(jg__stacks_get(stacks, 0, &all[i]));
    ck_assert_int_eq(signal_of(write_to, all[count - 1].bottom - 1), SIGSEGV);
    for (long i = 0; i < count; i++)
        jg__stacks_put(stacks, &all[i]);
    jg__stacks_free(stacks);
    free(all);
}
