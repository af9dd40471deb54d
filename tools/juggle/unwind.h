/* The frames of another process's tasks, by libdw. */
#ifndef JUGGLE_TOOL_UNWIND_H
#define JUGGLE_TOOL_UNWIND_H

#include "tasks.h"

/* Can this command unwind at all? */
bool unwind_available(void);

/* The return addresses of a task, from the innermost frame outwards; returns how many there are. */
size_t unwind_task(struct process *process, const struct run *run, const struct task *task, uint64_t *addresses,
                   size_t capacity);

#endif
