/* Choosing the poller, hooks around the poll, embedding, fork, running out of things. */
#include "loop/internal.h"
#include "support.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

static void set_flag(void *arg)
{
    *(bool *)arg = true;
}

TEST(the_poller_is_chosen_by_option_or_environment)
{
    jg_loop *loop = jg_loop_new(.poller = "epoll");
    ck_assert_str_eq(jg_loop_poller(loop), "epoll");
    jg_loop_close(loop);
    setenv("JUGGLE_POLLER", "epoll", 1);
    loop = jg_loop_new();
    ck_assert_str_eq(jg_loop_poller(loop), "epoll");
    jg_loop_close(loop);
    unsetenv("JUGGLE_POLLER");
    loop = jg_loop_new_with(NULL);
    ck_assert(!strcmp(jg_loop_poller(loop), "epoll") || !strcmp(jg_loop_poller(loop), "io_uring"));
    jg_loop_close(loop);
}

TEST(an_unknown_poller_is_refused)
{
    ck_assert_ptr_null(jg_loop_new(.poller = "kqueue"));
    ck_assert_int_eq(errno, EINVAL);
    ck_assert(strstr(jg_error_text(), "kqueue") != NULL);
}

TEST(any_number_of_submission_slots_can_be_asked_for)
{
    static const unsigned entries[] = {1, 5000, 1000000, (unsigned)-1};
    for (int i = 0; i < 4; i++) {
        jg_loop *plain = new_loop(), *loop = jg_loop_new(.poller = jg_loop_poller(plain), .entries = entries[i]);
        ck_assert_msg(loop != NULL, "%u entries: %s", entries[i], jg_error_text());
        ck_assert_int_eq(jg_loop_run_once(loop, 0), 0);
        jg_loop_close(loop);
        jg_loop_close(plain);
    }
}

TEST(options_of_an_older_header_are_shorter)
{
    jg_loop_options options = {.size = sizeof options.size, .poller = "select"};
    jg_loop *loop = jg_loop_new_with(&options);
    ck_assert_ptr_nonnull(loop);
    jg_loop_close(loop);
}

TEST(a_loop_without_fds_is_refused)
{
    struct rlimit limit, none;
    getrlimit(RLIMIT_NOFILE, &limit);
    none = limit;
    none.rlim_cur = 3;
    setrlimit(RLIMIT_NOFILE, &none);
    jg_loop *loop = jg_loop_new();
    int error = errno;
    setrlimit(RLIMIT_NOFILE, &limit);
    ck_assert_ptr_null(loop);
    ck_assert_int_eq(error, EMFILE);
}

static int allowed;

static void *allocate(size_t bytes, void *arg)
{
    (void)arg;
    return allowed-- > 0 ? malloc(bytes) : NULL;
}

static void *reallocate(void *block, size_t bytes, void *arg)
{
    (void)arg;
    return allowed-- > 0 ? realloc(block, bytes) : NULL;
}

static void release(void *block, void *arg)
{
    (void)arg;
    free(block);
}

TEST(every_failed_allocation_of_a_new_loop_is_enomem_and_leaks_nothing)
{
    ck_assert_int_eq(jg_set_allocator(&(jg_allocator){allocate, reallocate, release, NULL}), 0);
    jg_loop *loop = NULL;
    for (int count = 0; !loop; count++) {
        ck_assert_int_lt(count, 50);
        allowed = count;
        loop = jg_loop_new();
        if (!loop) {
            ck_assert_int_eq(errno, ENOMEM);
            ck_assert_uint_eq(jg_allocated_blocks(), 0);
        }
    }
    allowed = 1000;
    bool called = false;
    jg_handle handle = {.fn = set_flag, .arg = &called};
    jg_loop_prepare(loop);
    jg_call_soon_threadsafe(loop, &handle);
    struct pollfd woken = {.fd = jg_loop_fileno(loop), .events = POLLIN};
    ck_assert_int_eq(poll(&woken, 1, 10000), 1);
    run_until(loop, &called);
    jg_loop_close(loop);
}

struct hooked {
    int before, after, interrupted, answer;
};

static void before(void *arg)
{
    ((struct hooked *)arg)->before++;
}

static void after(void *arg)
{
    struct hooked *hooked = arg;
    hooked->after++;
    ck_assert_int_eq(hooked->after, hooked->before);
}

static int interrupted(void *arg)
{
    struct hooked *hooked = arg;
    hooked->interrupted++;
    errno = EINTR;
    return hooked->answer;
}

static void nothing(void *arg)
{
    (void)arg;
}

TEST(hooks_surround_a_poll_that_may_block)
{
    jg_loop *loop = new_loop();
    struct hooked hooked = {0};
    jg_loop_set_hooks(loop, &(jg_loop_hooks){.before_poll = before, .after_poll = after, .arg = &hooked});
    jg_loop_run_once(loop, 0.001);
    ck_assert_int_eq(hooked.before, 1);
    jg_handle handle = {.fn = nothing};
    jg_call_soon(loop, &handle);
    jg_loop_run_once(loop, 1);
    ck_assert_int_eq(hooked.before, 1);
    jg_loop_set_hooks(loop, NULL);
    jg_loop_run_once(loop, 0.001);
    ck_assert_int_eq(hooked.after, 1);
    jg_loop_close(loop);
}

static void on_signal(int signal)
{
    (void)signal;
}

TEST(a_signal_during_the_poll_calls_the_interrupted_hook)
{
    struct hooked hooked = {.answer = -1};
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGALRM, &action, NULL);
    jg_loop *loop = new_loop();
    jg_loop_set_hooks(loop, &(jg_loop_hooks){.interrupted = interrupted, .arg = &hooked});
    ualarm(30000, 0);
    ck_assert_int_eq(jg_loop_run_forever(loop), -1);
    ck_assert_int_eq(errno, EINTR);
    ck_assert_int_eq(hooked.interrupted, 1);
    jg_loop_close(loop);
}

struct late {
    jg_handle handle;
    jg_loop *loop;
};

static void change_errno(void *arg)
{
    (void)arg;
    errno = EDOM;
}

static int schedule_and_end(void *arg)
{
    struct late *late = arg;
    late->handle.fn = change_errno;
    jg__call_before_poll(late->loop, &late->handle);
    errno = EINTR;
    return -1;
}

TEST(what_leaves_at_the_end_of_a_run_does_not_change_its_errno)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGALRM, &action, NULL);
    struct late late = {.loop = new_loop()};
    jg_loop_set_hooks(late.loop, &(jg_loop_hooks){.interrupted = schedule_and_end, .arg = &late});
    ualarm(30000, 0);
    ck_assert_int_eq(jg_loop_run_forever(late.loop), -1);
    ck_assert_int_eq(errno, EINTR);
    ck_assert(!jg_handle_pending(&late.handle));
    jg_loop_close(late.loop);
}

struct embedded {
    bool fired, read;
    int fd;
};

static void read_one(void *arg)
{
    struct embedded *embedded = arg;
    char byte;
    embedded->read = read(embedded->fd, &byte, 1) == 1;
}

TEST(a_loop_is_embedded_in_another_by_its_fd)
{
    int pair[2];
    make_pair(pair);
    jg_loop *loop = new_loop();
    struct embedded embedded = {.fd = pair[0]};
    jg_timer timer = {.handle = {.fn = set_flag, .arg = &embedded.fired}};
    jg_loop_run_once(loop, 0);
    jg_call_later(loop, &timer, 0.02);
    jg_add_reader(loop, pair[0], read_one, &embedded);
    double wait = jg_loop_prepare(loop);
    ck_assert(wait >= 0 && wait <= 0.02);
    struct pollfd outer = {.fd = jg_loop_fileno(loop), .events = POLLIN};
    ck_assert_int_eq(write(pair[1], "x", 1), 1);
    ck_assert_int_eq(poll(&outer, 1, 5000), 1);
    jg_loop_run_once(loop, 0);
    for (int i = 0; i < 5 && !embedded.read; i++)
        jg_loop_run_once(loop, 0);
    ck_assert(embedded.read);
    while (!embedded.fired) {
        wait = jg_loop_prepare(loop);
        poll(&outer, 1, wait < 0 ? -1 : (int)(wait * 1000) + 1);
        ck_assert_int_eq(jg_loop_run_once(loop, 0), 0);
    }
    jg_remove_reader(loop, pair[0]);
    jg_loop_run_once(loop, 0);
    ck_assert(jg_loop_prepare(loop) < 0 || jg_loop_prepare(loop) >= 0);
    jg_loop_close(loop);
    close_pair(pair);
}

static void *call_soon_from_thread(void *arg)
{
    void **pair = arg;
    usleep(10000);
    jg_call_soon_threadsafe(pair[0], pair[1]);
    return NULL;
}

TEST(a_threadsafe_call_wakes_the_loop_that_embeds)
{
    jg_loop *loop = new_loop();
    bool flag = false;
    jg_handle handle = {.fn = set_flag, .arg = &flag};
    jg_loop_run_once(loop, 0);
    ck_assert(jg_loop_prepare(loop) < 0);
    pthread_t thread;
    pthread_create(&thread, NULL, call_soon_from_thread, (void *[]){loop, &handle});
    struct pollfd outer = {.fd = jg_loop_fileno(loop), .events = POLLIN};
    ck_assert_int_eq(poll(&outer, 1, 10000), 1);
    run_until(loop, &flag);
    pthread_join(thread, NULL);
    jg_loop_close(loop);
}

static void run_in_child(jg_loop *loop)
{
    jg_loop_run_once(loop, 0);
}

/* What a forked child says that uses the loop so. */
static void refused_in_child(void (*use)(jg_loop *loop), const char *call)
{
    jg_loop *loop = new_loop();
    int pipe_fds[2], status;
    char text[200] = "";
    ck_assert_int_eq(pipe(pipe_fds), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(pipe_fds[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        use(loop);
        _exit(0);
    }
    close(pipe_fds[1]);
    ck_assert_int_gt(read(pipe_fds[0], text, sizeof text - 1), 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status));
    ck_assert(strstr(text, call) != NULL);
    ck_assert(strstr(text, "belongs to the parent process") != NULL);
    close(pipe_fds[0]);
    jg_loop_close(loop);
}

TEST(a_child_that_uses_the_parents_loop_is_refused_with_a_sentence)
{
    refused_in_child(run_in_child, "jg_loop_run");
    refused_in_child(jg_loop_close, "jg_loop_close");
}

struct spinner {
    jg_handle handle;
    jg_loop *loop;
    bool done;
};

static void spin(void *arg)
{
    struct spinner *spinner = arg;
    jg_call_soon(spinner->loop, &spinner->handle);
}

static void set_done(void *arg)
{
    ((struct spinner *)arg)->done = true;
}

TEST(callbacks_that_are_always_ready_starve_neither_timers_nor_fds)
{
    int pair[2];
    make_pair(pair);
    jg_loop *loop = new_loop();
    struct spinner spinner = {.loop = loop};
    spinner.handle = (jg_handle){.fn = spin, .arg = &spinner};
    jg_call_soon(loop, &spinner.handle);
    jg_timer timer = {.handle = {.fn = set_done, .arg = &spinner}};
    jg_call_later(loop, &timer, 0.001);
    run_until(loop, &spinner.done);
    spinner.done = false;
    jg_add_reader(loop, pair[0], set_done, &spinner);
    ck_assert_int_eq(write(pair[1], "x", 1), 1);
    run_until(loop, &spinner.done);
    jg_loop_close(loop);
    close_pair(pair);
}

TEST(run_once_waits_no_longer_than_it_may)
{
    jg_loop *loop = new_loop();
    jg_timer timer = {.handle = {.fn = nothing}};
    jg_call_later(loop, &timer, 1000);
    double start = jg_loop_time(loop);
    jg_loop_run_once(loop, 0.005);
    ck_assert(jg_loop_time(loop) - start >= 0.005);
    ck_assert(jg_loop_time(loop) - start < 900);
    jg_loop_close(loop);
}

TEST(errno_survives_a_turn)
{
    jg_loop *loop = new_loop();
    jg_handle handle = {.fn = nothing};
    jg_call_soon(loop, &handle);
    errno = ELOOP;
    jg_loop_run_once(loop, 0);
    jg_loop_run_once(loop, 0.001);
    jg_loop_close(loop);
    ck_assert_int_eq(errno, ELOOP);
}

TEST(closing_null_is_fine)
{
    errno = ELOOP;
    jg_loop_close(NULL);
    ck_assert_int_eq(errno, ELOOP);
}

TEST(the_statistics_count)
{
    jg_loop *loop = new_loop();
    jg_handle handle = {.fn = nothing};
    jg_loop_statistics before, after;
    jg_loop_get_statistics(loop, &before);
    jg_call_soon(loop, &handle);
    jg_loop_run_once(loop, 0);
    jg_loop_get_statistics(loop, &after);
    ck_assert_uint_eq(after.turns, before.turns + 1);
    ck_assert_uint_ge(after.callbacks, before.callbacks + 1);
    jg_loop_close(loop);
}
