/* jg_run_workers: one loop for each thread, stopped together. What runs in workers checks by abort, since Check counts
 * its assertions without a lock. */
#include "os_support.h"

#include <arpa/inet.h>
#include <math.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 64 };

static atomic_int started, cancelled;
static atomic_int seen[MOST];

static int succeed_always(void *arg)
{
    (void)arg;
    return 0;
}

static int note_index(void *arg)
{
    char name[32];
    int index = jg_worker_index();
    CHECK(index >= 0 && index < jg_worker_count() && jg_worker_count() == *(int *)arg);
    snprintf(name, sizeof name, "worker-%d", index);
    CHECK(!strcmp(jg_task_name(jg_current_task()), name));
    atomic_fetch_add(&seen[index], 1);
    return jg_sleep(0.001);
}

TEST(each_worker_runs_once_with_an_index)
{
    int count = 5, failed = 77; /* more than there are processors, mostly */
    errno = EDOM;
    ck_assert_int_eq(jg_run_workers(note_index, &count, .workers = 5, .failed = &failed), 0);
    ck_assert_int_eq(errno, EDOM);
    ck_assert_int_eq(failed, -1);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(seen[i], 1);
    ck_assert_int_eq(jg_worker_index(), 0);
    ck_assert_int_eq(jg_worker_count(), 1);
}

static int processors(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

static int look_at_processor(void *arg)
{
    cpu_set_t set;
    CHECK(jg_worker_count() == *(int *)arg);
    CHECK(sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) == 1);
    atomic_fetch_add(&started, 1);
    return 5;
}

TEST(there_is_a_worker_for_each_processor_and_it_can_be_kept_there)
{
    int count = processors(), twice = 2 * count;
    ck_assert_int_eq(jg_run_workers(look_at_processor, &count, .pin = true), 0);
    ck_assert_int_eq(started, count);
    ck_assert_int_eq(jg_run_workers(look_at_processor, &twice, .pin = true, .workers = (unsigned)twice), 0);
    ck_assert_int_eq(processors(), count);
    ck_assert_int_eq(jg_run_workers_with(succeed_always, NULL, NULL), 0);
}

static int look_at_options(void *arg)
{
    char name[16];
    pthread_getname_np(pthread_self(), name, sizeof name);
    CHECK(!strcmp(name, "crew-0") && !strcmp(jg_task_name(jg_current_task()), name));
    CHECK(!strcmp(jg_loop_poller(jg_task_loop()), "epoll"));
    volatile char frame[600 * 1024];
    frame[0] = 1;
    return frame[0] - 1 + (arg != NULL);
}

TEST(workers_have_the_options_of_a_run)
{
    ck_assert_int_eq(
        jg_run_workers(look_at_options, NULL, .workers = 1, .name = "crew", .poller = "epoll", .stack_size = 1 << 20),
        0);
}

/* ---- Failure ---- */

static int fail_or_wait(void *arg)
{
    atomic_fetch_add(&started, 1);
    if (jg_worker_index() == *(int *)arg) {
        while (atomic_load(&started) < jg_worker_count())
            CHECK(jg_sleep(0.001) == 0);
        return jg_fail(EXDEV, "a bad day");
    }
    int result = jg_sleep(INFINITY);
    int error = errno;
    CHECK(result == -1 && error == ECANCELED);
    atomic_fetch_add(&cancelled, 1);
    errno = error;
    return -1;
}

TEST(the_failure_of_one_stops_the_others_and_names_it)
{
    int which = 2, failed = -1;
    FAILS(jg_run_workers(fail_or_wait, &which, .workers = 4, .failed = &failed), EXDEV);
    ck_assert_str_eq(jg_error_text(), "jg_run_workers: worker 2 of 4: a bad day");
    ck_assert_int_eq(failed, 2);
    ck_assert_int_eq(started, 4);
    ck_assert_int_eq(cancelled, 3);
}

static int fail_at_once(void *arg)
{
    errno = *(int *)arg;
    return -1;
}

TEST(all_may_fail_at_once)
{
    for (int i = 0; i < 20; i++) {
        FAILS(jg_run_workers(fail_at_once, (&(int){EXDEV}), .workers = 4), EXDEV);
        FAILS(jg_run_workers(fail_at_once, (&(int){ECANCELED}), .workers = 4), ECANCELED);
    }
}

TEST(a_worker_whose_loop_cannot_be_made_is_a_failure)
{
    int failed = -1;
    FAILS(jg_run_workers(succeed_always, NULL, .workers = 3, .poller = "kqueue", .failed = &failed), EINVAL);
    ck_assert_int_ge(failed, 0);
    ck_assert_ptr_nonnull(strstr(jg_error_text(), "kqueue"));
    FAILS(jg_run_workers(succeed_always, NULL, .workers = 4097), EINVAL);
}

TEST(a_worker_that_finds_no_fds_stops_the_others)
{
    struct rlimit limit = {14, 14};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    FAILS(jg_run_workers(fail_or_wait, (&(int){-1}), .workers = 12), EMFILE);
    ck_assert_int_eq(started, cancelled);
}

TEST(a_worker_that_gets_no_thread_stops_the_others)
{
    int failed = -1;
    if (getuid() == 0 && setresuid(65534, 65534, 65534) < 0)
        SKIP("the user cannot be changed");
    if (setrlimit(RLIMIT_NPROC, &(struct rlimit){4, 4}) < 0)
        SKIP("the number of threads cannot be limited");
    int result = jg_run_workers(fail_or_wait, (&(int){-1}), .workers = 40, .failed = &failed);
    ck_assert_int_eq(result, -1);
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_int_gt(failed, 0);
    ck_assert_int_eq(started, cancelled);
}

/* ---- Signals ---- */

static int wait_to_be_stopped(void *arg)
{
    if (atomic_fetch_add(&started, 1) == jg_worker_count() - 1)
        kill(getpid(), *(int *)arg);
    int result = jg_sleep(60);
    CHECK(result == -1 && errno == ECANCELED);
    atomic_fetch_add(&cancelled, 1);
    JG_SHIELD(last_words, 1);
    CHECK(jg_sleep(0.002) == 0);
    errno = ECANCELED;
    return -1;
}

static void stop_by(int signum, const char *name)
{
    struct sigaction action;
    started = cancelled = 0;
    FAILS(jg_run_workers(wait_to_be_stopped, &signum, .workers = 4), EINTR);
    ck_assert_ptr_nonnull(strstr(jg_error_text(), name));
    ck_assert_int_eq(cancelled, 4);
    ck_assert_int_eq(sigaction(signum, NULL, &action), 0);
    ck_assert_ptr_eq(action.sa_handler, SIG_DFL);
}

TEST(sigterm_and_sigint_stop_all_gracefully)
{
    stop_by(SIGTERM, "SIGTERM");
    stop_by(SIGINT, "SIGINT");
    stop_by(SIGTERM, "SIGTERM");
}

static int end_well(void *arg)
{
    if (jg_worker_index() == 0)
        kill(getpid(), *(int *)arg);
    CHECK(jg_sleep(60) == -1);
    return 0;
}

TEST(workers_that_end_well_after_a_signal_have_not_failed)
{
    ck_assert_int_eq(jg_run_workers(end_well, (&(int){SIGTERM}), .workers = 3), 0);
}

static int be_stuck(void *arg)
{
    if (jg_worker_index() == 0) {
        kill(getpid(), SIGTERM);
        usleep(150 * 1000);
        kill(getpid(), SIGTERM);
    }
    for (;;)
        pause();
    return arg != NULL;
}

TEST(a_second_signal_kills_even_if_the_loops_are_stuck)
{
    pid_t child = fork();
    int status = 0;
    if (child == 0) {
        jg_run_workers(be_stuck, NULL, .workers = 2);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(WTERMSIG(status), SIGTERM);
}

static atomic_int handled;

static void count_signal(int signum)
{
    (void)signum;
    atomic_fetch_add(&handled, 1);
}

static int send_signals(void *arg)
{
    kill(getpid(), SIGTERM);
    while (!atomic_load(&handled))
        CHECK(jg_sleep(0.001) == 0);
    return arg != NULL;
}

TEST(signals_that_are_handled_already_are_left_alone)
{
    signal(SIGTERM, count_signal);
    ck_assert_int_eq(jg_run_workers(send_signals, NULL, .workers = 1), 0);
    signal(SIGTERM, count_signal);
    handled = 0;
    ck_assert_int_eq(jg_run_workers(send_signals, NULL, .workers = 1, .no_signals = true), 0);
}

/* ---- Servers ---- */

static atomic_int port, served[MOST];

static int serve(jg_stream *client, void *arg)
{
    char index = (char)('0' + jg_worker_index());
    (void)arg;
    atomic_fetch_add(&served[jg_worker_index()], 1);
    return (int)jg_write(client, &index, 1);
}

static int serve_forever(void *arg)
{
    jg_server *server = jg_start_server(serve, arg, "127.0.0.1", port, .reuse_port = true);
    CHECK(server);
    atomic_fetch_add(&started, 1);
    return jg_serve_forever(server);
}

/* A port that nobody has, kept by a socket that does not listen. */
static int reserve_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes), 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, length), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    port = ntohs(address.sin_port);
    return fd;
}

static char ask_once(void)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char answer = 0;
    CHECK(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(recv(fd, &answer, 1, 0) == 1);
    close(fd);
    return answer;
}

static void *ask_until_all_have_served(void *arg)
{
    int workers = *(int *)arg, answers = 0;
    bool all = false;
    while (atomic_load(&started) < workers)
        usleep(1000);
    for (int left = 5000; !all && left > 0; left--) {
        char index = ask_once();
        CHECK(index >= '0' && index < '0' + workers);
        answers++;
        all = answers >= 200;
        for (int i = 0; i < workers; i++)
            all &= atomic_load(&served[i]) > 0;
    }
    kill(getpid(), SIGTERM);
    return all ? arg : NULL;
}

TEST(servers_of_all_workers_share_a_port)
{
    int workers = 4, fd = reserve_port();
    pthread_t client;
    void *all;
    ck_assert_int_eq(pthread_create(&client, NULL, ask_until_all_have_served, &workers), 0);
    int result = jg_run_workers(serve_forever, NULL, .workers = (unsigned)workers);
    int error = errno;
    ck_assert_int_eq(pthread_join(client, &all), 0);
    ck_assert_int_eq(result, -1);
    ck_assert_int_eq(error, EINTR);
    ck_assert_ptr_nonnull(all);
    close(fd);
}

/* ---- Misuse, memory ---- */

static int run_workers_inside(void *arg)
{
    return jg_run_workers(succeed_always, arg);
}

TEST_ABORTS(workers_inside_run_abort, "jg_run_workers: called inside jg_run")
{
    jg_run(run_workers_inside, NULL);
}

static int starve(void *arg)
{
    atomic_store(&refuse_memory, true);
    errno = EXDEV;
    return arg ? 0 : -1;
}

TEST(without_memory_workers_fail_with_enomem)
{
    use_refusing_allocator();
    atomic_store(&refuse_memory, true);
    FAILS(jg_run_workers(succeed_always, NULL, .workers = 2), ENOMEM);
    atomic_store(&refuse_memory, false);
    FAILS(jg_run_workers(starve, NULL, .workers = 1), EXDEV); /* the words are lost, the errno is not */
    atomic_store(&refuse_memory, false);
}
