/* Children with callbacks: how they begin, what they get, how their end is told. */
#include "host/process.h"
#include "harness.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct ended {
    struct jg__child child;
    int exits, evictions;
};

static jg_loop *loop;

static void exited(struct jg__child *child)
{
    jg__container_of(child, struct ended, child)->exits++;
}

static void evicted(struct jg__child *child)
{
    jg__container_of(child, struct ended, child)->evictions++;
}

static int spawn(struct ended *ended, const char *const *argv, jg_process_options options)
{
    *ended = (struct ended){.child = {.exited = exited, .evicted = evicted}};
    options.size = sizeof options;
    return jg__process_spawn(loop, &ended->child, argv, &options);
}

static bool has_ended(void *arg)
{
    return ((struct ended *)arg)->exits > 0;
}

/* Runs it to its end. */
static void run(struct ended *ended, const char *const *argv, jg_process_options options)
{
    ck_assert_msg(spawn(ended, argv, options) == 0, "%s", jg_error_text());
    ck_assert_int_eq(jg_loop_run_until(loop, has_ended, ended), 0);
    ck_assert_int_eq(ended->exits, 1);
    jg__process_release(&ended->child);
}

/* Runs a command of the shell and returns its exit status. */
static int shell(const char *command, jg_process_options options)
{
    struct ended ended;
    run(&ended, JG_ARGV("sh", "-c", command), options);
    ck_assert_int_eq(ended.child.code, CLD_EXITED);
    return ended.child.status;
}

static void open_loop(void)
{
    loop = jg_loop_new();
    ck_assert_ptr_nonnull(loop);
}

static void no_child_is_left(void)
{
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    ck_assert_int_eq(errno, ECHILD);
}

static void close_loop(void)
{
    jg_loop_close(loop);
    no_child_is_left();
}

#define FAILS_TO_SPAWN(argv, options, error, words)                                                \
    do {                                                                                           \
        struct ended never;                                                                        \
        ck_assert_int_eq(spawn(&never, argv, options), -1);                                        \
        ck_assert_msg(errno == (error), "%s: %s", strerror(errno), jg_error_text());               \
        ck_assert_msg(strstr(jg_error_text(), words), "\"%s\" in \"%s\"", words, jg_error_text()); \
        no_child_is_left();                                                                        \
    } while (0)

#define OPTIONS(...) ((jg_process_options){__VA_ARGS__})

/* ---- Its end ---- */

TEST(the_exit_status_is_told_once)
{
    open_loop();
    ck_assert_int_eq(shell("exit 0", OPTIONS(0)), 0);
    ck_assert_int_eq(shell("exit 3", OPTIONS(0)), 3);
    ck_assert_int_eq(shell("exit 255", OPTIONS(0)), 255);
    close_loop();
}

TEST(success_leaves_errno)
{
    struct ended ended;
    open_loop();
    errno = ELOOP;
    ck_assert_int_eq(spawn(&ended, JG_ARGV("true"), OPTIONS(0)), 0);
    ck_assert_int_eq(errno, ELOOP);
    ck_assert_int_eq(jg_loop_run_until(loop, has_ended, &ended), 0);
    jg__process_release(&ended.child);
    close_loop();
}

TEST(a_signal_that_kills_is_told)
{
    struct ended ended;
    open_loop();
    run(&ended, JG_ARGV("sh", "-c", "kill -USR1 $$"), OPTIONS(0));
    ck_assert_int_eq(ended.child.code, CLD_KILLED);
    ck_assert_int_eq(ended.child.status, SIGUSR1);
    close_loop();
}

TEST(a_signal_reaches_the_child_and_none_that_has_ended)
{
    struct ended ended;
    open_loop();
    ck_assert_int_eq(spawn(&ended, JG_ARGV("sleep", "1000"), OPTIONS(0)), 0);
    ck_assert_int_eq(jg__process_signal(&ended.child, 0), 0);
    ck_assert_int_eq(jg__process_signal(&ended.child, 12345), -1);
    ck_assert_int_eq(errno, EINVAL);
    ck_assert_int_eq(jg__process_signal(&ended.child, SIGKILL), 0);
    ck_assert_int_eq(jg_loop_run_until(loop, has_ended, &ended), 0);
    ck_assert_int_eq(ended.child.status, SIGKILL);
    ck_assert_int_eq(jg__process_signal(&ended.child, SIGKILL), -1);
    ck_assert_int_eq(errno, ESRCH);
    ck_assert_int_eq(jg__process_signal_group(&ended.child, SIGKILL), -1);
    ck_assert_int_eq(errno, ESRCH);
    jg__process_release(&ended.child);
    close_loop();
}

TEST(a_loop_that_is_closed_kills_and_reaps_its_children)
{
    enum { CHILDREN = 20 };
    struct ended children[CHILDREN];
    open_loop();
    for (int i = 0; i < CHILDREN; i++)
        ck_assert_int_eq(spawn(&children[i],
                               i % 2 ? JG_ARGV("sleep", "1000") : JG_ARGV("sh", "-c", "trap '' TERM; sleep 1000"),
                               OPTIONS(.process_group = i % 2 ? 0 : JG_NEW_GROUP)),
                         0);
    close_loop();
    for (int i = 0; i < CHILDREN; i++) {
        ck_assert_int_eq(children[i].evictions, 1);
        ck_assert_int_eq(children[i].exits, 0);
    }
}

TEST(a_child_that_was_not_released_is_evicted)
{
    struct ended ended;
    open_loop();
    ck_assert_int_eq(spawn(&ended, JG_ARGV("true"), OPTIONS(0)), 0);
    ck_assert_int_eq(jg_loop_run_until(loop, has_ended, &ended), 0);
    close_loop();
    ck_assert_int_eq(ended.evictions, 1);
}

/* The kernel reaps it then, perhaps before we have looked at it. */
TEST(without_sigchld_the_status_is_lost)
{
    struct ended ended;
    open_loop();
    signal(SIGCHLD, SIG_IGN);
    for (int i = 0; i < 20; i++) {
        run(&ended, JG_ARGV("true"), OPTIONS(0));
        ck_assert_int_eq(ended.child.code, JG__STATUS_LOST);
    }
    close_loop();
}

TEST(a_status_that_another_part_took_is_lost)
{
    struct ended ended;
    open_loop();
    ck_assert_int_eq(spawn(&ended, JG_ARGV("true"), OPTIONS(0)), 0);
    ck_assert_int_eq(waitpid(ended.child.pid, NULL, 0), ended.child.pid);
    ck_assert_int_eq(jg_loop_run_until(loop, has_ended, &ended), 0);
    ck_assert_int_eq(ended.child.code, JG__STATUS_LOST);
    jg__process_release(&ended.child);
    close_loop();
}

TEST(many_children_at_once)
{
    enum { CHILDREN = 100 };
    struct ended children[CHILDREN];
    char status[CHILDREN][32];
    open_loop();
    for (int i = 0; i < CHILDREN; i++) {
        snprintf(status[i], sizeof status[i], "exit %d", i);
        ck_assert_msg(spawn(&children[i], JG_ARGV("sh", "-c", status[i]), OPTIONS(0)) == 0, "%s", jg_error_text());
    }
    for (int i = 0; i < CHILDREN; i++) {
        ck_assert_int_eq(jg_loop_run_until(loop, has_ended, &children[i]), 0);
        ck_assert_int_eq(children[i].child.status, i);
        jg__process_release(&children[i].child);
    }
    close_loop();
}

/* ---- What cannot be started ---- */

static void write_file(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, mode);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void enter_temporary_directory(char name[32])
{
    strcpy(name, "/tmp/juggle-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(name));
    ck_assert_int_eq(chdir(name), 0);
}

static void leave_temporary_directory(const char *name)
{
    const char *const files[] = {"script", "other"};
    for (size_t i = 0; i < 2; i++)
        unlink(files[i]);
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(rmdir(name), 0);
}

TEST(what_cannot_be_executed_is_told_apart)
{
    char directory[32];
    open_loop();
    enter_temporary_directory(directory);
    FAILS_TO_SPAWN(JG_ARGV("no-such-program"), OPTIONS(0), ENOENT, "no such program");
    FAILS_TO_SPAWN(JG_ARGV("/no/such/program"), OPTIONS(0), ENOENT, "no such program");
    FAILS_TO_SPAWN(JG_ARGV("true", "/"), OPTIONS(.program = "/usr"), EACCES, "a directory");
    write_file("script", "#!/no/such/interpreter\n", 0755);
    FAILS_TO_SPAWN(JG_ARGV("./script"), OPTIONS(0), ENOENT, "interpreter");
    write_file("other", "exit 3\n", 0644);
    FAILS_TO_SPAWN(JG_ARGV("./other"), OPTIONS(0), EACCES, "not executable");
    chmod("other", 0755);
    FAILS_TO_SPAWN(JG_ARGV("./other"), OPTIONS(0), ENOEXEC, "no format");
    FAILS_TO_SPAWN(JG_ARGV("./other/below"), OPTIONS(0), ENOTDIR, "Not a directory");
    FAILS_TO_SPAWN(JG_ARGV("true"), OPTIONS(.cwd = "/no/such/directory"), ENOENT, "its directory /no/such/directory");
    FAILS_TO_SPAWN(JG_ARGV("true"), OPTIONS(.cwd = "/etc/passwd"), ENOTDIR, "is none");
    leave_temporary_directory(directory);
    close_loop();
}

TEST(too_many_arguments_are_e2big)
{
    enum { BYTES = 8 << 20 };
    char *huge = malloc(BYTES);
    ck_assert_ptr_nonnull(huge);
    memset(huge, 'x', BYTES - 1);
    huge[BYTES - 1] = '\0';
    open_loop();
    FAILS_TO_SPAWN(JG_ARGV("true", huge), OPTIONS(0), E2BIG, "too long");
    close_loop();
    free(huge);
}

TEST(arguments_that_make_no_sense_are_refused)
{
    const int standard[] = {1, -1}, closed[] = {700, -1};
    open_loop();
    FAILS_TO_SPAWN(JG_ARGV("true"), OPTIONS(.in = JG_STDOUT), EINVAL, ".in is -2");
    FAILS_TO_SPAWN(JG_ARGV("true"), OPTIONS(.out = JG_STDOUT), EINVAL, ".out is -2");
    FAILS_TO_SPAWN(JG_ARGV("true"), OPTIONS(.err = -7), EINVAL, ".err is -7");
    FAILS_TO_SPAWN(JG_ARGV("true"), OPTIONS(.out = 700), EBADF, "700");
    FAILS_TO_SPAWN(JG_ARGV("true"), OPTIONS(.pass_fds = closed), EBADF, "700");
    FAILS_TO_SPAWN(JG_ARGV("true"), OPTIONS(.pass_fds = standard), EINVAL, ".pass_fds");
    FAILS_TO_SPAWN(JG_ARGV("true"), OPTIONS(.process_group = -7), EINVAL, ".process_group");
    FAILS_TO_SPAWN(JG_ARGV("true"), OPTIONS(.process_group = JG_NEW_GROUP, .new_session = true), EINVAL, "session");
    FAILS_TO_SPAWN(JG_ARGV("true"), OPTIONS(.process_group = 1), EPERM, "not permitted");
    close_loop();
}

TEST(without_fds_nothing_is_started)
{
    struct rlimit limit;
    int fds[64] = {0}, count = 0;
    open_loop();
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 64;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    while ((fds[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        count++;
    FAILS_TO_SPAWN(JG_ARGV("true"), OPTIONS(0), EMFILE, "open files");
    close(fds[--count]);
    struct ended ended; /* one is enough */
    run(&ended, JG_ARGV("true"), OPTIONS(0));
    ck_assert_int_eq(ended.child.status, 0);
    FAILS_TO_SPAWN(JG_ARGV("true"), OPTIONS(.out = 2), EMFILE, "open files"); /* it needs a copy besides */
    while (count > 0)
        close(fds[--count]);
    close_loop();
}

TEST(the_limit_of_processes_is_eagain)
{
    struct rlimit before, none;
    bool root = getuid() == 0;
    if (root && setresuid(65534, 65534, 0) < 0)
        SKIP("the limit does not hold for root");
    open_loop();
    ck_assert_int_eq(getrlimit(RLIMIT_NPROC, &before), 0);
    none = (struct rlimit){0, before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &none), 0);
    FAILS_TO_SPAWN(JG_ARGV("true"), OPTIONS(0), EAGAIN, "limit of processes");
    ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &before), 0);
    if (root)
        ck_assert_int_eq(setresuid(0, 0, 0), 0);
    close_loop();
}

/* ---- How it begins ---- */

TEST(it_begins_with_no_signal_blocked_and_sigpipe_at_its_default)
{
    static const char *const lines[] = {"^SigBlk:.*\t0*$", "^SigIgn:.*[02468ace]...$"};
    sigset_t all, before;
    struct ended ended;
    open_loop();
    signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < 2; i++) {
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, &before);
        run(&ended, JG_ARGV("grep", "-q", lines[i], "/proc/self/status"), OPTIONS(0));
        sigprocmask(SIG_SETMASK, &before, NULL);
        ck_assert_int_eq(ended.child.status, 0);
    }
    close_loop();
}

TEST(directory_and_environment_are_what_was_asked_for)
{
    const char *const environment[] = {"COLOUR=green", NULL};
    open_loop();
    ck_assert_int_eq(shell("[ \"$(pwd)\" = /usr ]", OPTIONS(.cwd = "/usr")), 0);
    ck_assert_int_eq(shell("[ \"$COLOUR\" = green ] && [ -z \"$HOME\" ]", OPTIONS(.env = environment)), 0);
    setenv("COLOUR", "red", 1);
    ck_assert_int_eq(shell("[ \"$COLOUR\" = red ]", OPTIONS(0)), 0);
    struct ended ended;
    run(&ended, JG_ARGV("another-name", "-c", "[ $0 = another-name ]"), OPTIONS(.program = "sh"));
    ck_assert_int_eq(ended.child.status, 0);
    close_loop();
}

TEST(groups_and_sessions)
{
    struct ended leader, member;
    open_loop();
    ck_assert_int_eq(spawn(&leader, JG_ARGV("sleep", "1000"), OPTIONS(.process_group = JG_NEW_GROUP)), 0);
    ck_assert_int_eq(getpgid(leader.child.pid), leader.child.pid);
    ck_assert_int_eq(spawn(&member, JG_ARGV("sleep", "1000"), OPTIONS(.process_group = leader.child.pid)), 0);
    ck_assert_int_eq(getpgid(member.child.pid), leader.child.pid);
    ck_assert_int_eq(jg__process_signal_group(&leader.child, SIGTERM), 0);
    ck_assert_int_eq(jg_loop_run_until(loop, has_ended, &leader), 0);
    ck_assert_int_eq(jg_loop_run_until(loop, has_ended, &member), 0);
    jg__process_release(&leader.child);
    jg__process_release(&member.child);
    ck_assert_int_eq(spawn(&leader, JG_ARGV("sleep", "1000"), OPTIONS(.new_session = true)), 0);
    ck_assert_int_eq(getsid(leader.child.pid), leader.child.pid);
    close_loop();
}

/* The leader ends by itself, what it has started does not. */
TEST(a_leader_takes_its_group_along_if_asked)
{
    struct ended leader;
    int ends[2];
    char byte;
    open_loop();
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    ck_assert_int_eq(spawn(&leader, JG_ARGV("sh", "-c", "trap '' TERM; sleep 1000 & sleep 0.05"),
                           OPTIONS(.process_group = JG_NEW_GROUP, .out = ends[1])),
                     0);
    close(ends[1]);
    leader.child.takes_group_along = true;
    ck_assert_int_eq(jg_loop_run_until(loop, has_ended, &leader), 0);
    ck_assert_int_eq(leader.child.code, CLD_EXITED);
    ck_assert_int_eq(read(ends[0], &byte, 1), 0); /* nobody has the other end any more */
    close(ends[0]);
    jg__process_release(&leader.child);
    close_loop();
}

/* ---- Its fds ---- */

static int file_with(const char *text)
{
    char name[] = "/tmp/juggle-XXXXXX";
    int fd = mkostemp(name, O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    unlink(name);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    lseek(fd, 0, SEEK_SET);
    return fd;
}

static void check_file(int fd, const char *text)
{
    char content[256] = "";
    ssize_t n = pread(fd, content, sizeof content - 1, 0);
    ck_assert_int_ge(n, 0);
    ck_assert_str_eq(content, text);
}

TEST(it_reads_and_writes_where_it_was_told_to)
{
    int in = file_with("input"), out = file_with(""), err = file_with("");
    open_loop();
    ck_assert_int_eq(shell("cat; echo error >&2", OPTIONS(.in = in, .out = out, .err = err)), 0);
    check_file(out, "input");
    check_file(err, "error\n");
    ck_assert_int_eq(ftruncate(out, 0), 0);
    lseek(out, 0, SEEK_SET);
    ck_assert_int_eq(shell("echo a; echo b >&2; cat", OPTIONS(.in = JG_DEVNULL, .out = out, .err = JG_STDOUT)), 0);
    check_file(out, "a\nb\n");
    ck_assert_int_eq(shell("echo a; echo b >&2", OPTIONS(.out = JG_DEVNULL, .err = JG_DEVNULL)), 0);
    close(in);
    close(out);
    close(err);
    close_loop();
}

/* What is to become the child's 0 is our 2, and the other way round. */
TEST(standard_fds_may_change_places)
{
    int in = file_with("from two"), out = file_with("");
    int saved_out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3), saved_err = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    open_loop();
    dup2(in, STDERR_FILENO);
    dup2(out, STDOUT_FILENO);
    int status = shell("cat >&2", OPTIONS(.in = STDERR_FILENO, .out = JG_DEVNULL, .err = STDOUT_FILENO));
    dup2(saved_out, STDOUT_FILENO);
    dup2(saved_err, STDERR_FILENO);
    ck_assert_int_eq(status, 0);
    check_file(out, "from two");
    close(in);
    close(out);
    close(saved_out);
    close(saved_err);
    close_loop();
}

TEST(it_gets_no_other_fds_than_those_that_are_passed)
{
    int quiet = open("/dev/null", O_RDONLY), passed = open("/dev/null", O_RDONLY | O_CLOEXEC); // NOLINT(*cloexec*)
    int high = fcntl(passed, F_DUPFD_CLOEXEC, 200);
    const int list[] = {high, passed, -1};
    char command[256];
    open_loop();
    snprintf(command, sizeof command, "ls -v /proc/$$/fd; true");
    int out = file_with("");
    char expected[64];
    ck_assert_int_eq(shell(command, OPTIONS(.in = JG_DEVNULL, .out = out, .err = JG_DEVNULL)), 0);
    check_file(out, "0\n1\n2\n");
    ck_assert_int_eq(ftruncate(out, 0), 0);
    lseek(out, 0, SEEK_SET);
    ck_assert_int_eq(shell(command, OPTIONS(.out = out, .pass_fds = list)), 0);
    snprintf(expected, sizeof expected, "0\n1\n2\n%d\n%d\n", passed, high);
    check_file(out, expected);
    snprintf(command, sizeof command, "[ -e /proc/$$/fd/%d ] && [ ! -e /proc/$$/fd/%d ]", quiet, passed);
    ck_assert_int_eq(shell(command, OPTIONS(.inherit_fds = true)), 0);
    close(quiet);
    close(passed);
    close(high);
    close(out);
    close_loop();
}
