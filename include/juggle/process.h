/* Child processes. asyncio's counterparts: create_subprocess_exec, create_subprocess_shell, Process.
 *
 * A child is started by posix_spawn, whatever the size of this process. It begins with an empty signal mask, with
 * SIGPIPE and SIGXFSZ at their defaults, and without any fd but 0, 1, 2 and those in .pass_fds. Its end is noticed and
 * it is reaped by the loop, whether or not anybody waits: no zombies. SIGCHLD is left alone. Calls belong to the thread
 * of the jg_run that started the child. Needs Linux 5.4. */
#ifndef JUGGLE_PROCESS_H
#define JUGGLE_PROCESS_H

#include <juggle/stream.h>

JG_BEGIN

typedef struct jg_process jg_process;

/* What stands at the child's standard input, output and errors; beside them, an fd of the caller's (above 0), which
 * stays the caller's and is best a blocking one. asyncio: subprocess.PIPE, STDOUT, DEVNULL. */
enum {
    JG_INHERIT = 0,  /* that of this process */
    JG_PIPE = -1,    /* a stream here: jg_process_stdin, jg_process_stdout, jg_process_stderr */
    JG_STDOUT = -2,  /* .err only: where .out goes */
    JG_DEVNULL = -3, /* nothing comes, everything vanishes */
};

/* For .process_group: a new one, led by the child. */
enum { JG_NEW_GROUP = -1 };

typedef struct jg_process_options {
    size_t size;
    int in;  /* JG_INHERIT, JG_PIPE, JG_DEVNULL or an fd */
    int out; /* the same */
    int err; /* the same, or JG_STDOUT */
    const char
        *program; /* the file to execute; NULL: argv[0]. Without a slash it is looked for in this process's PATH */
    const char *const *env; /* "NAME=value" texts, ended by NULL; NULL: this process's environment */
    const char *cwd;        /* its directory, to which a program's path with a slash is relative; NULL: ours */
    pid_t process_group;    /* the group to join, or JG_NEW_GROUP; 0: ours */
    bool new_session;       /* setsid: it leads a session and a group of its own */
    const int *pass_fds;    /* fds above 2 that the child gets under the same numbers, ended by -1; NULL: none */
    bool inherit_fds;       /* it gets every fd without FD_CLOEXEC. asyncio: close_fds=False */
    double grace;           /* seconds from SIGTERM to SIGKILL in jg_process_close; 0: 1; negative: SIGKILL at once */
} jg_process_options;

/* The arguments of a program, its name first: JG_ARGV("ls", "-l"). */
#define JG_ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Starts a program: `argv` ends with NULL. All is copied. The process is to be closed with jg_process_close. Does not
 * wait for other tasks, but the system takes the thread until the program is loaded. Returns NULL, and nothing runs,
 * with ENOENT (no such program, interpreter or .cwd), EACCES (not executable, a directory), ENOEXEC (executable, but in
 * no format that is known: for scripts without #! ask the shell), E2BIG (arguments and environment), ENOTDIR, ELOOP,
 * ENAMETOOLONG, ETXTBSY; EAGAIN (the limit of processes), EMFILE, ENFILE, ENOMEM; EBADF (an fd that is not open), EPERM
 * or ESRCH (.process_group), EINVAL (no argv[0], an unknown number for .in, .out, .err, .pass_fds); ENOSYS (the kernel
 * has no pidfds). asyncio: create_subprocess_exec. */
#define jg_create_subprocess_exec(argv, ...) \
    jg_create_subprocess_exec_with(argv, JG_OPTIONS(jg_process_options, __VA_ARGS__))
JG_API jg_process *jg_create_subprocess_exec_with(const char *const *argv,
                                                  const jg_process_options *options) JG_MUST_USE;

/* The same for a command of the shell: /bin/sh -c command. Whoever puts foreign text into it has to quote it; exec
 * needs no quotes. asyncio: create_subprocess_shell. */
#define jg_create_subprocess_shell(command, ...) \
    jg_create_subprocess_shell_with(command, JG_OPTIONS(jg_process_options, __VA_ARGS__))
JG_API jg_process *jg_create_subprocess_shell_with(const char *command, const jg_process_options *options) JG_MUST_USE;

/* ---- Talking to it ---- */

/* The streams at the other ends of its pipes, or NULL where JG_PIPE was not asked for. They are the process's: its
 * close closes them. They may be closed earlier with jg_close, which ends the child's input; after that they are not to
 * be used, as any closed stream. Never wait. asyncio: Process.stdin, stdout, stderr. */
JG_API jg_stream *jg_process_stdin(const jg_process *process);
JG_API jg_stream *jg_process_stdout(const jg_process *process);
JG_API jg_stream *jg_process_stderr(const jg_process *process);

/* What a child has written. Zero it first. The memory is given back by jg_process_output_free, which makes it zero
 * again and preserves errno. */
typedef struct jg_process_output {
    char *out; /* a NUL follows its end; NULL where there was no pipe */
    size_t out_size;
    char *err;
    size_t err_size;
    void *reserved[4];
} jg_process_output;
JG_API void jg_process_output_free(jg_process_output *output);

/* Binds what a child has written to its scope. */
#define jg_autooutput __attribute__((cleanup(jg_process_output_free))) jg_process_output

typedef struct jg_communicate_options {
    size_t size;
    size_t limit; /* bytes of each of the two outputs; 0: no limit */
} jg_communicate_options;

/* Sends the input (`data` NULL: none), closes the child's input, reads both its outputs to their ends, all at the same
 * time, and waits for its end. A child that does not read all of its input is no error. The streams are closed
 * afterwards. `output` may be NULL: it is read, and dropped. Ends only when whoever inherited the pipes from the child
 * has closed them, too. Waits. Returns 0; -1 with ECANCELED, ETIMEDOUT: the child runs on; what was read until then is
 * kept and comes with the next jg_process_communicate, the input is not sent again; EMSGSIZE (an output is over the
 * limit), EBADF (closed meanwhile), ENOMEM, ECHILD (as jg_process_wait). asyncio: communicate. */
#define jg_process_communicate(process, data, bytes, output, ...) \
    jg_process_communicate_with(process, data, bytes, output, JG_OPTIONS(jg_communicate_options, __VA_ARGS__))
JG_API int jg_process_communicate_with(jg_process *process, const void *data, size_t bytes, jg_process_output *output,
                                       const jg_communicate_options *options);

/* ---- Its end ---- */

/* Waits until it has ended; any number of tasks may. *returncode (if not NULL) is its exit status, or the negated
 * number of the signal that killed it; it is kept until the process is closed. A child whose output nobody reads may
 * never end: see jg_process_communicate. Returns 0; -1 with ECANCELED, ETIMEDOUT, and the child runs on; ECHILD when it
 * has ended but its status went elsewhere: SIGCHLD is ignored, or another part of the program has waited for it.
 * asyncio: Process.wait. */
JG_API int jg_process_wait(jg_process *process, int *returncode) JG_MUST_USE;

/* Has it ended? Then *returncode is set (if not NULL), to 255 where the status is unknown. Never waits. asyncio:
 * Process.returncode. */
JG_API bool jg_process_returncode(const jg_process *process, int *returncode);

/* "running", "exited with 3", "killed by SIGSEGV (core dumped)", "ended, its status is unknown". Valid until the next
 * call for this process. Never waits. */
JG_API const char *jg_process_status_text(jg_process *process);

/* Its number, also after its end, when another process may have got it. asyncio: Process.pid. */
JG_API pid_t jg_process_pid(const jg_process *process);

/* Sends it a signal: any, SIGTERM, SIGKILL. Hits the child alone, neither another process nor those that it has
 * started, even where it leads a group: that one is signalled by kill(-jg_process_pid(process), SIGTERM). Never wait.
 * Return 0; -1 with ESRCH (its end is known), EPERM (it has become another user's), EINVAL (no such signal). asyncio:
 * send_signal, terminate, kill. */
JG_API int jg_process_send_signal(jg_process *process, int signal_number);
JG_API int jg_process_terminate(jg_process *process);
JG_API int jg_process_kill(jg_process *process);

/* Closes its streams, dropping what was not sent, and makes sure that it has ended: SIGTERM, the grace period, SIGKILL;
 * with a group or session of its own all of that group. Of a child that has ended before this call its group is left
 * alone, whoever is in it: its number is not ours any more. Waits until it was reaped; interrupted, the grace period
 * ends; bound to a scope by jg_autoptr, it is shielded for the grace period. Tasks that wait for it learn how it ended,
 * those that communicate fail with EBADF. Then frees the process. Accepts NULL, preserves errno. What is left when
 * jg_run ends is killed and reaped. asyncio: the transport's close. */
JG_API void jg_process_close(jg_process *process);
JG_API void jg_process_autoptr(jg_process **process);

JG_END

#endif
