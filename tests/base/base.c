/* Memory, words for failures, seconds. */
#include "base/clock.h"
#include "base/diagnostics.h"
#include "base/list.h"
#include "base/memory.h"
#include "harness.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

TEST(blocks_are_counted)
{
    size_t before = jg_allocated_blocks();
    void *block = jg__allocate_zeroed(100);
    ck_assert_uint_eq(jg_allocated_blocks(), before + 1);
    ck_assert_int_eq(((char *)block)[99], 0);
    block = jg__reallocate(block, 10000);
    ck_assert_uint_eq(jg_allocated_blocks(), before + 1);
    jg__release(block);
    jg__release(NULL);
    ck_assert_uint_eq(jg_allocated_blocks(), before);
}

static void *no_memory(size_t bytes, void *arg)
{
    (void)bytes;
    ++*(int *)arg;
    return NULL;
}

static void *no_more_memory(void *block, size_t bytes, void *arg)
{
    (void)block;
    return no_memory(bytes, arg);
}

static void nothing_to_free(void *block, void *arg)
{
    (void)block;
    (void)arg;
}

TEST(an_allocator_can_be_replaced_while_nothing_is_allocated)
{
    int calls = 0;
    jg_allocator allocator = {no_memory, no_more_memory, nothing_to_free, &calls};
    void *block = jg__allocate(1);
    ck_assert_int_eq(jg_set_allocator(&allocator), -1);
    ck_assert_int_eq(errno, EBUSY);
    jg__release(block);
    ck_assert_int_eq(jg_set_allocator(&allocator), 0);
    errno = 0;
    ck_assert_ptr_null(jg__allocate(1));
    ck_assert_int_eq(errno, ENOMEM);
    ck_assert_uint_eq(jg_allocated_blocks(), 0);
    ck_assert_ptr_null(jg__reallocate(NULL, 1));
    ck_assert_int_eq(calls, 2);
    allocator.release = NULL;
    ck_assert_int_eq(jg_set_allocator(&allocator), -1);
    ck_assert_int_eq(errno, EINVAL);
}

TEST(a_failure_has_an_errno_and_words)
{
    errno = 0;
    ck_assert_str_eq(jg_error_text(), "");
    ck_assert_int_eq(jg_fail(ENOENT, "open %s: %s", "x", strerror(ENOENT)), -1);
    ck_assert_int_eq(errno, ENOENT);
    ck_assert_str_eq(jg_error_text(), "open x: No such file or directory");
}

TEST(an_errno_from_elsewhere_does_not_get_old_words)
{
    jg_fail(ENOENT, "open x: No such file or directory");
    errno = EDOM;
    ck_assert_str_eq(jg_error_text(), strerror(EDOM));
    ck_assert_int_eq(errno, EDOM);
    errno = ENOENT;
    ck_assert_str_eq(jg_error_text(), "open x: No such file or directory");
}

TEST(a_failure_may_quote_the_one_before)
{
    jg_fail(ENOENT, "open x: %s", strerror(ENOENT));
    jg_fail(ECONNREFUSED, "load: %s", jg_error_text());
    ck_assert_str_eq(jg_error_text(), "load: open x: No such file or directory");
    errno = EIO;
    jg_fail(EPROTO, "%m");
    ck_assert_str_eq(jg_error_text(), strerror(EIO));
}

TEST(an_error_text_that_is_too_long_is_cut)
{
    char text[2000];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    jg_fail(EINVAL, "%s", text);
    ck_assert_uint_eq(strlen(jg_error_text()), 511);
}

static struct jg__error_text *slot;

static struct jg__error_text **slot_of_the_test(void)
{
    return &slot;
}

TEST(error_texts_are_kept_where_the_slot_says)
{
    jg__error_text_slot = slot_of_the_test;
    errno = EIO;
    ck_assert_str_eq(jg_error_text(), strerror(EIO));
    ck_assert_ptr_null(slot);
    jg_fail(EIO, "words");
    ck_assert_str_eq(slot->words, "words");
    jg__error_text_slot = NULL;
    jg__release(slot);
}

static void keep_report(const jg_report *report, void *arg)
{
    snprintf(arg, 100, "%s|%s|%d", report->task_name ? report->task_name : "-", report->message, report->error);
}

TEST(reports_go_to_the_handler)
{
    char text[100] = "";
    jg_set_error_handler(keep_report, text);
    errno = ELOOP;
    jg__report("worker", EIO, "it %s", "failed");
    ck_assert_str_eq(text, "worker|it failed|5");
    ck_assert_int_eq(errno, ELOOP);
}

TEST_ABORTS(dying_says_why, "juggle: jg_await: because 7\n")
{
    jg__die("jg_await: because %d", 7);
}

TEST(seconds_are_rounded_up_to_nanoseconds)
{
    ck_assert_int_eq(jg__nanoseconds(1), 1000000000);
    ck_assert_int_eq(jg__nanoseconds(1e-10), 1);
    ck_assert_int_eq(jg__nanoseconds(0), 0);
    ck_assert_int_eq(jg__nanoseconds(-1.5), -1500000000);
    ck_assert_int_eq(jg__nanoseconds(NAN), JG__NEVER);
    ck_assert_int_eq(jg__nanoseconds(INFINITY), JG__NEVER);
    ck_assert_int_eq(jg__nanoseconds(-INFINITY), -JG__NEVER);
    ck_assert_int_eq(jg__later(5, JG__NEVER), JG__NEVER);
    ck_assert_int_eq(jg__later(JG__NEVER - 1, 5), JG__NEVER);
}

TEST(lists_keep_their_order_when_spliced)
{
    struct jg__list a, b, nodes[4];
    jg__list_init(&a);
    jg__list_init(&b);
    for (int i = 0; i < 4; i++)
        jg__list_append(i < 2 ? &a : &b, &nodes[i]);
    jg__list_splice(&a, &b);
    ck_assert(jg__list_empty(&b));
    int i = 0;
    for (struct jg__list *node = a.next; node != &a; node = node->next)
        ck_assert_ptr_eq(node, &nodes[i++]);
    ck_assert_int_eq(i, 4);
    jg__list_remove(&nodes[1]);
    ck_assert(!jg__listed(&nodes[1]));
    ck_assert_ptr_eq(nodes[0].next, &nodes[2]);
}

TEST(the_library_tells_its_version)
{
    ck_assert_str_eq(jg_version(), JG_VERSION);
}
