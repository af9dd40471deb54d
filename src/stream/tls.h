/* TLS on streams. */
#ifndef JUGGLE_STREAM_TLS_H
#define JUGGLE_STREAM_TLS_H

#include "stream/waiter.h"
#include "transport/tls.h"

/* Goes over to TLS. Waits. Returns 0, or -1 with errno and the error text, which names the call and, if that is not
 * NULL, `where`. After EBADF the stream may be gone. */
int jg__stream_shake_hands(struct jg__stream *stream, jg_tls *tls, const jg_start_tls_options *options,
                           const char *call, const char *where);

/* For calls that open streams: goes over to TLS if the options say so. Returns the handle; NULL with errno and the
 * stream closed. `host` is the default for the name. */
jg_stream *jg__stream_secure(struct jg__stream *stream, const jg_stream_options *options, const char *host,
                             const char *call, const char *where);

/* Is `tls` of the wrong side? -1 with EINVAL then. */
int jg__tls_check_side(const jg_tls *tls, bool server, const char *call);

/* Closes a stream whose handshake has failed; what TLS has to say to the peer is still sent. */
void jg__stream_give_up(struct jg__stream *stream);

#endif
