#include "base/diagnostics.h"

#include "base/memory.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_SIZE = sizeof((struct jg__error_text *)NULL)->words };

struct jg__error_text **(*_Atomic jg__error_text_slot)(void);

static _Thread_local struct jg__error_text thread_text;

struct jg__error_text *jg__thread_text(void)
{
    return &thread_text;
}

/* The text of the running task, or of the thread where there is no task or no memory for one; NULL for a task that has
 * none, unless one is to be allocated. */
static struct jg__error_text *text_of_the_running(bool allocate)
{
    struct jg__error_text **(*slot_of_the_running)(void) = jg__error_text_slot;
    struct jg__error_text **slot = slot_of_the_running ? slot_of_the_running() : NULL;
    if (slot && !*slot && allocate)
        *slot = jg__allocate_zeroed(sizeof **slot);
    return slot && (*slot || !allocate) ? *slot : &thread_text;
}

int jg_fail(int error, const char *format, ...)
{
    char words[TEXT_SIZE]; /* the old text may be among the arguments */
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    struct jg__error_text *text = text_of_the_running(true);
    strcpy(text->words, words);
    text->error = error;
    errno = error;
    return -1;
}

const char *jg_error_text(void)
{
    int error = errno;
    const struct jg__error_text *text = text_of_the_running(false);
    bool known = text && text->error == error && *text->words;
    const char *words = known ? text->words : error ? strerror(error) : "";
    errno = error;
    return words;
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

void jg_default_error_handler(const jg_report *report, void *arg)
{
    (void)arg;
    if (report->error == ECANCELED || report->error == EPIPE || report->error == ECONNRESET)
        return;
    if (report->task_name)
        fprintf(stderr, "juggle: task \"%s\": %s\n", report->task_name, report->message);
    else
        fprintf(stderr, "juggle: %s\n", report->message);
}

/* A handler and its argument belong together: threads must not see one without the other. */
static struct {
    pthread_mutex_t lock;
    jg_error_handler fn;
    void *arg;
} handler = {.lock = PTHREAD_MUTEX_INITIALIZER, .fn = jg_default_error_handler};

void jg_set_error_handler(jg_error_handler fn, void *arg)
{
    pthread_mutex_lock(&handler.lock);
    handler.fn = fn ? fn : jg_default_error_handler;
    handler.arg = arg;
    pthread_mutex_unlock(&handler.lock);
}

jg_error_handler jg_get_error_handler(void **arg)
{
    pthread_mutex_lock(&handler.lock);
    jg_error_handler fn = handler.fn;
    if (arg)
        *arg = handler.arg;
    pthread_mutex_unlock(&handler.lock);
    return fn;
}

void jg_call_error_handler(const jg_report *report)
{
    int saved = errno;
    void *arg;
    jg_error_handler fn = jg_get_error_handler(&arg);
    fn(report, arg);
    errno = saved;
}

void jg__report(const char *task_name, int error, const char *format, ...)
{
    int saved = errno;
    char message[TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    jg_call_error_handler(&(jg_report){.message = message, .task_name = task_name, .error = error});
    errno = saved;
}
