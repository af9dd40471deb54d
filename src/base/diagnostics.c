#include "base/diagnostics.h"

#include "base/memory.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_SIZE = 512 };

char **(*jg__error_text_slot)(void);

static _Thread_local char thread_text[TEXT_SIZE];

/* The text of the running task, or of the thread where there is no task or no memory for one. */
static char *text_of_the_running(bool allocate)
{
    char **slot = jg__error_text_slot ? jg__error_text_slot() : NULL;
    if (!slot)
        return thread_text;
    if (!*slot && allocate) {
        *slot = jg__allocate(TEXT_SIZE);
        if (*slot)
            **slot = '\0';
    }
    return *slot ? *slot : allocate ? thread_text : NULL;
}

int jg__fail(int error, const char *format, ...)
{
    va_list arguments;
    char *text = text_of_the_running(true);
    va_start(arguments, format);
    vsnprintf(text, TEXT_SIZE, format, arguments);
    va_end(arguments);
    errno = error;
    return -1;
}

const char *jg_error_text(void)
{
    int saved = errno;
    char *text = text_of_the_running(false);
    errno = saved;
    return text ? text : "";
}

_Noreturn void jg__die(const char *format, ...)
{
    char sentence[TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    int length = snprintf(sentence, sizeof sentence, "juggle: ");
    vsnprintf(sentence + length, sizeof sentence - (size_t)length - 1, format, arguments);
    va_end(arguments);
    strcat(sentence, "\n");
    if (write(STDERR_FILENO, sentence, strlen(sentence)) < 0)
        abort();
    abort();
}

static void report_to_stderr(const jg_report *report, void *arg)
{
    (void)arg;
    if (report->error == ECANCELED || report->error == EPIPE || report->error == ECONNRESET)
        return;
    if (report->task_name)
        fprintf(stderr, "juggle: task \"%s\": %s\n", report->task_name, report->message);
    else
        fprintf(stderr, "juggle: %s\n", report->message);
}

static jg_error_handler error_handler = report_to_stderr;
static void *error_handler_arg;

void jg_set_error_handler(jg_error_handler handler, void *arg)
{
    error_handler = handler ? handler : report_to_stderr;
    error_handler_arg = arg;
}

void jg__report(const char *task_name, int error, const char *format, ...)
{
    int saved = errno;
    char message[TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    error_handler(&(jg_report){.message = message, .task_name = task_name, .error = error}, error_handler_arg);
    errno = saved;
}
