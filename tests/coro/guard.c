/* The guards below stacks. */
#include "many.h"

#include <signal.h>

static void check_guards(bool by_mprotect)
{
    struct jg__stacks *stacks = jg__stacks_new();
    static const size_t sizes[] = {0, 16384, 32768, 1 << 20, 20 << 20};
    stacks->guards_by_mprotect |= by_mprotect;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct jg__stack stack;
        ptrdiff_t guard = sizes[i] != 0 && sizes[i] < JG__STACK_GUARD ? (ptrdiff_t)sizes[i] : JG__STACK_GUARD;
        ck_assert(jg__stacks_get(stacks, sizes[i], &stack));
        ck_assert_int_eq(signal_of(write_to, stack.bottom), 0);
        for (ptrdiff_t below = 1; below <= guard; below += guard - 1) {
            ck_assert_int_eq(signal_of(write_to, stack.bottom - below), SIGSEGV);
            ck_assert(jg__stack_guards(&stack, stack.bottom - below));
        }
        ck_assert(!jg__stack_guards(&stack, stack.bottom));
        ck_assert(!jg__stack_guards(&stack, stack.top));
        ck_assert(!jg__stack_guards(&stack, stack.bottom - guard - 1));
        ck_assert(!jg__stack_guards(&stack, NULL));
        jg__stacks_put(stacks, &stack);
    }
    jg__stacks_free(stacks);
}

TEST(guard_below_each_stack_by_advice)
{
    struct jg__stacks *stacks = jg__stacks_new();
    struct jg__stack stack;
    ck_assert(jg__stacks_get(stacks, 0, &stack));
    bool missing = stacks->guards_by_mprotect;
    jg__stacks_put(stacks, &stack);
    jg__stacks_free(stacks);
    if (missing)
        SKIP("the kernel has no MADV_GUARD_INSTALL");
    check_guards(false);
}

TEST(guard_below_each_stack_by_mprotect)
{
    check_guards(true);
}

TEST(guards_survive_reuse_and_trimming)
{
    struct jg__stacks *stacks = jg__stacks_new();
    get_many(stacks, 0, 8);
    touch_many(0, 8);
    put_many(stacks, 0, 8);
    while (jg__stacks_trim(stacks))
        continue;
    ck_assert_int_eq(resident_tops(0, 8), 0);
    get_many(stacks, 0, 8);
    touch_many(0, 8);
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(signal_of(write_to, many[i].bottom - 1), SIGSEGV);
    put_many(stacks, 0, 8);
    jg__stacks_free(stacks);
}
