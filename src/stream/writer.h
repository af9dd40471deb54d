/* Writing straight from the caller's memory: nothing is copied, and the task waits until the kernel has taken all. */
#ifndef JUGGLE_STREAM_WRITER_H
#define JUGGLE_STREAM_WRITER_H

#include "stream/stream.h"

/* Writes `bytes` bytes in `count` pieces of memory behind what is queued. Returns 0, or -1 with errno. */
int jg__write_directly(struct jg__stream *stream, const struct iovec *vector, int count, size_t bytes,
                       const char *call);

#endif
