/* Child processes with callbacks: started, watched through a pidfd, reaped. */
#ifndef JUGGLE_HOST_PROCESS_H
#define JUGGLE_HOST_PROCESS_H

#include "loop/internal.h"

#include <juggle/process.h>
#include <signal.h>

/* Embedded in its owner's record. The owner sets exited and evicted, and zeroes the rest. */
struct jg__child {
    /* It has ended and is reaped; from a turn of the loop, once. */
    void (*exited)(struct jg__child *child);
    /* The loop is closed, and the record was not released before; a child that ran was killed and reaped. */
    void (*evicted)(struct jg__child *child);
    struct jg__resident resident;
    jg_loop *loop;
    jg_operation poll;
    jg_timer retry;
    pid_t pid;
    int pidfd;
    int code;   /* CLD_EXITED, CLD_KILLED, CLD_DUMPED; 0: it runs; or JG__STATUS_LOST */
    int status; /* the exit status or the signal */
    bool leads_group;
    bool takes_group_along; /* set by the owner: what is left of its group is killed when it ends */
};

/* Somebody else has reaped it. */
enum { JG__STATUS_LOST = -1 };

/* Starts a program. Of the options, .in, .out and .err are fds, or JG_INHERIT, JG_STDOUT, JG_DEVNULL. Returns 0, or -1
 * with the errno and the words of jg_create_subprocess_exec; nothing runs then. Blocks until the program is loaded. */
int jg__process_spawn(jg_loop *loop, struct jg__child *child, const char *const *argv,
                      const jg_process_options *options);

/* The record of a child that has ended is the owner's again. */
void jg__process_release(struct jg__child *child);

/* Sends a signal to the child, or to the group that it leads. Returns 0, or -1 with ESRCH (it has ended), EPERM,
 * EINVAL. */
int jg__process_signal(struct jg__child *child, int signal_number);
int jg__process_signal_group(struct jg__child *child, int signal_number);

/* spawn.c: starts the program, and nothing else. Returns its pid, or -1 with errno and words. */
pid_t jg__spawn(const char *const *argv, const jg_process_options *options);

#endif
