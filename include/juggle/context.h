/* Values that belong to a task and are inherited by the tasks it creates. asyncio's counterpart: contextvars. */
#ifndef JUGGLE_CONTEXT_H
#define JUGGLE_CONTEXT_H

#include <juggle/task.h>

JG_BEGIN

/* A key: a static variable, `static jg_context_var request_id = {.name = "request_id"};`. */
typedef struct jg_context_var {
    const char *name;
    void *fallback; /* what jg_context_get returns where nothing was set */
} jg_context_var;

/* Sets the value for the running task and for tasks that it creates from now on; what runs already keeps its own.
 * Allocates; the pointer is not owned. Never waits. Returns 0, or -1 with ENOMEM. asyncio: ContextVar.set. */
JG_API int jg_context_set(jg_context_var *variable, void *value);

/* The value, or the variable's fallback. Never waits. asyncio: ContextVar.get. */
JG_API void *jg_context_get(const jg_context_var *variable);

JG_END

#endif
