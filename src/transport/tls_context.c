/* jg_tls_client and jg_tls_server, and the OpenSSL contexts in them. */
#ifdef HAVE_OPENSSL

#include "base/options.h"
#include "transport/tls_openssl.h"

#include <string.h>

static const unsigned char session_context[] = "juggle";

/* ---- Files ---- */

/* The errno of a file that could not be used. */
static int fail_file(const char *call, const char *file, const char *what)
{
    unsigned long error = ERR_peek_error();
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    int code = ERR_SYSTEM_ERROR(error)                         ? ERR_GET_REASON(error)
               : ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE ? ENOMEM
                                                               : EBADMSG;
    jg_fail(code, "%s: %s: %s: %s", call, file, what, code == EBADMSG && reason ? reason : strerror(code));
    ERR_clear_error();
    return -1;
}

static int give_password(char *buffer, int size, int writing, void *password)
{
    (void)writing;
    size_t length = password ? strlen(password) : 0;
    if (!length || length > (size_t)size)
        return -1;
    memcpy(buffer, password, length); // NOLINT(bugprone-not-null-terminated-result): it is counted
    return (int)length;
}

static int use_certificate(SSL_CTX *context, const char *certificate, const char *key, const char *call)
{
    if (!certificate)
        return 0;
    if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1)
        return fail_file(call, certificate, "certificate");
    if (SSL_CTX_use_PrivateKey_file(context, key ? key : certificate, SSL_FILETYPE_PEM) != 1)
        return fail_file(call, key ? key : certificate, "key");
    return 0;
}

/* Whom to believe. */
static int use_authorities(SSL_CTX *context, const jg_tls_options *options, const char *call)
{
    if (options->ca_file && SSL_CTX_load_verify_file(context, options->ca_file) != 1)
        return fail_file(call, options->ca_file, "authorities");
    if (options->ca_path && SSL_CTX_load_verify_dir(context, options->ca_path) != 1)
        return fail_file(call, options->ca_path, "authorities");
    if (!options->ca_file && !options->ca_path && !options->insecure && SSL_CTX_set_default_verify_paths(context) != 1)
        return fail_file(call, "the system's authorities", "authorities");
    return 0;
}

static int use_client_authorities(SSL_CTX *context, const jg_tls_options *options, const char *call)
{
    const char *file = options->client_ca_file;
    if (!file)
        return 0;
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(file);
    if (!names || SSL_CTX_load_verify_file(context, file) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return fail_file(call, file, "authorities");
    }
    SSL_CTX_set_client_CA_list(context, names);
    int mode = SSL_VERIFY_PEER | (options->require_client_certificate ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);
    SSL_CTX_set_verify(context, mode, jg__tls_verify);
    return 0;
}

/* ---- Versions, ciphers, ALPN ---- */

static int version_of(const char *name, int absent)
{
    if (!name)
        return absent;
    return !strcmp(name, "TLSv1.3") ? TLS1_3_VERSION : !strcmp(name, "TLSv1.2") ? TLS1_2_VERSION : -1;
}

static int set_versions(SSL_CTX *context, const jg_tls_options *options, const char *call)
{
    int least = version_of(options->minimum_version, TLS1_2_VERSION), most = version_of(options->maximum_version, 0);
    if (least < 0 || most < 0 || (most && most < least))
        return jg_fail(EINVAL, "%s: the versions are \"TLSv1.2\" and \"TLSv1.3\", not \"%s\" to \"%s\"", call,
                       options->minimum_version ? options->minimum_version : "",
                       options->maximum_version ? options->maximum_version : "");
    SSL_CTX_set_min_proto_version(context, least);
    SSL_CTX_set_max_proto_version(context, most);
    return 0;
}

static int set_ciphers(SSL_CTX *context, const jg_tls_options *options, const char *call)
{
    if (options->ciphers && SSL_CTX_set_cipher_list(context, options->ciphers) != 1)
        return jg_fail(EINVAL, "%s: no cipher of TLS 1.2 is \"%s\"", call, options->ciphers);
    if (options->ciphersuites && SSL_CTX_set_ciphersuites(context, options->ciphersuites) != 1)
        return jg_fail(EINVAL, "%s: no cipher of TLS 1.3 is \"%s\"", call, options->ciphersuites);
    return 0;
}

/* The server's first one that the client has too. */
static int choose_alpn(SSL *ssl, const unsigned char **chosen, unsigned char *length, const unsigned char *offered,
                       unsigned int offered_length, void *arg)
{
    (void)ssl;
    const struct jg__tls *tls = arg;
    unsigned char *found;
    if (SSL_select_next_proto(&found, length, tls->alpn, (unsigned)tls->alpn_length, offered, offered_length) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *chosen = found;
    return SSL_TLSEXT_ERR_OK;
}

/* ---- Contexts ---- */

static void set_up_server(SSL_CTX *context, struct jg__tls *tls)
{
    SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); /* tickets need no memory here */
    SSL_CTX_set_session_id_context(context, session_context, sizeof session_context - 1);
    if (tls->options.no_resumption) {
        SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(context, 0);
    }
    SSL_CTX_set_tlsext_servername_callback(context, jg__tls_choose_identity);
    SSL_CTX_set_tlsext_servername_arg(context, tls);
    if (tls->alpn)
        SSL_CTX_set_alpn_select_cb(context, choose_alpn, tls);
}

static int set_up_client(SSL_CTX *context, struct jg__tls *tls)
{
    if (!tls->options.insecure)
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, jg__tls_verify);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    if (!tls->options.no_resumption)
        SSL_CTX_sess_set_new_cb(context, jg__tls_keep_session);
    return tls->alpn ? SSL_CTX_set_alpn_protos(context, tls->alpn, (unsigned)tls->alpn_length) : 0;
}

static int set_up(SSL_CTX *context, struct jg__tls *tls, const char *certificate, const char *key, const char *call)
{
    const jg_tls_options *options = &tls->options;
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_default_passwd_cb(context, give_password);
    SSL_CTX_set_default_passwd_cb_userdata(context, (void *)(uintptr_t)options->key_password);
    if (tls->shared.server)
        set_up_server(context, tls);
    else if (set_up_client(context, tls) != 0)
        return jg_fail(ENOMEM, "%s: out of memory", call);
    if (set_versions(context, options, call) < 0 || set_ciphers(context, options, call) < 0)
        return -1;
    if (use_certificate(context, certificate, key, call) < 0)
        return -1;
    return tls->shared.server ? use_client_authorities(context, options, call)
                              : use_authorities(context, options, call);
}

struct making {
    struct jg__tls *tls;
    const char *certificate, *key, *call;
    SSL_CTX *context;
};

static int make(void *arg)
{
    struct making *making = arg;
    ERR_clear_error();
    making->context = SSL_CTX_new(making->tls->shared.server ? TLS_server_method() : TLS_client_method());
    if (!making->context)
        jg_fail(ENOMEM, "%s: out of memory", making->call);
    else if (set_up(making->context, making->tls, making->certificate, making->key, making->call) < 0) {
        SSL_CTX_free(making->context);
        making->context = NULL;
    }
    ERR_clear_error();
    return 0;
}

/* OpenSSL reads files and keys with more stack than a task may have. */
SSL_CTX *jg__tls_context_new(struct jg__tls *tls, const char *certificate, const char *key, const char *call)
{
    struct making making = {.tls = tls, .certificate = certificate, .key = key, .call = call};
    int saved = errno;
    jg__call_deep(jg_get_running_loop(), make, &making);
    if (making.context)
        errno = saved;
    return making.context;
}

/* ---- Life ---- */

void jg__tls_free(jg_tls *shared)
{
    struct jg__tls *tls = (struct jg__tls *)shared;
    jg__tls_free_identities(tls);
    jg__tls_forget_sessions(tls);
    jg__tls_free_options(tls);
    BIO_meth_free(tls->method);
    pthread_mutex_destroy(&tls->lock);
    jg__release(tls);
}

static int set_up_tls(struct jg__tls *tls, const jg_tls_options *options, const char *call)
{
    if (jg__tls_copy_options(tls, options, call) < 0)
        return -1;
    tls->method = jg__tls_method_new();
    if (!tls->method)
        return jg_fail(ENOMEM, "%s: out of memory", call);
    tls->identity.context = jg__tls_context_new(tls, tls->options.certificate, tls->options.key, call);
    return tls->identity.context ? 0 : -1;
}

static jg_tls *new_tls(bool server, const jg_tls_options *options, const char *call)
{
    struct jg__tls *tls = jg__allocate_zeroed(sizeof *tls);
    if (!tls) {
        jg_fail(ENOMEM, "%s: out of memory", call);
        return NULL;
    }
    tls->shared.kind = &jg__tls_kind;
    tls->shared.server = server;
    atomic_init(&tls->shared.references, 1);
    pthread_mutex_init(&tls->lock, NULL);
    if (set_up_tls(tls, options, call) < 0) {
        jg_tls_free(&tls->shared);
        return NULL;
    }
    return &tls->shared;
}

jg_tls *jg_tls_client_with(const jg_tls_options *options)
{
    jg_tls_options whole;
    return new_tls(false, jg__whole_options(options, &whole, sizeof whole), "jg_tls_client");
}

jg_tls *jg_tls_server_with(const char *certificate, const char *key, const jg_tls_options *options)
{
    jg_tls_options whole, changed;
    changed = *(const jg_tls_options *)jg__whole_options(options, &whole, sizeof whole);
    changed.certificate = certificate;
    changed.key = key;
    return new_tls(true, &changed, "jg_tls_server");
}

#endif
