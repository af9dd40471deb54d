/* Words for what went wrong: the error text of the running task, reports that nobody waits for, and sentences before an
 * abort. */
#ifndef JUGGLE_BASE_DIAGNOSTICS_H
#define JUGGLE_BASE_DIAGNOSTICS_H

#include <juggle/error.h>

/* Sets errno and the error text ("jg_open_connection example.com:80: Connection refused"), returns -1. */
int jg__fail(int error, const char *format, ...) JG_PRINTF(2, 3);

/* A bug of the caller: writes "juggle: " and the sentence to stderr and aborts. */
_Noreturn void jg__die(const char *format, ...) JG_PRINTF(1, 2);

/* Tells the error handler. Preserves errno. */
void jg__report(const char *task_name, int error, const char *format, ...) JG_PRINTF(3, 4);

/* Where the error text of whoever runs now is kept: a heap block that grows, NULL at first. The floor of the tasks
 * replaces this function's answer through jg__error_text_slot; without it, or when it returns NULL, there is one for
 * each thread. */
extern char **(*jg__error_text_slot)(void);

#endif
