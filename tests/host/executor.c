/* Executors and the jobs of loops, without a task: bounds, growth, cancelling and abandoning at every stage, loops that
 * close under their jobs, forks. */
#include "harness.h"

#include <juggle/thread.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define FAILS(call, error)                                                 \
    do {                                                                   \
        errno = 0;                                                         \
        ck_assert_msg((call) == -1, "%s did not fail", #call);             \
        ck_assert_msg(errno == (error), "%s: %s", #call, strerror(errno)); \
    } while (0)

/* ---- A job that can be held up ---- */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static atomic_int running, worked, abandoned, saw_cancellation;
static int done_count;
static char order[64];

static void wait_for(atomic_int *count, int wanted)
{
    while (atomic_load(count) != wanted)
        usleep(500);
}

static void pass_gate(jg_job *job)
{
    (void)job;
    atomic_fetch_add(&running, 1);
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    atomic_fetch_sub(&running, 1);
    atomic_fetch_add(&worked, 1);
}

static void wait_for_cancellation(jg_job *job)
{
    (void)job;
    atomic_fetch_add(&running, 1);
    while (!jg_thread_cancelled())
        usleep(500);
    atomic_fetch_add(&saw_cancellation, 1);
    atomic_fetch_sub(&running, 1);
}

static void count_done(jg_job *job)
{
    done_count++;
    if (job->arg)
        strcat(order, job->arg);
}

static void count_abandoned(jg_job *job)
{
    free(job);
    atomic_fetch_add(&abandoned, 1);
}

static bool as_many_done(void *arg)
{
    return done_count >= *(int *)arg;
}

static void run_until_done(jg_loop *loop, int count)
{
    ck_assert_int_eq(jg_loop_run_until(loop, as_many_done, &count), 0);
    ck_assert_int_eq(done_count, count);
}

static jg_loop *new_loop(void)
{
    jg_loop *loop = jg_loop_new();
    ck_assert_ptr_nonnull(loop);
    return loop;
}

static jg_executor_statistics look_at(jg_executor *executor)
{
    jg_executor_statistics statistics;
    jg_executor_get_statistics(executor, &statistics);
    return statistics;
}

/* An executor that is freed may still have a thread for a moment. */
static void free_and_wait(jg_executor *executor)
{
    size_t blocks = jg_allocated_blocks();
    jg_executor_free(executor);
    while (jg_allocated_blocks() >= blocks)
        usleep(500);
}

/* ---- Jobs come back ---- */

static pthread_t loop_thread;

static void note_thread(jg_job *job)
{
    job->arg = pthread_equal(pthread_self(), loop_thread) ? NULL : "t";
}

static void check_thread(jg_job *job)
{
    ck_assert_ptr_nonnull(job->arg);
    ck_assert(pthread_equal(pthread_self(), loop_thread));
    done_count++;
}

TEST(a_job_works_on_a_thread_and_is_done_on_the_loop)
{
    jg_loop *loop = new_loop();
    jg_job job = {.work = note_thread, .done = check_thread};
    loop_thread = pthread_self();
    errno = EDOM;
    ck_assert_int_eq(jg_run_in_executor(loop, NULL, &job), 0);
    ck_assert_int_eq(errno, EDOM);
    ck_assert_int_eq(done_count, 0);
    run_until_done(loop, 1);
    for (int i = 2; i < 100; i++) { /* the struct is the caller's again each time */
        ck_assert_int_eq(jg_run_in_executor(loop, NULL, &job), 0);
        run_until_done(loop, i);
    }
    jg_loop_close(loop);
}

TEST(one_thread_works_in_the_order_of_the_queue)
{
    jg_loop *loop = new_loop();
    jg_executor *executor = jg_executor_new(.max_threads = 1, .name = "single");
    jg_job jobs[] = {{.work = pass_gate, .done = count_done, .arg = "a"},
                     {.work = pass_gate, .done = count_done, .arg = "b"},
                     {.work = pass_gate, .done = count_done, .arg = "c"}};
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(jg_run_in_executor(loop, executor, &jobs[i]), 0);
    run_until_done(loop, 3);
    ck_assert_str_eq(order, "abc");
    ck_assert_uint_eq(look_at(executor).threads, 1);
    jg_loop_close(loop);
    free_and_wait(executor);
}

static void look_at_thread(jg_job *job)
{
    char name[16];
    sigset_t blocked;
    pthread_getname_np(pthread_self(), name, sizeof name);
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    if (strcmp(name, "a name that is ") || !sigismember(&blocked, SIGINT) || !sigismember(&blocked, SIGTERM) ||
        sigismember(&blocked, SIGSEGV))
        abort();
    volatile char frame[3 * 1024 * 1024];
    frame[0] = frame[sizeof frame - 1] = 1;
    job->arg = NULL;
}

TEST(threads_have_the_name_and_the_stack_that_are_asked_for_and_no_signals)
{
    jg_loop *loop = new_loop();
    jg_executor *executor = jg_executor_new(.name = "a name that is too long", .stack_size = 4 * 1024 * 1024 + 1);
    jg_job job = {.work = look_at_thread, .done = count_done};
    ck_assert_int_eq(jg_run_in_executor(loop, executor, &job), 0);
    run_until_done(loop, 1);
    jg_loop_close(loop);
    free_and_wait(executor);
}

/* ---- Bounds ---- */

TEST(the_queue_is_bounded_and_says_so)
{
    enum { THREADS = 2, QUEUE = 3, ALL = THREADS + QUEUE };
    jg_loop *loop = new_loop();
    jg_executor *executor = jg_executor_new(.max_threads = THREADS, .queue = QUEUE, .name = "small");
    jg_job jobs[ALL + 1];
    pthread_mutex_lock(&gate);
    for (int i = 0; i <= ALL; i++) {
        jobs[i] = (jg_job){.work = pass_gate, .done = count_done};
        if (i < ALL)
            ck_assert_int_eq(jg_run_in_executor(loop, executor, &jobs[i]), 0);
    }
    wait_for(&running, THREADS);
    FAILS(jg_run_in_executor(loop, executor, &jobs[ALL]), EAGAIN);
    ck_assert_ptr_nonnull(strstr(jg_error_text(), "the queue of the executor \"small\" is full: 3 jobs wait for 2"));
    ck_assert_uint_eq(look_at(executor).queued, QUEUE);
    pthread_mutex_unlock(&gate);
    run_until_done(loop, ALL);
    ck_assert_int_eq(jg_run_in_executor(loop, executor, &jobs[ALL]), 0);
    run_until_done(loop, ALL + 1);
    jg_loop_close(loop);
    free_and_wait(executor);
}

TEST(threads_come_as_they_are_needed_and_go_when_they_are_idle)
{
    enum { JOBS = 12, THREADS = 5 };
    jg_loop *loop = new_loop();
    jg_executor *executor = jg_executor_new(.max_threads = THREADS, .idle_seconds = 0.02);
    jg_job jobs[JOBS];
    ck_assert_uint_eq(look_at(executor).threads, 0);
    pthread_mutex_lock(&gate);
    for (unsigned i = 0; i < JOBS; i++) {
        jobs[i] = (jg_job){.work = pass_gate, .done = count_done};
        ck_assert_int_eq(jg_run_in_executor(loop, executor, &jobs[i]), 0);
        ck_assert_uint_eq(look_at(executor).threads, i < THREADS ? i + 1 : THREADS);
    }
    wait_for(&running, THREADS);
    ck_assert_uint_eq(look_at(executor).busy, THREADS);
    ck_assert_uint_eq(look_at(executor).queued, JOBS - THREADS);
    pthread_mutex_unlock(&gate);
    run_until_done(loop, JOBS);
    while (look_at(executor).threads)
        usleep(1000);
    ck_assert_int_eq(jg_run_in_executor(loop, executor, &jobs[0]), 0);
    run_until_done(loop, JOBS + 1);
    jg_loop_close(loop);
    free_and_wait(executor);
}

TEST(an_idle_thread_is_used_before_another_one_is_started)
{
    jg_loop *loop = new_loop();
    jg_executor *executor = jg_executor_new(.max_threads = 8, .idle_seconds = INFINITY);
    jg_job job = {.work = pass_gate, .done = count_done};
    for (int i = 1; i < 50; i++) {
        ck_assert_int_eq(jg_run_in_executor(loop, executor, &job), 0);
        run_until_done(loop, i);
        while (look_at(executor).busy)
            usleep(100);
    }
    ck_assert_uint_eq(look_at(executor).threads, 1);
    jg_loop_close(loop);
    free_and_wait(executor);
}

TEST(an_executor_refuses_a_time_that_is_none)
{
    ck_assert_ptr_null(jg_executor_new(.idle_seconds = -1));
    ck_assert_int_eq(errno, EINVAL);
    ck_assert_ptr_null(jg_executor_new(.idle_seconds = NAN));
    ck_assert_int_eq(errno, EINVAL);
    jg_executor_free(NULL);
    jg_executor_free(jg_executor_new_with(NULL));
}

static void allow_no_threads(void)
{
#ifdef __SANITIZE_ADDRESS__
    SKIP("AddressSanitizer needs a thread of its own at the end");
#endif
    if (getuid() == 0 && setresuid(65534, 65534, 65534) < 0)
        SKIP("the user cannot be changed");
    if (setrlimit(RLIMIT_NPROC, &(struct rlimit){1, 1}) < 0)
        SKIP("the number of threads cannot be limited");
    pthread_t thread;
    if (pthread_create(&thread, NULL, (void *(*)(void *))(void *)getpid, NULL) == 0)
        SKIP("the limit of threads does not hold here");
}

TEST(without_any_thread_a_job_fails_with_eagain)
{
    jg_loop *loop = new_loop();
    jg_job job = {.work = pass_gate, .done = count_done};
    allow_no_threads();
    FAILS(jg_run_in_executor(loop, NULL, &job), EAGAIN);
    ck_assert_ptr_nonnull(strstr(jg_error_text(), "has no thread, and none can be started"));
    jg_loop_close(loop);
}

TEST(one_thread_serves_when_no_other_can_be_started)
{
    jg_loop *loop = new_loop();
    jg_job jobs[8];
    pthread_mutex_lock(&gate);
    for (int i = 0; i < 8; i++) {
        jobs[i] = (jg_job){.work = pass_gate, .done = count_done};
        ck_assert_int_eq(jg_run_in_executor(loop, NULL, &jobs[i]), 0);
        if (i == 0)
            allow_no_threads();
    }
    pthread_mutex_unlock(&gate);
    run_until_done(loop, 8);
    jg_loop_close(loop);
}

/* ---- Cancelling ---- */

TEST(a_queued_job_is_taken_back)
{
    jg_loop *loop = new_loop();
    jg_executor *executor = jg_executor_new(.max_threads = 1);
    jg_job first = {.work = pass_gate, .done = count_done}, second = first, third = first;
    pthread_mutex_lock(&gate);
    ck_assert_int_eq(jg_run_in_executor(loop, executor, &first), 0);
    ck_assert_int_eq(jg_run_in_executor(loop, executor, &second), 0);
    ck_assert_int_eq(jg_run_in_executor(loop, executor, &third), 0);
    wait_for(&running, 1);
    ck_assert(jg_job_cancel(&second));
    ck_assert(!jg_job_cancel(&first)); /* it runs */
    memset(&second, 0xff, sizeof second);
    pthread_mutex_unlock(&gate);
    run_until_done(loop, 2);
    ck_assert_int_eq(worked, 2);
    jg_loop_close(loop);
    free_and_wait(executor);
}

TEST(a_running_job_hears_that_it_is_cancelled)
{
    jg_loop *loop = new_loop();
    jg_job job = {.work = wait_for_cancellation, .done = count_done};
    ck_assert(!jg_thread_cancelled());
    ck_assert_int_eq(jg_run_in_executor(loop, NULL, &job), 0);
    wait_for(&running, 1);
    ck_assert(!jg_job_cancel(&job));
    run_until_done(loop, 1);
    ck_assert_int_eq(saw_cancellation, 1);
    job.work = pass_gate;
    ck_assert_int_eq(jg_run_in_executor(loop, NULL, &job), 0);
    run_until_done(loop, 2);
    jg_loop_close(loop);
}

TEST(a_job_may_be_abandoned_at_every_stage)
{
    jg_loop *loop = new_loop();
    jg_executor *executor = jg_executor_new(.max_threads = 1);
    jg_job *runs = malloc(sizeof *runs), queued = {.work = pass_gate, .done = count_done, .abandoned = count_abandoned};
    jg_job finished = queued;
    ck_assert_int_eq(jg_run_in_executor(loop, executor, &finished), 0);
    wait_for(&worked, 1);
    while (look_at(executor).busy)
        usleep(500);
    ck_assert(!jg_job_abandon(&finished));
    memset(&finished, 0xff, sizeof finished);
    *runs = queued;
    pthread_mutex_lock(&gate);
    ck_assert_int_eq(jg_run_in_executor(loop, executor, runs), 0);
    ck_assert_int_eq(jg_run_in_executor(loop, executor, &queued), 0);
    wait_for(&running, 1);
    ck_assert(!jg_job_abandon(&queued));
    memset(&queued, 0xff, sizeof queued);
    ck_assert(jg_job_abandon(runs));
    ck_assert_int_eq(jg_loop_run_once(loop, 0), 0);
    ck_assert_int_eq(abandoned, 0);
    pthread_mutex_unlock(&gate);
    wait_for(&abandoned, 1);
    ck_assert_int_eq(jg_loop_run_once(loop, 0), 0);
    ck_assert_int_eq(done_count, 0);
    jg_loop_close(loop);
    free_and_wait(executor);
}

static void return_at_once(jg_job *job)
{
    (void)job;
}

TEST(jobs_cancelled_while_they_begin_and_end_are_done_or_taken_back)
{
    jg_loop *loop = new_loop();
    jg_job jobs[16];
    int taken_back = 0, started = 0;
    for (int round = 0; round < 200 / harness_slowness(); round++) {
        for (int i = 0; i < 16; i++) {
            jobs[i] = (jg_job){.work = return_at_once, .done = count_done, .abandoned = count_abandoned};
            ck_assert_int_eq(jg_run_in_executor(loop, NULL, &jobs[i]), 0);
            started++;
        }
        for (int i = 0; i < 16; i += 2)
            taken_back += jg_job_cancel(&jobs[i]);
        run_until_done(loop, started - taken_back);
    }
    jg_loop_close(loop);
}

/* ---- The end of a loop, and of an executor ---- */

TEST(a_loop_closes_under_its_jobs)
{
    enum { JOBS = 6 };
    jg_executor *executor = jg_executor_new(.max_threads = 2);
    jg_loop *loop = new_loop();
    jg_job jobs[JOBS];
    jobs[0] = (jg_job){.work = wait_for_cancellation, .done = count_done};
    jobs[1] = jobs[0];
    for (int i = 2; i < JOBS; i++)
        jobs[i] = (jg_job){.work = pass_gate, .done = count_done};
    for (int i = 0; i < JOBS; i++)
        ck_assert_int_eq(jg_run_in_executor(loop, executor, &jobs[i]), 0);
    wait_for(&running, 2);
    jg_loop_close(loop); /* tells those that run, waits for them, and drops the rest */
    ck_assert_int_eq(saw_cancellation, 2);
    memset(jobs, 0xff, sizeof jobs);
    ck_assert_int_eq(done_count, 0);
    ck_assert_int_eq(worked, 0);
    free_and_wait(executor);
}

TEST(a_loop_that_closes_abandons_what_it_can)
{
    jg_loop *loop = new_loop();
    jg_job *job = malloc(sizeof *job);
    *job = (jg_job){.work = pass_gate, .done = count_done, .abandoned = count_abandoned};
    pthread_mutex_lock(&gate);
    ck_assert_int_eq(jg_run_in_executor(loop, NULL, job), 0);
    wait_for(&running, 1);
    jg_loop_close(loop);
    ck_assert_int_eq(abandoned, 0);
    pthread_mutex_unlock(&gate);
    wait_for(&abandoned, 1);
}

TEST(a_freed_executor_still_does_its_jobs)
{
    enum { JOBS = 5 };
    jg_loop *loop = new_loop();
    jg_executor *executor = jg_executor_new(.max_threads = 1);
    jg_job jobs[JOBS];
    pthread_mutex_lock(&gate);
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (jg_job){.work = pass_gate, .done = count_done};
        ck_assert_int_eq(jg_run_in_executor(loop, executor, &jobs[i]), 0);
    }
    size_t blocks = jg_allocated_blocks();
    errno = EDOM;
    jg_executor_free(executor);
    ck_assert_int_eq(errno, EDOM);
    ck_assert_uint_eq(jg_allocated_blocks(), blocks);
    pthread_mutex_unlock(&gate);
    run_until_done(loop, JOBS);
    while (jg_allocated_blocks() >= blocks)
        usleep(500);
    jg_loop_close(loop);
}

TEST(the_default_executor_is_a_loops_own_choice)
{
    jg_loop *loop = new_loop(), *other = new_loop();
    jg_executor *executor = jg_executor_new(.max_threads = 1);
    jg_job job = {.work = pass_gate, .done = count_done};
    ck_assert_int_eq(jg_set_default_executor(loop, executor), 0);
    ck_assert_int_eq(jg_run_in_executor(other, NULL, &job), 0);
    run_until_done(other, 1);
    ck_assert_uint_eq(look_at(executor).threads, 0);
    ck_assert_int_eq(jg_run_in_executor(loop, NULL, &job), 0);
    run_until_done(loop, 2);
    ck_assert_uint_eq(look_at(executor).threads, 1);
    ck_assert_int_eq(jg_set_default_executor(loop, NULL), 0);
    jg_loop_close(loop);
    jg_loop_close(other);
    free_and_wait(executor);
}

/* ---- Forks ---- */

/* A loop and jobs of the child's own. */
static void work_in_child(jg_executor *executor)
{
    done_count = 0;
    jg_loop *loop = new_loop();
    jg_job jobs[2] = {{.work = return_at_once, .done = count_done}, {.work = return_at_once, .done = count_done}};
    if (jg_run_in_executor(loop, NULL, &jobs[0]) < 0 || jg_run_in_executor(loop, executor, &jobs[1]) < 0)
        _exit(1);
    run_until_done(loop, 2);
    jg_loop_close(loop);
    _exit(0);
}

TEST(a_forked_child_has_threads_of_its_own)
{
#ifdef __SANITIZE_THREAD__
    SKIP("ThreadSanitizer allows no threads in a forked child");
#endif
    jg_loop *loop = new_loop();
    jg_executor *executor = jg_executor_new(.max_threads = 1);
    jg_job jobs[4];
    pthread_mutex_lock(&gate);
    for (int i = 0; i < 4; i++) {
        jobs[i] = (jg_job){.work = pass_gate, .done = count_done};
        ck_assert_int_eq(jg_run_in_executor(loop, i % 2 ? executor : NULL, &jobs[i]), 0);
    }
    wait_for(&running, 3);
    pid_t child = fork();
    if (child == 0)
        work_in_child(executor);
    int status = -1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    pthread_mutex_unlock(&gate);
    ck_assert_int_eq(status, 0);
    run_until_done(loop, 4);
    jg_loop_close(loop);
    free_and_wait(executor);
}

/* ---- Out of memory ---- */

TEST(without_memory_executors_and_first_jobs_fail_with_enomem)
{
    use_refusing_allocator();
    jg_loop *loop = new_loop();
    jg_job job = {.work = return_at_once, .done = count_done};
    refuse_memory = true;
    ck_assert_ptr_null(jg_executor_new());
    ck_assert_int_eq(errno, ENOMEM);
    FAILS(jg_run_in_executor(loop, NULL, &job), ENOMEM);
    FAILS(jg_set_default_executor(loop, NULL), ENOMEM);
    refuse_memory = false;
    ck_assert_int_eq(jg_run_in_executor(loop, NULL, &job), 0);
    refuse_memory = true; /* from the second on nothing is allocated */
    run_until_done(loop, 1);
    ck_assert_int_eq(jg_run_in_executor(loop, NULL, &job), 0);
    run_until_done(loop, 2);
    jg_loop_close(loop);
}
