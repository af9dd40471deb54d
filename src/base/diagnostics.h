/* Words for what went wrong: the error text of the running task, reports that nobody waits for, and sentences before an
 * abort. */
#ifndef JUGGLE_BASE_DIAGNOSTICS_H
#define JUGGLE_BASE_DIAGNOSTICS_H

#include <juggle/error.h>

/* A bug of the caller: writes "juggle: " and the sentence to stderr and aborts. */
_Noreturn void jg__die(const char *format, ...) JG_PRINTF(1, 2);

/* Aborts with a sentence when a call was handed no object. */
static inline void jg__refuse_null(const void *object, const char *call, const char *what)
{
    if (__builtin_expect(!object, 0))
        jg__die("%s: the %s is NULL", call, what);
}

/* Tells the error handler. Preserves errno. */
void jg__report(const char *task_name, int error, const char *format, ...) JG_PRINTF(3, 4);

/* The words of a failure and the errno that they belong to. */
struct jg__error_text {
    int error;
    char words[512];
};

/* The error text of this thread, of what fails outside of tasks. */
struct jg__error_text *jg__thread_text(void);

/* Where the error text of whoever runs now is kept: a heap block, NULL at first. The floor of the tasks sets it;
 * without it, or when it returns NULL, there is one for each thread. */
extern struct jg__error_text **(*_Atomic jg__error_text_slot)(void);

#endif
