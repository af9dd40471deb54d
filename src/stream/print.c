/* Formatted text, made on the loop's large stack, so that a task stays small. */
#include "base/memory.h"
#include "stream/write.h"

#include <errno.h>
#include <stdio.h>

enum { TEXT_USUAL = 4096 };

struct print {
    struct jg__stream *stream;
    const char *format;
    va_list *arguments;
    int length;
    char *text; /* on the heap, when it was not written already */
};

static int print_to_heap(struct print *print)
{
    print->text = jg__allocate((size_t)print->length + 1);
    if (!print->text)
        return jg_fail(ENOMEM, "jg_printf: out of memory for %d bytes", print->length);
    vsnprintf(print->text, (size_t)print->length + 1, print->format, *print->arguments);
    return 0;
}

static int print_deep(void *arg)
{
    struct print *print = arg;
    char text[TEXT_USUAL];
    va_list again;
    va_copy(again, *print->arguments);
    print->length = vsnprintf(text, sizeof text, print->format, again);
    va_end(again);
    if (print->length < 0)
        return jg_fail(EINVAL, "jg_printf: the text is longer than INT_MAX, or cannot be formatted");
    size_t length = (size_t)print->length;
    if (length >= sizeof text || !jg__may_copy(print->stream, length))
        return print_to_heap(print);
    return jg__write_vector(print->stream, &(struct iovec){text, length}, 1, length, "jg_printf");
}

int jg_vprintf(jg_stream *handle, const char *format, va_list arguments)
{
    struct print print = {.stream = jg__writer_enter(handle, "jg_printf"), .format = format};
    if (!print.stream)
        return -1;
    va_list copy; /* may be an array, which has no address as a parameter */
    va_copy(copy, arguments);
    print.arguments = &copy;
    int saved = errno;
    int result = jg_call_deep(print_deep, &print);
    va_end(copy);
    if (result == 0)
        errno = saved;
    if (print.text) {
        size_t length = (size_t)print.length;
        result = jg__write_vector(print.stream, &(struct iovec){print.text, length}, 1, length, "jg_printf");
        jg__release(print.text);
    }
    return result;
}

int jg_printf(jg_stream *stream, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int result = jg_vprintf(stream, format, arguments);
    va_end(arguments);
    return result;
}
