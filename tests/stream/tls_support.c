#ifdef HAVE_OPENSSL
#include "tls_support.h"

#include "certificates.h"

const char *certificate(const char *name)
{
    make_certificates();
    return certificate_path(name);
}

jg_tls *check_tls(jg_tls *tls)
{
    ck_assert_msg(tls, "%s", jg_error_text());
    return tls;
}

/* ---- Streams at both ends ---- */

struct secured {
    jg_stream *stream;
    jg_tls *tls;
};

static int secure(void *arg)
{
    const struct secured *secured = arg;
    return jg_start_tls(secured->stream, secured->tls);
}

void secure_pair(jg_stream *pair[2], jg_tls *client, jg_tls *server)
{
    struct secured other = {pair[1], server};
    jg_task *task = start(secure, &other); /* before the client's first bytes can come */
    ck_assert_msg(jg_start_tls(pair[0], client, .server_hostname = "localhost") == 0, "%s", jg_error_text());
    ck_assert_int_eq(jg_await(task), 0);
    jg_tls_free(client);
    jg_tls_free(server);
}

void tls_pair(jg_stream *pair[2])
{
    stream_pair(pair);
    secure_pair(pair, client_tls(), server_tls());
}

/* ---- Bare OpenSSL ---- */

void peer_new(struct peer *peer, int fd, bool server, int version)
{
    const char *file = certificate("localhost");
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    peer->fd = fd;
    peer->context = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    ck_assert_ptr_nonnull(peer->context);
    if (server) {
        ck_assert_int_eq(SSL_CTX_use_certificate_chain_file(peer->context, file), 1);
        ck_assert_int_eq(SSL_CTX_use_PrivateKey_file(peer->context, file, SSL_FILETYPE_PEM), 1);
    }
    SSL_CTX_set_max_proto_version(peer->context, version);
    SSL_CTX_set_mode(peer->context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    peer->ssl = SSL_new(peer->context);
    SSL_set_fd(peer->ssl, fd);
    if (server)
        SSL_set_accept_state(peer->ssl);
    else
        SSL_set_connect_state(peer->ssl);
}

/* Waits for what the call wants; false if it has failed for good. */
static bool wait_for_peer(struct peer *peer, int result)
{
    int wanted = SSL_get_error(peer->ssl, result);
    if (wanted != SSL_ERROR_WANT_READ && wanted != SSL_ERROR_WANT_WRITE)
        return false;
    return jg_wait_fd(peer->fd, wanted == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT) > 0;
}

int peer_shake_hands(void *arg)
{
    struct peer *peer = arg;
    int result;
    ERR_clear_error();
    while ((result = SSL_do_handshake(peer->ssl)) != 1)
        if (!wait_for_peer(peer, result))
            return jg_fail(EPROTO, "%s", ERR_reason_error_string(ERR_peek_error()));
    return 0;
}

/* A count; 0 after close_notify, -1 after another end. */
ssize_t peer_read(struct peer *peer, void *data, size_t size)
{
    int count;
    ERR_clear_error();
    while ((count = SSL_read(peer->ssl, data, (int)size)) <= 0)
        if (!wait_for_peer(peer, count))
            return SSL_get_error(peer->ssl, count) == SSL_ERROR_ZERO_RETURN ? 0 : -1;
    return count;
}

void peer_read_exactly(struct peer *peer, void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t count = peer_read(peer, (char *)data + done, size - done);
        ck_assert_msg(count > 0, "the end came after %zu of %zu bytes", done, size);
        done += (size_t)count;
    }
}

void peer_write(struct peer *peer, const void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ERR_clear_error();
        int count = SSL_write(peer->ssl, (const char *)data + done, (int)(size - done));
        if (count > 0)
            done += (size_t)count;
        else
            ck_assert_msg(wait_for_peer(peer, count), "SSL_write: %s", ERR_reason_error_string(ERR_peek_error()));
    }
}

void peer_close(struct peer *peer, bool notify)
{
    if (notify)
        SSL_shutdown(peer->ssl);
    SSL_free(peer->ssl);
    SSL_CTX_free(peer->context);
    close(peer->fd);
}

static jg_stream *secure_with_peer(jg_stream *stream, struct peer *peer, int fd, int version)
{
    jg_tls *tls = client_tls();
    peer_new(peer, fd, true, version);
    jg_task *task = jg_create_task(peer_shake_hands, peer);
    ck_assert_msg(jg_start_tls(stream, tls, .server_hostname = "localhost") == 0, "%s", jg_error_text());
    ck_assert_int_eq(jg_await(task), 0);
    jg_tls_free(tls);
    return stream;
}

jg_stream *tls_stream_with_peer(struct peer *peer, int version)
{
    int fd;
    jg_stream *stream = stream_with_peer(&fd);
    return secure_with_peer(stream, peer, fd, version);
}

jg_stream *tls_stream_with_small_buffers(struct peer *peer, size_t high_water)
{
    int fd;
    jg_stream *stream = stream_with_small_buffers(&fd, high_water);
    return secure_with_peer(stream, peer, fd, 0);
}
#else
typedef int nothing_to_test;
#endif
