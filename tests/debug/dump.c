/* The tree of the tasks: names, states, places, frames. */
#include "support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <unwind.h>

static jg_future never;

static const char *place(int line)
{
    static char text[32];
    snprintf(text, sizeof text, "dump.c:%d", line);
    return text;
}

/* Static, and not to be found by dladdr. */
static int __attribute__((noinline)) wait_below(int depth)
{
    int result = depth > 0 ? wait_below(depth - 1) : jg_future_wait(&never, NULL);
    __asm__ volatile("" : "+r"(result));
    return result;
}

static int parked(void *arg)
{
    int result = wait_below(arg ? 2 : 0);
    __asm__ volatile("" : "+r"(result));
    return result;
}

static int parent(void *arg)
{
    jg_task *child = jg_create_task(parked, arg, .name = "child");
    return jg_await(child);
}

static int sleeper(void *arg)
{
    (void)arg;
    int result = jg_sleep(1000);
    __asm__ volatile("" : "+r"(result));
    return result;
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int yielder(void *arg)
{
    (void)arg;
    while (jg_yield() == 0)
        ;
    return -1;
}

static int dump_the_tree(void *arg)
{
    (void)arg;
    int one = 1;
    jg_task *family = jg_create_task(parent, &one);
    jg_task *asleep = jg_create_task(sleeper, NULL, .name = "asleep");
    const int line = __LINE__ + 1;
    jg_task *ended = jg_create_task(nothing, NULL, .name = "ended");
    jg_task *yields = jg_create_task(yielder, NULL);
    jg_sleep(0.02);
    jg_task *fresh = jg_create_task(nothing, NULL, .name = "fresh");
    jg_cancel(fresh);
    const char *text = written_by(jg_dump_tasks);
    ck_assert(in_order(text, "thread ", ":\nmain: runs", "dump.c:", "\n  parent: waits in jg_await for child, ",
                       " ms, created at ", "\n    child: waits in jg_future_wait on 0x",
                       "\n  asleep: waits in jg_sleep, ", "\n  ended: has ended, created at ", place(line),
                       "\n  yielder: is ready to run", "\n  fresh: has not begun, cancelled"));
    if (frames_can_be_seen)
        ck_assert(in_order(
            text, "main: runs", "    at jg_dump_tasks\n", "    at dump_the_tree\n  parent: ", "      at jg_await\n",
            "      at parent\n    child: ", "        at jg_future_wait\n        at wait_below\n        at wait_below\n",
            "        at wait_below\n        at parked\n  asleep: ", "      at jg_sleep\n      at sleeper\n",
            "yielder: ", "      at yielder\n"));
    ck_assert_ptr_null(strstr(text, "jg__"));
    jg_cancel_and_wait(family);
    jg_cancel_and_wait(asleep);
    jg_cancel_and_wait(yields);
    jg_cancel_and_wait(ended);
    jg_cancel_and_wait(fresh);
    return 0;
}

TEST(a_dump_shows_the_tree_with_states_places_and_frames)
{
    RUN(dump_the_tree, NULL);
}

static jg_task *shown;

static int print_shown(int fd)
{
    return jg_print_stack(shown, fd);
}

static int print_one(void *arg)
{
    shown = jg_create_task(parked, arg);
    jg_yield();
    const char *text = written_by(print_shown);
    ck_assert(in_order(text, "parked: waits in jg_future_wait on 0x"));
    if (frames_can_be_seen)
        ck_assert(in_order(text, "    at jg_future_wait\n    at wait_below\n    at parked\n"));
    ck_assert(!strstr(text, "print_one"));
    jg_cancel_and_wait(shown);
    shown = jg_current_task();
    text = written_by(print_shown);
    ck_assert(in_order(text, "main: runs"));
    if (frames_can_be_seen)
        ck_assert(in_order(text, "    at jg_print_stack\n", "    at print_one\n"));
    return 0;
}

TEST(print_stack_shows_one_task)
{
    RUN(print_one, NULL);
}

static int take_backtraces(void *arg)
{
    (void)arg;
    void *addresses[64];
    jg_task *task = jg_create_task(parked, NULL);
    ck_assert_uint_eq(jg_task_backtrace(task, addresses, 64), 0); /* it has not begun */
    jg_yield();
    size_t count = jg_task_backtrace(task, addresses, 64);
    bool found = false;
    for (size_t i = 0; i < count; i++)
        found |= _Unwind_FindEnclosingFunction((char *)addresses[i] - 1) == (void *)(uintptr_t)parked;
    ck_assert(found == frames_can_be_seen);
    if (frames_can_be_seen)
        ck_assert_uint_eq(jg_task_backtrace(task, addresses, 1), 1);
    count = jg_task_backtrace(jg_current_task(), addresses, 64);
    ck_assert_uint_ge(count, 1);
    jg_cancel(task);
    jg_yield();
    jg_yield();
    ck_assert(jg_task_done(task));
    ck_assert_uint_eq(jg_task_backtrace(task, addresses, 64), 0);
    ck_assert_int_eq(jg_await(task), -1);
    return 0;
}

TEST(a_backtrace_by_addresses)
{
    RUN(take_backtraces, NULL);
}

static int look_at_places(void *arg)
{
    (void)arg;
    jg_autogroup group = {0};
    jg_task *tasks[8];
    const int line = __LINE__ + 1;
    jg_task *task = jg_create_task(nothing, NULL);
    ck_assert_ptr_nonnull(strstr(jg_task_created_at(task), place(line)));
    jg_task_set_name(task, "renamed");
    jg_task_set_name(task, "and again");
    ck_assert_ptr_nonnull(strstr(jg_task_created_at(task), place(line)));
    ck_assert_str_eq(jg_task_name(task), "and again");
    const int line_in_group = __LINE__ + 1;
    jg_group_start(&group, sleeper, NULL, .name = "in a group");
    ck_assert_uint_eq(jg_all_tasks(tasks, 8), 3);
    ck_assert_ptr_nonnull(strstr(jg_task_created_at(tasks[2]), place(line_in_group)));
    jg_task *plain = jg_create_task_with(nothing, NULL, NULL);
    ck_assert_str_eq(jg_task_created_at(plain), "");
    ck_assert_str_eq(jg_task_name(plain), "task");
    ck_assert_ptr_nonnull(strstr(jg_task_created_at(jg_current_task()), "dump.c:"));
    ck_assert_int_eq(jg_gather(task, plain), 0);
    return 0;
}

TEST(tasks_know_where_they_were_created)
{
    RUN(look_at_places, NULL);
}

static int look_at_own_place(void *arg)
{
    return strcmp(jg_task_created_at(jg_current_task()), arg) == 0 ? 0 : -1;
}

TEST(workers_were_created_by_who_runs_them)
{
    char wanted[256];
    snprintf(wanted, sizeof wanted, "%s:%d", __FILE__, __LINE__ + 1);
    ck_assert_int_eq(jg_run_workers(look_at_own_place, wanted, .workers = 2), 0);
    ck_assert_int_eq(jg_run_workers_with(look_at_own_place, (char[]){""}, NULL), 0);
}

TEST(a_dump_outside_of_jg_run_is_empty)
{
    ck_assert_str_eq(written_by(jg_dump_tasks), "");
}

static int dump_to_nowhere(void *arg)
{
    (void)arg;
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    errno = 0;
    ck_assert_int_eq(jg_dump_tasks(-1), -1);
    ck_assert_int_eq(errno, EBADF);
    ck_assert_int_eq(jg_dump_tasks(full), -1);
    ck_assert_int_eq(errno, ENOSPC);
    ck_assert_int_eq(jg_print_stack(jg_current_task(), full), -1);
    ck_assert_int_eq(errno, ENOSPC);
    close(full);
    return 0;
}

TEST(a_dump_tells_what_write_failed_with)
{
    RUN(dump_to_nowhere, NULL);
}

/* The heap is none of a dump's business, not even the program's own. */
static void *no_memory(size_t bytes, void *arg)
{
    if (*(bool *)arg)
        abort();
    return malloc(bytes);
}

static void *no_more_memory(void *block, size_t bytes, void *arg)
{
    if (*(bool *)arg)
        abort();
    return realloc(block, bytes);
}

static void release(void *block, void *arg)
{
    (void)arg;
    free(block);
}

static bool refusing;

static int dump_without_memory(void *arg)
{
    (void)arg;
    jg_task *task = jg_create_task(parked, NULL);
    jg_yield();
    refusing = true;
    const char *text = written_by(jg_dump_tasks);
    refusing = false;
    ck_assert(in_order(text, "main: runs", "parked: waits in jg_future_wait"));
    jg_cancel_and_wait(task);
    return 0;
}

TEST(a_dump_allocates_nothing)
{
    jg_allocator allocator = {no_memory, no_more_memory, release, &refusing};
    ck_assert_int_eq(jg_set_allocator(&allocator), 0);
    RUN(dump_without_memory, NULL);
}

static void dump_from_callback(void *arg)
{
    const char *text = written_by(jg_dump_tasks);
    ck_assert(in_order(text, "main: waits in jg_sleep, "));
    *(bool *)arg = true;
}

static int wait_for_callback(void *arg)
{
    jg_handle handle = {.fn = dump_from_callback, .arg = arg};
    jg_call_soon(jg_task_loop(), &handle);
    return jg_sleep(0.01);
}

TEST(a_callback_of_the_loop_may_dump)
{
    bool called = false;
    RUN(wait_for_callback, &called);
    ck_assert(called);
}

TEST_ABORTS(printing_a_task_that_is_gone_aborts, "jg_print_stack")
{
    RUN(print_one, NULL);
    jg_print_stack(shown, 1);
}
