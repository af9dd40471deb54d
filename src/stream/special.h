/* Writes of what is no memory of the caller's: a file, the contents of a pipe, an fd. */
#ifndef JUGGLE_STREAM_SPECIAL_H
#define JUGGLE_STREAM_SPECIAL_H

#include "stream/stream.h"

/* May the kernel be asked to send such things: a plain socket or pipe, in non-blocking mode? */
static inline bool jg__is_plain(const struct jg__stream *stream)
{
    const jg_transport *transport = &stream->transport;
    bool file = transport->kind & JG__FILE && !(transport->kind & JG__PIPE);
    return !transport->layer && !(transport->kind & (JG__MEMORY | JG__SHARED)) && !file;
}

/* Writes it behind what is queued, and waits until it was sent; `bytes` is how many there are to be. Returns how many
 * were, or -1 with errno, and *sent in any case. */
ssize_t jg__write_specially(struct jg__stream *stream, struct jg__direct_write *write, size_t bytes, size_t *sent,
                            const char *call);

#endif
