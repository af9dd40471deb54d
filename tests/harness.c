/* Runs the registered tests, one Check runner each, and looks for what they leave behind. */
#include "harness.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || __has_feature(address_sanitizer) || \
    __has_feature(thread_sanitizer)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

enum { MOST_FDS = 1024, TEXT_SIZE = 4096 };

/* ---- Memory that is refused ---- */

atomic_bool refuse_memory;

static void *allocate(size_t bytes, void *arg)
{
    (void)arg;
    return atomic_load(&refuse_memory) ? NULL : malloc(bytes);
}

static void *reallocate(void *block, size_t bytes, void *arg)
{
    (void)arg;
    return atomic_load(&refuse_memory) ? NULL : realloc(block, bytes);
}

static void release(void *block, void *arg)
{
    (void)arg;
    free(block);
}

void use_refusing_allocator(void)
{
    static const jg_allocator refusing = {allocate, reallocate, release, NULL};
    ck_assert_int_eq(jg_set_allocator(&refusing), 0);
}

/* What the sanitizers find aborts, so that a test can expect it. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "abort_on_error=1";
}

/* glibc's resolver has memory of its own while it waits for an answer that nobody wants any more. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:__res_context_send\n";
}

const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void)
{
    return "abort_on_error=1:print_stacktrace=1";
}

static struct harness_test *first_test;
static struct harness_test **last_link = &first_test;
static struct harness_test *current;

/* Shared with the forked child: Check has no word for a test that was skipped. */
static char *skip_reason;

void harness_register(struct harness_test *test)
{
    *last_link = test;
    last_link = &test->next;
}

void harness_skip(const char *reason)
{
    snprintf(skip_reason, TEXT_SIZE, "%s", *reason ? reason : "no reason given");
    fflush(NULL);
    _exit(0);
}

int harness_slowness(void)
{
    const char *emulated = getenv("HARNESS_SLOWNESS");
    return emulated ? atoi(emulated) : SANITIZED || RUNNING_ON_VALGRIND ? 4 : 1;
}

static int time_limit(void)
{
    enum { ORDINARY = 20, LONG = 600 };
    return (getenv("JUGGLE_LONG") ? LONG : ORDINARY) * harness_slowness();
}

/* ---- What a test leaves behind ---- */

/* Marks the open fds, without the one that the listing itself needs. */
static void list_fds(bool open[MOST_FDS])
{
    DIR *folder = opendir("/proc/self/fd");
    ck_assert_msg(folder, "/proc/self/fd: %s", strerror(errno));
    memset(open, 0, MOST_FDS * sizeof *open);
    for (struct dirent *entry; (entry = readdir(folder));) {
        int fd = atoi(entry->d_name);
        if (*entry->d_name != '.' && fd != dirfd(folder) && fd < MOST_FDS)
            open[fd] = true;
    }
    closedir(folder);
}

static void append(char text[TEXT_SIZE], const char *word, int fd, const char *target)
{
    size_t length = strlen(text);
    snprintf(text + length, TEXT_SIZE - length, "%s%s fd %d%s%s", length ? ", " : "", word, fd, *target ? " " : "",
             target);
}

static void check_fds(const bool before[MOST_FDS])
{
    bool after[MOST_FDS];
    char text[TEXT_SIZE] = "";
    list_fds(after);
    for (int fd = 0; fd < MOST_FDS; fd++) {
        if (before[fd] == after[fd])
            continue;
        char path[64], target[256] = "";
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        if (after[fd] && readlink(path, target, sizeof target - 1) < 0)
            *target = '\0';
        append(text, after[fd] ? "leaked" : "closed", fd, target);
    }
    ck_assert_msg(!*text, "%s", text);
}

static void run_checked(void)
{
    bool fds[MOST_FDS];
    list_fds(fds);
    size_t blocks = jg_allocated_blocks();
    _mark_point(current->file, current->line);
    current->body();
    check_fds(fds);
    ck_assert_msg(jg_allocated_blocks() == blocks, "jg_allocated_blocks(): %zu before the test, %zu after", blocks,
                  jg_allocated_blocks());
}

/* ---- Tests that abort ---- */

static _Noreturn void abort_in_child(int output)
{
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    dup2(output, STDERR_FILENO);
    current->body();
    fprintf(stderr, "(the body returned)");
    _exit(0);
}

/* Keeps the beginning, reads to the end. */
static void read_all(int fd, char text[TEXT_SIZE])
{
    char rest[1024];
    size_t length = 0;
    for (ssize_t n; (n = read(fd, rest, sizeof rest)) > 0;) {
        size_t room = TEXT_SIZE - 1 - length;
        size_t taken = (size_t)n < room ? (size_t)n : room;
        memcpy(text + length, rest, taken);
        length += taken;
    }
    text[length] = '\0';
}

static void run_aborting(void)
{
    int ends[2], status;
    char text[TEXT_SIZE];
    ck_assert_int_eq(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        abort_in_child(ends[1]);
    close(ends[1]);
    read_all(ends[0], text);
    close(ends[0]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    if (*skip_reason)
        return;
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "did not abort (status 0x%x), stderr: %s", status,
                  text);
    ck_assert_msg(strstr(text, current->aborts_with), "aborted without saying \"%s\": %s", current->aborts_with, text);
}

/* ---- Running ---- */

/* In the forked child. Check's own handlers of signals are meant for its parent. */
static void run_current(int unused)
{
    (void)unused;
    signal(SIGALRM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    tcase_fn_start(current->name, current->file, current->line);
    if (current->aborts_with)
        run_aborting();
    else
        run_checked();
}

static void print_failure(TestResult *result)
{
    printf("not ok %s: %s:%d: ", current->name, tr_lfile(result), tr_lno(result));
    for (const char *letter = tr_msg(result); *letter; letter++)
        putchar(*letter == '\n' ? ' ' : *letter);
    putchar('\n');
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Returns whether it passed or was skipped. */
static bool run_one(struct harness_test *test)
{
    TTest entry = {test->name, run_current, test->file, test->line};
    Suite *suite = suite_create(test->name);
    TCase *tcase = tcase_create(test->name);
    current = test;
    *skip_reason = '\0';
    tcase_set_timeout(tcase, time_limit());
    tcase_add_test(tcase, &entry);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK);
    double start = seconds_now();
    srunner_run_all(runner, CK_SILENT);
    double seconds = seconds_now() - start;
    TestResult **results = srunner_results(runner);
    bool passed = tr_rtype(results[0]) == CK_PASS;
    if (!passed)
        print_failure(results[0]);
    else if (*skip_reason)
        printf("skip %s: %s\n", test->name, skip_reason);
    else
        printf("ok %s: %.2f s\n", test->name, seconds);
    fflush(stdout);
    free(results);
    srunner_free(runner);
    return passed;
}

int main(int count, char **arguments)
{
    const char *wanted = count > 1 ? arguments[1] : "";
    int matching = 0, failed = 0;
    skip_reason = mmap(NULL, TEXT_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (skip_reason == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    for (struct harness_test *test = first_test; test; test = test->next) {
        if (!strstr(test->name, wanted))
            continue;
        matching++;
        failed += !run_one(test);
    }
    if (!matching)
        fprintf(stderr, "no test matches \"%s\"\n", wanted);
    return failed || !matching;
}
