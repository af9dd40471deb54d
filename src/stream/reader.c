#include "stream/reader.h"

#include "stream/input.h"
#include "stream/limits.h"
#include "transport/tls.h"

#include <errno.h>

void jg__reader_check(const struct jg__stream *stream, const char *call)
{
    if (__builtin_expect(stream->reader != NULL, 0))
        jg__die("%s: another task waits in %s on this stream already: only one may read at a time", call,
                stream->reader->wait.call);
}

struct jg__stream *jg__reader_enter(jg_stream *handle, const char *call)
{
    struct jg__stream *stream = jg__stream_enter(handle, call);
    if (!stream)
        return NULL;
    if (!(stream->transport.kind & JG__READS)) {
        jg_fail(EBADF, "%s: the stream is not open for reading", call);
        return NULL;
    }
    jg__reader_check(stream, call);
    if (stream->shown)
        jg__input_unpin(stream);
    return stream;
}

int jg__reader_wait(struct jg__stream *stream, struct jg__reader *reader, const char *call)
{
    reader->wait = (struct jg__wait){.call = call, .object = stream};
    if (stream->transport.reading_paused)
        jg_transport_resume_reading(&stream->transport);
    stream->reader = reader;
    stream->users++;
    int result = jg__park_at_most(&reader->wait, stream->read_limit);
    bool closed = stream->closed;
    stream->reader = NULL;
    jg__stream_leave(stream);
    if (reader->memory && reader->filled >= reader->least)
        return 0; /* the data came first */
    return closed ? -EBADF : result;
}

int jg__reader_wait_buffered(struct jg__stream *stream, size_t least, const char *call)
{
    struct jg__reader reader = {.least = least};
    return jg__reader_wait(stream, &reader, call);
}

void jg__reader_wake(struct jg__stream *stream, int result)
{
    struct jg__reader *reader = stream->reader;
    if (reader && !reader->woken) {
        reader->woken = true;
        jg__wake(&reader->wait, result);
    }
}

int jg__reader_error(struct jg__stream *stream, const char *call)
{
    int error = stream->read_error;
    stream->read_error = 0;
    return error ? jg_fail(error, "%s: %s", call, jg__transport_words(&stream->transport, error)) : 0;
}
