/* A runner: a scheduler that runs one main task after the other. jg_run is one that runs a single one. */
#ifndef JUGGLE_TASK_RUNNER_H
#define JUGGLE_TASK_RUNNER_H

#include "task/scheduler.h"

#include <juggle/runner.h>

struct jg_runner {
    struct jg__scheduler scheduler;
    jg_run_options options;
    char name[JG__NAME_SIZE];
};

/* Opens it; 0, or -1 with errno. jg__runner_shut cancels what is left, waits for it, and closes the loop. */
int jg__runner_open(jg_runner *runner, const jg_run_options *options);
void jg__runner_shut(jg_runner *runner);

/* Between these the scheduler is that of this thread. `call` is for sentences: aborts where another one is. */
int jg__runner_enter(const char *call, jg_runner *runner);
void jg__runner_leave(jg_runner *runner);

/* Runs a main task, inside. */
int jg__runner_run(const char *call, jg_runner *runner, jg_coroutine fn, void *arg);

/* set_up.c: once in a process; and for each run, so that the overflow of a stack is told. */
void jg__set_up_process(void);
int jg__set_up_overflow(void);

#endif
