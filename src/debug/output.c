#include "debug/output.h"

#include <errno.h>
#include <juggle/error.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PRINT_MOST = 1024 };

static void flush(struct jg__output *output)
{
    for (size_t sent = 0; sent < output->used && !output->error;) {
        ssize_t n = write(output->fd, output->text + sent, output->used - sent);
        if (n >= 0)
            sent += (size_t)n;
        else if (errno == EAGAIN)
            poll(&(struct pollfd){.fd = output->fd, .events = POLLOUT}, 1, -1); /* somebody made it non-blocking */
        else if (errno != EINTR)
            output->error = errno;
    }
    output->used = 0;
}

void jg__print(struct jg__output *output, const char *format, ...)
{
    if (sizeof output->text - output->used < PRINT_MOST)
        flush(output);
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(output->text + output->used, PRINT_MOST, format, arguments);
    va_end(arguments);
    if (length > 0)
        output->used += length < PRINT_MOST ? (size_t)length : PRINT_MOST - 1;
}

int jg__print_end(struct jg__output *output, const char *call)
{
    int saved = errno;
    flush(output);
    errno = saved;
    return output->error ? jg_fail(output->error, "%s: write: %s", call, strerror(output->error)) : 0;
}
