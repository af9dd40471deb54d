/* Ctrl-C as asyncio.run treats it: the first one cancels main, the second one kills. */
#ifndef JUGGLE_TASK_SIGINT_H
#define JUGGLE_TASK_SIGINT_H

#include "task/scheduler.h"

/* Takes SIGINT over for this run, if this is the process's main thread and the signal's disposition is the default. */
bool jg__sigint_take(struct jg__scheduler *scheduler);
void jg__sigint_give_back(struct jg__scheduler *scheduler);

#endif
