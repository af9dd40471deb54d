/* What the files of futures share. */
#ifndef JUGGLE_TASK_FUTURE_H
#define JUGGLE_TASK_FUTURE_H

#include <juggle/future.h>

/* Queues the callbacks of a future that is completed now. */
void jg__future_callbacks_queue(jg_future *future);

#endif
