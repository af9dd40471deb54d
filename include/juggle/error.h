/* What errno cannot say, and failures that nobody waits for. */
#ifndef JUGGLE_ERROR_H
#define JUGGLE_ERROR_H

#include <juggle/common.h>

JG_BEGIN

/* The last failure of a call of this library in this task (outside a task: in this thread), in words: what was tried,
 * with what, and what the resolver or the kernel answered. "" before the first. Valid until the next failure in the
 * same task; lives at most as long as the task. Never waits, never fails, leaves errno. */
JG_API const char *jg_error_text(void);

/* What is reported when nobody is there to be told: the failure of a detached task or of a connection handler, a task
 * that its creator never awaited, a server without fds, a task that ignores its cancellation. */
typedef struct jg_report {
    const char *message;   /* one sentence, without a newline; valid during the call */
    const char *task_name; /* whose failure, or NULL */
    int error;             /* its errno, or 0 */
} jg_report;

typedef void (*jg_error_handler)(const jg_report *report, void *arg);

/* Replaces the error handler of the process; NULL restores the default, which writes one line to stderr, except for
 * failures by ECANCELED, EPIPE and ECONNRESET. The handler is called from the loop's thread and must not wait.
 * Never waits. asyncio: loop.set_exception_handler. */
JG_API void jg_set_error_handler(jg_error_handler handler, void *arg);

JG_END

#endif
