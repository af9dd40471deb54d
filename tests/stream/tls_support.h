/* What the tests of TLS share: certificates, streams at both ends, and a peer that is bare OpenSSL on a bare socket. */
#ifndef JUGGLE_TESTS_STREAM_TLS_SUPPORT_H
#define JUGGLE_TESTS_STREAM_TLS_SUPPORT_H

#include "support.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

/* The file with the certificate and the key of that name; see certificates.h. Makes them all when first called. */
const char *certificate(const char *name);

/* Contexts that must come to be: who trusts the tests' authority, and who is "localhost". */
#define client_tls(...) check_tls(jg_tls_client(.ca_file = certificate("ca"), __VA_ARGS__))
#define server_tls(...) check_tls(jg_tls_server(certificate("localhost"), NULL, __VA_ARGS__))
jg_tls *check_tls(jg_tls *tls);

/* Goes over to TLS at both ends, the client's first; the name is "localhost". Gives the contexts back. */
void secure_pair(jg_stream *pair[2], jg_tls *client, jg_tls *server);

/* Two streams at the ends of one connection with TLS: of the client, of the server. */
void tls_pair(jg_stream *pair[2]);

/* Bare OpenSSL. It waits as tasks do. */
struct peer {
    int fd;
    SSL *ssl;
    SSL_CTX *context;
};

/* As the server "localhost", or as a client that believes everything; with at most this version (0: any). */
void peer_new(struct peer *peer, int fd, bool server, int version);
int peer_shake_hands(void *peer); /* a coroutine */
ssize_t peer_read(struct peer *peer, void *data, size_t size);
void peer_read_exactly(struct peer *peer, void *data, size_t size);
void peer_write(struct peer *peer, const void *data, size_t size);
void peer_close(struct peer *peer, bool notify); /* close_notify and the fd, or the fd alone */

/* A stream with TLS, a client, and its peer. `small`: with small buffers in the kernel, and that high-water mark. */
jg_stream *tls_stream_with_peer(struct peer *peer, int version);
jg_stream *tls_stream_with_small_buffers(struct peer *peer, size_t high_water);

#endif
