/* What a stream has received and nobody has read yet: a block on the heap that exists only while there are bytes. */
#ifndef JUGGLE_STREAM_INPUT_H
#define JUGGLE_STREAM_INPUT_H

#include "stream/stream.h"

/* Receiving pauses when so many bytes wait to be read, and goes on when a quarter is left. */
enum { JG__INPUT_MOST = 64 * 1024 };

struct jg__input {
    size_t start, end, capacity;
    char data[];
};

static inline size_t jg__input_count(const struct jg__stream *stream)
{
    return stream->input ? stream->input->end - stream->input->start : 0;
}

static inline const char *jg__input_bytes(const struct jg__stream *stream)
{
    return stream->input->data + stream->input->start;
}

/* Appends bytes. Returns false when out of memory. */
bool jg__input_append(struct jg__stream *stream, const void *bytes, size_t count);

/* Gives bytes back that were taken already: they go before what is there. Returns false when out of memory. */
bool jg__input_put_back(struct jg__stream *stream, const void *bytes, size_t count);

/* Takes bytes away; resumes receiving when few are left. */
void jg__input_drop(struct jg__stream *stream, size_t count);

/* Takes at most `size` bytes into `memory` and returns how many. */
size_t jg__input_take(struct jg__stream *stream, void *memory, size_t size);

/* What jg_peek showed may move again. */
void jg__input_unpin(struct jg__stream *stream);

/* Releases all of it. */
void jg__input_free(struct jg__stream *stream);

#endif
