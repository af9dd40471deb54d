/* File operations with callbacks: on rings that lack them, cancelled, and under way when their loop is closed. */
#include "harness.h"

#include "host/file.h"
#ifdef HAVE_LIBURING
#include "loop/uring.h"
#endif

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int answers, last;

static void answered(struct jg__file *file, int result)
{
    (void)file;
    answers++;
    last = result;
}

static jg_loop *new_loop(void)
{
    jg_loop *loop = jg_loop_new();
    ck_assert_msg(loop != NULL, "%s", jg_error_text());
    return loop;
}

static int run(jg_loop *loop, struct jg__file *file)
{
    int before = answers;
    file->done = answered;
    jg__file_submit(loop, file);
    ck_assert_int_eq(answers, before); /* never inside the call */
    while (answers == before)
        ck_assert_int_eq(jg_loop_run_once(loop, 15), 0);
    return last;
}

static void use_files(jg_loop *loop)
{
    char text[16] = "", folder[] = "/tmp/juggle-test-XXXXXX", path[64], moved[64];
    struct statx status;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(rmdir(folder), 0);
    snprintf(path, sizeof path, "%s/file", folder);
    snprintf(moved, sizeof moved, "%s/moved", folder);
    ck_assert_int_eq(run(loop, &(struct jg__file){.call = JG__FILE_MKDIR, .path = folder, .mode = 0700}), 0);
    int fd =
        run(loop,
            &(struct jg__file){.call = JG__FILE_OPEN, .path = path, .flags = O_RDWR | O_CREAT | O_EXCL, .mode = 0600});
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    ck_assert_int_eq(
        run(loop,
            &(struct jg__file){
                .call = JG__FILE_WRITE, .fd = fd, .buffer = "content", .length = 7, .offset = JG__FILE_OWN_POSITION}),
        7);
    ck_assert_int_eq(
        run(loop,
            &(struct jg__file){.call = JG__FILE_READ, .fd = fd, .buffer = text, .length = sizeof text, .offset = 3}),
        4);
    ck_assert_str_eq(text, "tent");
    ck_assert_int_eq(run(loop, &(struct jg__file){.call = JG__FILE_FSYNC, .fd = fd}), 0);
    ck_assert_int_eq(run(loop, &(struct jg__file){.call = JG__FILE_CHMOD, .fd = fd, .mode = 0640}), 0);
    ck_assert_int_eq(run(loop, &(struct jg__file){.call = JG__FILE_TRUNCATE, .fd = fd, .offset = 5}), 0);
    ck_assert_int_eq(run(loop, &(struct jg__file){.call = JG__FILE_RENAME, .path = path, .to = moved}), 0);
    ck_assert_int_eq(
        run(loop, &(struct jg__file){.call = JG__FILE_STAT, .fd = AT_FDCWD, .path = moved, .status = &status}), 0);
    ck_assert_uint_eq(status.stx_size, 5);
    ck_assert_uint_eq(status.stx_mode & 07777, 0640);
    ck_assert_int_eq(run(loop, &(struct jg__file){.call = JG__FILE_CLOSE, .fd = fd}), 0);
    ck_assert_int_eq(run(loop, &(struct jg__file){.call = JG__FILE_CLOSE, .fd = fd}), -EBADF);
    ck_assert_int_eq(run(loop, &(struct jg__file){.call = JG__FILE_UNLINK, .path = moved}), 0);
    ck_assert_int_eq(run(loop, &(struct jg__file){.call = JG__FILE_UNLINK, .path = folder, .flags = AT_REMOVEDIR}), 0);
    ck_assert_int_eq(run(loop, &(struct jg__file){.call = JG__FILE_UNLINK, .path = moved}), -ENOENT);
}

TEST(files_are_used_by_callbacks)
{
    jg_autoptr(jg_loop) loop = new_loop();
    use_files(loop);
}

/* An older kernel's. */
TEST(what_a_ring_lacks_a_thread_does)
{
#ifdef HAVE_LIBURING
    jg_autoptr(jg_loop) loop = new_loop();
    if (!strcmp(jg_loop_poller(loop), "io_uring")) {
        ck_assert(jg__ring_supports(loop, IORING_OP_READ));
        jg__uring_of(loop)->opcodes = 1;
        ck_assert(!jg__ring_supports(loop, IORING_OP_READ));
    } else {
        ck_assert(!jg__ring_supports(loop, IORING_OP_READ));
    }
    use_files(loop);
#else
    SKIP("this library was built without liburing");
#endif
}

static int work_slowly(struct jg__file *file)
{
    atomic_store((atomic_bool *)file->arg, true);
    while (jg__file_wanted())
        usleep(1000);
    return 0;
}

static void wait_until_set(atomic_bool *flag)
{
    while (!atomic_load(flag))
        usleep(1000);
}

TEST(work_that_is_cancelled_is_told_and_waited_for)
{
    static atomic_bool begun;
    jg_autoptr(jg_loop) loop = new_loop();
    struct jg__file file = {.call = JG__FILE_WORK, .work = work_slowly, .done = answered, .arg = &begun};
    jg__file_submit(loop, &file);
    wait_until_set(&begun);
    jg__file_cancel(&file);
    ck_assert_int_eq(answers, 0);
    while (!answers)
        ck_assert_int_eq(jg_loop_run_once(loop, 15), 0);
    ck_assert_int_eq(last, 0);
}

enum { MANY = 100 };

TEST(closing_the_loop_drops_and_waits_for_what_is_under_way)
{
    static struct jg__file files[3][MANY];
    static atomic_bool begun[MANY];
    static char bytes[MANY];
    int fd = open("/proc/version", O_RDONLY | O_CLOEXEC);
    for (int turns = 0; turns < 3; turns++) {
        jg_loop *loop = new_loop();
        memset(files, 0, sizeof files);
        for (int i = 0; i < MANY; i++) {
            files[0][i] = (struct jg__file){.call = JG__FILE_WORK, .work = work_slowly, .arg = &begun[i]};
            files[1][i] = (struct jg__file){.call = JG__FILE_READ, .fd = fd, .buffer = &bytes[i], .length = 1};
            files[2][i] = (struct jg__file){.call = JG__FILE_OPEN, .path = "/tmp/no-such-file", .flags = O_RDWR};
            for (int kind = 0; kind < 3; kind++) {
                files[kind][i].done = answered;
                jg__file_submit(loop, &files[kind][i]);
            }
        }
        for (int i = 0; i < turns; i++)
            ck_assert_int_eq(jg_loop_run_once(loop, 0), 0);
        jg_loop_close(loop);
    }
    close(fd);
}
