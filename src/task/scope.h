/* What jg_timeout.kind says. */
#ifndef JUGGLE_TASK_SCOPE_H
#define JUGGLE_TASK_SCOPE_H

enum { JG__DEADLINE = 1, JG__SHIELD = 2 };

#endif
