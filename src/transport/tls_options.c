/* A jg_tls' own copy of what its maker asked for: files are read again by jg_tls_reload. */
#ifdef HAVE_OPENSSL

#include "transport/tls_openssl.h"

#include <string.h>

static int copy_text(const char **text)
{
    if (!*text)
        return 0;
    size_t size = strlen(*text) + 1;
    char *copy = jg__allocate(size);
    *text = copy ? memcpy(copy, *text, size) : NULL;
    return copy ? 0 : -1;
}

static const char **texts_of(jg_tls_options *options, size_t index)
{
    const char **const all[] = {
        &options->minimum_version,
        &options->maximum_version,
        &options->ciphers,
        &options->ciphersuites,
        &options->key_password,
        &options->ca_file,
        &options->ca_path,
        &options->certificate,
        &options->key,
        &options->client_ca_file,
        NULL,
    };
    return all[index];
}

static int copy_texts(jg_tls_options *options)
{
    int result = 0;
    const char **text;
    for (size_t i = 0; (text = texts_of(options, i)); i++)
        if (result == 0)
            result = copy_text(text);
        else
            *text = NULL; /* it is the caller's */
    return result;
}

/* As the extension has them (RFC 7301). */
static int copy_alpn(struct jg__tls *tls, const char *const *protocols, const char *call)
{
    size_t length = 0;
    for (const char *const *each = protocols; each && *each; each++) {
        if (!**each || strlen(*each) > UINT8_MAX)
            return jg_fail(EINVAL, "%s: a protocol of ALPN has 1 to 255 bytes, not %zu", call, strlen(*each));
        length += 1 + strlen(*each);
    }
    if (!length)
        return 0;
    if (length > UINT16_MAX)
        return jg_fail(EINVAL, "%s: too many protocols for ALPN", call);
    tls->alpn = jg__allocate(length);
    if (!tls->alpn)
        return jg_fail(ENOMEM, "%s: out of memory", call);
    for (const char *const *each = protocols; *each; each++) {
        size_t size = strlen(*each);
        tls->alpn[tls->alpn_length] = (unsigned char)size;
        memcpy(tls->alpn + tls->alpn_length + 1, *each, size);
        tls->alpn_length += 1 + size;
    }
    return 0;
}

/* What is not for this side would be ignored, which its author would not expect. */
static const char *find_nonsense(const jg_tls_options *options, bool server)
{
    if (server && (options->ca_file || options->ca_path || options->insecure))
        return "ca_file, ca_path and insecure are for clients";
    if (!server && (options->client_ca_file || options->require_client_certificate))
        return "client_ca_file and require_client_certificate are for servers";
    if (options->require_client_certificate && !options->client_ca_file)
        return "require_client_certificate needs client_ca_file";
    if (server && !options->certificate)
        return "no certificate";
    if (options->key && !options->certificate)
        return "a key without a certificate";
    return NULL;
}

int jg__tls_copy_options(struct jg__tls *tls, const jg_tls_options *options, const char *call)
{
    const char *nonsense = find_nonsense(options, tls->shared.server);
    if (nonsense)
        return jg_fail(EINVAL, "%s: %s", call, nonsense);
    tls->options = *options;
    tls->options.alpn = NULL;
    if (copy_texts(&tls->options) < 0)
        return jg_fail(ENOMEM, "%s: out of memory", call);
    return copy_alpn(tls, options->alpn, call);
}

void jg__tls_free_options(struct jg__tls *tls)
{
    const char **text;
    for (size_t i = 0; (text = texts_of(&tls->options, i)); i++)
        jg__release((void *)(uintptr_t)*text);
    jg__release(tls->alpn);
}

#endif
