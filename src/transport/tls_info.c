/* What there is to know of a connection. */
#ifdef HAVE_OPENSSL

#include "transport/tls_openssl.h"

#include <openssl/pem.h>
#include <string.h>

/* What was printed, as text that lasts; NULL if nothing was, or without memory for it. */
static char *take_text(BIO *memory)
{
    char *data = NULL;
    long length = BIO_get_mem_data(memory, &data);
    char *text = length > 0 ? jg__allocate((size_t)length + 1) : NULL;
    if (text) {
        memcpy(text, data, (size_t)length);
        text[length] = '\0';
    }
    BIO_free(memory);
    return text;
}

static int print_certificate(void *arg)
{
    struct jg__tls_connection *connection = arg;
    const X509 *certificate = SSL_get0_peer_certificate(connection->ssl);
    if (!certificate)
        return 0;
    BIO *pem = BIO_new(BIO_s_mem()), *subject = BIO_new(BIO_s_mem());
    if (pem && subject && PEM_write_bio_X509(pem, (X509 *)(uintptr_t)certificate) &&
        X509_NAME_print_ex(subject, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) >= 0) {
        connection->certificate = take_text(pem);
        connection->subject = take_text(subject);
    } else {
        BIO_free(pem);
        BIO_free(subject);
    }
    ERR_clear_error();
    return 0;
}

static const char *peer_text(struct jg__tls_connection *connection, char *const *text)
{
    if (!*text)
        jg__call_deep(connection->layer.transport->loop, print_certificate, connection);
    return *text;
}

static const char *alpn_of(struct jg__tls_connection *connection)
{
    const unsigned char *chosen;
    unsigned length;
    SSL_get0_alpn_selected(connection->ssl, &chosen, &length);
    if (!length || length >= sizeof connection->alpn)
        return NULL;
    memcpy(connection->alpn, chosen, length);
    connection->alpn[length] = '\0';
    return connection->alpn;
}

const char *jg__tls_info(struct jg__layer *layer, jg_tls_field field)
{
    struct jg__tls_connection *connection = (struct jg__tls_connection *)layer;
    const SSL *ssl = connection->ssl;
    if (connection->state < JG__TLS_OPEN)
        return NULL;
    switch (field) {
    case JG_TLS_PROTOCOL:
        return SSL_get_version(ssl);
    case JG_TLS_CIPHER:
        return SSL_get_cipher_name(ssl);
    case JG_TLS_ALPN:
        return alpn_of(connection);
    case JG_TLS_SERVER_NAME:
        return SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    case JG_TLS_PEER_CERTIFICATE:
        return peer_text(connection, &connection->certificate);
    case JG_TLS_PEER_NAME:
        return peer_text(connection, &connection->subject);
    case JG_TLS_RESUMED:
        return SSL_session_reused(ssl) ? "resumed" : NULL;
    }
    return NULL;
}

#endif
