/* The one task that reads from a stream. */
#ifndef JUGGLE_STREAM_READER_H
#define JUGGLE_STREAM_READER_H

#include "stream/stream.h"

/* Aborts when a task waits to read. */
void jg__reader_check(const struct jg__stream *stream, const char *call);

/* Enters a call that reads, as jg__stream_enter does; aborts when another task reads already. */
struct jg__stream *jg__reader_enter(jg_stream *handle, const char *call);

/* Parks the running task until the reader's `least` bytes are there, or the input ends. Returns 0, also at the end; or
 * a negated errno. After -EBADF the stream may be gone. */
int jg__reader_wait(struct jg__stream *stream, struct jg__reader *reader, const char *call);

/* The same for the stream's own buffer. */
int jg__reader_wait_buffered(struct jg__stream *stream, size_t least, const char *call);

/* Is the error of the connection still to be told? Tells it: -1. Else 0. */
int jg__reader_error(struct jg__stream *stream, const char *call);

#endif
