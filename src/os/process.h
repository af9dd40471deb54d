/* What a process is, for the files of this folder. */
#ifndef JUGGLE_OS_PROCESS_H
#define JUGGLE_OS_PROCESS_H

#include "host/process.h"
#include "stream/stream.h"

/* What a child has written so far. */
struct jg__collected {
    char *data;
    size_t size, room;
};

struct jg_process {
    struct jg__child child;
    jg_stream *in, *out, *err; /* NULL: no pipe */
    double grace;
    struct jg__list waiters;
    struct jg__collected collected[2]; /* by communicate: output and errors */
    unsigned users;                    /* tasks that look at it, and may have let others run */
    bool closing;
    struct jg__wait *closer; /* waits until they have left */
    char text[64];           /* see jg_process_status_text */
};

/* A task that waits for its end; on its stack. The process may be gone when the task runs. */
struct jg__process_waiter {
    struct jg__wait wait;
    struct jg__list node;
    int code, status; /* see jg__child */
};

/* process_wait.c: in between the process is not freed. */
void jg__process_use(struct jg_process *process);
void jg__process_leave(struct jg_process *process);

/* process_wait.c: parks until it has ended; 0 or a negated errno. The callback of the child's end. */
int jg__process_wait_for_end(struct jg_process *process, struct jg__process_waiter *waiter);
void jg__process_exited(struct jg__child *child);

/* A stream of the process's, or NULL when it was closed: by its owner, or together with the process. */
jg_stream *jg__process_stream(jg_stream *stream);

/* Closes a stream of the process's, unless it is closed. Never waits. */
void jg__process_drop_stream(jg_stream *stream);

#endif
