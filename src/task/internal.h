/* What the tasks show to the floors above: how to wait (wait.h), how to park and wake (scheduler.h). */
#ifndef JUGGLE_TASK_INTERNAL_H
#define JUGGLE_TASK_INTERNAL_H

#include "task/scheduler.h"

#endif
