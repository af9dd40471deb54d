/* Text to a file descriptor, without the heap. */
#ifndef JUGGLE_DEBUG_OUTPUT_H
#define JUGGLE_DEBUG_OUTPUT_H

#include <juggle/common.h>

struct jg__output {
    int fd;
    int error; /* of the first write that failed; what comes later is dropped */
    size_t used;
    char text[4096];
};

/* At most 1 KiB a call. */
void jg__print(struct jg__output *output, const char *format, ...) JG_PRINTF(2, 3);

/* Writes what is left. Returns 0, or -1 with the errno of what failed, in the name of `call`. */
int jg__print_end(struct jg__output *output, const char *call);

#endif
