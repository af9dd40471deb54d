/* Files: the calls of POSIX and their errors, the same on both pollers. */
#include "os_support.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---- Reading and writing ---- */

static int write_and_read(void *arg)
{
    char text[32] = "";
    const char *path = file_in(arg, "data");
    int fd = jg_file_open(path, O_RDWR | O_CREAT | O_EXCL, 0640);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    errno = 77;
    ck_assert_int_eq(jg_file_write(fd, "hello, ", 7), 0);
    ck_assert_int_eq(jg_file_write(fd, "world", 5), 0);
    ck_assert_int_eq(jg_file_pwrite(fd, "H", 1, 0), 0);
    ck_assert_int_eq(jg_file_read(fd, text, sizeof text), 0);
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    ck_assert_int_eq(jg_file_read(fd, text, 5), 5);
    ck_assert_int_eq(jg_file_read(fd, text + 5, sizeof text - 5), 7);
    ck_assert_str_eq(text, "Hello, world");
    ck_assert_int_eq(jg_file_pread(fd, text, 5, 7), 5);
    ck_assert_int_eq(memcmp(text, "world", 5), 0);
    ck_assert_int_eq(jg_file_pread(fd, text, 5, 1000), 0);
    ck_assert_int_eq(jg_file_read(fd, text, 0), 0);
    ck_assert_int_eq(jg_file_write(fd, text, 0), 0);
    ck_assert_int_eq(jg_file_fsync(fd), 0);
    ck_assert_int_eq(errno, 77);
    ck_assert_int_eq(jg_file_close(fd), 0);
    FAILS(jg_file_close(fd), EBADF);
    return 0;
}

TEST(what_is_written_is_read)
{
    IN_FOLDER(write_and_read);
}

static int append(void *arg)
{
    char text[8] = "";
    int fd = jg_file_open(file_in(arg, "data"), O_RDWR | O_CREAT | O_APPEND, 0600);
    ck_assert_int_eq(jg_file_write(fd, "abc", 3), 0);
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    ck_assert_int_eq(jg_file_write(fd, "def", 3), 0);
    ck_assert_int_eq(jg_file_pread(fd, text, sizeof text, 0), 6);
    ck_assert_str_eq(text, "abcdef");
    return jg_file_close(fd);
}

TEST(append_writes_at_the_end)
{
    IN_FOLDER(append);
}

static int far_out(void *arg)
{
    char text[4] = "";
    struct stat status;
    const off_t far = (off_t)5 << 30;
    int fd = jg_file_open(file_in(arg, "sparse"), O_RDWR | O_CREAT, 0600);
    ck_assert_int_eq(jg_file_pwrite(fd, "end", 3, far), 0);
    ck_assert_int_eq(jg_file_fstat(fd, &status), 0);
    ck_assert_int_eq(status.st_size, far + 3);
    ck_assert_int_eq(jg_file_pread(fd, text, 4, far), 3);
    ck_assert_str_eq(text, "end");
    ck_assert_int_eq(jg_file_pread(fd, text, 4, far - 4), 4);
    ck_assert_int_eq(memcmp(text, "\0\0\0\0", 4), 0);
    ck_assert_int_eq(lseek(fd, far, SEEK_SET), far);
    ck_assert_int_eq(jg_file_read(fd, text, 4), 3);
    ck_assert_int_eq(jg_file_truncate(fd, far * 2), 0);
    ck_assert_int_eq(jg_file_fstat(fd, &status), 0);
    ck_assert_int_eq(status.st_size, far * 2);
    ck_assert_int_eq(jg_file_truncate(fd, 1), 0);
    ck_assert_int_eq(jg_file_pread(fd, text, 4, 0), 1);
    return jg_file_close(fd);
}

TEST(offsets_beyond_4_gib_and_holes)
{
    IN_FOLDER(far_out);
}

enum { LARGE = 5 * 1024 * 1024 + 123 };

static int large(void *arg)
{
    char *data = malloc(LARGE), *back = malloc(LARGE + 1);
    for (int i = 0; i < LARGE; i++)
        data[i] = (char)(i * 7 + i / 4096);
    int fd = jg_file_open(file_in(arg, "large"), O_RDWR | O_CREAT, 0600);
    ck_assert_int_eq(jg_file_write(fd, data, LARGE), 0);
    ck_assert_int_eq(jg_file_pread(fd, back, LARGE + 1, 0), LARGE); /* full, but for the end */
    ck_assert_int_eq(memcmp(data, back, LARGE), 0);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    memset(back, 0, LARGE);
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    for (ssize_t all = 0, n; (n = jg_file_read(fd, back + all, 65536)) != 0; all += n)
        ck_assert_int_gt(n, 0);
    ck_assert_int_eq(memcmp(data, back, LARGE), 0);
    free(data);
    free(back);
    return jg_file_close(fd);
}

TEST(large_files_cached_and_not)
{
    IN_FOLDER(large);
}

/* ---- Names ---- */

static int names(void *arg)
{
    struct stat status, same;
    const char *folder = file_in(arg, "folder"), *file = file_in(arg, "folder/file");
    const char *moved = file_in(arg, "moved"), *link = file_in(arg, "link");
    umask(022);
    ck_assert_int_eq(jg_file_mkdir(folder, 0777), 0);
    ck_assert_int_eq(jg_file_stat(folder, &status), 0);
    ck_assert(S_ISDIR(status.st_mode));
    ck_assert_int_eq(status.st_mode & 07777, 0755);
    int fd = jg_file_open(file, O_WRONLY | O_CREAT, 0666);
    ck_assert_int_eq(jg_file_write(fd, "12345", 5), 0);
    ck_assert_int_eq(jg_file_close(fd), 0);
    ck_assert_int_eq(jg_file_stat(file, &status), 0);
    ck_assert_int_eq(stat(file, &same), 0);
    ck_assert_uint_eq(status.st_dev, same.st_dev);
    ck_assert_uint_eq(status.st_ino, same.st_ino);
    ck_assert_int_eq(status.st_mode, same.st_mode);
    ck_assert_uint_eq(status.st_nlink, same.st_nlink);
    ck_assert_int_eq(status.st_uid, same.st_uid);
    ck_assert_int_eq(status.st_size, 5);
    ck_assert_int_eq(status.st_blocks, same.st_blocks);
    ck_assert_int_eq(status.st_mtim.tv_sec, same.st_mtim.tv_sec);
    ck_assert_int_eq(status.st_mtim.tv_nsec, same.st_mtim.tv_nsec);
    FAILS(jg_file_rmdir(folder), ENOTEMPTY);
    ck_assert_int_eq(jg_file_rename(file, moved), 0);
    FAILS(jg_file_stat(file, &status), ENOENT);
    ck_assert_int_eq(symlink("moved", link), 0);
    ck_assert_int_eq(jg_file_stat(link, &status), 0);
    ck_assert(S_ISREG(status.st_mode));
    ck_assert_int_eq(jg_file_lstat(link, &status), 0);
    ck_assert(S_ISLNK(status.st_mode));
    ck_assert_int_eq(jg_file_unlink(link), 0);
    ck_assert_int_eq(jg_file_unlink(moved), 0);
    return jg_file_rmdir(folder);
}

TEST(names_are_made_moved_and_removed)
{
    IN_FOLDER(names);
}

/* ---- Errors ---- */

static int errors(void *arg)
{
    char folder[300], file[300], below_file[300], missing[300], loop[300], name_too_long[700], byte = 0;
    struct stat status = {.st_size = 42};
    const char *root = arg;
    snprintf(folder, sizeof folder, "%s/full", root);
    snprintf(file, sizeof file, "%s/full/file", root);
    snprintf(below_file, sizeof below_file, "%s/full/file/x", root);
    snprintf(missing, sizeof missing, "%s/no/such", root);
    snprintf(loop, sizeof loop, "%s/loop", root);
    snprintf(name_too_long, sizeof name_too_long, "%s/%0300d", root, 1);
    const char *other = file_in(root, "other");
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    ck_assert_int_eq(mkdir(other, 0700), 0);
    ck_assert_int_eq(symlink("loop", loop), 0);
    int fd = jg_file_open(file, O_CREAT | O_RDWR, 0600), folder_fd = jg_file_open(folder, O_RDONLY, 0);
    int read_only = jg_file_open(file, O_RDONLY, 0), write_only = jg_file_open(file, O_WRONLY, 0);
    ck_assert(fd >= 0 && folder_fd >= 0 && read_only >= 0 && write_only >= 0);

    FAILS(jg_file_open(missing, O_RDONLY, 0), ENOENT);
    ck_assert_ptr_nonnull(strstr(jg_error_text(), "jg_file_open"));
    ck_assert_ptr_nonnull(strstr(jg_error_text(), missing));
    FAILS(jg_file_open("", O_RDONLY, 0), ENOENT);
    FAILS(jg_file_open(file, O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
    FAILS(jg_file_open(folder, O_RDWR, 0), EISDIR);
    FAILS(jg_file_open(below_file, O_RDONLY, 0), ENOTDIR);
    FAILS(jg_file_open(file, O_RDONLY | O_DIRECTORY, 0), ENOTDIR);
    FAILS(jg_file_open(loop, O_RDONLY, 0), ELOOP);
    FAILS(jg_file_open(loop, O_RDONLY | O_NOFOLLOW, 0), ELOOP);
    FAILS(jg_file_open(name_too_long, O_RDONLY, 0), ENAMETOOLONG);
    FAILS(jg_file_open("/proc/version", O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
    if (getuid() != 0)
        FAILS(jg_file_open("/etc/shadow", O_RDONLY, 0), EACCES);

    FAILS(jg_file_read(-1, &byte, 1), EBADF);
    FAILS(jg_file_read(999, &byte, 1), EBADF);
    FAILS(jg_file_read(write_only, &byte, 1), EBADF);
    FAILS(jg_file_read(folder_fd, &byte, 1), EISDIR);
    FAILS(jg_file_pread(fd, &byte, 1, -1), EINVAL);
    FAILS(jg_file_pread(fd, &byte, 1, INT64_MIN + 1), EINVAL);
    FAILS(jg_file_pwrite(fd, &byte, 1, -2), EINVAL);
    FAILS(jg_file_write(-1, &byte, 1), EBADF);
    FAILS(jg_file_write(999, &byte, 1), EBADF);
    FAILS(jg_file_write(read_only, &byte, 1), EBADF);
    FAILS(jg_file_fsync(999), EBADF);
    FAILS(jg_file_truncate(999, 0), EBADF);
    FAILS(jg_file_truncate(fd, -1), EINVAL);
    FAILS(jg_file_truncate(read_only, 0), EINVAL);
    FAILS(jg_file_close(999), EBADF);
    FAILS(jg_file_close(-1), EBADF);

    FAILS(jg_file_stat(missing, &status), ENOENT);
    FAILS(jg_file_stat("", &status), ENOENT);
    FAILS(jg_file_stat(below_file, &status), ENOTDIR);
    FAILS(jg_file_stat(loop, &status), ELOOP);
    FAILS(jg_file_stat(name_too_long, &status), ENAMETOOLONG);
    FAILS(jg_file_lstat(missing, &status), ENOENT);
    FAILS(jg_file_fstat(999, &status), EBADF);
    FAILS(jg_file_fstat(-1, &status), EBADF);
    FAILS(jg_file_fstat(AT_FDCWD, &status), EBADF);
    ck_assert_int_eq(status.st_size, 42);

    FAILS(jg_file_rename(missing, file), ENOENT);
    FAILS(jg_file_rename(file, other), EISDIR);
    FAILS(jg_file_rename(other, file), ENOTDIR);
    FAILS(jg_file_rename(root, file), EINVAL);
    FAILS(jg_file_rename(file, "/proc/x"), EXDEV);
    FAILS(jg_file_unlink(missing), ENOENT);
    FAILS(jg_file_unlink(folder), EISDIR);
    FAILS(jg_file_unlink(below_file), ENOTDIR);
    FAILS(jg_file_mkdir(folder, 0700), EEXIST);
    FAILS(jg_file_mkdir(missing, 0700), ENOENT);
    FAILS(jg_file_mkdir(below_file, 0700), ENOTDIR);
    FAILS(jg_file_mkdir(name_too_long, 0700), ENAMETOOLONG);
    FAILS(jg_file_rmdir(missing), ENOENT);
    FAILS(jg_file_rmdir(file), ENOTDIR);
    FAILS(jg_file_rmdir(folder), ENOTEMPTY);
    FAILS(jg_file_mkdir("/proc/sys/x", 0700), getuid() ? EACCES : ENOENT);

    close(fd);
    close(folder_fd);
    close(read_only);
    close(write_only);
    return 0;
}

TEST(every_errno_is_that_of_posix)
{
    IN_FOLDER(errors);
}

static int full_disk(void *arg)
{
    (void)arg;
    int fd = jg_file_open("/dev/full", O_WRONLY, 0);
    ck_assert_int_ge(fd, 0);
    FAILS(jg_file_write(fd, "x", 1), ENOSPC);
    FAILS(jg_file_pwrite(fd, "x", 1, 5), ENOSPC);
    return jg_file_close(fd);
}

TEST(a_full_device_says_enospc)
{
    RUN(full_disk, NULL);
}

static int too_large(void *arg)
{
    static char data[100000];
    struct stat status;
    const char *path = file_in(arg, "limited");
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){65536, 65536}), 0);
    int fd = jg_file_open(path, O_WRONLY | O_CREAT, 0600);
    FAILS(jg_file_write(fd, data, sizeof data), EFBIG); /* a part of it, and then no signal kills */
    ck_assert_ptr_nonnull(strstr(jg_error_text(), "65536"));
    ck_assert_int_eq(jg_file_fstat(fd, &status), 0);
    ck_assert_int_eq(status.st_size, 65536);
    FAILS(jg_file_pwrite(fd, data, 1, 65536), EFBIG);
    return jg_file_close(fd);
}

TEST(the_limit_of_file_sizes_says_efbig_and_kills_nobody)
{
    IN_FOLDER(too_large);
}

static int no_fds(void *arg)
{
    (void)arg;
    struct rlimit before;
    getrlimit(RLIMIT_NOFILE, &before);
    int probe = dup(0);
    close(probe);
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){(rlim_t)probe, before.rlim_max});
    FAILS(jg_file_open("/dev/null", O_RDONLY, 0), EMFILE);
    setrlimit(RLIMIT_NOFILE, &before);
    return 0;
}

TEST(without_fds_open_says_emfile)
{
    RUN(no_fds, NULL);
}

/* ---- Pipes, and interruption ---- */

static int read_little(void *arg)
{
    char text[4];
    return (int)jg_file_read(*(int *)arg, text, sizeof text);
}

/* Nobody waits in the kernel for what another one has got: the others can be called back. */
static int share_a_pipe(void *arg)
{
    enum { READERS = 8 };
    jg_task *readers[READERS];
    int fds[2], got = 0;
    (void)arg;
    ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
    for (int i = 0; i < READERS; i++)
        readers[i] = jg_create_task(read_little, &fds[0]);
    ck_assert_int_eq(jg_sleep(0.01), 0);
    ck_assert_int_eq(write(fds[1], "x", 1), 1);
    ck_assert_int_eq(jg_sleep(0.05), 0);
    for (int i = 0; i < READERS; i++)
        jg_cancel(readers[i]);
    for (int i = 0; i < READERS; i++) {
        int result = jg_await(readers[i]);
        got += result > 0;
        ck_assert(result == 1 || errno == ECANCELED);
    }
    ck_assert_int_eq(got, 1);
    close(fds[0]);
    close(fds[1]);
    return 0;
}

TEST(several_readers_of_one_pipe_can_all_be_interrupted)
{
    RUN(share_a_pipe, NULL);
}

static int feed(void *arg)
{
    return jg_sleep(0.02) < 0 || write(*(int *)arg, "fed", 3) != 3 ? -1 : 0;
}

static int pipes(void *arg)
{
    (void)arg;
    int fds[2];
    char text[16] = "";
    ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
    jg_task *feeder = jg_create_task(feed, &fds[1]);
    ck_assert_int_eq(jg_file_read(fds[0], text, sizeof text), 3);
    ck_assert_str_eq(text, "fed");
    FAILS(jg_file_pread(fds[0], text, 1, 0), ESPIPE);
    ck_assert_int_eq(jg_await(feeder), 0);
    {
        JG_TIMEOUT(soon, 0.02); /* nobody writes */
        FAILS(jg_file_read(fds[0], text, sizeof text), ETIMEDOUT);
    }
    static char much[300000];
    {
        JG_TIMEOUT(soon, 0.05); /* nobody reads */
        FAILS(jg_file_write(fds[1], much, sizeof much), ETIMEDOUT);
    }
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    while (read(fds[0], much, sizeof much) > 0)
        ;
    {
        JG_TIMEOUT(soon, 0.02); /* O_NONBLOCK or not */
        FAILS(jg_file_read(fds[0], text, sizeof text), ETIMEDOUT);
    }
    close(fds[0]);
    FAILS(jg_file_write(fds[1], "x", 1), EPIPE);
    return jg_file_close(fds[1]);
}

TEST(reading_and_writing_a_pipe_waits_and_can_be_interrupted)
{
    RUN(pipes, NULL);
}

static int refuse_all(void *arg)
{
    char byte;
    struct stat status;
    const char *path = file_in(arg, "never");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    jg_cancel(jg_current_task());
    FAILS(jg_file_open(path, O_RDONLY, 0), ECANCELED);
    FAILS(jg_file_read(fd, &byte, 1), ECANCELED);
    FAILS(jg_file_pread(fd, &byte, 1, 0), ECANCELED);
    FAILS(jg_file_write(fd, "x", 1), ECANCELED);
    FAILS(jg_file_pwrite(fd, "x", 1, 0), ECANCELED);
    FAILS(jg_file_fsync(fd), ECANCELED);
    FAILS(jg_file_truncate(fd, 10), ECANCELED);
    FAILS(jg_file_stat(path, &status), ECANCELED);
    FAILS(jg_file_lstat(path, &status), ECANCELED);
    FAILS(jg_file_fstat(fd, &status), ECANCELED);
    FAILS(jg_file_rename(path, path), ECANCELED);
    FAILS(jg_file_unlink(path), ECANCELED);
    FAILS(jg_file_mkdir(path, 0700), ECANCELED);
    FAILS(jg_file_rmdir(path), ECANCELED);
    ck_assert_ptr_null(jg_list_directory(path));
    ck_assert_int_eq(errno, ECANCELED);
    char *data;
    FAILS(jg_read_file(path, &data, NULL), ECANCELED);
    FAILS(jg_write_file(path, "x", 1), ECANCELED);
    ck_assert_int_eq(fstat(fd, &status), 0);
    ck_assert_int_eq(status.st_size, 0);
    return jg_file_close(fd); /* also now */
}

TEST(a_cancelled_task_starts_nothing_but_may_close)
{
    IN_FOLDER(refuse_all);
}

enum { OPENERS = 200 };

static int open_and_close(void *arg)
{
    int fd = jg_file_open(arg, O_RDWR | O_CREAT, 0600);
    if (fd < 0)
        return -1;
    return jg_file_close(fd);
}

/* Cancelled at every stage: waiting for a thread, under way, done. The harness counts fds. */
static int cancel_openers(void *arg)
{
    const char *path = file_in(arg, "opened");
    for (int round = 0; round < 10; round++) {
        jg_task *tasks[OPENERS];
        for (int i = 0; i < OPENERS; i++)
            tasks[i] = jg_create_task(open_and_close, (void *)path);
        for (int turn = 0; turn < round; turn++)
            ck_assert_int_eq(jg_yield(), 0);
        for (int i = 0; i < OPENERS; i += 1 + round % 3)
            jg_cancel(tasks[i]);
        for (int i = 0; i < OPENERS; i++)
            if (jg_await(tasks[i]) < 0)
                ck_assert_int_eq(errno, ECANCELED);
    }
    return 0;
}

TEST(cancelled_opens_leak_no_fd)
{
    IN_FOLDER(cancel_openers);
}

static int read_much(void *arg)
{
    enum { SIZE = 3 * 1024 * 1024 };
    char *buffer = malloc(SIZE);
    ssize_t result = jg_file_pread(*(int *)arg, buffer, SIZE, 0);
    int error = errno;
    memset(buffer, 0, SIZE);
    free(buffer); /* nobody may write to it any more */
    errno = error;
    return result < 0 ? -1 : 0;
}

static int cancel_readers(void *arg)
{
    int fd = jg_file_open(file_in(arg, "sparse"), O_RDWR | O_CREAT, 0600);
    ck_assert_int_eq(jg_file_truncate(fd, 16 << 20), 0);
    for (int round = 0; round < 20; round++) {
        jg_task *tasks[8];
        for (int i = 0; i < 8; i++)
            tasks[i] = jg_create_task(read_much, &fd);
        for (int turn = 0; turn < round % 4; turn++)
            ck_assert_int_eq(jg_yield(), 0);
        for (int i = 0; i < 8; i++)
            jg_cancel(tasks[i]);
        for (int i = 0; i < 8; i++)
            if (jg_await(tasks[i]) < 0)
                ck_assert_int_eq(errno, ECANCELED);
    }
    return jg_file_close(fd);
}

TEST(a_cancelled_read_returns_when_nobody_uses_its_memory)
{
    IN_FOLDER(cancel_readers);
}

static int ticks;

static int tick(void *arg)
{
    (void)arg;
    while (jg_yield() == 0)
        ticks++;
    return 0;
}

static int read_cached(void *arg)
{
    static char buffer[65536];
    int fd = jg_file_open(file_in(arg, "cached"), O_RDWR | O_CREAT, 0600);
    ck_assert_int_eq(jg_file_write(fd, buffer, sizeof buffer), 0);
    jg_task *ticker = jg_create_task(tick, NULL);
    ck_assert_int_eq(jg_yield(), 0);
    int before = ticks;
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(jg_file_pread(fd, buffer, 10, 0), 10);
    ck_assert_int_ge(ticks - before, 5);
    before = ticks;
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(jg_file_pread(fd, buffer, sizeof buffer, 0), (int)sizeof buffer);
    ck_assert_int_ge(ticks - before, 10);
    jg_cancel_and_wait(ticker);
    return jg_file_close(fd);
}

TEST(who_reads_what_is_cached_lets_others_run)
{
    IN_FOLDER(read_cached);
}

/* ---- Directories ---- */

static int list(void *arg)
{
    static const char *const names[] = {"", "a", "b", "c", "folder", "link"};
    jg_directory *empty = jg_list_directory(arg);
    ck_assert_ptr_nonnull(empty);
    ck_assert_uint_eq(empty->count, 0);
    jg_directory_free(empty);
    for (const char *name = "cab"; *name; name++)
        close(open(file_in(arg, (char[]){*name, 0}), O_CREAT | O_WRONLY, 0600));
    ck_assert_int_eq(mkdir(file_in(arg, "folder"), 0700), 0);
    ck_assert_int_eq(symlink("nowhere", file_in(arg, "link")), 0);
    jg_autoptr(jg_directory) listed = jg_list_directory(arg);
    ck_assert_ptr_nonnull(listed);
    ck_assert_uint_eq(listed->count, 5);
    for (int i = 0; i < 5; i++)
        ck_assert_str_eq(listed->entries[i].name, names[i + 1]);
    ck_assert_int_eq(listed->entries[0].type, DT_REG);
    ck_assert_int_eq(listed->entries[3].type, DT_DIR);
    ck_assert_int_eq(listed->entries[4].type, DT_LNK);
    ck_assert_ptr_null(jg_list_directory(file_in(arg, "missing")));
    ck_assert_int_eq(errno, ENOENT);
    ck_assert_ptr_null(jg_list_directory(file_in(arg, "a")));
    ck_assert_int_eq(errno, ENOTDIR);
    jg_directory_free(NULL);
    return 0;
}

TEST(a_directory_is_listed_in_order)
{
    IN_FOLDER(list);
}

static int list_many(void *arg)
{
    char name[32];
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "%04d", i);
        close(open(file_in(arg, name), O_CREAT | O_WRONLY, 0600));
    }
    jg_autoptr(jg_directory) listed = jg_list_directory(arg);
    ck_assert_ptr_nonnull(listed);
    ck_assert_uint_eq(listed->count, 1000);
    ck_assert_str_eq(listed->entries[999].name, "0999");
    return 0;
}

TEST(a_large_directory_is_listed)
{
    IN_FOLDER(list_many);
}
