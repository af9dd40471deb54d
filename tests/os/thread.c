/* jg_to_thread: results, bounds, interruption at every stage, arguments that are left to the thread; executors that are
 * shut down. What runs on threads checks by abort, since Check counts its assertions without a lock. */
#include "os_support.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static atomic_int running, worked, freed;

static void wait_for(atomic_int *count, int wanted)
{
    while (atomic_load(count) != wanted)
        usleep(500);
}

static int pass_gate(void *arg)
{
    atomic_fetch_add(&running, 1);
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    atomic_fetch_sub(&running, 1);
    atomic_fetch_add(&worked, 1);
    return arg ? *(int *)arg : 0;
}

static int until_cancelled(void *arg)
{
    atomic_fetch_add(&running, 1);
    while (!jg_thread_cancelled())
        usleep(500);
    atomic_fetch_sub(&running, 1);
    if (arg)
        return *(int *)arg;
    errno = ECANCELED;
    return -1;
}

static void free_counted(void *arg)
{
    free(arg);
    atomic_fetch_add(&freed, 1);
    errno = ERANGE;
}

static int *new_number(int value)
{
    int *number = malloc(sizeof *number);
    *number = value;
    return number;
}

static void end_executor(jg_executor *executor)
{
    ck_assert_int_eq(jg_executor_shutdown(executor, true), 0);
    jg_executor_free(executor);
}

/* ---- Results ---- */

static pthread_t main_thread;

static int square(void *arg)
{
    int number = *(int *)arg;
    CHECK(!pthread_equal(pthread_self(), main_thread));
    CHECK(!jg_may_wait() && !jg_thread_cancelled());
    return number * number;
}

static int fail_in_words(void *arg)
{
    return jg_fail(EXDEV, "no way to %s", (char *)arg);
}

static int fail_without_words(void *arg)
{
    errno = arg ? EXDEV : 0;
    return -1;
}

static int get_results(void *arg)
{
    int number = 12;
    char there[] = "there";
    (void)arg;
    errno = EDOM;
    ck_assert_int_eq(jg_to_thread(square, &number), 144);
    ck_assert_int_eq(errno, EDOM);
    FAILS(jg_to_thread(fail_in_words, there), EXDEV);
    ck_assert_str_eq(jg_error_text(), "no way to there");
    FAILS(jg_to_thread(fail_without_words, there), EXDEV);
    ck_assert_str_eq(jg_error_text(), strerror(EXDEV));
    FAILS(jg_to_thread(fail_without_words, NULL), EIO);
    return 0;
}

TEST(results_and_words_come_back_from_the_thread)
{
    main_thread = pthread_self();
    RUN(get_results, NULL);
}

static int doze(void *arg)
{
    usleep(20000);
    return *(int *)arg;
}

static int doze_as_task(void *arg)
{
    return jg_to_thread(doze, arg, .executor = NULL);
}

static int many_at_once(void *arg)
{
    enum { TASKS = 100 };
    jg_task *tasks[TASKS];
    int results[TASKS], ticks = 0;
    for (int i = 0; i < TASKS; i++)
        tasks[i] = jg_create_task(doze_as_task, &i, .copy = sizeof i);
    while (!jg_task_done(tasks[0])) { /* meanwhile the loop goes on */
        ticks++;
        ck_assert_int_eq(jg_sleep(0.001), 0);
    }
    ck_assert_int_gt(ticks, 1);
    ck_assert_int_eq(jg_gatherv(tasks, TASKS, .results = results), 0);
    for (int i = 0; i < TASKS; i++)
        ck_assert_int_eq(results[i], i);
    return arg != NULL;
}

TEST(many_tasks_share_the_threads_and_the_loop_goes_on)
{
    RUN(many_at_once, NULL);
}

static int wait_on_thread(void *arg)
{
    return jg_sleep(*(int *)arg);
}

static int send_waiting(void *arg)
{
    return jg_to_thread(wait_on_thread, arg);
}

TEST_ABORTS(waiting_on_a_thread_aborts, "jg_sleep: called outside jg_run")
{
    jg_run(send_waiting, (&(int){1}));
}

/* ---- Bounds ---- */

static int fill(void *arg)
{
    jg_executor *executor = arg;
    jg_task *tasks[3];
    int numbers[3] = {1, 2, 3};
    ck_assert_int_eq(jg_set_default_executor(jg_task_loop(), executor), 0);
    pthread_mutex_lock(&gate);
    for (int i = 0; i < 3; i++) {
        tasks[i] = jg_create_task(doze_as_task, &numbers[i]);
        ck_assert_int_eq(jg_yield(), 0);
    }
    FAILS(jg_to_thread(pass_gate, NULL), EAGAIN);
    ck_assert_ptr_nonnull(strstr(jg_error_text(), "jg_to_thread: the queue of the executor \"tiny\" is full"));
    int *mine = new_number(4);
    FAILS(jg_to_thread(pass_gate, mine, .abandon = free_counted), EAGAIN);
    ck_assert_int_eq(*mine, 4); /* still the caller's */
    free(mine);
    pthread_mutex_unlock(&gate);
    ck_assert_int_eq(jg_gatherv(tasks, 3), 0);
    ck_assert_int_eq(jg_to_thread(pass_gate, NULL), 0);
    return 0;
}

TEST(a_full_queue_is_told)
{
    jg_executor *executor = jg_executor_new(.max_threads = 1, .queue = 2, .name = "tiny");
    RUN(fill, executor);
    end_executor(executor);
}

/* ---- Interruption ---- */

struct job {
    jg_executor *executor;
    jg_coroutine fn;
    void *arg;
    double seconds; /* of a deadline; 0: none */
    bool abandon;
    jg_timeout *deadline;
};

static int run_job(void *arg)
{
    struct job *job = arg;
    JG_TIMEOUT(deadline, job->seconds > 0 ? job->seconds : INFINITY);
    job->deadline = &deadline;
    if (job->abandon)
        return jg_to_thread(job->fn, job->arg, .executor = job->executor, .abandon = free_counted);
    return jg_to_thread(job->fn, job->arg, .executor = job->executor);
}

static int cancel_queued(void *arg)
{
    struct job first = {.executor = arg, .fn = pass_gate}, queued = first, late = first, left = first;
    late.seconds = 0.005;
    left.abandon = true;
    left.arg = new_number(1);
    pthread_mutex_lock(&gate);
    jg_task *task = jg_create_task(run_job, &first);
    ck_assert_int_eq(jg_sleep(0.001), 0);
    wait_for(&running, 1);
    jg_task *cancelled = jg_create_task(run_job, &queued);
    jg_task *timed = jg_create_task(run_job, &late);
    jg_task *abandoned = jg_create_task(run_job, &left);
    ck_assert_int_eq(jg_yield(), 0);
    jg_cancel(cancelled);
    jg_cancel(abandoned);
    FAILS(jg_await(cancelled), ECANCELED);
    FAILS(jg_await(abandoned), ECANCELED);
    ck_assert_int_eq(freed, 1);
    FAILS(jg_await(timed), ETIMEDOUT);
    pthread_mutex_unlock(&gate);
    ck_assert_int_eq(jg_await(task), 0);
    ck_assert_int_eq(worked, 1); /* the others never ran */
    return 0;
}

TEST(a_queued_job_is_dropped_when_its_task_is_interrupted)
{
    jg_executor *executor = jg_executor_new(.max_threads = 1);
    RUN(cancel_queued, executor);
    end_executor(executor);
}

/* Two jobs, whose tasks have begun no later than in the next turn. */
static void let_both_run(void)
{
    ck_assert_int_eq(jg_sleep(0.001), 0);
    wait_for(&running, 2);
}

static int cancel_running(void *arg)
{
    int seven = 7;
    struct job gives_up = {.fn = until_cancelled}, goes_on = {.fn = until_cancelled, .arg = &seven};
    jg_task *first = jg_create_task(run_job, &gives_up), *second = jg_create_task(run_job, &goes_on);
    (void)arg;
    let_both_run();
    jg_cancel(first);
    jg_cancel(second);
    FAILS(jg_await(first), ECANCELED);
    ck_assert_int_eq(jg_await(second), 7); /* completion wins */
    ck_assert_int_eq(running, 0);
    struct job late = {.fn = until_cancelled}, too_late = {.fn = until_cancelled, .arg = &seven};
    first = jg_create_task(run_job, &late), second = jg_create_task(run_job, &too_late);
    let_both_run();
    jg_timeout_reschedule(late.deadline, jg_time());
    jg_timeout_reschedule(too_late.deadline, jg_time());
    FAILS(jg_await(first), ETIMEDOUT);
    ck_assert_int_eq(jg_await(second), 7);
    return 0;
}

TEST(a_running_job_is_waited_for_and_told)
{
    RUN(cancel_running, NULL);
}

static int abandon_running(void *arg)
{
    struct job cancelled = {.fn = pass_gate, .arg = new_number(1), .abandon = true};
    struct job timed = {.fn = pass_gate, .arg = new_number(2), .abandon = true};
    (void)arg;
    jg_task *first = jg_create_task(run_job, &cancelled), *second = jg_create_task(run_job, &timed);
    let_both_run();
    jg_cancel(first);
    jg_timeout_reschedule(timed.deadline, jg_time());
    FAILS(jg_await(first), ECANCELED);
    FAILS(jg_await(second), ETIMEDOUT);
    ck_assert_int_eq(freed, 0); /* the threads still use them */
    ck_assert_int_eq(running, 2);
    return 0;
}

TEST(an_abandoned_job_outlives_its_task_and_its_run)
{
    pthread_mutex_lock(&gate);
    RUN(abandon_running, NULL);
    ck_assert_int_eq(freed, 0);
    pthread_mutex_unlock(&gate);
    wait_for(&freed, 2);
    while (jg_allocated_blocks())
        usleep(500);
}

static int fail_cancelled(void *arg)
{
    (void)arg;
    errno = ECANCELED;
    return -1;
}

static int keep_the_rule(void *arg)
{
    int *kept = new_number(3);
    (void)arg;
    ck_assert_int_eq(jg_to_thread(pass_gate, kept, .abandon = free_counted), 3);
    FAILS(jg_to_thread(fail_without_words, kept, .abandon = free_counted), EXDEV);
    ck_assert_int_eq(*kept, 3);
    FAILS(jg_to_thread(fail_cancelled, kept, .abandon = free_counted), ECANCELED);
    ck_assert_int_eq(freed, 1);
    {
        JG_TIMEOUT(deadline, 0);
        FAILS(jg_to_thread(pass_gate, new_number(4), .abandon = free_counted), ETIMEDOUT);
    }
    jg_cancel(jg_current_task());
    FAILS(jg_to_thread(pass_gate, new_number(5), .abandon = free_counted), ECANCELED);
    FAILS(jg_to_thread(pass_gate, NULL), ECANCELED);
    ck_assert_int_eq(freed, 3);
    ck_assert_int_eq(worked, 1);
    return 0;
}

TEST(after_an_interruption_the_argument_is_gone_and_else_it_is_not)
{
    RUN(keep_the_rule, NULL);
}

static int return_at_once(void *arg)
{
    return *(int *)arg;
}

static int cancel_at_any_time(void *arg)
{
    int interrupted = 0, rounds = 400 / harness_slowness();
    (void)arg;
    for (int i = 0; i < rounds; i++) {
        struct job job = {.fn = return_at_once, .arg = new_number(i), .abandon = true};
        jg_task *task = jg_create_task(run_job, &job);
        ck_assert_int_eq(jg_yield(), 0);
        for (int spin = 0; spin < i % 50; spin++)
            sched_yield();
        jg_cancel(task);
        int result = jg_await(task);
        if (result < 0) {
            ck_assert_int_eq(errno, ECANCELED);
            interrupted++;
        } else {
            ck_assert_int_eq(result, i);
            free(job.arg);
        }
    }
    while (freed < interrupted)
        ck_assert_int_eq(jg_sleep(0.001), 0);
    ck_assert_int_eq(freed, interrupted);
    return 0;
}

TEST(whenever_a_job_is_abandoned_its_argument_is_freed_once)
{
    RUN(cancel_at_any_time, NULL);
    while (jg_allocated_blocks())
        usleep(500);
}

/* ---- Shutting down ---- */

static int shut_down(void *arg)
{
    jg_executor *executor = arg;
    struct job first = {.executor = executor, .fn = pass_gate}, second = first;
    pthread_mutex_lock(&gate);
    jg_task *running_one = jg_create_task(run_job, &first), *queued_one = jg_create_task(run_job, &second);
    ck_assert_int_eq(jg_sleep(0.001), 0);
    wait_for(&running, 1);
    ck_assert_int_eq(jg_executor_shutdown(executor, false), 0);
    FAILS(jg_to_thread(pass_gate, NULL, .executor = executor), ESHUTDOWN);
    ck_assert_ptr_nonnull(strstr(jg_error_text(), "the executor \"ending\" is shut down"));
    {
        JG_TIMEOUT(deadline, 0.005);
        FAILS(jg_executor_shutdown(executor, true), ETIMEDOUT);
    }
    pthread_mutex_unlock(&gate);
    errno = EDOM;
    ck_assert_int_eq(jg_executor_shutdown(executor, true), 0);
    ck_assert_int_eq(errno, EDOM);
    ck_assert_int_eq(worked, 2); /* the queued one too */
    ck_assert_int_eq(jg_executor_shutdown(executor, true), 0);
    ck_assert_int_eq(jg_await(running_one) + jg_await(queued_one), 0);
    jg_cancel(jg_current_task());
    FAILS(jg_executor_shutdown(executor, true), ECANCELED);
    return 0;
}

TEST(an_executor_that_is_shut_down_ends_its_jobs_first)
{
    jg_executor *executor = jg_executor_new(.max_threads = 1, .name = "ending");
    RUN(shut_down, executor);
    ck_assert_int_eq(jg_executor_shutdown(executor, true), 0); /* and outside of a task */
    jg_executor_free(executor);
}

static int shut_down_from_inside(void *arg)
{
    return jg_executor_shutdown(arg, true);
}

static int send_shutdown(void *arg)
{
    return jg_to_thread(shut_down_from_inside, arg, .executor = arg);
}

TEST_ABORTS(a_job_that_waits_for_its_own_executor_aborts, "waits for its own end")
{
    jg_run(send_shutdown, jg_executor_new());
}

static int shut_default_down(void *arg)
{
    struct job job = {.fn = pass_gate};
    pthread_mutex_lock(&gate);
    jg_task *task = jg_create_task(run_job, &job);
    ck_assert_int_eq(jg_sleep(0.001), 0);
    {
        JG_TIMEOUT(deadline, 0.005);
        FAILS(jg_shutdown_default_executor(), ETIMEDOUT);
    }
    FAILS(jg_to_thread(pass_gate, NULL), ESHUTDOWN);
    pthread_mutex_unlock(&gate);
    ck_assert_int_eq(jg_shutdown_default_executor(), 0);
    ck_assert_int_eq(worked, 1);
    ck_assert_int_eq(jg_await(task), 0);
    jg_executor *executor = arg;
    ck_assert_int_eq(jg_set_default_executor(jg_task_loop(), executor), 0);
    ck_assert_int_eq(jg_to_thread(pass_gate, NULL), 0);
    ck_assert_int_eq(jg_shutdown_default_executor(), 0);
    FAILS(jg_to_thread(pass_gate, NULL, .executor = executor), ESHUTDOWN);
    jg_cancel(jg_current_task());
    FAILS(jg_shutdown_default_executor(), ECANCELED);
    return 0;
}

TEST(the_default_executor_of_a_loop_can_be_shut_down)
{
    jg_executor *executor = jg_executor_new();
    RUN(shut_default_down, executor);
    RUN(get_results, NULL); /* other loops have it still */
    jg_executor_free(executor);
}

static int shut_default_down_in_a_task(void *arg)
{
    (void)arg;
    return jg_shutdown_default_executor();
}

static int leave_alone(void *arg)
{
    FAILS(jg_to_thread(pass_gate, arg, .abandon = free_counted), ECANCELED);
    return 0;
}

static int wait_for_what_is_left_alone(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&gate);
    jg_task *job = jg_create_task(leave_alone, new_number(3));
    ck_assert_int_eq(jg_sleep(0.001), 0);
    wait_for(&running, 1);
    jg_task *shutdown = jg_create_task(shut_default_down_in_a_task, NULL);
    ck_assert_int_eq(jg_sleep(0.001), 0);
    ck_assert(!jg_task_done(shutdown));
    jg_cancel(job);
    ck_assert_int_eq(jg_await(job), 0);
    ck_assert_int_eq(jg_await(shutdown), 0);
    pthread_mutex_unlock(&gate);
    wait_for(&freed, 1);
    return 0;
}

TEST(shutting_down_the_default_executor_does_not_wait_for_what_was_left_to_a_thread)
{
    RUN(wait_for_what_is_left_alone, NULL);
}

/* ---- Executors that are freed ---- */

static int interrupt_what_has_finished(void *arg)
{
    struct job job = {.fn = pass_gate, .executor = arg};
    jg_task *task = jg_create_task(run_job, &job);
    ck_assert_int_eq(jg_sleep(0.001), 0);
    wait_for(&worked, 1);
    jg_executor_free(arg);
    usleep(20 * 1000); /* its thread has ended by now, and the loop has not heard of the job yet */
    jg_cancel(task);
    ck_assert_int_eq(jg_await(task), 0);
    return 0;
}

TEST(an_executor_that_was_freed_stays_until_its_jobs_are_back)
{
    RUN(interrupt_what_has_finished, jg_executor_new());
}

static int wait_for_the_end(void *arg)
{
    return jg_executor_shutdown(arg, true);
}

static int free_before_the_end(void *arg)
{
    struct job job = {.fn = pass_gate, .executor = arg};
    pthread_mutex_lock(&gate);
    jg_task *task = jg_create_task(run_job, &job), *end = jg_create_task(wait_for_the_end, arg);
    ck_assert_int_eq(jg_sleep(0.001), 0);
    jg_executor_free(arg);
    pthread_mutex_unlock(&gate);
    ck_assert_int_eq(jg_await(task), 0);
    ck_assert_int_eq(jg_await(end), 0);
    return 0;
}

TEST(an_executor_that_was_freed_stays_for_who_waits_for_its_end)
{
    RUN(free_before_the_end, jg_executor_new());
}

/* ---- Out of memory ---- */

static int starve(void *arg)
{
    int *number = new_number(2);
    char there[] = "there";
    (void)arg;
    refuse_memory = true;
    FAILS(jg_to_thread(pass_gate, NULL), ENOMEM); /* the loop's first job */
    FAILS(jg_to_thread(pass_gate, number, .abandon = free_counted), ENOMEM);
    FAILS(jg_shutdown_default_executor(), ENOMEM);
    refuse_memory = false;
    ck_assert_int_eq(jg_to_thread(pass_gate, number), 2);
    refuse_memory = true;
    ck_assert_int_eq(jg_to_thread(pass_gate, number), 2);
    FAILS(jg_to_thread(fail_in_words, there), EXDEV); /* the words are lost, the errno is not */
    ck_assert_str_eq(jg_error_text(), strerror(EXDEV));
    FAILS(jg_to_thread(pass_gate, number, .abandon = free_counted), ENOMEM);
    refuse_memory = false;
    free(number);
    return freed;
}

TEST(without_memory_to_thread_fails_with_enomem)
{
    use_refusing_allocator();
    RUN(starve, NULL);
}
