#include "stream/input.h"

#include "base/memory.h"
#include "stream/fds.h"

#include <string.h>

enum { USUAL_CAPACITY = 4096 - sizeof(struct jg__input) - 32 }; /* with the heap's header: a page */

static void release_block(struct jg__stream *stream)
{
    if (stream->input != stream->shown)
        jg__release(stream->input);
    stream->input = NULL;
}

/* A block for `count` bytes more, with what is there in it behind `before` free bytes. */
static bool make_room(struct jg__stream *stream, size_t before, size_t count)
{
    size_t kept = jg__input_count(stream);
    size_t needed = kept + before + count;
    size_t capacity = needed > USUAL_CAPACITY ? needed + needed / 2 : USUAL_CAPACITY;
    struct jg__input *input = jg__allocate(sizeof *input + capacity);
    if (!input)
        return false;
    *input = (struct jg__input){.start = before, .end = before + kept, .capacity = capacity};
    if (kept)
        memcpy(input->data + before, jg__input_bytes(stream), kept);
    release_block(stream);
    stream->input = input;
    return true;
}

/* Moves what is there to the front, when that frees at least as much as it moves. */
static bool compact(struct jg__input *input, size_t count)
{
    size_t kept = input->end - input->start;
    if (input->start < kept || input->capacity - kept < count)
        return false;
    memcpy(input->data, input->data + input->start, kept);
    input->start = 0;
    input->end = kept;
    return true;
}

bool jg__input_append(struct jg__stream *stream, const void *bytes, size_t count)
{
    struct jg__input *input = stream->input;
    bool fits = input && (input->capacity - input->end >= count || (input != stream->shown && compact(input, count)));
    if (!fits && !make_room(stream, 0, count))
        return false;
    input = stream->input;
    memcpy(input->data + input->end, bytes, count);
    input->end += count;
    return true;
}

bool jg__input_put_back(struct jg__stream *stream, const void *bytes, size_t count)
{
    if (count == 0)
        return true;
    if ((!stream->input || stream->input->start < count) && !make_room(stream, count, 0))
        return false;
    stream->input->start -= count;
    memcpy(stream->input->data + stream->input->start, bytes, count);
    return true;
}

void jg__input_drop(struct jg__stream *stream, size_t count)
{
    if (count == 0)
        return;
    stream->input->start += count;
    if (stream->fds)
        jg__fds_pass(stream->fds, count);
    size_t left = jg__input_count(stream);
    if (left == 0)
        release_block(stream);
    if (left <= JG__INPUT_MOST / 4 && stream->transport.reading_paused && !stream->lost)
        jg_transport_resume_reading(&stream->transport);
}

size_t jg__input_take(struct jg__stream *stream, void *memory, size_t size)
{
    size_t count = jg__input_count(stream);
    if (count > size)
        count = size;
    if (count) {
        memcpy(memory, jg__input_bytes(stream), count);
        jg__input_drop(stream, count);
    }
    return count;
}

void jg__input_unpin(struct jg__stream *stream)
{
    if (stream->shown != stream->input)
        jg__release(stream->shown);
    stream->shown = NULL;
}

void jg__input_free(struct jg__stream *stream)
{
    jg__input_unpin(stream);
    release_block(stream);
}
