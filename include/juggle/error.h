/* What errno cannot say, and failures that nobody waits for. */
#ifndef JUGGLE_ERROR_H
#define JUGGLE_ERROR_H

#include <juggle/common.h>

JG_BEGIN

/* Fails: sets errno and the error text, returns -1. For coroutines of your own: `return jg_fail(EPROTO, "%s: no
 * greeting", host);`. Texts over 511 bytes are cut. Never waits. */
JG_API int jg_fail(int error, const char *format, ...) JG_PRINTF(2, 3);

/* The failure that errno stands for, in words: what was tried, with what, and what the resolver or the kernel answered.
 * The words are those of the last failure of a call of this library, or of jg_fail, in this task (outside a task: in
 * this thread); where errno has changed since, or came from elsewhere, strerror's. The words of a failed task go to
 * whoever awaits it, those of main to whoever called jg_run. Valid until the next call of this function or the next
 * failure in the same task. Never waits, never fails, leaves errno. */
JG_API const char *jg_error_text(void);

/* What is reported when nobody is there to be told: the failure of a detached task or of a connection handler, a task
 * that its creator never awaited, a server without fds, a task that ignores its cancellation. */
typedef struct jg_report {
    const char *message;   /* one sentence, without a newline; valid during the call */
    const char *task_name; /* whose failure, or NULL */
    int error;             /* its errno, or 0 */
} jg_report;

typedef void (*jg_error_handler)(const jg_report *report, void *arg);

/* Replaces the error handler of the process; NULL restores the default one. The handler is called from the loop's
 * thread, or from whatever thread reports, and must not wait. May be called from any thread; another one may still be
 * inside the old handler when this returns. Never waits. asyncio: loop.set_exception_handler. */
JG_API void jg_set_error_handler(jg_error_handler handler, void *arg);

/* The handler that is set, which may be jg_default_error_handler, and its argument (if `arg` is not NULL). Never waits.
 * asyncio: loop.get_exception_handler. */
JG_API jg_error_handler jg_get_error_handler(void **arg);

/* Hands a report to the handler that is set. May be called from any thread. Preserves errno. Never waits. asyncio:
 * loop.call_exception_handler. */
JG_API void jg_call_error_handler(const jg_report *report);

/* The default: writes one line to stderr, except for failures by ECANCELED, EPIPE and ECONNRESET. For handlers that add
 * something to it; `arg` is not used. Never waits. asyncio: loop.default_exception_handler. */
JG_API void jg_default_error_handler(const jg_report *report, void *arg);

JG_END

#endif
