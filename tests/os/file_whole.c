/* Whole files, read and written. */
#include "os_support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static void make_file(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (int)strlen(text));
    ck_assert_int_eq(fchmod(fd, mode), 0);
    close(fd);
}

static void holds(const char *path, const char *text)
{
    char *data = NULL;
    size_t bytes = 99;
    ck_assert_msg(jg_read_file(path, &data, &bytes) == 0, "%s", jg_error_text());
    ck_assert_str_eq(data, text);
    ck_assert_uint_eq(bytes, strlen(text));
    jg_free(data);
}

/* ---- Reading ---- */

static int read_files(void *arg)
{
    char *data = NULL;
    size_t bytes;
    make_file(file_in(arg, "empty"), "", 0600);
    make_file(file_in(arg, "text"), "some text", 0600);
    errno = 77;
    holds(file_in(arg, "empty"), "");
    holds(file_in(arg, "text"), "some text");
    ck_assert_int_eq(errno, 77);
    ck_assert_int_eq(jg_read_file(file_in(arg, "text"), &data, NULL, .limit = 9), 0);
    jg_free(data);
    data = NULL;
    bytes = 42;
    FAILS(jg_read_file(file_in(arg, "text"), &data, &bytes, .limit = 8), EFBIG);
    FAILS(jg_read_file(file_in(arg, "missing"), &data, &bytes), ENOENT);
    FAILS(jg_read_file(arg, &data, &bytes), EISDIR);
    FAILS(jg_read_file("/dev/zero", &data, &bytes, .limit = 100000), EFBIG);
    ck_assert_int_eq(truncate(file_in(arg, "text"), (off_t)3 << 30), 0);
    FAILS(jg_read_file(file_in(arg, "text"), &data, &bytes), EFBIG);
    ck_assert_ptr_null(data);
    ck_assert_uint_eq(bytes, 42);
    return 0;
}

TEST(read_file_reads_all_within_its_limit)
{
    IN_FOLDER(read_files);
}

static int read_sizes(void *arg)
{
    static const size_t sizes[] = {4095, 4096, 4097, 8192, 65536, 1048575, 1048576, 1048577, 5000000};
    const char *path = file_in(arg, "sized");
    char *pattern = malloc(5000000);
    for (int i = 0; i < 5000000; i++)
        pattern[i] = (char)(i % 251);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *data;
        size_t bytes;
        ck_assert_int_eq(jg_write_file(path, pattern, sizes[i], .no_sync = true), 0);
        ck_assert_int_eq(jg_read_file(path, &data, &bytes), 0);
        ck_assert_uint_eq(bytes, sizes[i]);
        ck_assert_int_eq(memcmp(data, pattern, bytes), 0);
        ck_assert_int_eq(data[bytes], 0);
        jg_free(data);
    }
    free(pattern);
    return 0;
}

TEST(files_of_every_size_come_back)
{
    IN_FOLDER(read_sizes);
}

static int read_virtual(void *arg)
{
    (void)arg;
    char *data;
    size_t bytes;
    ck_assert_int_eq(jg_read_file("/proc/self/status", &data, &bytes), 0); /* says that it is empty */
    ck_assert_ptr_nonnull(strstr(data, "Name:"));
    ck_assert_uint_eq(bytes, strlen(data));
    jg_free(data);
    ck_assert_int_eq(jg_read_file("/proc/self/maps", &data, &bytes), 0);
    ck_assert_uint_gt(bytes, 1000);
    jg_free(data);
    ck_assert_int_eq(jg_read_file("/sys/kernel/mm/transparent_hugepage/enabled", &data, &bytes), 0); /* says 4096 */
    ck_assert_uint_lt(bytes, 200);
    jg_free(data);
    ck_assert_int_eq(jg_read_file("/dev/null", &data, &bytes), 0);
    ck_assert_uint_eq(bytes, 0);
    jg_free(data);
    return 0;
}

TEST(read_file_does_not_believe_sizes)
{
    RUN(read_virtual, NULL);
}

static int write_to_fifo(void *arg)
{
    int fd = jg_file_open(arg, O_WRONLY, 0); /* waits for the reader */
    if (fd < 0 || jg_sleep(0.02) < 0 || jg_file_write(fd, "through ", 8) < 0 || jg_sleep(0.02) < 0 ||
        jg_file_write(fd, "a pipe", 6) < 0)
        return -1;
    return jg_file_close(fd);
}

static int read_fifo(void *arg)
{
    const char *path = file_in(arg, "fifo");
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    jg_task *writer = jg_create_task(write_to_fifo, (void *)path);
    holds(path, "through a pipe");
    return jg_await(writer);
}

TEST(read_file_reads_a_fifo_to_its_end)
{
    IN_FOLDER(read_fifo);
}

static int grow(void *arg)
{
    static char block[100000];
    int fd = open(arg, O_WRONLY | O_APPEND | O_CLOEXEC);
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(write(fd, block, sizeof block), (int)sizeof block);
        if (jg_yield() < 0)
            break;
    }
    close(fd);
    return 0;
}

static int read_growing(void *arg)
{
    const char *path = file_in(arg, "growing");
    char *data;
    size_t bytes;
    make_file(path, "x", 0600);
    jg_task *grower = jg_create_task(grow, (void *)path);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(jg_read_file(path, &data, &bytes), 0);
        ck_assert_uint_ge(bytes, 1);
        jg_free(data);
    }
    return jg_await(grower);
}

TEST(read_file_survives_a_file_that_grows)
{
    IN_FOLDER(read_growing);
}

enum { SMALL_FILES = 500 };

static int read_one(void *arg)
{
    char *data, expected[16];
    int number = *(int *)arg;
    char path[64];
    snprintf(path, sizeof path, "small-%d", number);
    snprintf(expected, sizeof expected, "%d", number);
    if (jg_read_file(path, &data, NULL) < 0)
        return -1;
    ck_assert_str_eq(data, expected);
    jg_free(data);
    return 0;
}

static int read_concurrently(void *arg)
{
    ck_assert_int_eq(chdir(arg), 0);
    jg_autogroup group = {0};
    for (int i = 0; i < SMALL_FILES; i++) {
        char path[32], text[16];
        snprintf(path, sizeof path, "small-%d", i);
        snprintf(text, sizeof text, "%d", i);
        make_file(path, text, 0600);
        ck_assert_int_eq(jg_group_start(&group, read_one, &i, .copy = sizeof i), 0);
    }
    int result = jg_group_wait(&group);
    ck_assert_int_eq(chdir("/"), 0);
    return result;
}

TEST(many_files_are_read_at_once)
{
    IN_FOLDER(read_concurrently);
}

/* ---- Writing ---- */

static void folder_holds(const char *folder, size_t count)
{
    jg_autoptr(jg_directory) listed = jg_list_directory(folder);
    ck_assert_ptr_nonnull(listed);
    ck_assert_msg(listed->count == count, "%zu instead of %zu: %s...", listed->count, count, listed->entries[0].name);
}

static mode_t mode_of(const char *path)
{
    struct stat status;
    ck_assert_int_eq(lstat(path, &status), 0);
    return status.st_mode & 07777;
}

static int write_files(void *arg)
{
    const char *path = file_in(arg, "new");
    umask(027);
    errno = 77;
    ck_assert_int_eq(jg_write_file(path, "one", 3), 0);
    ck_assert_int_eq(errno, 77);
    holds(path, "one");
    ck_assert_int_eq(mode_of(path), 0640);
    ck_assert_int_eq(chmod(path, 0604), 0);
    ck_assert_int_eq(jg_write_file(path, "", 0), 0);
    holds(path, "");
    ck_assert_int_eq(mode_of(path), 0604); /* is kept */
    ck_assert_int_eq(jg_write_file(path, "three", 5, .mode = 0666, .no_sync = true), 0);
    ck_assert_int_eq(mode_of(path), 0666); /* exactly */
    folder_holds(arg, 1);
    ck_assert_int_eq(chdir(arg), 0);
    ck_assert_int_eq(jg_write_file("here", "x", 1), 0); /* without a slash */
    holds("here", "x");
    ck_assert_int_eq(chdir("/"), 0);
    return 0;
}

static int set_id(void *arg)
{
    const char *path = file_in(arg, "program");
    make_file(path, "old", 0700);
    ck_assert_int_eq(chmod(path, 06755), 0);
    ck_assert_int_eq(jg_write_file(path, "new", 3), 0);
    ck_assert_int_eq(mode_of(path), 06755);
    ck_assert_int_eq(chown(path, 65534, 65534), 0);
    ck_assert_int_eq(chmod(path, 06755), 0);
    ck_assert_int_eq(jg_write_file(path, "new", 3), 0);
    ck_assert_int_eq(mode_of(path), 0755);
    return 0;
}

TEST(what_another_user_granted_is_not_kept)
{
    if (geteuid() != 0)
        SKIP("needs root to have a file of another user's");
    IN_FOLDER(set_id);
}

TEST(write_file_makes_and_replaces_with_the_right_mode)
{
    IN_FOLDER(write_files);
}

static int links(void *arg)
{
    const char *target = file_in(arg, "target"), *soft = file_in(arg, "soft"), *hard = file_in(arg, "hard");
    make_file(target, "old", 0600);
    ck_assert_int_eq(symlink("target", soft), 0);
    ck_assert_int_eq(link(target, hard), 0);
    ck_assert_int_eq(jg_write_file(soft, "new", 3), 0);
    holds(soft, "new");
    holds(target, "old");
    struct stat status;
    ck_assert_int_eq(lstat(soft, &status), 0);
    ck_assert(S_ISREG(status.st_mode));
    ck_assert_int_eq(jg_write_file(hard, "newer", 5), 0);
    holds(hard, "newer");
    holds(target, "old");
    return 0;
}

TEST(write_file_replaces_links_themselves)
{
    IN_FOLDER(links);
}

static int bad_paths(void *arg)
{
    char too_long[700];
    ck_assert_int_eq(mkdir(file_in(arg, "folder"), 0700), 0);
    make_file(file_in(arg, "file"), "x", 0600);
    snprintf(too_long, sizeof too_long, "%s/%0300d", (char *)arg, 1);
    FAILS(jg_write_file(file_in(arg, "folder"), "x", 1), EISDIR);
    FAILS(jg_write_file(file_in(arg, "no/such"), "x", 1), ENOENT);
    FAILS(jg_write_file(file_in(arg, "file/x"), "x", 1), ENOTDIR);
    FAILS(jg_write_file(too_long, "x", 1), ENAMETOOLONG);
    FAILS(jg_write_file("", "x", 1), ENOENT);
    FAILS(jg_write_file("/proc/juggle", "x", 1), ENOENT);
    folder_holds(arg, 2);
    return 0;
}

TEST(write_file_says_what_is_wrong_and_leaves_nothing)
{
    IN_FOLDER(bad_paths);
}

static int over_the_limit(void *arg)
{
    static char data[100000];
    const char *path = file_in(arg, "kept");
    ck_assert_int_eq(jg_write_file(path, "the old content", 15), 0);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){65536, 65536}), 0);
    FAILS(jg_write_file(path, data, sizeof data), EFBIG);
    ck_assert(strstr(jg_error_text(), path) && !strstr(jg_error_text(), ".juggle-"));
    holds(path, "the old content");
    folder_holds(arg, 1);
    return 0;
}

TEST(a_write_that_is_too_large_leaves_the_old_file_and_nothing_else)
{
    IN_FOLDER(over_the_limit);
}

static int full_disk(void *arg)
{
    static char data[1 << 20];
    if (mount("none", arg, "tmpfs", 0, "size=256k") < 0)
        SKIP("no tmpfs can be mounted here");
    const char *path = file_in(arg, "kept");
    ck_assert_int_eq(jg_write_file(path, "the old content", 15), 0);
    FAILS(jg_write_file(path, data, sizeof data), ENOSPC);
    holds(path, "the old content");
    folder_holds(arg, 1);
    ck_assert_int_eq(umount(arg), 0);
    return 0;
}

TEST(a_full_disk_leaves_the_old_file_and_nothing_else)
{
    IN_FOLDER(full_disk);
}

static int replace(void *arg)
{
    static char data[50000];
    memset(data, 'n', sizeof data);
    return jg_write_file(arg, data, sizeof data, .no_sync = true);
}

/* Cancelled at every step: old or new, whole, and nothing beside it. */
static int cancel_replacing(void *arg)
{
    const char *path = file_in(arg, "file");
    int kept = 0;
    for (int round = 0; round < 60; round++) {
        char *data;
        size_t bytes;
        ck_assert_int_eq(jg_write_file(path, "old", 3, .no_sync = true), 0);
        jg_task *task = jg_create_task(replace, (void *)path);
        for (int turn = 0; turn < round && !jg_task_done(task); turn++)
            ck_assert_int_eq(round % 2 ? jg_yield() : jg_sleep(0.0001), 0);
        jg_cancel(task);
        int result = jg_await(task);
        if (result < 0)
            ck_assert_int_eq(errno, ECANCELED);
        ck_assert_int_eq(jg_read_file(path, &data, &bytes), 0);
        ck_assert_uint_eq(bytes, result < 0 ? 3 : 50000);
        jg_free(data);
        folder_holds(arg, 1);
        kept += result < 0;
    }
    ck_assert_int_gt(kept, 0);
    return 0;
}

TEST(a_cancelled_write_leaves_the_old_file_or_the_new_one)
{
    IN_FOLDER(cancel_replacing);
}

static bool ended;

static int watch_content(void *arg)
{
    while (!ended) {
        char *data;
        size_t bytes;
        if (jg_read_file(arg, &data, &bytes) < 0)
            return -1;
        ck_assert_uint_eq(bytes, 100000);
        ck_assert_int_eq(memcmp(data, data + 1, bytes - 1), 0);
        jg_free(data);
    }
    return 0;
}

static int replace_often(void *arg)
{
    static char data[100000];
    for (int i = 0; i < 10; i++) {
        memset(data, 'a' + i % 26, sizeof data);
        if (jg_write_file(arg, data, sizeof data, .no_sync = true) < 0)
            return -1;
    }
    ended = true;
    return 0;
}

static int readers_and_writer(void *arg)
{
    const char *path = file_in(arg, "file");
    static char data[100000];
    ck_assert_int_eq(jg_write_file(path, data, sizeof data), 0);
    return jg_gather(jg_create_task(watch_content, (void *)path), jg_create_task(watch_content, (void *)path),
                     jg_create_task(replace_often, (void *)path));
}

TEST(readers_see_the_old_file_or_the_new_one_whole)
{
    IN_FOLDER(readers_and_writer);
}

/* ---- Out of memory ---- */

static long countdown;

static void *allocate(size_t bytes, void *arg)
{
    (void)arg;
    return --countdown == 0 ? NULL : malloc(bytes);
}

static void *reallocate(void *block, size_t bytes, void *arg)
{
    (void)arg;
    return --countdown == 0 ? NULL : realloc(block, bytes);
}

static void release(void *block, void *arg)
{
    (void)arg;
    free(block);
}

static int without_memory(void *arg)
{
    const char *path = file_in(arg, "file");
    bool complete = false;
    ck_assert_int_eq(jg_write_file(path, "old", 3), 0);
    for (long n = 1; !complete && n < 50; n++) {
        char *data;
        complete = true;
        countdown = n;
        if (jg_write_file(path, "new", 3, .no_sync = true) < 0) {
            ck_assert_int_eq(errno, ENOMEM);
            complete = false;
        }
        if (jg_read_file(path, &data, NULL) == 0) {
            jg_free(data);
        } else {
            ck_assert_int_eq(errno, ENOMEM);
            complete = false;
        }
        jg_directory *listed = jg_list_directory(arg);
        if (!listed) {
            ck_assert_int_eq(errno, ENOMEM);
            complete = false;
        }
        jg_directory_free(listed);
    }
    countdown = 0;
    ck_assert(complete);
    folder_holds(arg, 1);
    return 0;
}

TEST(out_of_memory_leaves_nothing_behind)
{
    ck_assert_int_eq(jg_set_allocator(&(jg_allocator){allocate, reallocate, release, NULL}), 0);
    IN_FOLDER(without_memory);
}
