/* How a stream stands, and how long its calls may wait. */
#include "stream/stream.h"

#include <errno.h>

bool jg_is_closing(const jg_stream *stream)
{
    return jg_transport_is_closing(&jg__stream_of(stream, "jg_is_closing")->transport);
}

int jg_stream_error(const jg_stream *handle)
{
    const jg_transport *transport = &jg__stream_of(handle, "jg_stream_error")->transport;
    return transport->write_error ? transport->write_error : transport->error;
}

jg_transport *jg_stream_transport(const jg_stream *stream)
{
    return &jg__stream_of(stream, "jg_stream_transport")->transport;
}

static int set(double *limit, double seconds, const char *call)
{
    if (!(seconds >= 0))
        return jg_fail(EINVAL, "%s: %g seconds", call, seconds);
    *limit = seconds;
    return 0;
}

int jg_set_read_timeout(jg_stream *stream, double seconds)
{
    return set(&jg__stream_of(stream, "jg_set_read_timeout")->read_limit, seconds, "jg_set_read_timeout");
}

int jg_set_write_timeout(jg_stream *stream, double seconds)
{
    return set(&jg__stream_of(stream, "jg_set_write_timeout")->write_limit, seconds, "jg_set_write_timeout");
}
