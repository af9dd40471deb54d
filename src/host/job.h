/* Work on threads of their own, for calls that block: a few threads, started on demand, that end when they were idle
 * for some seconds or when nobody holds them any more. */
#ifndef JUGGLE_HOST_JOB_H
#define JUGGLE_HOST_JOB_H

#include "base/list.h"

struct jg__job {
    void (*work)(struct jg__job *job);     /* on a thread */
    void (*finished)(struct jg__job *job); /* then, on the thread: tells the owner; must not block */
    void (*dropped)(struct jg__job *job);  /* instead of it, when the job was withdrawn meanwhile: frees it */
    struct jg__list node;                  /* private */
    unsigned char state;                   /* private */
};

/* The threads stay available until each hold was let go; then idle threads end before this returns, and those that are
 * busy end after their work. */
void jg__jobs_hold(void);
void jg__jobs_let_go(void);

/* Hands a job to the threads. Returns 0, or -1 with EAGAIN when there is no thread and none can be started. */
int jg__job_start(struct jg__job *job);

/* Takes it back, at once. True: no thread knows of it any more; `finished` was called, or will never be. False: a
 * thread is at work on it, the job is the thread's, and `dropped` follows. */
bool jg__job_withdraw(struct jg__job *job);

#endif
