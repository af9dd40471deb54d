/* As much of Check as the harness and the tests need, for machines that Check is not installed for (cross builds). */
#ifndef JUGGLE_TESTS_PORTABLE_CHECK_H
#define JUGGLE_TESTS_PORTABLE_CHECK_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void (*TFun)(int);

typedef struct TTest {
    const char *name;
    TFun fn;
    const char *file;
    int line;
} TTest;

typedef struct Suite Suite;
typedef struct TCase TCase;
typedef struct SRunner SRunner;
typedef struct TestResult TestResult;

enum { CK_PASS, CK_FAILURE };
enum { CK_FORK, CK_SILENT };

/* There is one test in a case, one case in a suite and one suite in a runner. */
Suite *suite_create(const char *name);
TCase *tcase_create(const char *name);
void tcase_set_timeout(TCase *tcase, double seconds);
void tcase_add_test(TCase *tcase, const TTest *test);
void suite_add_tcase(Suite *suite, TCase *tcase);
SRunner *srunner_create(Suite *suite);
void srunner_set_fork_status(SRunner *runner, int status);
void srunner_run_all(SRunner *runner, int verbosity);
TestResult **srunner_results(SRunner *runner);
void srunner_free(SRunner *runner);

int tr_rtype(TestResult *result);
int tr_lno(TestResult *result);
const char *tr_lfile(TestResult *result);
const char *tr_msg(TestResult *result);

void tcase_fn_start(const char *name, const char *file, int line);
void _mark_point(const char *file, int line);
_Noreturn void check_failed(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));

#define ck_abort_msg(...) check_failed(__FILE__, __LINE__, __VA_ARGS__)
#define ck_assert_msg(condition, ...) \
    (_mark_point(__FILE__, __LINE__), (condition) ? (void)0 : check_failed(__FILE__, __LINE__, __VA_ARGS__))
#define ck_assert(condition) ck_assert_msg(condition, "Assertion '%s' failed", #condition)

#define CHECK_COMPARED(type, format, a, operator, b)                                                                  \
    do {                                                                                                              \
        type check_a = (a);                                                                                           \
        type check_b = (b);                                                                                           \
        ck_assert_msg(check_a operator check_b, "Assertion '%s' failed: " format ", " format, #a " " #operator" " #b, \
                      check_a, check_b);                                                                              \
    } while (0)
#define ck_assert_int_eq(a, b) CHECK_COMPARED(intmax_t, "%jd", a, ==, b)
#define ck_assert_int_ne(a, b) CHECK_COMPARED(intmax_t, "%jd", a, !=, b)
#define ck_assert_int_lt(a, b) CHECK_COMPARED(intmax_t, "%jd", a, <, b)
#define ck_assert_int_le(a, b) CHECK_COMPARED(intmax_t, "%jd", a, <=, b)
#define ck_assert_int_gt(a, b) CHECK_COMPARED(intmax_t, "%jd", a, >, b)
#define ck_assert_int_ge(a, b) CHECK_COMPARED(intmax_t, "%jd", a, >=, b)
#define ck_assert_uint_eq(a, b) CHECK_COMPARED(uintmax_t, "%ju", a, ==, b)
#define ck_assert_uint_ne(a, b) CHECK_COMPARED(uintmax_t, "%ju", a, !=, b)
#define ck_assert_uint_lt(a, b) CHECK_COMPARED(uintmax_t, "%ju", a, <, b)
#define ck_assert_uint_le(a, b) CHECK_COMPARED(uintmax_t, "%ju", a, <=, b)
#define ck_assert_uint_gt(a, b) CHECK_COMPARED(uintmax_t, "%ju", a, >, b)
#define ck_assert_uint_ge(a, b) CHECK_COMPARED(uintmax_t, "%ju", a, >=, b)
#define ck_assert_double_eq(a, b) CHECK_COMPARED(double, "%g", a, ==, b)
#define ck_assert_double_lt(a, b) CHECK_COMPARED(double, "%g", a, <, b)
#define ck_assert_double_le(a, b) CHECK_COMPARED(double, "%g", a, <=, b)
#define ck_assert_double_gt(a, b) CHECK_COMPARED(double, "%g", a, >, b)
#define ck_assert_double_ge(a, b) CHECK_COMPARED(double, "%g", a, >=, b)
#define ck_assert_double_eq_tol(a, b, tolerance) ck_assert((a) - (b) <= (tolerance) && (b) - (a) <= (tolerance))
#define ck_assert_ptr_eq(a, b) CHECK_COMPARED(const void *, "%p", a, ==, b)
#define ck_assert_ptr_ne(a, b) CHECK_COMPARED(const void *, "%p", a, !=, b)
#define ck_assert_ptr_null(a) ck_assert_ptr_eq(a, NULL)
#define ck_assert_ptr_nonnull(a) ck_assert_ptr_ne(a, NULL)
#define ck_assert_mem_eq(a, b, bytes) ck_assert(memcmp(a, b, bytes) == 0)
#define ck_assert_str_eq(a, b)                                                                                       \
    do {                                                                                                             \
        const char *check_a = (a), *check_b = (b);                                                                   \
        ck_assert_msg(strcmp(check_a, check_b) == 0, "Assertion '%s' failed: \"%s\", \"%s\"", #a " == " #b, check_a, \
                      check_b);                                                                                      \
    } while (0)
#define ck_assert_str_ne(a, b) ck_assert(strcmp(a, b) != 0)

#endif
