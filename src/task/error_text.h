/* The error text of each task. */
#ifndef JUGGLE_TASK_ERROR_TEXT_H
#define JUGGLE_TASK_ERROR_TEXT_H

#include "task/task.h"

/* Once in a process: from now on, what fails in a task is told to that task. */
void jg__error_text_setup(void);

/* The error text of a task that has ended becomes that of the running task; outside of a task, of the thread. */
void jg__error_text_hand_up(struct jg__task *from);

#endif
