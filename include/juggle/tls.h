/* TLS by OpenSSL 3, for streams, servers and transports. asyncio's counterparts: ssl=..., start_tls, and what it uses
 * of Python's ssl module.
 *
 *     jg_autoptr(jg_tls) tls = jg_tls_client();
 *     jg_autoptr(jg_stream) s = jg_open_connection("example.com", 443, .tls = tls);
 *
 * A jg_tls is what many connections share: whom to trust, who to be. Clients check the server's certificate, its chain
 * and its name, unless told not to. TLS 1.2 is the least; renegotiation is refused; compression does not exist.
 *
 * On a stream with TLS the calls of stream.h do what they do on any other. Besides:
 * - End of file is the peer's close_notify. A connection that ends without it was cut: ECONNRESET at the next read that
 *   finds no data, and jg_error_text says so.
 * - EPROTO at a read: the peer broke the protocol, or has sent an alert; jg_error_text has it in words.
 * - jg_write_eof sends close_notify and FIN. Peers that speak TLS 1.2 may drop what they still had to send.
 * - jg_close sends close_notify before FIN; jg_abort does not: the peer finds the connection cut.
 * - jg_write_pending counts what is not encrypted yet and what is, with TLS's own bytes.
 * - A large jg_write returns when all of it is encrypted and not more than the high-water mark is queued.
 * - An interrupted write leaves no pointer to the caller's memory behind; if a part of it was encrypted, the stream is
 *   broken as after any other write that was interrupted halfway.
 *
 * An idle connection holds no buffer. Bytes that were decrypted are never left inside: they are the stream's.
 *
 * Where the library was built without OpenSSL, jg_tls_client and jg_tls_server fail with ENOTSUP. A program that is
 * linked statically needs OpenSSL only if it calls one of the two. */
#ifndef JUGGLE_TLS_H
#define JUGGLE_TLS_H

#include <juggle/stream.h>
#include <juggle/transport.h>

JG_BEGIN

typedef struct jg_tls jg_tls;

/* Files are in PEM form; everything is copied. A field that is of no use on its side must not be set: EINVAL. */
typedef struct jg_tls_options {
    size_t size;
    const char *const *alpn; /* protocols, the preferred one first, ended by NULL: {"h2", "http/1.1", NULL}. A server
                                takes its first one that the client has; when there is none, it goes on without. */
    const char *minimum_version; /* "TLSv1.2" (default) or "TLSv1.3" */
    const char *maximum_version; /* default: the newest */
    const char *ciphers;         /* of TLS 1.2, as openssl-ciphers(1) writes them; NULL: OpenSSL's choice */
    const char *ciphersuites;    /* of TLS 1.3 */
    const char *key_password;    /* of keys that are encrypted; without it they are refused, nobody is asked */
    bool no_resumption;          /* a full handshake for every connection */

    /* Clients */
    const char *ca_file;     /* who may sign the server's certificate... */
    const char *ca_path;     /* ...or a folder of such, as openssl-rehash(1) makes; both NULL: whom the system trusts */
    const char *certificate; /* who to be for servers that ask: the chain, one's own first */
    const char *key;         /* NULL: in the same file */
    bool insecure;           /* believe any certificate: whoever is in between reads along */

    /* Servers */
    const char *client_ca_file;      /* ask clients for a certificate, signed by one of these */
    bool require_client_certificate; /* refuse those that have none; needs client_ca_file */
} jg_tls_options;

/* For connections to servers. Never waits, but reads files, as the next four do. Returns NULL with EINVAL (options),
 * EBADMSG (a file is no PEM, the password is wrong, or the key does not fit the certificate), ENOENT, EACCES and what
 * else open(2) has, ENOMEM, ENOTSUP. It remembers the last session with each server, at most 64, and resumes it.
 * asyncio: ssl.create_default_context. */
#define jg_tls_client(...) jg_tls_client_with(JG_OPTIONS(jg_tls_options, __VA_ARGS__))
JG_API jg_tls *jg_tls_client_with(const jg_tls_options *options) JG_MUST_USE;

/* For servers: the file of the certificate's chain, one's own first, and that of its key (NULL: the same file).
 * Sessions are resumed by tickets; nothing is stored. NULL as jg_tls_client. asyncio: SSLContext.load_cert_chain. */
#define jg_tls_server(certificate, key, ...) \
    jg_tls_server_with(certificate, key, JG_OPTIONS(jg_tls_options, __VA_ARGS__))
JG_API jg_tls *jg_tls_server_with(const char *certificate, const char *key, const jg_tls_options *options) JG_MUST_USE;

/* Another certificate, for clients that ask for this name (SNI): a host name, or "*.example.com" for names one label
 * longer. The longest match wins, the same name again replaces; who asks for an unknown name gets the first
 * certificate. Returns 0; -1 with EINVAL (a client's, or no name), else as jg_tls_client, then nothing has changed.
 * asyncio: SSLContext.sni_callback. */
JG_API int jg_tls_add_server_name(jg_tls *tls, const char *name, const char *certificate, const char *key);

/* Reads all files again. Connections that stand keep what they have, new ones use the new; sessions of before are not
 * resumed. Returns 0; -1 as jg_tls_client, then nothing has changed. */
JG_API int jg_tls_reload(jg_tls *tls);

/* Gives it back; it is freed when the last server and the last connection that use it are. Accepts NULL, preserves
 * errno. A jg_tls may be shared by the loops of several threads; this function, jg_tls_add_server_name and
 * jg_tls_reload may be called from any. */
JG_API void jg_tls_free(jg_tls *tls);
static inline void jg_tls_autoptr(jg_tls **tls)
{
    jg_tls_free(*tls);
}

/* ---- Streams ---- */

typedef struct jg_start_tls_options {
    size_t size;
    const char *server_hostname; /* clients: the name that the server has to prove and is told (SNI), or an address.
                                    "": no name is told or checked; the chain still is. NULL: EINVAL, unless insecure */
    double handshake_timeout;    /* seconds; 0: 60 */
    double shutdown_timeout;     /* seconds that a closed connection lingers for the peer's end; 0: 1 */
} jg_start_tls_options;

/* Goes over to TLS on a stream that is in use, after what was written so far: STARTTLS; or TLS inside of TLS. Whether
 * it is the server is said by `tls`. What the peer sends after its consent belongs to TLS, so nothing may wait between
 * the read that brought the consent, or the write that gives it (which need not be flushed), and this call: bytes that
 * were received and are not read yet are EPROTO, nothing happens then. Writes by other tasks wait for the handshake.
 * Waits. Returns 0; -1 with ETIMEDOUT (handshake_timeout is over, or a deadline); EKEYREJECTED (the peer's certificate:
 * jg_error_text says whether the name is wrong, it has expired, is self-signed, its issuer is unknown, or what else);
 * EPROTO (the peer does not speak TLS, shares no version or cipher, or has refused: its alert is in the text);
 * ECONNRESET (it closed the connection); EPIPE (the connection was lost before); EINVAL (no server_hostname); EBADF
 * (closed meanwhile, or not open for both reading and writing); ENOMEM, ECANCELED. After a failure other than EINVAL,
 * and than EPROTO for bytes that were not read, only closing is left. The names of jg_open_connection fail with the
 * same. asyncio: StreamWriter.start_tls. */
#define jg_start_tls(stream, tls, ...) jg_start_tls_with(stream, tls, JG_OPTIONS(jg_start_tls_options, __VA_ARGS__))
JG_API int jg_start_tls_with(jg_stream *stream, jg_tls *tls, const jg_start_tls_options *options) JG_MUST_USE;

/* ---- Looking; none waits. Texts are valid while the stream is; NULL where there is nothing to tell, also without
 * TLS. Of TLS inside of TLS the inner one is meant. ---- */

/* "TLSv1.3". asyncio: SSLObject.version. */
JG_API const char *jg_tls_protocol(jg_stream *stream);

/* "TLS_AES_256_GCM_SHA384". asyncio: get_extra_info("cipher"). */
JG_API const char *jg_tls_cipher(jg_stream *stream);

/* The protocol that both ends agreed upon: "h2". asyncio: selected_alpn_protocol. */
JG_API const char *jg_tls_alpn(jg_stream *stream);

/* The name that the client asked for. */
JG_API const char *jg_tls_server_name(jg_stream *stream);

/* The peer's certificate as PEM text, and its subject: "CN=example.com,O=Example" (RFC 2253). On a server it is one
 * that client_ca_file vouches for. asyncio: get_extra_info("peercert"). */
JG_API const char *jg_tls_peer_certificate(jg_stream *stream);
JG_API const char *jg_tls_peer_name(jg_stream *stream);

/* Was the session resumed, without a full handshake? asyncio: SSLObject.session_reused. */
JG_API bool jg_tls_resumed(jg_stream *stream);

/* ---- Transports ---- */

/* The handshake is over: error is 0; or an errno as of jg_start_tls, in errno too, with jg_error_text. Called once,
 * from a turn; after a failure connection_lost follows. ECANCELED: the transport was closed or aborted meanwhile. */
typedef void (*jg_tls_done_fn)(jg_transport *transport, void *arg, int error);

/* Goes over to TLS, after what was written so far. From now on the protocol is given, and writes take, what is inside;
 * what is written before the handshake is over waits for it. `done` may be NULL. Returns 0, or -1 with EINVAL (as
 * jg_start_tls), EPIPE (closed, half-closed or lost), ENOTCONN (not connected yet), ENOMEM. asyncio: loop.start_tls. */
#define jg_transport_start_tls(transport, tls, done, arg, ...) \
    jg_transport_start_tls_with(transport, tls, done, arg, JG_OPTIONS(jg_start_tls_options, __VA_ARGS__))
JG_API int jg_transport_start_tls_with(jg_transport *transport, jg_tls *tls, jg_tls_done_fn done, void *arg,
                                       const jg_start_tls_options *options) JG_MUST_USE;

typedef enum jg_tls_field {
    JG_TLS_PROTOCOL,
    JG_TLS_CIPHER,
    JG_TLS_ALPN,
    JG_TLS_SERVER_NAME,
    JG_TLS_PEER_CERTIFICATE,
    JG_TLS_PEER_NAME,
    JG_TLS_RESUMED, /* "resumed" or NULL */
} jg_tls_field;

/* What the calls above tell of streams; valid while the transport is. asyncio: get_extra_info. */
JG_API const char *jg_transport_tls_info(jg_transport *transport, jg_tls_field field);

JG_END

#endif
