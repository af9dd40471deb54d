/* Debug mode, see juggle/debug.h: is it on, and what the floors above ask of it. */
#ifndef JUGGLE_TASK_DEBUG_H
#define JUGGLE_TASK_DEBUG_H

#include "task/scheduler.h"

#pragma GCC visibility push(hidden)

extern atomic_bool jg__debug_mode;

static inline bool jg__debugging(void)
{
    return atomic_load_explicit(&jg__debug_mode, memory_order_relaxed);
}

/* Once in a process: looks at $JUGGLE_DEBUG, unless jg_set_debug has decided already. */
void jg__debug_setup(void);

/* Functions in words: "parse, called by handle, called by serve", from return addresses; cut where the buffer ends.
 * Returns `words`. On a large stack. */
const char *jg__describe_calls(char *words, size_t size, void *const *addresses, size_t count);

#pragma GCC visibility pop

#endif
