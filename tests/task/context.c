/* Task-locals. */
#include "support.h"

#include <stdlib.h>

static char fallback[] = "fallback", one[] = "one", two[] = "two";
static jg_context_var first = {.name = "first", .fallback = fallback};
static jg_context_var second = {.name = "second"}, third;

static int set_and_get(void *arg)
{
    ck_assert_ptr_eq(jg_context_get(&first), fallback);
    ck_assert_ptr_null(jg_context_get(&second));
    ck_assert_int_eq(jg_context_set(&first, one), 0);
    ck_assert_int_eq(jg_context_set(&second, two), 0);
    ck_assert_int_eq(jg_context_set(&first, NULL), 0);
    ck_assert_ptr_null(jg_context_get(&first));
    ck_assert_ptr_eq(jg_context_get(&second), two);
    ck_assert_int_eq(jg_context_set(&first, two), 0);
    ck_assert_ptr_eq(jg_context_get(&first), two);
    return arg != NULL;
}

TEST(a_task_local_keeps_what_was_set)
{
    RUN(set_and_get, NULL);
    ck_assert_ptr_eq(jg_context_get(&first), fallback);
}

static int look_and_change(void *arg)
{
    ck_assert_ptr_eq(jg_context_get(&first), one);
    ck_assert_int_eq(jg_context_set(&first, arg), 0);
    ck_assert_int_eq(jg_yield(), 0);
    ck_assert_ptr_eq(jg_context_get(&first), arg);
    ck_assert_ptr_eq(jg_context_get(&second), two);
    return 0;
}

static int inherit(void *arg)
{
    int a, b;
    (void)arg;
    ck_assert_int_eq(jg_context_set(&first, one), 0);
    ck_assert_int_eq(jg_context_set(&second, two), 0);
    ck_assert_int_eq(jg_context_set(&third, two), 0);
    jg_task *tasks[] = {jg_create_task(look_and_change, &a), jg_create_task(look_and_change, &b)};
    ck_assert_int_eq(jg_context_set(&first, two), 0);
    ck_assert_int_eq(jg_gatherv(tasks, 2), 0);
    ck_assert_ptr_eq(jg_context_get(&first), two);
    ck_assert_ptr_eq(jg_context_get(&third), two);
    return 0;
}

TEST(children_inherit_a_snapshot)
{
    RUN(inherit, NULL);
}

static int set_often(void *arg)
{
    size_t blocks = 0;
    for (int i = 0; i < 1000; i++) {
        ck_assert_int_eq(jg_context_set(&first, one), 0);
        ck_assert_int_eq(jg_context_set(&second, two), 0);
        if (i == 0)
            blocks = jg_allocated_blocks();
    }
    ck_assert_uint_eq(jg_allocated_blocks(), blocks);
    return arg != NULL;
}

TEST(setting_a_task_local_again_takes_no_more_memory)
{
    RUN(set_often, NULL);
}

static bool no_memory;

static void *allocate(size_t bytes, void *arg)
{
    (void)arg;
    return no_memory ? NULL : malloc(bytes);
}

static void *reallocate(void *block, size_t bytes, void *arg)
{
    (void)arg;
    return no_memory ? NULL : realloc(block, bytes);
}

static void release(void *block, void *arg)
{
    (void)arg;
    free(block);
}

static int sleep_while_parent_sets(void *arg)
{
    ck_assert_int_eq(jg_sleep(60), -1);
    ck_assert_ptr_eq(jg_context_get(&first), one);
    return arg != NULL;
}

static int set_without_memory(void *arg)
{
    ck_assert_int_eq(jg_context_set(&first, one), 0);
    ck_assert_int_eq(jg_context_set(&second, one), 0);
    jg_task *child = jg_create_task(sleep_while_parent_sets, arg);
    no_memory = true;
    FAILS(jg_context_set(&first, two), ENOMEM);
    FAILS(jg_context_set(&third, two), ENOMEM);
    no_memory = false;
    ck_assert_ptr_eq(jg_context_get(&first), one);
    ck_assert_int_eq(jg_context_set(&first, two), 0);
    jg_cancel(child);
    return jg_await(child);
}

TEST(setting_a_task_local_without_memory_changes_nothing)
{
    const jg_allocator allocator = {.allocate = allocate, .reallocate = reallocate, .release = release};
    ck_assert_int_eq(jg_set_allocator(&allocator), 0);
    RUN(set_without_memory, NULL);
}

/* ---- ENOMEM elsewhere ---- */

static void done(jg_task *task, int result, void *arg)
{
    (void)task;
    (void)result;
    (void)arg;
}

static int work_without_memory(void *arg)
{
    enum { MANY = 20 };
    jg_task *tasks[MANY];
    for (int i = 0; i < MANY; i++)
        tasks[i] = jg_create_task(sleep_a_little, arg);
    no_memory = true;
    FAILS(jg_wait(tasks, MANY, JG_ALL_COMPLETED), ENOMEM);
    FAILS(jg_task_add_done_callback(tasks[0], done, NULL), ENOMEM);
    int result = jg_gatherv(tasks, MANY);
    no_memory = false;
    return result;
}

TEST(without_memory_calls_fail_and_what_needs_none_goes_on)
{
    const jg_allocator allocator = {.allocate = allocate, .reallocate = reallocate, .release = release};
    ck_assert_int_eq(jg_set_allocator(&allocator), 0);
    RUN(work_without_memory, NULL);
}

TEST(run_without_memory_is_enomem)
{
    const jg_allocator allocator = {.allocate = allocate, .reallocate = reallocate, .release = release};
    ck_assert_int_eq(jg_set_allocator(&allocator), 0);
    no_memory = true;
    FAILS(jg_run(succeed, NULL), ENOMEM);
    no_memory = false;
    RUN(succeed, NULL);
}

static int create_until_enomem(void *arg)
{
    static jg_task *tasks[1000];
    size_t count = 0;
    no_memory = true;
    while (count < 1000 && (tasks[count] = jg_create_task(succeed, arg)))
        count++;
    ck_assert_int_eq(errno, ENOMEM);
    ck_assert_uint_lt(count, 1000);
    no_memory = false;
    return jg_gatherv(tasks, count);
}

TEST(creating_without_memory_is_enomem)
{
    const jg_allocator allocator = {.allocate = allocate, .reallocate = reallocate, .release = release};
    ck_assert_int_eq(jg_set_allocator(&allocator), 0);
    RUN(create_until_enomem, NULL);
}
