/* posix_spawn, and in words why it failed. It copies nothing of this process, however large that is. */
#include "host/process.h"

#include "base/diagnostics.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STANDARD_FDS = 3 };

/* What is undone, whatever came of it. */
struct preparation {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int copies[STANDARD_FDS]; /* of fds that another one will overwrite in the child; -1: none */
};

/* ---- Its fds ---- */

static int check_fd(const char *program, int fd)
{
    if (fcntl(fd, F_GETFD) >= 0)
        return 0;
    return jg_fail(EBADF, "jg_create_subprocess_exec: %s: fd %d is not open", program, fd);
}

/* In the child 0, 1 and 2 are set one after the other: what stands there has to be copied first. */
static int source_of(struct preparation *preparation, int place, int fd)
{
    if (fd >= STANDARD_FDS || fd == place)
        return fd;
    return preparation->copies[place] = fcntl(fd, F_DUPFD_CLOEXEC, STANDARD_FDS);
}

/* Returns 0 or an errno. */
static int add_standard_fd(struct preparation *preparation, int place, int fd)
{
    posix_spawn_file_actions_t *actions = &preparation->actions;
    if (fd == JG_INHERIT)
        return 0;
    if (fd == JG_DEVNULL)
        return posix_spawn_file_actions_addopen(actions, place, "/dev/null", place ? O_WRONLY : O_RDONLY, 0);
    if (fd == JG_STDOUT)
        return posix_spawn_file_actions_adddup2(actions, STDOUT_FILENO, STDERR_FILENO);
    int source = source_of(preparation, place, fd);
    return source < 0 ? errno : posix_spawn_file_actions_adddup2(actions, source, place);
}

static bool listed(const int *fds, int fd)
{
    while (*fds >= 0 && *fds != fd)
        fds++;
    return *fds == fd;
}

/* Everything but the standard fds and those that are passed is closed. */
static int add_closes(posix_spawn_file_actions_t *actions, const int *passed)
{
    int error = 0, beyond = STANDARD_FDS;
    for (const int *fd = passed; *fd >= 0; fd++)
        beyond = *fd >= beyond ? *fd + 1 : beyond;
    for (int fd = STANDARD_FDS; fd < beyond && !error; fd++)
        if (!listed(passed, fd))
            error = posix_spawn_file_actions_addclose(actions, fd);
    return error ? error : posix_spawn_file_actions_addclosefrom_np(actions, beyond);
}

static int add_fds(struct preparation *preparation, const jg_process_options *options)
{
    static const int none = -1;
    const int *passed = options->pass_fds ? options->pass_fds : &none;
    int error = add_standard_fd(preparation, STDIN_FILENO, options->in);
    if (!error)
        error = add_standard_fd(preparation, STDOUT_FILENO, options->out);
    if (!error)
        error = add_standard_fd(preparation, STDERR_FILENO, options->err);
    for (const int *fd = passed; *fd >= 0 && !error; fd++) /* onto itself: that takes its FD_CLOEXEC away */
        error = posix_spawn_file_actions_adddup2(&preparation->actions, *fd, *fd);
    return error || options->inherit_fds ? error : add_closes(&preparation->actions, passed);
}

static int check_standard_fd(const char *program, int place, int fd)
{
    static const char *const names[STANDARD_FDS] = {".in", ".out", ".err"};
    if (fd > 0)
        return check_fd(program, fd);
    if (fd == JG_INHERIT || fd == JG_DEVNULL || (fd == JG_STDOUT && place == STDERR_FILENO))
        return 0;
    return jg_fail(EINVAL, "jg_create_subprocess_exec: %s: %s is %d", program, names[place], fd);
}

static int check_fds(const char *program, const jg_process_options *options)
{
    const int standard[] = {options->in, options->out, options->err};
    for (int place = 0; place < STANDARD_FDS; place++)
        if (check_standard_fd(program, place, standard[place]) < 0)
            return -1;
    for (const int *fd = options->pass_fds; fd && *fd >= 0; fd++) {
        if (*fd < STANDARD_FDS)
            return jg_fail(EINVAL,
                           "jg_create_subprocess_exec: %s: fd %d is not passed by .pass_fds, but by .in, .out or .err",
                           program, *fd);
        if (check_fd(program, *fd) < 0)
            return -1;
    }
    return 0;
}

/* ---- How it begins ---- */

static int check_group(const char *program, const jg_process_options *options)
{
    if (options->process_group < JG_NEW_GROUP)
        return jg_fail(EINVAL, "jg_create_subprocess_exec: %s: .process_group is %d", program,
                       (int)options->process_group);
    if (options->process_group && options->new_session)
        return jg_fail(EINVAL, "jg_create_subprocess_exec: %s: a new session has a group of its own", program);
    return 0;
}

static int set_attributes(posix_spawnattr_t *attributes, const jg_process_options *options)
{
    int flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
    sigset_t set;
    sigemptyset(&set);
    posix_spawnattr_setsigmask(attributes, &set);
    sigaddset(&set, SIGPIPE); /* ignored here, by jg_run... */
    sigaddset(&set, SIGXFSZ); /* ...and by file writes */
    posix_spawnattr_setsigdefault(attributes, &set);
    if (options->new_session)
        flags |= POSIX_SPAWN_SETSID;
    if (options->process_group) {
        flags |= POSIX_SPAWN_SETPGROUP;
        posix_spawnattr_setpgroup(attributes, options->process_group == JG_NEW_GROUP ? 0 : options->process_group);
    }
    return posix_spawnattr_setflags(attributes, (short)flags);
}

static int prepare(struct preparation *preparation, const jg_process_options *options)
{
    int error = set_attributes(&preparation->attributes, options);
    if (!error && options->cwd)
        error = posix_spawn_file_actions_addchdir_np(&preparation->actions, options->cwd);
    return error ? error : add_fds(preparation, options);
}

/* ---- Why it failed ---- */

/* A file that is there, and yet could not be found or executed: its directory, or what its first line names. */
static const char *why(int error, const char *program, const jg_process_options *options)
{
    struct stat status;
    bool there = strchr(program, '/') && !options->cwd && stat(program, &status) == 0;
    if (error == ENOENT)
        return there ? "the interpreter of this file does not exist" : "no such program";
    if (error == EACCES && there && S_ISDIR(status.st_mode))
        return "it is a directory";
    if (error == EACCES)
        return "it is not executable, or not accessible";
    if (error == ENOEXEC)
        return "it is in no format that can be executed";
    if (error == E2BIG)
        return "the arguments and the environment are too long";
    if (error == EAGAIN)
        return "the limit of processes is reached";
    return strerror(error);
}

static int fail_to_spawn(int error, const char *program, const jg_process_options *options)
{
    struct stat status;
    if (options->cwd && stat(options->cwd, &status) < 0)
        return jg_fail(error, "jg_create_subprocess_exec: %s: its directory %s: %s", program, options->cwd,
                       strerror(errno));
    if (options->cwd && !S_ISDIR(status.st_mode))
        return jg_fail(error, "jg_create_subprocess_exec: %s: its directory %s is none", program, options->cwd);
    return jg_fail(error, "jg_create_subprocess_exec: %s: %s", program, why(error, program, options));
}

/* ---- All of it ---- */

/* Returns 0 or an errno. The functions of posix_spawn don't set errno. */
static int spawn(pid_t *pid, struct preparation *preparation, const char *const *argv,
                 const jg_process_options *options)
{
    const char *program = options->program ? options->program : argv[0];
    char *const *environment = options->env ? (char *const *)(uintptr_t)options->env : environ;
    int error = prepare(preparation, options);
    if (!error)
        error = posix_spawnp(pid, program, &preparation->actions, &preparation->attributes,
                             (char *const *)(uintptr_t)argv, environment);
    for (int place = 0; place < STANDARD_FDS; place++)
        if (preparation->copies[place] >= 0)
            close(preparation->copies[place]);
    return error;
}

pid_t jg__spawn(const char *const *argv, const jg_process_options *options)
{
    const char *program = options->program ? options->program : argv[0];
    struct preparation preparation = {.copies = {-1, -1, -1}};
    pid_t pid = -1;
    if (check_fds(program, options) < 0 || check_group(program, options) < 0)
        return -1;
    int error = posix_spawn_file_actions_init(&preparation.actions);
    if (error)
        return fail_to_spawn(error, program, options);
    error = posix_spawnattr_init(&preparation.attributes);
    if (!error) {
        error = spawn(&pid, &preparation, argv, options);
        posix_spawnattr_destroy(&preparation.attributes);
    }
    posix_spawn_file_actions_destroy(&preparation.actions);
    return error ? fail_to_spawn(error, program, options) : pid;
}
