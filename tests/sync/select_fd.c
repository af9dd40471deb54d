/* jg_select on fds, alone and among others. */
#include "support.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static void open_pair(int *fds)
{
    OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds));
}

static void close_pair(const int *fds)
{
    OK(close(fds[0]));
    OK(close(fds[1]));
}

static int write_byte(void *fd)
{
    ck_assert_int_eq(write(*(int *)fd, "x", 1), 1);
    return 0;
}

static int wait_readable(void *arg)
{
    int fds[2];
    jg_event never = {0};
    (void)arg;
    open_pair(fds);
    jg_task *writer = jg_create_task(write_byte, &fds[1]);
    jg_case cases[] = {JG_ON(&never), JG_READY(fds[0], POLLIN), JG_AFTER(1000)};
    ck_assert_int_eq(jg_select(cases, 3), 1);
    ck_assert_int_eq(cases[1].result, POLLIN);
    OK(jg_await(writer));
    errno = EXDEV;
    ck_assert_int_eq(jg_select(cases, 3), 1); /* at once, the byte is still there */
    ck_assert_int_eq(errno, EXDEV);
    ck_assert_int_eq(JG_SELECT(JG_READY(fds[0], POLLPRI), JG_READY(fds[0], POLLOUT)), 1);
    close_pair(fds);
    return 0;
}

TEST(select_waits_for_an_fd)
{
    RUN(wait_readable, NULL);
}

static int select_readable(void *fd)
{
    return JG_SELECT(JG_READY(*(int *)fd, POLLIN));
}

static int interrupt(void *arg)
{
    int fds[2];
    (void)arg;
    open_pair(fds);
    interrupt_in_every_way(select_readable, &fds[0]);
    write_byte(&fds[1]);
    OK(select_readable(&fds[0]));
    close_pair(fds);
    return 0;
}

TEST(select_on_an_fd_is_interrupted)
{
    RUN(interrupt, NULL);
}

struct scene {
    int fds[2];
    jg_queue queue;
    int element, index;
};

static int select_fd_or_queue(void *arg)
{
    struct scene *scene = arg;
    scene->index = JG_SELECT(JG_READY(scene->fds[0], POLLIN), JG_GET(&scene->queue, &scene->element),
                             JG_READY(scene->fds[1], POLLIN));
    return scene->index < 0 ? -1 : 0;
}

static int race(void *arg)
{
    struct scene scene = {.queue = JG_QUEUE(int, 1)};
    char byte;
    (void)arg;
    open_pair(scene.fds);
    for (int round = 0; round < 50; round++) {
        jg_task *task = jg_create_task(select_fd_or_queue, &scene);
        let_others_run(1 + round % 3);
        if (round % 2)
            OK(jg_queue_put(&scene.queue, &round));
        else
            write_byte(&scene.fds[1]);
        OK(jg_await(task));
        if (round % 2) {
            ck_assert_int_eq(scene.index, 1);
            ck_assert_int_eq(scene.element, round);
        } else {
            ck_assert_int_eq(scene.index, 0);
            ck_assert_int_eq(read(scene.fds[0], &byte, 1), 1);
        }
    }
    close_pair(scene.fds);
    jg_queue_free(&scene.queue);
    return 0;
}

TEST(an_fd_races_a_queue)
{
    RUN(race, NULL);
}

static int serve_both(void *arg)
{
    struct scene scene = {.queue = JG_QUEUE(int, 1)};
    (void)arg;
    open_pair(scene.fds);
    jg_task *task = jg_create_task(select_fd_or_queue, &scene);
    let_others_run(2);
    OK(jg_queue_put(&scene.queue, &(int){4}));
    write_byte(&scene.fds[1]);
    jg_cancel(task); /* while the kernel is still asked to let go */
    OK(jg_await(task));
    ck_assert_int_eq(scene.index, 1);
    ck_assert_int_eq(scene.element, 4);
    close_pair(scene.fds);
    jg_queue_free(&scene.queue);
    return 0;
}

TEST(a_case_that_happened_stays_so_while_the_kernel_lets_go)
{
    RUN(serve_both, NULL);
}

static int wait_on(void *arg)
{
    int fd = *(int *)arg;
    return JG_SELECT(JG_READY(fd, POLLIN), JG_AFTER(1000));
}

static int share_fd(void *arg)
{
    int fds[2];
    (void)arg;
    open_pair(fds);
    jg_task *first = jg_create_task(wait_on, &fds[0]), *second = jg_create_task(wait_on, &fds[0]);
    let_others_run(2);
    jg_task *third = jg_create_task(wait_on, &fds[0]);
    let_others_run(1);
    jg_cancel(first);
    FAILS(jg_await(first), ECANCELED);
    write_byte(&fds[1]);
    OK(jg_await(second));
    OK(jg_await(third));
    close_pair(fds);
    return 0;
}

TEST(several_tasks_select_the_same_fd)
{
    RUN(share_fd, NULL);
}

static int select_closed(void *arg)
{
    int fds[2];
    (void)arg;
    open_pair(fds);
    close_pair(fds);
    jg_case cases[] = {JG_AFTER(1000), JG_READY(fds[0], POLLIN)};
    FAILS(jg_select(cases, 2), EBADF);
    ck_assert_int_eq(cases[1].result, -EBADF);
    FAILS(JG_SELECT(JG_READY(-1, POLLIN)), EBADF);
    return 0;
}

TEST(select_tells_of_a_closed_fd)
{
    RUN(select_closed, NULL);
}

static int hang_up(void *arg)
{
    int fds[2];
    (void)arg;
    open_pair(fds);
    OK(close(fds[1]));
    jg_case cases[] = {JG_READY(fds[0], POLLIN)};
    OK(jg_select(cases, 1));
    ck_assert_int_eq(cases[0].result & (POLLIN | POLLHUP), POLLIN | POLLHUP);
    OK(close(fds[0]));
    return 0;
}

TEST(select_tells_of_a_hang_up)
{
    RUN(hang_up, NULL);
}

static int be_fair(void *arg)
{
    int fds[2], times[2] = {0};
    jg_event set = {.set = true};
    (void)arg;
    open_pair(fds);
    for (int i = 0; i < 400; i++)
        times[JG_SELECT(JG_ON(&set), JG_READY(fds[0], POLLOUT))]++;
    ck_assert_int_gt(times[0], 120);
    ck_assert_int_gt(times[1], 120);
    close_pair(fds);
    return 0;
}

TEST(an_event_that_is_set_does_not_starve_an_fd)
{
    RUN(be_fair, NULL);
}

static uint64_t polls(void)
{
    jg_loop_statistics statistics;
    jg_loop_get_statistics(jg_get_running_loop(), &statistics);
    return statistics.polls;
}

static int received_bytes;

static void received(jg_operation *operation, int result)
{
    (void)operation;
    received_bytes = result;
}

static int select_beside_a_receive(void *arg)
{
    int fds[2];
    char byte;
    jg_operation receive = {.opcode = JG_OP_RECV, .buffer = &byte, .length = 1, .done = received};
    (void)arg;
    received_bytes = 0;
    open_pair(fds);
    receive.fd = fds[0];
    jg_submit(jg_get_running_loop(), &receive);
    let_others_run(2);
    uint64_t before = polls();
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(JG_SELECT(JG_READY(fds[0], POLLPRI), JG_AFTER(0.02)), 1);
    ck_assert_uint_lt(polls() - before, 30); /* it sleeps */
    write_byte(&fds[1]);
    for (int i = 0; i < 1000 && !received_bytes; i++)
        OK(jg_sleep(0.001));
    ck_assert_int_eq(received_bytes, 1);
    jg_forget_fd(jg_get_running_loop(), fds[0]);
    close_pair(fds);
    return 0;
}

TEST(select_leaves_who_else_uses_the_fd_alone)
{
    RUN(select_beside_a_receive, NULL);
}

static void read_byte(void *fds)
{
    char byte;
    ck_assert_int_eq(read(*(int *)fds, &byte, 1), 1);
}

static int select_beside_a_reader(void *arg)
{
    int fds[2];
    jg_loop *loop = jg_get_running_loop();
    (void)arg;
    open_pair(fds);
    OK(jg_add_reader(loop, fds[0], read_byte, &fds[0]));
    write_byte(&fds[1]);
    ck_assert_int_ge(JG_SELECT(JG_READY(fds[0], POLLIN), JG_AFTER(0.01)), 0);
    ck_assert_int_eq(JG_SELECT(JG_READY(fds[0], POLLPRI), JG_AFTER(0.001)), 1);
    jg_remove_reader(loop, fds[0]);
    write_byte(&fds[1]);
    uint64_t before = polls();
    OK(jg_sleep(0.05));
    ck_assert_uint_lt(polls() - before, 30);
    close_pair(fds);
    return 0;
}

TEST(nobody_hears_of_an_fd_when_select_and_its_reader_are_gone)
{
    RUN(select_beside_a_reader, NULL);
}
