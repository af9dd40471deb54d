/* What is wrong with a peer's certificate, in words that tell one case from the other. */
#ifdef HAVE_OPENSSL

#include "transport/tls_openssl.h"

#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- Parts of certificates as text ---- */

static void append(char *text, size_t size, const char *more)
{
    size_t length = strlen(text);
    snprintf(text + length, size - length, "%s%s", length ? ", " : "", more);
}

static void append_name(char *text, size_t size, const GENERAL_NAME *name)
{
    int type;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);
    char one[64];
    if (type == GEN_DNS) {
        snprintf(one, sizeof one, "%.*s", ASN1_STRING_length(value), (const char *)ASN1_STRING_get0_data(value));
        append(text, size, one);
    } else if (type == GEN_IPADD && ASN1_STRING_length(value) == 4) {
        const unsigned char *byte = ASN1_STRING_get0_data(value);
        snprintf(one, sizeof one, "%d.%d.%d.%d", byte[0], byte[1], byte[2], byte[3]);
        append(text, size, one);
    }
}

/* Whom it is for. */
static void describe_names(const X509 *certificate, char *text, size_t size)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    *text = '\0';
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++)
        append_name(text, size, sk_GENERAL_NAME_value(names, i));
    GENERAL_NAMES_free(names);
    if (!*text)
        X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, text, (int)size);
    if (!*text)
        append(text, size, "nobody");
}

static void describe_time(const ASN1_TIME *when, char *text, size_t size)
{
    struct tm time;
    if (!ASN1_TIME_to_tm(when, &time) || !strftime(text, size, "%Y-%m-%d %H:%M:%S UTC", &time))
        snprintf(text, size, "a time that cannot be read");
}

static void describe_issuer(const X509 *certificate, char *text, size_t size)
{
    BIO *memory = BIO_new(BIO_s_mem());
    int length = 0;
    if (memory && X509_NAME_print_ex(memory, X509_get_issuer_name(certificate), 0, XN_FLAG_RFC2253) >= 0)
        length = BIO_read(memory, text, (int)size - 1);
    text[length > 0 ? length : 0] = '\0';
    BIO_free(memory);
}

/* ---- What is wrong ---- */

static void describe(const struct jg__tls_connection *connection, int error, const X509 *certificate, char *words,
                     size_t size)
{
    char text[128] = "";
    switch (error) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        describe_names(certificate, text, sizeof text);
        snprintf(words, size, "wrong name: the certificate is for %s, not for %s", text, connection->name);
        break;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        describe_time(X509_get0_notAfter(certificate), text, sizeof text);
        snprintf(words, size, "expired: the certificate was valid until %s", text);
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        describe_time(X509_get0_notBefore(certificate), text, sizeof text);
        snprintf(words, size, "not yet valid: the certificate begins at %s", text);
        break;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        snprintf(words, size, "self-signed: the certificate vouches for itself alone");
        break;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        describe_issuer(certificate, text, sizeof text);
        snprintf(words, size, "unknown issuer: nobody here trusts %s", text);
        break;
    default:
        snprintf(words, size, "%s", X509_verify_cert_error_string(error));
    }
}

int jg__tls_verify(int valid, X509_STORE_CTX *store)
{
    if (valid)
        return 1;
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct jg__tls_connection *connection = jg__tls_connection_of(ssl);
    const X509 *certificate = X509_STORE_CTX_get_current_cert(store);
    char words[sizeof connection->layer.words];
    int saved = errno;
    if (certificate)
        describe(connection, X509_STORE_CTX_get_error(store), certificate, words, sizeof words);
    else
        snprintf(words, sizeof words, "%s", X509_verify_cert_error_string(X509_STORE_CTX_get_error(store)));
    jg__tls_note(connection, EKEYREJECTED, words);
    errno = saved;
    return 0;
}

#endif
