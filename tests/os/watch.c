/* Watching files and directories. */
#include "os_support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static void put(const char *path, const char *text, int flags)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC | flags, 0600);
    ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
    ck_assert_int_eq(write(fd, text, strlen(text)), (int)strlen(text));
    close(fd);
}

static jg_watch_event next(jg_watch *watch)
{
    jg_watch_event event;
    JG_TIMEOUT(limit, 15.0);
    ck_assert_msg(jg_watch_next(watch, &event) == 0, "%s", jg_error_text());
    return event;
}

#define NEXT(watch, what, name)                                                                        \
    do {                                                                                               \
        jg_watch_event got = next(watch);                                                              \
        ck_assert_msg(got.change == (what) && !strcmp(got.path, name), "%d %s", got.change, got.path); \
    } while (0)

#define NOTHING_MORE(watch)                           \
    do {                                              \
        jg_watch_event got;                           \
        JG_TIMEOUT(soon, 0.05);                       \
        FAILS(jg_watch_next(watch, &got), ETIMEDOUT); \
    } while (0)

static int changes_in_a_folder(void *arg)
{
    errno = 77;
    jg_autoptr(jg_watch) watch = jg_watch_path(arg);
    ck_assert_msg(watch != NULL, "%s", jg_error_text());
    put(file_in(arg, "file"), "x", O_CREAT);
    NEXT(watch, JG_CREATED, "file");
    NEXT(watch, JG_MODIFIED, "file");
    NEXT(watch, JG_WRITTEN, "file");
    ck_assert_int_eq(mkdir(file_in(arg, "folder"), 0700), 0);
    jg_watch_event event = next(watch);
    ck_assert_int_eq(event.change, JG_CREATED);
    ck_assert(event.directory);
    ck_assert_ptr_null(event.from);
    ck_assert_int_eq(chmod(file_in(arg, "file"), 0644), 0); /* nobody asked for it */
    ck_assert_int_eq(rename(file_in(arg, "file"), file_in(arg, "moved")), 0);
    event = next(watch);
    ck_assert_int_eq(event.change, JG_RENAMED);
    ck_assert_str_eq(event.path, "moved");
    ck_assert_str_eq(event.from, "file");
    ck_assert(!event.directory);
    ck_assert_int_eq(unlink(file_in(arg, "moved")), 0);
    NEXT(watch, JG_DELETED, "moved");
    ck_assert_int_eq(rmdir(file_in(arg, "folder")), 0);
    NEXT(watch, JG_DELETED, "folder");
    ck_assert_int_eq(errno, 77);
    NOTHING_MORE(watch);
    return 0;
}

TEST(changes_in_a_folder_are_told)
{
    IN_FOLDER(changes_in_a_folder);
}

static int only_some(void *arg)
{
    jg_autoptr(jg_watch) watch = jg_watch_path(arg, .changes = JG_ATTRIBUTES | JG_DELETED);
    put(file_in(arg, "file"), "x", O_CREAT);
    ck_assert_int_eq(chmod(file_in(arg, "file"), 0644), 0);
    NEXT(watch, JG_ATTRIBUTES, "file");
    ck_assert_int_eq(unlink(file_in(arg, "file")), 0);
    NEXT(watch, JG_DELETED, "file");
    ck_assert_int_eq(chmod(arg, 0755), 0);
    NEXT(watch, JG_ATTRIBUTES, "");
    return 0;
}

TEST(only_what_was_asked_for_is_told)
{
    IN_FOLDER(only_some);
}

static int across(void *arg)
{
    ck_assert_int_eq(mkdir(file_in(arg, "in"), 0700), 0);
    put(file_in(arg, "in/a"), "x", O_CREAT);
    put(file_in(arg, "b"), "x", O_CREAT);
    jg_autoptr(jg_watch) watch = jg_watch_path(file_in(arg, "in"));
    ck_assert_int_eq(rename(file_in(arg, "in/a"), file_in(arg, "a")), 0);
    NEXT(watch, JG_DELETED, "a");
    ck_assert_int_eq(rename(file_in(arg, "b"), file_in(arg, "in/b")), 0);
    NEXT(watch, JG_CREATED, "b");
    ck_assert_int_eq(rename(file_in(arg, "in/b"), file_in(arg, "b")), 0);
    put(file_in(arg, "in/c"), "", O_CREAT); /* behind half a rename */
    NEXT(watch, JG_DELETED, "b");
    NEXT(watch, JG_CREATED, "c");
    return 0;
}

TEST(a_move_out_is_a_deletion_and_a_move_in_a_creation)
{
    IN_FOLDER(across);
}

static int watched_file(void *arg)
{
    const char *path = file_in(arg, "file");
    put(path, "1", O_CREAT);
    jg_autoptr(jg_watch) watch = jg_watch_path(path);
    put(path, "2", O_APPEND);
    NEXT(watch, JG_MODIFIED, "");
    NEXT(watch, JG_WRITTEN, "");
    ck_assert_int_eq(truncate(path, 0), 0);
    NEXT(watch, JG_MODIFIED, "");
    int open_all_the_while = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(unlink(path), 0);
    NEXT(watch, JG_GONE, "");
    jg_watch_event event;
    FAILS(jg_watch_next(watch, &event), ENOENT);
    FAILS(jg_watch_next(watch, &event), ENOENT);
    close(open_all_the_while);

    put(path, "1", O_CREAT);
    jg_autoptr(jg_watch) again = jg_watch_path(path);
    ck_assert_int_eq(rename(path, file_in(arg, "rotated")), 0);
    NEXT(again, JG_GONE, "");
    FAILS(jg_watch_next(again, &event), ENOENT);
    return 0;
}

TEST(a_file_is_watched_until_it_is_gone)
{
    IN_FOLDER(watched_file);
}

static int removed_folder(void *arg)
{
    ck_assert_int_eq(mkdir(file_in(arg, "folder"), 0700), 0);
    jg_autoptr(jg_watch) watch = jg_watch_path(file_in(arg, "folder"));
    ck_assert_int_eq(rmdir(file_in(arg, "folder")), 0);
    jg_watch_event event = next(watch);
    ck_assert_int_eq(event.change, JG_GONE);
    ck_assert(event.directory);
    FAILS(jg_watch_next(watch, &event), ENOENT);
    return 0;
}

TEST(the_watched_folder_itself_is_removed)
{
    IN_FOLDER(removed_folder);
}

static int bad_paths(void *arg)
{
    put(file_in(arg, "file"), "", O_CREAT);
    ck_assert_int_eq(symlink("loop", file_in(arg, "loop")), 0);
    static const struct {
        const char *name;
        bool recursive;
        int error;
    } bad[] = {{"missing", false, ENOENT},
               {"missing", true, ENOENT},
               {"file/x", false, ENOTDIR},
               {"file", true, ENOTDIR},
               {"loop", false, ELOOP}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        errno = 0;
        ck_assert_ptr_null(jg_watch_path(file_in(arg, bad[i].name), .recursive = bad[i].recursive));
        ck_assert_msg(errno == bad[i].error, "%s: %s", bad[i].name, strerror(errno));
    }
    struct rlimit before;
    getrlimit(RLIMIT_NOFILE, &before);
    int probe = dup(0);
    close(probe);
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){(rlim_t)probe, before.rlim_max});
    ck_assert_ptr_null(jg_watch_path(arg));
    ck_assert_int_eq(errno, EMFILE);
    setrlimit(RLIMIT_NOFILE, &before);
    return 0;
}

TEST(what_cannot_be_watched_is_told)
{
    IN_FOLDER(bad_paths);
}

/* ---- Interruption and closing ---- */

static int wait_for_event(void *arg)
{
    jg_watch_event event;
    return jg_watch_next(arg, &event);
}

static int close_under_a_waiter(void *arg)
{
    jg_watch *watch = jg_watch_path(arg);
    jg_task *waiter = jg_create_task(wait_for_event, watch);
    ck_assert_int_eq(jg_sleep(0.01), 0);
    jg_cancel(waiter);
    ck_assert_int_eq(jg_await(waiter), -1);
    ck_assert_int_eq(errno, ECANCELED);
    waiter = jg_create_task(wait_for_event, watch);
    ck_assert_int_eq(jg_sleep(0.01), 0);
    errno = 77;
    jg_watch_close(watch);
    jg_watch_close(NULL);
    ck_assert_int_eq(errno, 77);
    ck_assert_int_eq(jg_await(waiter), -1);
    ck_assert_int_eq(errno, EBADF);
    return 0;
}

TEST(a_waiter_is_cancelled_or_told_that_it_was_closed)
{
    IN_FOLDER(close_under_a_waiter);
}

static int two_waiters(void *arg)
{
    jg_watch *watch = jg_watch_path(arg);
    jg_task *first = jg_create_task(wait_for_event, watch), *second = jg_create_task(wait_for_event, watch);
    return jg_gather(first, second);
}

TEST_ABORTS(a_second_waiter_aborts, "jg_watch_next: another task waits")
{
    IN_FOLDER(two_waiters);
}

static int interrupted_in_a_rename(void *arg)
{
    ck_assert_int_eq(mkdir(file_in(arg, "in"), 0700), 0);
    put(file_in(arg, "in/a"), "x", O_CREAT);
    jg_autoptr(jg_watch) watch = jg_watch_path(file_in(arg, "in"));
    ck_assert_int_eq(rename(file_in(arg, "in/a"), file_in(arg, "a")), 0);
    {
        jg_watch_event event;
        JG_TIMEOUT(sooner_than_the_other_half, 0.001);
        int result = jg_watch_next(watch, &event);
        if (result == 0) {
            ck_assert_int_eq(event.change, JG_DELETED); /* a slow machine */
            return 0;
        }
        ck_assert_int_eq(errno, ETIMEDOUT);
    }
    NEXT(watch, JG_DELETED, "a");
    return 0;
}

TEST(half_a_rename_survives_an_interruption)
{
    IN_FOLDER(interrupted_in_a_rename);
}

/* ---- Overflow ---- */

static int overflow(void *arg)
{
    char text[32] = "";
    int fd = open("/proc/sys/fs/inotify/max_queued_events", O_RDONLY | O_CLOEXEC);
    ck_assert(fd >= 0 && read(fd, text, sizeof text - 1) > 0);
    close(fd);
    long most = strtol(text, NULL, 10);
    if (most > 100000)
        SKIP("the queue of inotify is too long to be filled");
    jg_autoptr(jg_watch) watch = jg_watch_path(arg, .changes = JG_CREATED | JG_DELETED);
    for (long i = 0; i < most; i++) { /* two events each, and no two alike in a row */
        put(file_in(arg, "x"), "", O_CREAT);
        unlink(file_in(arg, "x"));
    }
    long told = 0;
    jg_watch_event event;
    do {
        event = next(watch);
        told++;
    } while (event.change != JG_OVERFLOW);
    ck_assert_int_le(told, most + 1);
    put(file_in(arg, "after"), "", O_CREAT);
    NEXT(watch, JG_CREATED, "after");
    return 0;
}

TEST(an_overflow_is_told)
{
    IN_FOLDER(overflow);
}

/* ---- Recursive ---- */

static int recursive(void *arg)
{
    ck_assert_int_eq(mkdir(file_in(arg, "a"), 0700), 0);
    ck_assert_int_eq(mkdir(file_in(arg, "a/b"), 0700), 0);
    jg_autoptr(jg_watch) watch = jg_watch_path(arg, .recursive = true, .changes = JG_CREATED | JG_DELETED | JG_RENAMED);
    ck_assert_msg(watch != NULL, "%s", jg_error_text());
    put(file_in(arg, "a/b/file"), "", O_CREAT);
    NEXT(watch, JG_CREATED, "a/b/file");

    ck_assert_int_eq(mkdir(file_in(arg, "a/new"), 0700), 0); /* with something in it before anybody looks */
    put(file_in(arg, "a/new/early"), "", O_CREAT);
    ck_assert_int_eq(mkdir(file_in(arg, "a/new/deep"), 0700), 0);
    NEXT(watch, JG_CREATED, "a/new");
    NEXT(watch, JG_CREATED, "a/new/deep");
    NEXT(watch, JG_CREATED, "a/new/early");
    put(file_in(arg, "a/new/deep/late"), "", O_CREAT);
    NEXT(watch, JG_CREATED, "a/new/deep/late");

    ck_assert_int_eq(rename(file_in(arg, "a/new"), file_in(arg, "renamed")), 0);
    jg_watch_event event = next(watch);
    ck_assert_int_eq(event.change, JG_RENAMED);
    ck_assert_str_eq(event.from, "a/new");
    ck_assert_str_eq(event.path, "renamed");
    put(file_in(arg, "renamed/deep/x"), "", O_CREAT);
    NEXT(watch, JG_CREATED, "renamed/deep/x");

    ck_assert_int_eq(unlink(file_in(arg, "a/b/file")), 0);
    ck_assert_int_eq(rmdir(file_in(arg, "a/b")), 0);
    NEXT(watch, JG_DELETED, "a/b/file");
    NEXT(watch, JG_DELETED, "a/b");
    NOTHING_MORE(watch);
    return 0;
}

TEST(directories_below_are_watched_too)
{
    IN_FOLDER(recursive);
}

static int moved_away(void *arg)
{
    ck_assert_int_eq(mkdir(file_in(arg, "in"), 0700), 0);
    ck_assert_int_eq(mkdir(file_in(arg, "in/a"), 0700), 0);
    ck_assert_int_eq(mkdir(file_in(arg, "in/a/b"), 0700), 0);
    ck_assert_int_eq(mkdir(file_in(arg, "in/ab"), 0700), 0);
    jg_autoptr(jg_watch) watch = jg_watch_path(file_in(arg, "in"), .recursive = true);
    ck_assert_int_eq(rename(file_in(arg, "in/a"), file_in(arg, "a")), 0);
    NEXT(watch, JG_DELETED, "a");
    put(file_in(arg, "a/b/unseen"), "", O_CREAT);
    put(file_in(arg, "in/ab/seen"), "", O_CREAT);
    NEXT(watch, JG_CREATED, "ab/seen");
    NEXT(watch, JG_WRITTEN, "ab/seen");
    ck_assert_int_eq(rename(file_in(arg, "a"), file_in(arg, "in/back")), 0);
    NEXT(watch, JG_CREATED, "back");
    NEXT(watch, JG_CREATED, "back/b");
    NEXT(watch, JG_CREATED, "back/b/unseen");
    NOTHING_MORE(watch);
    return 0;
}

TEST(a_directory_that_leaves_is_not_watched_any_more)
{
    IN_FOLDER(moved_away);
}

static int interrupted_in_looking(void *arg)
{
    jg_autoptr(jg_watch) watch = jg_watch_path(arg, .recursive = true, .changes = JG_CREATED);
    char name[64];
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof name, "f%02d", i);
        ck_assert_int_eq(mkdir(file_in(arg, name), 0700), 0);
        snprintf(name, sizeof name, "f%02d/x", i);
        ck_assert_int_eq(mkdir(file_in(arg, name), 0700), 0);
    }
    bool seen[100] = {0};
    int missing = 100;
    while (missing) {
        jg_watch_event event;
        JG_TIMEOUT(soon, 0.0001);
        if (jg_watch_next(watch, &event) < 0) {
            ck_assert_int_eq(errno, ETIMEDOUT);
            continue;
        }
        int number = atoi(event.path + 1) * 2 + (strlen(event.path) > 3);
        missing -= !seen[number];
        seen[number] = true;
    }
    return 0;
}

TEST(looking_into_new_directories_survives_interruptions)
{
    IN_FOLDER(interrupted_in_looking);
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

static int watch_without_memory(void *arg)
{
    ck_assert_int_eq(mkdir(file_in(arg, "a"), 0700), 0);
    put(file_in(arg, "a/file"), "", O_CREAT);
    for (long n = 1; n < 40; n++) {
        countdown = n;
        jg_autoptr(jg_watch) watch = jg_watch_path(arg, .recursive = true, .changes = JG_RENAMED);
        if (!watch) {
            ck_assert_int_eq(errno, ENOMEM);
            continue;
        }
        jg_watch_event event;
        ck_assert_int_eq(rename(file_in(arg, "a"), file_in(arg, "b")), 0);
        while (jg_watch_next(watch, &event) < 0)
            ck_assert_int_eq(errno, ENOMEM); /* it may be asked again */
        ck_assert_int_eq(event.change, JG_RENAMED);
        ck_assert_int_eq(rename(file_in(arg, "b"), file_in(arg, "a")), 0);
    }
    countdown = 0;
    return 0;
}

TEST(a_watch_without_memory_says_so_and_goes_on)
{
    ck_assert_int_eq(jg_set_allocator(&(jg_allocator){allocate, reallocate, release, NULL}), 0);
    IN_FOLDER(watch_without_memory);
}

static int leave_watches_open(void *arg)
{
    jg_watch_event event;
    jg_watch *watch = jg_watch_path(arg, .recursive = true), *other = jg_watch_path(arg);
    ck_assert(watch && other);
    put(file_in(arg, "file"), "", O_CREAT);
    ck_assert_int_eq(jg_watch_next(watch, &event), 0);
    JG_TIMEOUT(soon, 0.01);
    while (jg_watch_next(watch, &event) == 0)
        ;
    jg_watch *third = jg_watch_path(arg);
    jg_watch_close(third);
    return third ? 0 : -1;
}

TEST(watches_that_nobody_closes_are_freed_with_the_loop)
{
    IN_FOLDER(leave_watches_open);
}
