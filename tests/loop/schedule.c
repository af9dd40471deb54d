/* Handles: order, turns, cancellation, other threads. */
#include "support.h"

#include <pthread.h>
#include <signal.h>

struct step {
    jg_handle handle;
    jg_loop *loop;
    struct trace *trace;
    char letter;
    struct step *then; /* scheduled when this one runs */
    bool stop;
};

static void take_step(void *arg)
{
    struct step *step = arg;
    trace(step->trace, step->letter);
    if (step->then)
        jg_call_soon(step->loop, &step->then->handle);
    if (step->stop)
        jg_loop_stop(step->loop);
}

static struct step make_step(jg_loop *loop, struct trace *trace, char letter)
{
    return (struct step){.handle = {.fn = take_step}, .loop = loop, .trace = trace, .letter = letter};
}

static void schedule(struct step *step)
{
    step->handle.arg = step;
    jg_call_soon(step->loop, &step->handle);
}

TEST(callbacks_run_first_in_first_out)
{
    jg_loop *loop = new_loop();
    struct trace trace = {0};
    struct step a = make_step(loop, &trace, 'a'), b = make_step(loop, &trace, 'b'), c = make_step(loop, &trace, 'c');
    schedule(&b);
    schedule(&a);
    schedule(&c);
    ck_assert_int_eq(jg_loop_run_once(loop, 0), 0);
    ck_assert_str_eq(trace.text, "bac");
    jg_loop_close(loop);
}

TEST(a_turn_runs_exactly_what_was_ready)
{
    jg_loop *loop = new_loop();
    struct trace trace = {0};
    struct step a = make_step(loop, &trace, 'a'), b = make_step(loop, &trace, 'b'), c = make_step(loop, &trace, 'c');
    c.handle.arg = &c;
    a.then = &c;
    schedule(&a);
    schedule(&b);
    jg_loop_run_once(loop, 0);
    ck_assert_str_eq(trace.text, "ab");
    ck_assert(jg_handle_pending(&c.handle));
    jg_loop_run_once(loop, 0);
    ck_assert_str_eq(trace.text, "abc");
    jg_loop_close(loop);
}

TEST(a_callback_may_schedule_itself)
{
    jg_loop *loop = new_loop();
    struct trace trace = {0};
    struct step a = make_step(loop, &trace, 'a');
    a.then = &a;
    schedule(&a);
    for (int turns = 0; turns < 3; turns++)
        jg_loop_run_once(loop, 0);
    ck_assert_str_eq(trace.text, "aaa");
    jg_loop_close(loop);
}

TEST(scheduling_twice_runs_once)
{
    jg_loop *loop = new_loop();
    struct trace trace = {0};
    struct step a = make_step(loop, &trace, 'a');
    schedule(&a);
    schedule(&a);
    jg_loop_run_once(loop, 0);
    ck_assert_str_eq(trace.text, "a");
    jg_loop_close(loop);
}

TEST(a_cancelled_handle_does_not_run)
{
    jg_loop *loop = new_loop();
    struct trace trace = {0};
    struct step a = make_step(loop, &trace, 'a'), b = make_step(loop, &trace, 'b');
    schedule(&a);
    schedule(&b);
    jg_handle_cancel(loop, &a.handle);
    jg_handle_cancel(loop, &a.handle);
    ck_assert(!jg_handle_pending(&a.handle));
    jg_loop_run_once(loop, 0);
    ck_assert_str_eq(trace.text, "b");
    jg_loop_close(loop);
}

static void cancel_other(void *arg)
{
    struct step *victim = arg;
    jg_handle_cancel(victim->loop, &victim->handle);
}

TEST(a_callback_cancels_one_of_its_own_turn)
{
    jg_loop *loop = new_loop();
    struct trace trace = {0};
    struct step victim = make_step(loop, &trace, 'v');
    jg_handle first = {.fn = cancel_other, .arg = &victim};
    jg_call_soon(loop, &first);
    schedule(&victim);
    jg_loop_run_once(loop, 0);
    ck_assert_str_eq(trace.text, "");
    jg_loop_close(loop);
}

TEST(stop_ends_after_the_turn_and_keeps_the_rest)
{
    jg_loop *loop = new_loop();
    struct trace trace = {0};
    struct step a = make_step(loop, &trace, 'a'), b = make_step(loop, &trace, 'b'), c = make_step(loop, &trace, 'c');
    c.handle.arg = &c;
    c.stop = true;
    a.stop = true;
    a.then = &c;
    schedule(&a);
    schedule(&b);
    ck_assert_int_eq(jg_loop_run_forever(loop), 0);
    ck_assert_str_eq(trace.text, "ab");
    ck_assert_int_eq(jg_loop_run_forever(loop), 0);
    ck_assert_str_eq(trace.text, "abc");
    jg_loop_close(loop);
}

TEST(stop_before_a_run_makes_it_one_turn)
{
    jg_loop *loop = new_loop();
    struct trace trace = {0};
    struct step a = make_step(loop, &trace, 'a');
    a.then = &a;
    schedule(&a);
    jg_loop_stop(loop);
    ck_assert_int_eq(jg_loop_run_forever(loop), 0);
    ck_assert_str_eq(trace.text, "a");
    jg_loop_close(loop);
}

static bool three_steps(void *arg)
{
    return ((struct trace *)arg)->length == 3;
}

TEST(run_until_asks_before_each_turn)
{
    jg_loop *loop = new_loop();
    struct trace trace = {0};
    struct step a = make_step(loop, &trace, 'a');
    a.then = &a;
    schedule(&a);
    ck_assert_int_eq(jg_loop_run_until(loop, three_steps, &trace), 0);
    ck_assert_str_eq(trace.text, "aaa");
    ck_assert_int_eq(jg_loop_run_until(loop, three_steps, &trace), 0);
    ck_assert_str_eq(trace.text, "aaa");
    jg_loop_close(loop);
}

static void note_running(void *arg)
{
    jg_loop **seen = arg;
    *seen = jg_get_running_loop();
    ck_assert(jg_loop_is_running(*seen));
}

TEST(the_running_loop_is_known)
{
    jg_loop *loop = new_loop(), *seen = NULL;
    jg_handle handle = {.fn = note_running, .arg = &seen};
    ck_assert_ptr_null(jg_get_running_loop());
    jg_call_soon(loop, &handle);
    jg_loop_run_once(loop, 0);
    ck_assert_ptr_eq(seen, loop);
    ck_assert_ptr_null(jg_get_running_loop());
    ck_assert(!jg_loop_is_running(loop));
    jg_loop_close(loop);
}

static void run_inside(void *arg)
{
    jg_loop_run_once(arg, 0);
}

TEST_ABORTS(running_a_running_loop_aborts, "jg_loop_run_once: the loop is running already")
{
    jg_loop *loop = new_loop();
    jg_handle handle = {.fn = run_inside, .arg = loop};
    jg_call_soon(loop, &handle);
    jg_loop_run_once(loop, 0);
}

TEST_ABORTS(running_two_loops_on_a_thread_aborts, "another loop is running on this thread")
{
    jg_loop *loop = new_loop(), *other = new_loop();
    jg_handle handle = {.fn = run_inside, .arg = other};
    jg_call_soon(loop, &handle);
    jg_loop_run_once(loop, 0);
}

static void close_inside(void *arg)
{
    jg_loop_close(arg);
}

TEST_ABORTS(closing_a_running_loop_aborts, "jg_loop_close")
{
    jg_loop *loop = new_loop();
    jg_handle handle = {.fn = close_inside, .arg = loop};
    jg_call_soon(loop, &handle);
    jg_loop_run_once(loop, 0);
}

/* ---- Other threads ---- */

enum { SENDERS = 4, SENT_EACH = 2000 };

struct sender {
    pthread_t thread;
    jg_loop *loop;
    jg_handle handles[SENT_EACH];
    int arrived;
    int *left;
};

struct arrival {
    struct sender *sender;
    int number;
};

static void arrive(void *arg)
{
    struct sender *sender = arg;
    sender->arrived++;
    if (--*sender->left == 0)
        jg_loop_stop(sender->loop);
}

static void *send_all(void *arg)
{
    struct sender *sender = arg;
    for (int i = 0; i < SENT_EACH; i++) {
        sender->handles[i] = (jg_handle){.fn = arrive, .arg = sender};
        jg_call_soon_threadsafe(sender->loop, &sender->handles[i]);
    }
    return NULL;
}

TEST(calls_from_threads_all_arrive)
{
    static struct sender senders[SENDERS];
    jg_loop *loop = new_loop();
    int left = SENDERS * SENT_EACH;
    for (int i = 0; i < SENDERS; i++) {
        senders[i].loop = loop;
        senders[i].left = &left;
        ck_assert_int_eq(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]), 0);
    }
    ck_assert_int_eq(jg_loop_run_forever(loop), 0);
    for (int i = 0; i < SENDERS; i++) {
        pthread_join(senders[i].thread, NULL);
        ck_assert_int_eq(senders[i].arrived, SENT_EACH);
    }
    jg_loop_close(loop);
}

TEST(threadsafe_calls_of_one_thread_keep_their_order)
{
    jg_loop *loop = new_loop();
    struct trace trace = {0};
    struct step steps[5];
    for (int i = 0; i < 5; i++) {
        steps[i] = make_step(loop, &trace, (char)('a' + i));
        steps[i].handle.arg = &steps[i];
        jg_call_soon_threadsafe(loop, &steps[i].handle);
        ck_assert(jg_handle_pending(&steps[i].handle));
    }
    jg_handle_cancel(loop, &steps[2].handle);
    jg_loop_run_once(loop, 0);
    ck_assert_str_eq(trace.text, "abde");
    jg_loop_close(loop);
}

static void *wake_later(void *arg)
{
    struct step *step = arg;
    usleep(20000);
    jg_call_soon_threadsafe(step->loop, &step->handle);
    return NULL;
}

TEST(a_threadsafe_call_wakes_a_sleeping_loop)
{
    jg_loop *loop = new_loop();
    struct trace trace = {0};
    struct step step = make_step(loop, &trace, 'w');
    step.handle.arg = &step;
    step.stop = true;
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, wake_later, &step), 0);
    ck_assert_int_eq(jg_loop_run_forever(loop), 0);
    ck_assert_str_eq(trace.text, "w");
    pthread_join(thread, NULL);
    jg_loop_close(loop);
}

static struct step *signalled;

static void call_from_handler(int signal)
{
    (void)signal;
    jg_call_soon_threadsafe(signalled->loop, &signalled->handle); // NOLINT(bugprone-signal-handler): it may be
}

TEST(a_signal_handler_may_call_threadsafe)
{
    jg_loop *loop = new_loop();
#ifdef __SANITIZE_THREAD__
    if (strcmp(jg_loop_poller(loop), "io_uring") == 0)
        SKIP("ThreadSanitizer keeps a signal back until the next call it knows, and io_uring_enter is none");
#endif
    struct trace trace = {0};
    struct step step = make_step(loop, &trace, 's');
    step.handle.arg = &step;
    step.stop = true;
    signalled = &step;
    signal(SIGALRM, call_from_handler);
    ualarm(20000, 0);
    ck_assert_int_eq(jg_loop_run_forever(loop), 0);
    ck_assert_str_eq(trace.text, "s");
    jg_loop_close(loop);
}

static void *run_on_thread(void *arg)
{
    ck_assert_int_eq(jg_loop_run_forever(arg), 0);
    return NULL;
}

TEST(a_loop_made_on_one_thread_runs_on_another)
{
    jg_loop *loop = new_loop();
    struct trace trace = {0};
    struct step step = make_step(loop, &trace, 't');
    step.stop = true;
    schedule(&step);
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, run_on_thread, loop), 0);
    pthread_join(thread, NULL);
    ck_assert_str_eq(trace.text, "t");
    jg_loop_close(loop);
}
