/* Memory of free stacks goes back to the kernel. */
#include "many.h"

#include <stdint.h>

TEST(trim_gives_the_memory_of_a_past_peak_back)
{
    struct jg__stacks *stacks = jg__stacks_new();
    get_many(stacks, 0, 300);
    touch_many(0, 300);
    put_many(stacks, 100, 300);
    while (jg__stacks_trim(stacks))
        continue;
    ck_assert_int_eq(resident_tops(100, 300), 0);
    ck_assert_int_eq(resident_tops(0, 100), 100);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(many[i].top[-1], 't');
    put_many(stacks, 0, 100);
    jg__stacks_free(stacks);
}

TEST(trim_keeps_what_was_needed_since_the_last_one)
{
    struct jg__stacks *stacks = jg__stacks_new();
    get_many(stacks, 0, 300);
    touch_many(0, 300);
    put_many(stacks, 0, 300);
    for (int i = 0; i < 20; i++) {
        get_many(stacks, 0, 50);
        put_many(stacks, 0, 50);
        jg__stacks_trim(stacks);
    }
    ck_assert_int_eq(resident_tops(0, 50), 50);
    ck_assert_int_eq(resident_tops(50, 300), 0);
    jg__stacks_free(stacks);
}

TEST(trim_takes_the_coldest_first_and_half_at_a_time)
{
    struct jg__stacks *stacks = jg__stacks_new();
    get_many(stacks, 0, 100);
    touch_many(0, 100);
    put_many(stacks, 0, 100); /* the last ones are put first */
    jg__stacks_trim(stacks);
    ck_assert_int_eq(resident_tops(0, 100), 100);
    jg__stacks_trim(stacks);
    ck_assert_int_eq(resident_tops(50, 100), 0);
    ck_assert_int_eq(resident_tops(0, 50), 50);
    jg__stacks_free(stacks);
}

TEST(trim_has_nothing_to_do_without_free_stacks)
{
    struct jg__stacks *stacks = jg__stacks_new();
    ck_assert(!jg__stacks_trim(stacks));
    get_many(stacks, 0, 3);
    ck_assert(!jg__stacks_trim(stacks));
    put_many(stacks, 0, 3);
    ck_assert(jg__stacks_trim(stacks));
    jg__stacks_free(stacks);
}

TEST(trim_does_a_bounded_amount_of_work)
{
    struct jg__stacks *stacks = jg__stacks_new();
    get_many(stacks, 0, MANY);
    touch_many(0, MANY);
    put_many(stacks, 0, MANY);
    jg__stacks_trim(stacks);
    jg__stacks_trim(stacks);
    ck_assert_int_ge(resident_tops(0, MANY), MANY - 1024);
    while (jg__stacks_trim(stacks))
        continue;
    ck_assert_int_eq(resident_tops(0, MANY), 0);
    jg__stacks_free(stacks);
}

TEST(trimmed_stacks_are_zero_and_usable)
{
    struct jg__stacks *stacks = jg__stacks_new();
    get_many(stacks, 0, 40);
    touch_many(0, 40);
    put_many(stacks, 0, 40);
    while (jg__stacks_trim(stacks))
        continue;
    get_many(stacks, 0, 40);
    for (int i = 0; i < 40; i++)
        memset(many[i].bottom, 'u', (size_t)(many[i].top - many[i].bottom));
    put_many(stacks, 0, 40);
    jg__stacks_free(stacks);
}

TEST(stacks_of_other_sizes_are_trimmed_too)
{
    struct jg__stacks *stacks = jg__stacks_new();
    struct jg__stack stack;
    ck_assert(jg__stacks_get(stacks, 100000, &stack));
    memset(stack.bottom, 'x', (size_t)(stack.top - stack.bottom));
    jg__stacks_put(stacks, &stack);
    while (jg__stacks_trim(stacks))
        continue;
    ck_assert_uint_eq(resident_pages(stack.bottom, stack.top), 0);
    jg__stacks_free(stacks);
}
