#include "stream/tls.h"

#include "stream/input.h"
#include "stream/reader.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- The handshake ---- */

/* A task that waits for the end of one. */
struct jg__handshake {
    struct jg__waiter waiter;
    bool over;
    int error;
    char words[320]; /* of the error */
};

static void handshake_over(jg_transport *transport, void *arg, int error)
{
    (void)transport;
    struct jg__stream *stream = arg;
    struct jg__handshake *handshake = stream->handshake;
    if (!handshake)
        return;
    handshake->over = true;
    handshake->error = error;
    snprintf(handshake->words, sizeof handshake->words, "%s", error ? jg_error_text() : "");
    jg__wake(&handshake->waiter.wait, 0);
}

/* Interrupted halfway: nothing that comes later makes sense to anybody. */
static void tear(struct jg__stream *stream)
{
    stream->torn = true;
    jg__stream_end_input(stream, ECONNRESET);
    if (!stream->lost)
        jg_transport_abort(&stream->transport);
}

static int wait_for_handshake(struct jg__stream *stream, struct jg__handshake *handshake)
{
    stream->handshake = handshake;
    stream->users++;
    jg__list_append(&stream->waiters, &handshake->waiter.node);
    int result = jg__park(&handshake->waiter.wait);
    jg__list_remove(&handshake->waiter.node);
    stream->handshake = NULL;
    if (!handshake->over && result != -EBADF)
        tear(stream);
    jg__stream_leave(stream);
    return handshake->over ? handshake->error : -result;
}

int jg__stream_shake_hands(struct jg__stream *stream, jg_tls *tls, const jg_start_tls_options *options,
                           const char *call, const char *where)
{
    int saved = errno;
    struct jg__handshake handshake = {.waiter = {.wait = {.call = call, .object = stream}}};
    if (jg__transport_start_tls(&stream->transport, tls, handshake_over, stream, options, call) < 0)
        return -1;
    int error = wait_for_handshake(stream, &handshake);
    errno = saved;
    if (error && *handshake.words)
        return jg_fail(error, "%s%s%s: %s", call, where ? " " : "", where ? where : "", handshake.words);
    return error ? jg__wait_failed(call, error) : 0;
}

void jg__stream_give_up(struct jg__stream *stream)
{
    if (!stream->lost && stream->transport.phase <= JG__TRANSPORT_OPEN)
        jg_transport_abort(&stream->transport);
    jg__stream_retire(stream);
}

int jg__tls_check_side(const jg_tls *tls, bool server, const char *call)
{
    if (!tls || tls->server == server)
        return 0;
    return jg_fail(EINVAL, "%s: this jg_tls is made for %s", call, server ? "clients" : "servers");
}

jg_stream *jg__stream_secure(struct jg__stream *stream, const jg_stream_options *options, const char *host,
                             const char *call, const char *where)
{
    jg_start_tls_options tls_options = {
        .size = sizeof tls_options,
        .server_hostname = options->server_hostname ? options->server_hostname : host,
        .handshake_timeout = options->handshake_timeout,
        .shutdown_timeout = options->shutdown_timeout,
    };
    if (!options->tls || jg__stream_shake_hands(stream, options->tls, &tls_options, call, where) == 0)
        return jg__stream_handle(stream);
    int error = errno;
    jg__stream_give_up(stream);
    errno = error;
    return NULL;
}

/* ---- jg_start_tls ---- */

static int check(const struct jg__stream *stream, const char *call)
{
    jg__reader_check(stream, call);
    if (!(stream->transport.kind & JG__READS))
        return jg_fail(EBADF, "%s: the stream is not open for reading", call);
    if (jg__check_writable(stream, call) < 0)
        return -1;
    if (jg__input_count(stream))
        return jg_fail(EPROTO, "%s: %zu bytes that came before it were not read", call, jg__input_count(stream));
    return 0;
}

int jg_start_tls_with(jg_stream *handle, jg_tls *tls, const jg_start_tls_options *options)
{
    static const char call[] = "jg_start_tls";
    struct jg__stream *stream = jg__stream_enter(handle, call);
    return !stream || check(stream, call) < 0 ? -1 : jg__stream_shake_hands(stream, tls, options, call, NULL);
}

/* ---- Looking ---- */

static const char *info(const jg_stream *handle, jg_tls_field field, const char *call)
{
    return jg_transport_tls_info(&jg__stream_of(handle, call)->transport, field);
}

const char *jg_tls_protocol(jg_stream *stream)
{
    return info(stream, JG_TLS_PROTOCOL, "jg_tls_protocol");
}

const char *jg_tls_cipher(jg_stream *stream)
{
    return info(stream, JG_TLS_CIPHER, "jg_tls_cipher");
}

const char *jg_tls_alpn(jg_stream *stream)
{
    return info(stream, JG_TLS_ALPN, "jg_tls_alpn");
}

const char *jg_tls_server_name(jg_stream *stream)
{
    return info(stream, JG_TLS_SERVER_NAME, "jg_tls_server_name");
}

const char *jg_tls_peer_certificate(jg_stream *stream)
{
    return info(stream, JG_TLS_PEER_CERTIFICATE, "jg_tls_peer_certificate");
}

const char *jg_tls_peer_name(jg_stream *stream)
{
    return info(stream, JG_TLS_PEER_NAME, "jg_tls_peer_name");
}

bool jg_tls_resumed(jg_stream *stream)
{
    return info(stream, JG_TLS_RESUMED, "jg_tls_resumed") != NULL;
}
