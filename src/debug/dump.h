#ifndef JUGGLE_DEBUG_DUMP_H
#define JUGGLE_DEBUG_DUMP_H

/* The tree of this thread's tasks, which ends with the tasks' stacks; on the loop's own stack. 0, or -1 with errno. */
int jg__dump_tasks(const char *call, int fd);

#endif
