/* Getting stacks and putting them back. */
#include "many.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

TEST(default_stack_is_usable_from_bottom_to_top)
{
    struct jg__stacks *stacks = jg__stacks_new();
    struct jg__stack stack;
    ck_assert(jg__stacks_get(stacks, 0, &stack));
    ck_assert_uint_eq((uintptr_t)stack.top % 64, 0);
    ck_assert_int_ge(stack.top - stack.bottom, JG__STACK_DEFAULT - JG__STACK_GUARD);
    memset(stack.bottom, 's', (size_t)(stack.top - stack.bottom));
    jg__stacks_put(stacks, &stack);
    jg__stacks_free(stacks);
}

TEST(stacks_of_every_size_have_the_room_asked_for)
{
    struct jg__stacks *stacks = jg__stacks_new();
    for (size_t size = 1; size <= 32 << 20; size = size * 3 / 2 + 1) {
        struct jg__stack stack[3];
        for (int i = 0; i < 3; i++) {
            ck_assert(jg__stacks_get(stacks, size, &stack[i]));
            ck_assert_uint_ge((size_t)(stack[i].top - stack[i].bottom), size);
            ck_assert_uint_ge(jg__stack_size(&stack[i]), size);
            ck_assert_uint_ge((size_t)(stack[i].top - stack[i].bottom), JG__STACK_LEAST);
            stack[i].bottom[0] = stack[i].top[-1] = 's';
        }
        for (int i = 0; i < 3; i++)
            jg__stacks_put(stacks, &stack[i]);
    }
    jg__stacks_free(stacks);
}

TEST(stacks_do_not_overlap)
{
    struct jg__stacks *stacks = jg__stacks_new();
    get_many(stacks, 0, 200);
    for (int i = 0; i < 200; i++) {
        for (int j = 0; j < i; j++)
            ck_assert(many[i].top + JG__STACK_GUARD <= many[j].bottom ||
                      many[j].top + JG__STACK_GUARD <= many[i].bottom);
    }
    put_many(stacks, 0, 200);
    jg__stacks_free(stacks);
}

TEST(message_tells_the_size_a_stack_was_made_for)
{
    struct jg__stacks *stacks = jg__stacks_new();
    static const size_t sizes[][2] = {{0, 196608},      {1, 16384},       {16385, 32768},    {150000, 196608},
                                      {196609, 262144}, {262144, 262144}, {1 << 23, 1 << 23}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct jg__stack stack;
        ck_assert(jg__stacks_get(stacks, sizes[i][0], &stack));
        ck_assert_uint_eq(jg__stack_size(&stack), sizes[i][1]);
        jg__stacks_put(stacks, &stack);
    }
    jg__stacks_free(stacks);
}

TEST(huge_stacks_are_kept_and_trimmed)
{
    struct jg__stacks *stacks = jg__stacks_new();
    struct jg__stack first, again;
    ck_assert(jg__stacks_get(stacks, 12 << 20, &first));
    memset(first.bottom, 'h', (size_t)(first.top - first.bottom));
    jg__stacks_put(stacks, &first);
    ck_assert(jg__stacks_get(stacks, 11 << 20, &again));
    ck_assert_ptr_eq(again.top, first.top);
    jg__stacks_put(stacks, &again);
    while (jg__stacks_trim(stacks))
        continue;
    ck_assert_uint_eq(resident_pages(first.bottom, first.top), 0);
    jg__stacks_free(stacks);
}

TEST(freeing_unmaps_everything)
{
    struct jg__stacks *stacks = jg__stacks_new();
    unsigned char map;
    get_many(stacks, 0, 500);
    put_many(stacks, 0, 500);
    jg__stacks_free(stacks);
    for (int i = 0; i < 500; i++)
        ck_assert_int_eq(mincore(many[i].bottom, 1, &map), -1);
    jg__stacks_free(NULL);
}

TEST(last_stack_put_back_is_the_first_reused)
{
    struct jg__stacks *stacks = jg__stacks_new();
    get_many(stacks, 0, 100);
    for (int i = 0; i < 100; i++)
        jg__stacks_put(stacks, &many[i]);
    for (int i = 100; i-- > 0;) {
        struct jg__stack stack;
        ck_assert(jg__stacks_get(stacks, 0, &stack));
        ck_assert_ptr_eq(stack.top, many[i].top);
        ck_assert_ptr_eq(stack.bottom, many[i].bottom);
        ck_assert_uint_eq(stack.class, many[i].class);
    }
    for (int i = 0; i < 100; i++)
        jg__stacks_put(stacks, &many[i]);
    jg__stacks_free(stacks);
}

TEST(sizes_are_reused_apart)
{
    struct jg__stacks *stacks = jg__stacks_new();
    struct jg__stack small, large, again;
    ck_assert(jg__stacks_get(stacks, 20000, &small));
    ck_assert(jg__stacks_get(stacks, 1 << 20, &large));
    jg__stacks_put(stacks, &small);
    jg__stacks_put(stacks, &large);
    ck_assert(jg__stacks_get(stacks, 30000, &again));
    ck_assert_ptr_eq(again.top, small.top);
    jg__stacks_put(stacks, &again);
    ck_assert(jg__stacks_get(stacks, 600 << 10, &again));
    ck_assert_ptr_eq(again.top, large.top);
    jg__stacks_put(stacks, &again);
    jg__stacks_free(stacks);
}

TEST(putting_back_leaves_the_contents)
{
    struct jg__stacks *stacks = jg__stacks_new();
    struct jg__stack stack;
    ck_assert(jg__stacks_get(stacks, 0, &stack));
    memset(stack.top - 1000, 'c', 1000);
    jg__stacks_put(stacks, &stack);
    for (int i = 1; i <= 1000; i++)
        ck_assert_int_eq(stack.top[-i], 'c');
    jg__stacks_free(stacks);
}

TEST(tops_are_coloured)
{
    struct jg__stacks *stacks = jg__stacks_new();
    bool lines[64] = {false}, sets[16] = {false};
    int distinct_lines = 0, distinct_sets = 0;
    get_many(stacks, 0, 16);
    for (int i = 0; i < 16; i++) {
        uintptr_t last = (uintptr_t)many[i].top - 1;
        ck_assert_uint_ge(last % 4096, 3072);
        distinct_lines += !lines[last % 4096 / 64];
        distinct_sets += !sets[last / (uintptr_t)getpagesize() % 16];
        lines[last % 4096 / 64] = sets[last / (uintptr_t)getpagesize() % 16] = true;
    }
    ck_assert_int_eq(distinct_lines, 16);
    ck_assert_int_eq(distinct_sets, 16);
    put_many(stacks, 0, 16);
    jg__stacks_free(stacks);
}

TEST(nothing_but_the_top_page_is_touched)
{
    struct jg__stacks *stacks = jg__stacks_new();
    for (int round = 0; round < 2; round++) {
        get_many(stacks, 0, 100);
        if (round == 0)
            ck_assert_int_eq(resident_tops(0, 100), 0);
        touch_many(0, 100);
        for (int i = 0; i < 100; i++)
            ck_assert_uint_eq(resident_pages(many[i].bottom, many[i].top), 1);
        put_many(stacks, 0, 100);
    }
    jg__stacks_free(stacks);
}

TEST(success_leaves_errno)
{
    struct jg__stacks *stacks = jg__stacks_new();
    struct jg__stack stack[2];
    errno = EXDEV;
    ck_assert(jg__stacks_get(stacks, 0, &stack[0]));
    ck_assert(jg__stacks_get(stacks, 20 << 20, &stack[1]));
    jg__stacks_put(stacks, &stack[1]);
    jg__stacks_put(stacks, &stack[0]);
    jg__stacks_trim(stacks);
    jg__stacks_trim(stacks);
    jg__stacks_free(stacks);
    ck_assert_int_eq(errno, EXDEV);
}
