/* Two streams that are each other's peers, in memory. */
#include "stream/stream.h"
#include "transport/memory.h"

#include <juggle/pipe.h>

static const char call[] = "jg_stream_pair";

static void attach(struct jg__stream *stream, struct jg__memory_end *end)
{
    stream->transport.kind = JG__SOCKET | JG__MEMORY;
    stream->transport.memory = end;
    jg__transport_attach(&stream->transport, -1);
}

int jg_stream_pair(jg_stream **first, jg_stream **second)
{
    jg_loop *loop = jg__loop_of(jg__running(call));
    struct jg__memory_end *ends[2];
    int saved = errno;
    struct jg__stream *one = jg__stream_new(loop, false, 0, 0);
    struct jg__stream *other = one ? jg__stream_new(loop, false, 0, 0) : NULL;
    if (!other || !jg__memory_pair(loop, ends)) {
        if (other)
            jg__stream_put_back(other);
        if (one)
            jg__stream_put_back(one);
        return jg_fail(ENOMEM, "%s: out of memory", call);
    }
    attach(one, ends[0]);
    attach(other, ends[1]);
    errno = saved;
    *first = jg__stream_handle(one);
    *second = jg__stream_handle(other);
    return 0;
}
