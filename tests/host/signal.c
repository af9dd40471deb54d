/* Signals as callbacks on loops: who is told, when, and what is left behind. */
#include "harness.h"

#include "host/disposition.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int calls, last;

static void count(int signum, void *arg)
{
    calls++;
    last = signum;
    if (arg)
        *(int *)arg += 1;
}

static jg_loop *new_loop(void)
{
    jg_loop *loop = jg_loop_new();
    ck_assert_msg(loop != NULL, "%s", jg_error_text());
    return loop;
}

static void run_until_calls(jg_loop *loop, int most)
{
    while (calls < most)
        ck_assert_int_eq(jg_loop_run_once(loop, 15), 0);
}

static void (*disposition(int signum))(int)
{
    struct sigaction action;
    ck_assert_int_eq(sigaction(signum, NULL, &action), 0);
    return action.sa_handler;
}

TEST(a_handler_is_called_from_a_turn_of_the_loop)
{
    jg_autoptr(jg_loop) loop = new_loop();
    int told = 0;
    ck_assert_int_eq(jg_add_signal_handler(loop, SIGUSR1, count, &told), 0);
    errno = 77;
    raise(SIGUSR1);
    ck_assert_int_eq(errno, 77);
    ck_assert_int_eq(calls, 0);
    run_until_calls(loop, 1);
    ck_assert_int_eq(last, SIGUSR1);
    ck_assert_int_eq(told, 1);
}

static void *send_later(void *arg)
{
    (void)arg;
    usleep(20000);
    kill(getpid(), SIGUSR1);
    return NULL;
}

TEST(a_signal_wakes_a_sleeping_loop)
{
    pthread_t thread;
    jg_autoptr(jg_loop) loop = new_loop();
    ck_assert_int_eq(jg_add_signal_handler(loop, SIGUSR1, count, NULL), 0);
    pthread_create(&thread, NULL, send_later, NULL);
    ck_assert_int_eq(jg_loop_run_once(loop, 15), 0);
    run_until_calls(loop, 1);
    pthread_join(thread, NULL);
}

TEST(a_burst_counts_once_and_each_signal_for_itself)
{
    jg_autoptr(jg_loop) loop = new_loop();
    int usr1 = 0, usr2 = 0, real_time = 0;
    ck_assert_int_eq(jg_add_signal_handler(loop, SIGUSR1, count, &usr1), 0);
    ck_assert_int_eq(jg_add_signal_handler(loop, SIGUSR2, count, &usr2), 0);
    ck_assert_int_eq(jg_add_signal_handler(loop, SIGRTMAX, count, &real_time), 0);
    for (int i = 0; i < 100; i++)
        raise(SIGUSR1);
    raise(SIGUSR2);
    raise(SIGRTMAX);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(jg_loop_run_once(loop, 0), 0);
    ck_assert_int_eq(usr1, 1);
    ck_assert_int_eq(usr2, 1);
    ck_assert_int_eq(real_time, 1);
}

TEST(setting_a_handler_again_replaces_it)
{
    jg_autoptr(jg_loop) loop = new_loop();
    int first = 0, second = 0;
    ck_assert_int_eq(jg_add_signal_handler(loop, SIGUSR1, count, &first), 0);
    ck_assert_int_eq(jg_add_signal_handler(loop, SIGUSR1, count, &second), 0);
    raise(SIGUSR1);
    run_until_calls(loop, 1);
    ck_assert_int_eq(first, 0);
    ck_assert_int_eq(second, 1);
    ck_assert(jg_remove_signal_handler(loop, SIGUSR1));
    ck_assert(!jg_remove_signal_handler(loop, SIGUSR1));
    ck_assert(!jg_remove_signal_handler(loop, 0));
    ck_assert(!jg_remove_signal_handler(loop, 100));
}

TEST(a_removed_handler_is_not_called_even_if_the_signal_had_come)
{
    jg_autoptr(jg_loop) loop = new_loop();
    ck_assert_int_eq(jg_add_signal_handler(loop, SIGUSR1, count, NULL), 0);
    raise(SIGUSR1);
    ck_assert(jg_remove_signal_handler(loop, SIGUSR1));
    ck_assert_int_eq(jg_loop_run_once(loop, 0), 0);
    ck_assert_int_eq(calls, 0);
}

TEST(the_disposition_comes_back)
{
    jg_autoptr(jg_loop) loop = new_loop();
    signal(SIGUSR1, SIG_IGN);
    ck_assert_int_eq(jg_add_signal_handler(loop, SIGUSR1, count, NULL), 0);
    ck_assert_ptr_ne(disposition(SIGUSR1), SIG_IGN);
    ck_assert(jg_remove_signal_handler(loop, SIGUSR1));
    ck_assert_ptr_eq(disposition(SIGUSR1), SIG_IGN);

    ck_assert_int_eq(jg_add_signal_handler(loop, SIGUSR1, count, NULL), 0);
    ck_assert_int_eq(jg_add_signal_handler(loop, SIGTERM, count, NULL), 0);
    raise(SIGTERM);
    jg_loop_close(loop);
    loop = NULL;
    ck_assert_ptr_eq(disposition(SIGUSR1), SIG_IGN);
    ck_assert_ptr_eq(disposition(SIGTERM), SIG_DFL);
    ck_assert_int_eq(calls, 0);
}

static void somebody_elses(int signum)
{
    (void)signum;
}

TEST(a_handler_that_somebody_installed_meanwhile_stays)
{
    jg_autoptr(jg_loop) loop = new_loop();
    ck_assert_int_eq(jg_add_signal_handler(loop, SIGUSR1, count, NULL), 0);
    signal(SIGUSR1, somebody_elses);
    ck_assert(jg_remove_signal_handler(loop, SIGUSR1));
    ck_assert_ptr_eq(disposition(SIGUSR1), somebody_elses);
}

TEST(signals_that_cannot_be_caught_are_refused)
{
    static const int refused[] = {SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, 0, -1, 65, 1000, 32};
    jg_autoptr(jg_loop) loop = new_loop();
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        errno = 0;
        ck_assert_int_eq(jg_add_signal_handler(loop, refused[i], count, NULL), -1);
        ck_assert_int_eq(errno, EINVAL);
        ck_assert_ptr_nonnull(strstr(jg_error_text(), "jg_add_signal_handler"));
    }
}

static jg_loop *loop_of_handlers;

static void remove_both(int signum, void *arg)
{
    count(signum, arg);
    ck_assert(jg_remove_signal_handler(loop_of_handlers, SIGUSR1));
    jg_remove_signal_handler(loop_of_handlers, SIGUSR2);
}

static void add_anew(int signum, void *arg)
{
    count(signum, arg);
    ck_assert(jg_remove_signal_handler(loop_of_handlers, SIGUSR1));
    ck_assert_int_eq(jg_add_signal_handler(loop_of_handlers, SIGUSR1, add_anew, arg), 0);
}

TEST(handlers_may_remove_and_add_handlers)
{
    jg_autoptr(jg_loop) loop = loop_of_handlers = new_loop();
    int removed = 0, other = 0, anew = 0;
    ck_assert_int_eq(jg_add_signal_handler(loop, SIGUSR1, remove_both, &removed), 0);
    ck_assert_int_eq(jg_add_signal_handler(loop, SIGUSR2, count, &other), 0);
    raise(SIGUSR1);
    raise(SIGUSR2);
    run_until_calls(loop, 1);
    ck_assert_int_eq(jg_loop_run_once(loop, 0), 0);
    ck_assert_int_eq(other, 0);

    ck_assert_int_eq(jg_add_signal_handler(loop, SIGUSR1, add_anew, &anew), 0);
    for (int i = 1; i <= 3; i++) {
        raise(SIGUSR1);
        run_until_calls(loop, 1 + i);
        ck_assert_int_eq(anew, i);
    }
}

static void be_slow(int signum, void *arg)
{
    if (calls == 0) {
        raise(signum); /* while the loop is stuck */
        usleep(1000);
    }
    count(signum, arg);
}

TEST(a_signal_during_a_callback_is_told_afterwards)
{
    jg_autoptr(jg_loop) loop = new_loop();
    ck_assert_int_eq(jg_add_signal_handler(loop, SIGUSR1, be_slow, NULL), 0);
    raise(SIGUSR1);
    run_until_calls(loop, 2);
}

/* ---- Several loops ---- */

static atomic_int listening, told;
static atomic_bool over;

static void tell_loop(int signum, void *arg)
{
    (void)signum;
    atomic_fetch_add(&told, 1);
    *(int *)arg += 1;
}

static bool all_over(void *arg)
{
    return *(int *)arg > 0;
}

static void *listen_on_a_loop(void *arg)
{
    (void)arg;
    int mine = 0;
    jg_autoptr(jg_loop) loop = new_loop();
    ck_assert_int_eq(jg_add_signal_handler(loop, SIGUSR1, tell_loop, &mine), 0);
    atomic_fetch_add(&listening, 1);
    ck_assert_int_eq(jg_loop_run_until(loop, all_over, &mine), 0);
    return NULL;
}

TEST(every_loop_that_listens_is_told)
{
    enum { LOOPS = 4 };
    pthread_t threads[LOOPS];
    for (int i = 0; i < LOOPS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, listen_on_a_loop, NULL), 0);
    while (atomic_load(&listening) < LOOPS)
        usleep(1000);
    kill(getpid(), SIGUSR1);
    for (int i = 0; i < LOOPS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(atomic_load(&told), LOOPS);
    ck_assert_ptr_eq(disposition(SIGUSR1), SIG_DFL);
}

static void ignore(int signum, void *arg)
{
    (void)signum;
    (void)arg;
}

/* Listens and stops, and opens and closes loops, while signals come. */
static void *come_and_go(void *arg)
{
    (void)arg;
    for (int i = 0; i < 50; i++) {
        jg_autoptr(jg_loop) loop = new_loop();
        for (int j = 0; j < 20; j++) {
            ck_assert_int_eq(jg_add_signal_handler(loop, SIGUSR1, ignore, NULL), 0);
            ck_assert_int_eq(jg_loop_run_once(loop, 0), 0);
            if (j % 3)
                jg_remove_signal_handler(loop, SIGUSR1);
        }
    }
    return NULL;
}

static void *bombard(void *arg)
{
    (void)arg;
    while (!atomic_load(&over))
        kill(getpid(), SIGUSR1);
    return NULL;
}

TEST(listeners_come_and_go_in_a_hail_of_signals)
{
    pthread_t threads[2], sender;
    signal(SIGUSR1, somebody_elses);
    pthread_create(&sender, NULL, bombard, NULL);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, come_and_go, NULL), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    atomic_store(&over, true);
    pthread_join(sender, NULL);
    ck_assert_ptr_eq(disposition(SIGUSR1), somebody_elses);
}

/* ---- Around ---- */

static volatile sig_atomic_t fallen_back;

static void fall_back(int signum)
{
    fallen_back = signum;
}

TEST(a_fallback_is_told_only_when_nobody_listens)
{
    jg_autoptr(jg_loop) loop = new_loop();
    jg__signal_set_fallback(SIGUSR1, fall_back);
    ck_assert_int_eq(jg__signal_hold(SIGUSR1), 0);
    ck_assert_int_eq(jg_add_signal_handler(loop, SIGUSR1, count, NULL), 0);
    raise(SIGUSR1);
    run_until_calls(loop, 1);
    ck_assert_int_eq(fallen_back, 0);
    ck_assert(jg_remove_signal_handler(loop, SIGUSR1));
    raise(SIGUSR1);
    ck_assert_int_eq(fallen_back, SIGUSR1);
    jg__signal_let_go(SIGUSR1);
    jg__signal_set_fallback(SIGUSR1, NULL);
    ck_assert_ptr_eq(disposition(SIGUSR1), SIG_DFL);
}

TEST(a_forked_child_has_the_dispositions_from_before)
{
    int status;
    jg_autoptr(jg_loop) loop = new_loop();
    ck_assert_int_eq(jg_add_signal_handler(loop, SIGTERM, count, NULL), 0);
    pid_t child = fork();
    if (child == 0) {
        raise(SIGTERM);
        _exit(1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    ck_assert_int_eq(jg_loop_run_once(loop, 0), 0);
    ck_assert_int_eq(calls, 0);
    raise(SIGTERM);
    run_until_calls(loop, 1);
}

static void *no_memory(size_t bytes, void *arg)
{
    (void)bytes;
    return *(bool *)arg ? NULL : malloc(bytes);
}

static void *no_more_memory(void *block, size_t bytes, void *arg)
{
    return *(bool *)arg ? NULL : realloc(block, bytes);
}

static void release(void *block, void *arg)
{
    (void)arg;
    free(block);
}

TEST(out_of_memory_leaves_the_disposition_alone)
{
    bool refuse = false;
    ck_assert_int_eq(jg_set_allocator(&(jg_allocator){no_memory, no_more_memory, release, &refuse}), 0);
    jg_autoptr(jg_loop) loop = new_loop();
    refuse = true;
    ck_assert_int_eq(jg_add_signal_handler(loop, SIGUSR1, count, NULL), -1);
    ck_assert_int_eq(errno, ENOMEM);
    ck_assert_ptr_eq(disposition(SIGUSR1), SIG_DFL);
    refuse = false;
}
