/* A dump by a signal: of all threads, each by its own loop. */
#include "support.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static atomic_bool over;

/* Has this come to stderr? */
static bool has_come(const char *text)
{
    static char seen[1 << 16];
    ssize_t n = pread(STDERR_FILENO, seen, sizeof seen - 1, 0);
    seen[n < 0 ? 0 : n] = '\0';
    return strstr(seen, text) != NULL;
}

static int sleep_till_the_end(void *arg)
{
    (void)arg;
    while (!atomic_load(&over))
        if (jg_sleep(0.01) < 0)
            return -1;
    return 0;
}

static int signalled(void *arg)
{
    jg_task *task = jg_create_task(sleep_till_the_end, NULL, .name = "companion");
    ck_assert_int_eq(jg_dump_on_signal(SIGUSR1), 0);
    for (int round = 0; round < 2; round++) {
        jg_yield();
        raise(SIGUSR1);
        while (!has_come(arg))
            jg_sleep(0.01);
    }
    jg_cancel_and_wait(task);
    return 0;
}

TEST(a_signal_dumps_the_tasks)
{
    catch_stderr();
    RUN(signalled, "companion: waits in jg_sleep");
    const char *text = caught_stderr();
    ck_assert(in_order(text, "thread ", "main: waits in jg_sleep", "  companion: waits in jg_sleep, "));
}

static void *other_thread(void *arg)
{
    ck_assert_int_eq(jg_run(sleep_till_the_end, NULL, .name = arg), 0);
    return NULL;
}

TEST(a_signal_dumps_the_tasks_of_all_threads)
{
    pthread_t threads[2];
    catch_stderr();
    ck_assert_int_eq(jg_dump_on_signal(SIGUSR1), 0);
    ck_assert_int_eq(pthread_create(&threads[0], NULL, other_thread, "second"), 0);
    ck_assert_int_eq(pthread_create(&threads[1], NULL, other_thread, "third"), 0);
    while (!has_come("second: ") || !has_come("third: ")) {
        raise(SIGUSR1);
        nanosleep(&(struct timespec){.tv_nsec = 20 * 1000 * 1000}, NULL);
    }
    atomic_store(&over, true);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    raise(SIGUSR1); /* nothing is left to be dumped */
    const char *text = caught_stderr();
    ck_assert(in_order(text, "second: ") && in_order(text, "third: "));
}

static int stuck(void *arg)
{
    raise(SIGUSR1);
    while (!has_come(arg))
        nanosleep(&(struct timespec){.tv_nsec = 20 * 1000 * 1000}, NULL);
    return 0;
}

TEST(a_loop_that_is_stuck_is_named)
{
    catch_stderr();
    ck_assert_int_eq(jg_dump_on_signal(SIGUSR1), 0);
    RUN(stuck, "is in a step that does not end");
    ck_assert(in_order(caught_stderr(), "thread ", "juggle pstree"));
}

TEST(a_signal_that_cannot_be_caught_is_refused)
{
    ck_assert_int_eq(jg_dump_on_signal(SIGKILL), -1);
    ck_assert_int_eq(errno, EINVAL);
    ck_assert_int_eq(jg_dump_on_signal(12345), -1);
    ck_assert_int_eq(errno, EINVAL);
}

TEST(it_can_be_called_again_when_its_thread_could_not_be_started)
{
#if defined(__SANITIZE_ADDRESS__)
    SKIP("AddressSanitizer needs a thread of its own at the end");
#endif
    struct rlimit before;
    pthread_t thread;
    ck_assert_int_eq(getrlimit(RLIMIT_NPROC, &before), 0);
    if (getuid() == 0 && setresuid(65534, 65534, 65534) < 0)
        SKIP("the user cannot be changed");
    ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &(struct rlimit){1, before.rlim_max}), 0);
    if (pthread_create(&thread, NULL, (void *(*)(void *))(void *)getpid, NULL) == 0)
        SKIP("the limit of threads does not hold here");
    ck_assert_int_eq(jg_dump_on_signal(SIGUSR1), -1);
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &before), 0);
    ck_assert_int_eq(jg_dump_on_signal(SIGUSR1), 0);
}
