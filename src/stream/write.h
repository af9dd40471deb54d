/* What the writing calls share. */
#ifndef JUGGLE_STREAM_WRITE_H
#define JUGGLE_STREAM_WRITE_H

#include "stream/stream.h"

/* Enters a call that writes: NULL with errno when it must not wait, or when nothing can be written any more. */
struct jg__stream *jg__writer_enter(const jg_stream *handle, const char *call);

/* Would so many bytes be copied, without waiting? */
bool jg__may_copy(const struct jg__stream *stream, size_t bytes);

/* Writes them, after entering. Returns 0, or -1 with errno. */
int jg__write_vector(struct jg__stream *stream, const struct iovec *vector, int count, size_t bytes, const char *call);

#endif
