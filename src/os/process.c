#include "os/process.h"

#include "base/memory.h"
#include "base/options.h"
#include "task/error_text.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { IN, OUT, ERR, STREAMS };

/* ---- Its start ---- */

/* The child's end of a pipe: in a program without standard fds it could be 0, which means something else. */
static int above_standard_fds(int fd)
{
    if (fd > STDERR_FILENO)
        return fd;
    int above = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int error = errno;
    close(fd);
    errno = error;
    return above;
}

/* A stream of ours at one end of a pipe; returns the other end, or -1. */
static int open_pipe(jg_stream **stream, bool input)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return jg_fail(errno, "jg_create_subprocess_exec: pipe: %s", strerror(errno));
    *stream = jg_stream_from_fd(ends[input]);
    if (*stream) {
        int end = above_standard_fds(ends[!input]);
        return end < 0 ? jg_fail(errno, "jg_create_subprocess_exec: pipe: %s", strerror(errno)) : end;
    }
    int error = errno;
    close(ends[0]);
    close(ends[1]);
    errno = error;
    return -1;
}

/* Puts the child's ends of its pipes into the options. */
static int open_pipes(struct jg_process *process, jg_process_options *options, int ends[STREAMS])
{
    jg_stream **streams[STREAMS] = {&process->in, &process->out, &process->err};
    int *fds[STREAMS] = {&options->in, &options->out, &options->err};
    for (int i = 0; i < STREAMS; i++) {
        if (*fds[i] != JG_PIPE)
            continue;
        *fds[i] = ends[i] = open_pipe(streams[i], i == IN);
        if (ends[i] < 0)
            return -1;
    }
    return 0;
}

static void free_process(struct jg_process *process)
{
    jg__release(process->collected[0].data);
    jg__release(process->collected[1].data);
    jg__release(process);
}

static void evicted(struct jg__child *child)
{
    free_process(jg__container_of(child, struct jg_process, child));
}

static void drop_streams(struct jg_process *process)
{
    jg__process_drop_stream(process->in);
    jg__process_drop_stream(process->out);
    jg__process_drop_stream(process->err);
}

/* `options` are a copy. */
static int start(struct jg_process *process, const char *const *argv, jg_process_options *options)
{
    int ends[STREAMS] = {-1, -1, -1};
    int result = open_pipes(process, options, ends);
    if (result == 0)
        result = jg__process_spawn(jg__here.loop, &process->child, argv, options);
    int error = errno;
    for (int i = 0; i < STREAMS; i++)
        if (ends[i] >= 0)
            close(ends[i]);
    if (result < 0)
        drop_streams(process);
    errno = error;
    return result;
}

jg_process *jg_create_subprocess_exec_with(const char *const *argv, const jg_process_options *options)
{
    static const char call[] = "jg_create_subprocess_exec";
    jg_process_options whole;
    options = jg__whole_options(options, &whole, sizeof whole);
    jg__running(call);
    if (!argv || !argv[0]) {
        jg_fail(EINVAL, "%s: there is no argv[0]", call);
        return NULL;
    }
    struct jg_process *process = jg__allocate_zeroed(sizeof *process);
    if (!process) {
        jg_fail(ENOMEM, "%s: out of memory", call);
        return NULL;
    }
    process->child.exited = jg__process_exited;
    process->child.evicted = evicted;
    process->grace = options->grace == 0 ? 1 : options->grace;
    jg__list_init(&process->waiters);
    jg_process_options changed = *options;
    if (start(process, argv, &changed) == 0)
        return process;
    free_process(process);
    return NULL;
}

jg_process *jg_create_subprocess_shell_with(const char *command, const jg_process_options *options)
{
    if (command)
        return jg_create_subprocess_exec_with(JG_ARGV("/bin/sh", "-c", command), options);
    jg_fail(EINVAL, "jg_create_subprocess_shell: the command is NULL");
    return NULL;
}

/* ---- Talking to it ---- */

jg_stream *jg__process_stream(jg_stream *stream)
{
    return stream && jg__stream_behind(stream) ? stream : NULL;
}

jg_stream *jg_process_stdin(const jg_process *process)
{
    jg__refuse_null(process, "jg_process_stdin", "process");
    return jg__process_stream(process->in);
}

jg_stream *jg_process_stdout(const jg_process *process)
{
    jg__refuse_null(process, "jg_process_stdout", "process");
    return jg__process_stream(process->out);
}

jg_stream *jg_process_stderr(const jg_process *process)
{
    jg__refuse_null(process, "jg_process_stderr", "process");
    return jg__process_stream(process->err);
}

void jg__process_drop_stream(jg_stream *stream)
{
    jg_abort(jg__process_stream(stream));
}

pid_t jg_process_pid(const jg_process *process)
{
    jg__refuse_null(process, "jg_process_pid", "process");
    return process->child.pid;
}

static int send_signal(jg_process *process, int signal_number, const char *call)
{
    jg__refuse_null(process, call, "process");
    return jg__process_signal(&process->child, signal_number);
}

int jg_process_send_signal(jg_process *process, int signal_number)
{
    return send_signal(process, signal_number, "jg_process_send_signal");
}

int jg_process_terminate(jg_process *process)
{
    return send_signal(process, SIGTERM, "jg_process_terminate");
}

int jg_process_kill(jg_process *process)
{
    return send_signal(process, SIGKILL, "jg_process_kill");
}

/* ---- Closing ---- */

static void end_in_peace(struct jg_process *process, const char *call)
{
    struct jg__process_waiter waiter = {.wait = {.call = call, .object = process}};
    if (process->grace < 0 || jg__process_signal_group(&process->child, SIGTERM) < 0)
        return;
    JG_TIMEOUT(grace, process->grace);
    jg__process_wait_for_end(process, &waiter);
}

/* It does end: nothing withstands SIGKILL. */
static void end(struct jg_process *process, const char *call)
{
    struct jg__process_waiter waiter = {.wait = {.call = call, .object = process, .interrupt = jg__not_now}};
    process->child.takes_group_along = process->child.leads_group;
    end_in_peace(process, call);
    if (process->child.code)
        return;
    jg__process_signal_group(&process->child, SIGKILL);
    jg__process_wait_for_end(process, &waiter);
}

static void wait_for_users(struct jg_process *process, const char *call)
{
    struct jg__wait wait = {.call = call, .object = process, .interrupt = jg__not_now};
    if (!process->users)
        return;
    process->closer = &wait;
    jg__park(&wait);
}

void jg_process_close(jg_process *process)
{
    static const char call[] = "jg_process_close";
    if (!process)
        return;
    jg__running(call);
    JG__KEEP_REASON(reason);
    process->closing = true;
    drop_streams(process);
    if (!process->child.code)
        end(process, call);
    wait_for_users(process, call);
    jg__process_release(&process->child);
    free_process(process);
}

void jg_process_autoptr(jg_process **process)
{
    if (!*process)
        return;
    JG_SHIELD(shield, (*process)->grace);
    jg_process_close(*process);
}
