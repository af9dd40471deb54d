/* Why a connection has failed: an errno and words, from what OpenSSL has to say. */
#ifdef HAVE_OPENSSL

#include "transport/tls_openssl.h"

#include <stdio.h>
#include <string.h>

/* Only the first reason counts. */
void jg__tls_note(struct jg__tls_connection *connection, int error, const char *words)
{
    struct jg__layer *layer = &connection->layer;
    if (layer->error)
        return;
    layer->error = error;
    snprintf(layer->words, sizeof layer->words, "TLS: %s", words);
}

static bool is_out_of_memory(const struct jg__tls_connection *connection)
{
    bool found = connection->out_of_memory;
    for (unsigned long error; !found && (error = ERR_get_error());)
        found = ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE;
    return found;
}

static bool does_not_speak_tls(int reason)
{
    return reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST ||
           reason == SSL_R_HTTPS_PROXY_REQUEST || reason == SSL_R_PACKET_LENGTH_TOO_LONG ||
           reason == SSL_R_BAD_RECORD_TYPE || reason == SSL_R_UNEXPECTED_RECORD;
}

static void note_reason(struct jg__tls_connection *connection, int reason, const char *text)
{
    char words[160];
    if (reason >= SSL_AD_REASON_OFFSET) {
        snprintf(words, sizeof words, "the peer has refused: %s", text);
        jg__tls_note(connection, EPROTO, words);
    } else if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
        jg__tls_note(connection, EKEYREJECTED, "the client has no certificate");
    } else if (does_not_speak_tls(reason) && connection->state == JG__TLS_HANDSHAKE) {
        snprintf(words, sizeof words, "the peer does not speak TLS: %s", text);
        jg__tls_note(connection, EPROTO, words);
    } else {
        jg__tls_note(connection, EPROTO, text);
    }
}

void jg__tls_note_error(struct jg__tls_connection *connection)
{
    unsigned long error = ERR_peek_error();
    const char *text = ERR_reason_error_string(error);
    if (is_out_of_memory(connection))
        jg__tls_note(connection, ENOMEM, strerror(ENOMEM));
    else
        note_reason(connection, ERR_GET_REASON(error), text ? text : "a failure without a reason");
    ERR_clear_error();
}

#endif
