/* Waiting for an operation on a file. */
#ifndef JUGGLE_OS_FILE_WAIT_H
#define JUGGLE_OS_FILE_WAIT_H

#include "host/file.h"

#include <sys/types.h>

/* Runs it and returns its result; interrupted, asks for its end and waits for it. -1 with errno and words: ECANCELED or
 * ETIMEDOUT when it was interrupted, else what the system call said. */
int jg__file_run(const char *call, struct jg__file *file);

/* The same, whatever happens to the task, and without a thread if there is none: for what must be finished. Without the
 * words, a negated errno. */
int jg__file_finish(const char *call, struct jg__file *file);

/* Reads at most file->length bytes, cached ones at once. The count, or -1. */
ssize_t jg__file_read(const char *call, struct jg__file *file);

/* Writes all. 0, or -1. */
int jg__file_write(const char *call, struct jg__file *file);

#endif
