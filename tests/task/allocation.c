/* Every allocation of a scenario fails once; then all from one on. Nothing is left behind, nothing hangs. */
#include "support.h"

#include <stdlib.h>

static long allocations, fails_from, fails_until;

static bool refused(void)
{
    allocations++;
    return allocations >= fails_from && allocations < fails_until;
}

static void *allocate(size_t bytes, void *arg)
{
    (void)arg;
    return refused() ? NULL : malloc(bytes);
}

static void *reallocate(void *block, size_t bytes, void *arg)
{
    (void)arg;
    return refused() ? NULL : realloc(block, bytes);
}

static void release(void *block, void *arg)
{
    (void)arg;
    free(block);
}

static jg_context_var variable;

static void ignore(jg_task *task, int result, void *arg)
{
    (void)task;
    (void)result;
    (void)arg;
}

static int work(void *arg)
{
    if (jg_context_set(&variable, arg) < 0)
        return -1;
    return jg_sleep(0.0001);
}

static int fail_in_words(void *arg)
{
    jg_future future = {0};
    (void)arg;
    return jg_future_set_error(&future, 0);
}

/* Whatever fails, the scenario goes on with what is left. */
static int scenario(void *arg)
{
    jg_task *tasks[40];
    jg_autogroup group = {0};
    int result;
    if (jg_context_set(&variable, arg) < 0)
        ck_assert_int_eq(errno, ENOMEM);
    for (int i = 0; i < 40; i++)
        tasks[i] = jg_create_task(i % 10 ? work : fail_in_words, arg);
    if (tasks[0] && jg_task_add_done_callback(tasks[0], ignore, NULL) < 0)
        ck_assert_int_eq(errno, ENOMEM);
    (void)jg_group_start(&group, work, arg);
    (void)jg_group_start(&group, fail_in_words, arg);
    (void)!jg_wait(tasks, 40, JG_ALL_COMPLETED);
    while (jg_group_next(&group, &result, NULL) > 0)
        ck_assert(result == 0 || result == -EINVAL || result == -ENOMEM || result == -ECANCELED);
    (void)!jg_gatherv(tasks, 40, .all = true);
    return jg_group_wait(&group);
}

static void run_scenario(long from, long until)
{
    allocations = 0;
    fails_from = from;
    fails_until = until;
    int result = jg_run(scenario, NULL);
    if (result < 0)
        ck_assert_msg(errno == ENOMEM || errno == EINVAL, "%s", strerror(errno));
    ck_assert_uint_eq(jg_allocated_blocks(), 0);
}

TEST(every_allocation_may_fail)
{
    const jg_allocator allocator = {.allocate = allocate, .reallocate = reallocate, .release = release};
    ck_assert_int_eq(jg_set_allocator(&allocator), 0);
    collect_reports();
    run_scenario(0, 0);
    long count = allocations;
    ck_assert_int_gt(count, 10);
    for (long k = 1; k <= count; k++) {
        report_count = 0;
        run_scenario(k, k + 1);
        report_count = 0;
        run_scenario(k, 1L << 40);
    }
}
