/* The frame around every test: each runs in a forked process of its own with a time limit, and must leave no fd open
 * and no block allocated. A file of tests registers them by itself; one folder of tests becomes one program.
 *
 *     TEST(sleep_is_never_early) { ... ck_assert_int_eq(a, b); ... }
 *     TEST_ABORTS(await_twice_aborts, "jg_await") { ... }
 *
 * The program prints `ok NAME: SECONDS s`, `not ok NAME: FILE:LINE: MESSAGE` or `skip NAME: REASON` for each, and runs
 * only those whose name contains its argument, if there is one. */
#ifndef JUGGLE_TESTS_HARNESS_H
#define JUGGLE_TESTS_HARNESS_H

#include <check.h>
#include <errno.h>
#include <juggle.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct harness_test {
    const char *name;
    const char *file;
    int line;
    void (*body)(void);
    const char *aborts_with; /* passes when the body aborts and stderr contains this; NULL: an ordinary test */
    struct harness_test *next;
};

void harness_register(struct harness_test *test);
_Noreturn void harness_skip(const char *reason);

/* Time limits and loads of the tests are stretched by this: 1, or more under a sanitizer, Valgrind or qemu. */
int harness_slowness(void);

#define TEST(name) HARNESS_TEST(name, NULL)

/* Passes when the body aborts the process after writing `text`, among others, to stderr. */
#define TEST_ABORTS(name, text) HARNESS_TEST(name, text)

/* Ends the test and reports it as skipped. */
#define SKIP(reason) harness_skip(reason)

/* Runs fn(arg) as the main task; it must return 0. */
#define RUN(fn, arg)                                                                                            \
    do {                                                                                                        \
        int harness_result = jg_run(fn, arg);                                                                   \
        ck_assert_msg(harness_result == 0, "jg_run(%s) returned %d: %s", #fn, harness_result, strerror(errno)); \
    } while (0)

/* An assertion for other threads: Check counts its own without a lock. */
#define CHECK(condition)  \
    do {                  \
        if (!(condition)) \
            abort();      \
    } while (0)

/* Memory is refused while refuse_memory is set, once use_refusing_allocator was called, first of all in a test. */
extern atomic_bool refuse_memory;
void use_refusing_allocator(void);

#define HARNESS_TEST(test_name, text)                                                                     \
    static void test_##test_name(void);                                                                   \
    static void __attribute__((constructor)) register_##test_name(void)                                   \
    {                                                                                                     \
        static struct harness_test test = {#test_name, __FILE__, __LINE__, test_##test_name, text, NULL}; \
        harness_register(&test);                                                                          \
    }                                                                                                     \
    static void test_##test_name(void)

#endif
