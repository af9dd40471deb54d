/* Tasks that begin at once, and task factories. */
#include "support.h"

static int note_and_wait(void *arg)
{
    note(arg);
    if (jg_yield() < 0)
        return -1;
    note("w");
    return 3;
}

static int note_only(void *arg)
{
    note(arg);
    return 7;
}

static int create_eagerly(void *arg)
{
    char a[] = "a", b[] = "b", c[] = "c";
    (void)arg;
    jg_task *other = jg_create_task(note_only, c);
    errno = EDOM;
    jg_task *waits = jg_create_task(note_and_wait, a, .eager = true);
    ck_assert_int_eq(errno, EDOM);
    note("1");
    jg_task *ends = jg_create_task(note_only, b, .eager = true, .name = "ends");
    note("2");
    ck_assert(jg_task_done(ends));
    ck_assert(!jg_task_done(waits));
    ck_assert_str_eq(jg_task_name(ends), "ends");
    ck_assert_int_eq(jg_await(ends), 7);
    ck_assert_int_eq(jg_await(waits), 3);
    ck_assert_int_eq(jg_await(other), 7);
    return 0;
}

TEST(an_eager_task_runs_until_its_first_wait)
{
    RUN(create_eagerly, NULL);
    TRACED("a1b2cw"); /* c was ready before, and nobody overtook the creator */
}

static int create_next(void *arg)
{
    int *depth = arg;
    if (--*depth == 0)
        return 0;
    return jg_await(jg_create_task(create_next, depth, .eager = true));
}

TEST(eager_tasks_nest)
{
    int depth = 500;
    RUN(create_next, &depth);
    ck_assert_int_eq(depth, 0);
}

static int fail_at_once(void *arg)
{
    return jg_fail(EXDEV, "%s", (char *)arg);
}

static int await_failure(void *arg)
{
    jg_task *task = jg_create_task(fail_at_once, arg, .eager = true);
    errno = 0;
    FAILS(jg_await(task), EXDEV);
    ck_assert_str_eq(jg_error_text(), arg);
    jg_detach(jg_create_task(fail_at_once, arg, .eager = true));
    return jg_yield();
}

TEST(the_failure_of_an_eager_task_is_kept_for_whoever_awaits_it)
{
    char words[] = "words";
    collect_reports();
    RUN(await_failure, words);
    ck_assert_uint_eq(report_count, 1);
}

static int cancel_creator(void *arg)
{
    jg_cancel(*(jg_task **)arg);
    return 0;
}

static int be_cancelled_meanwhile(void *arg)
{
    jg_task *self = jg_current_task();
    (void)arg;
    jg_task *task = jg_create_task(cancel_creator, &self, .eager = true);
    ck_assert_ptr_nonnull(task); /* the creation is no wait */
    ck_assert_int_eq(jg_await(task), 0);
    FAILS(jg_check(), ECANCELED);
    FAILS(jg_yield(), ECANCELED);
    return 0;
}

TEST(an_eager_task_may_cancel_its_creator)
{
    RUN(be_cancelled_meanwhile, NULL);
}

static int detach_and_wait(void *arg)
{
    jg_detach(jg_create_task(note_and_wait, arg, .eager = true));
    note("d");
    return jg_sleep(0.001);
}

TEST(an_eager_task_may_be_detached)
{
    char a[] = "a";
    RUN(detach_and_wait, a);
    TRACED("adw");
}

static int copy_eagerly(void *arg)
{
    jg_task *tasks[3];
    for (int i = 0; i < 3; i++)
        tasks[i] = jg_create_task(return_number, &i, .copy = sizeof i, .eager = true);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(jg_await(tasks[i]), i);
    return arg != NULL;
}

TEST(an_eager_task_has_its_copy)
{
    RUN(copy_eagerly, NULL);
}

static int start_in_group(void *arg)
{
    jg_autogroup group = {0};
    int error = EXDEV, number = 4;
    ck_assert_int_eq(jg_group_start(&group, return_number, &number, .eager = true), 0);
    ck_assert_uint_eq(jg_group_running(&group), 0);
    ck_assert_int_eq(jg_group_start(&group, sleep_long, NULL, .eager = true), 0);
    ck_assert_int_eq(jg_group_start(&group, fail_with, &error, .eager = true), 0);
    FAILS(jg_group_wait(&group), EXDEV);
    return arg != NULL;
}

TEST(eager_children_of_a_group_may_end_while_they_start)
{
    RUN(start_in_group, NULL);
}

/* ---- Where nothing can begin at once ---- */

static void create_in_callback(void *arg)
{
    (void)!jg_create_task(note_only, arg, .eager = true);
    note("c");
}

static int create_deep(void *arg)
{
    jg_task **task = arg;
    static char b[] = "b"; /* the task begins when this frame is gone */
    *task = jg_create_task(note_only, b, .eager = true);
    ck_assert(!jg_task_done(*task));
    note("d");
    return 0;
}

static int create_elsewhere(void *arg)
{
    char a[] = "a";
    jg_task *task;
    jg_handle handle = {.fn = create_in_callback, .arg = a};
    (void)arg;
    jg_call_soon(jg_task_loop(), &handle);
    let_others_run(3);
    ck_assert_int_eq(jg_call_deep(create_deep, &task), 0);
    TRACED("cad");
    jg_cancel_and_wait(task);
    return 0;
}

TEST(in_callbacks_and_in_call_deep_tasks_begin_later)
{
    RUN(create_elsewhere, NULL);
    TRACED("cadb");
}

/* Plain handles around the creator in the ready queue stay in order, and can still be taken out. */
static void note_it(void *arg)
{
    note(arg);
}

static int create_among_handles(void *arg)
{
    char x[] = "x", y[] = "y", a[] = "a", b[] = "b";
    jg_handle first = {.fn = note_it, .arg = x}, second = {.fn = note_it, .arg = y};
    jg_loop *loop = jg_task_loop();
    (void)arg;
    jg_call_soon(loop, &first);
    jg_call_soon(loop, &second);
    jg_task *one = jg_create_task(note_and_wait, a, .eager = true);
    jg_handle_cancel(loop, &first);
    jg_task *two = jg_create_task(note_and_wait, b, .eager = true);
    jg_call_soon(loop, &first);
    return jg_await(one) + jg_await(two) == 6 ? 0 : -1;
}

TEST(handles_keep_their_places_around_an_eager_start)
{
    RUN(create_among_handles, NULL);
    ck_assert_uint_eq(strlen(trace), 6);
    ck_assert_ptr_nonnull(strstr(trace, "ab"));
    ck_assert(strchr(trace, 'x') > strchr(trace, 'y'));
}

static int yield_often(void *arg)
{
    int *left = arg;
    while (*left > 0) {
        --*left;
        if (jg_yield() < 0)
            return -1;
    }
    return 0;
}

static int create_many(void *arg)
{
    enum { TASKS = 200 };
    jg_task *tasks[TASKS];
    int left = 20000;
    for (int i = 0; i < TASKS; i++) {
        tasks[i] = jg_create_task(yield_often, &left, .eager = i % 3 == 0);
        if (i % 7 == 0)
            ck_assert_int_eq(jg_sleep(i % 2 ? 0 : 1e-6), 0);
    }
    return jg_gatherv(tasks, TASKS) == 0 && arg == NULL ? 0 : -1;
}

TEST(eager_and_other_tasks_mix)
{
    RUN(create_many, NULL);
}

/* ---- Task factories ---- */

struct factory {
    int calls;
    jg_coroutine fn;
    void *arg;
    int refuse;
};

static int count_and_name(jg_coroutine fn, void *arg, jg_task_options *options, void *factory_arg)
{
    struct factory *factory = factory_arg;
    factory->calls++;
    factory->fn = fn;
    factory->arg = arg;
    if (factory->refuse) {
        errno = factory->refuse;
        return -1;
    }
    if (!options->name)
        options->name = "made";
    return 0;
}

static int look_at_own_name(void *arg)
{
    ck_assert_str_eq(jg_task_name(jg_current_task()), arg);
    return 0;
}

static int use_factory(void *arg)
{
    struct factory factory = {0};
    char made[] = "made", named[] = "named";
    void *factory_arg = arg;
    jg_loop *loop = jg_task_loop();
    ck_assert(jg_get_task_factory(loop, &factory_arg) == NULL);
    jg_set_task_factory(loop, count_and_name, &factory);
    ck_assert(jg_get_task_factory(loop, &factory_arg) == count_and_name);
    ck_assert(jg_get_task_factory(loop, NULL) == count_and_name);
    ck_assert_ptr_eq(factory_arg, &factory);
    ck_assert_int_eq(jg_await(jg_create_task(look_at_own_name, made)), 0);
    ck_assert(factory.fn == look_at_own_name);
    ck_assert_ptr_eq(factory.arg, made);
    ck_assert_int_eq(jg_await(jg_create_task(look_at_own_name, named, .name = "named")), 0);
    jg_autogroup group = {0};
    ck_assert_int_eq(jg_group_start(&group, look_at_own_name, made), 0);
    ck_assert_int_eq(jg_group_wait(&group), 0);
    ck_assert_int_eq(factory.calls, 3);
    factory.refuse = EXDEV;
    ck_assert_ptr_null(jg_create_task(succeed, NULL));
    ck_assert_int_eq(errno, EXDEV);
    FAILS(jg_group_start(&group, succeed, NULL), EXDEV);
    FAILS(jg_group_wait(&group), EXDEV);
    jg_set_task_factory(loop, NULL, NULL);
    ck_assert_int_eq(jg_await(jg_create_task_with(succeed, NULL, NULL)), 0);
    ck_assert_int_eq(factory.calls, 5);
    return 0;
}

TEST(a_task_factory_sees_each_creation)
{
    RUN(use_factory, NULL);
}

static int use_eager_factory(void *arg)
{
    char a[] = "a";
    jg_set_task_factory(jg_task_loop(), jg_eager_task_factory, arg);
    jg_task *task = jg_create_task(note_and_wait, a);
    note("1");
    return jg_await(task) == 3 ? 0 : -1;
}

TEST(the_eager_task_factory_makes_all_tasks_eager)
{
    RUN(use_eager_factory, NULL);
    TRACED("a1w");
}

TEST_ABORTS(a_task_factory_needs_a_loop_with_tasks, "jg_set_task_factory: the loop is not one of jg_run")
{
    jg_loop *loop = jg_loop_new();
    jg_set_task_factory(loop, jg_eager_task_factory, NULL);
}
