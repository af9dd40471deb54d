/* The error text of each task. */
#ifndef JUGGLE_TASK_ERROR_TEXT_H
#define JUGGLE_TASK_ERROR_TEXT_H

#include "task/task.h"

/* Once in a process: from now on, what fails in a task is told to that task. */
void jg__error_text_setup(void);

/* The error text of a task that has ended becomes that of the running task; outside of a task, of the thread. */
void jg__error_text_hand_up(struct jg__task *from);

/* The reason of a failure: errno and its words. */
struct jg__reason {
    int error, refused_error;
    const char *refused_call;
    struct jg__error_text *text;
    struct jg__task *task; /* NULL: outside of one, where only errno is kept */
};

/* To the end of the block, whatever fails in it fails unheard: clean-up must not take the place of the reason for it.
 */
#define JG__KEEP_REASON(name)                                            \
    __attribute__((cleanup(jg__reason_restore))) struct jg__reason name; \
    jg__reason_keep(&name)

void jg__reason_keep(struct jg__reason *reason);
void jg__reason_restore(struct jg__reason *reason);

#endif
