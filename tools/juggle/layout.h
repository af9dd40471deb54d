/* Finding the records by which Juggle tells how its tasks are laid out. */
#ifndef JUGGLE_TOOL_LAYOUT_H
#define JUGGLE_TOOL_LAYOUT_H

#include "process.h"
#include "task/layout.h"

enum { TASK_SIZE_MOST = 4096, WAIT_SIZE_MOST = 256 };

struct layouts {
    struct jg__layout *all; /* of each module that has the library in it */
    size_t count;
};

/* Ends the command when there is none, or none that can be understood. */
void layouts_find(struct layouts *layouts, const struct process *process);

#endif
