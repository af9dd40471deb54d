/* The library without OpenSSL. */
#ifndef HAVE_OPENSSL

#include "base/diagnostics.h"

#include <errno.h>
#include <juggle/tls.h>

jg_tls *jg_tls_client_with(const jg_tls_options *options)
{
    (void)options;
    jg_fail(ENOTSUP, "jg_tls_client: the library was built without OpenSSL");
    return NULL;
}

jg_tls *jg_tls_server_with(const char *certificate, const char *key, const jg_tls_options *options)
{
    (void)certificate;
    (void)key;
    (void)options;
    jg_fail(ENOTSUP, "jg_tls_server: the library was built without OpenSSL");
    return NULL;
}

#endif
