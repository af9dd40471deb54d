/* What a jg_tls is to those who don't know OpenSSL: everything but jg_tls_client and jg_tls_server reaches it through
 * the table that those two put there, so that a program that calls neither is linked without OpenSSL. */
#ifndef JUGGLE_TRANSPORT_TLS_H
#define JUGGLE_TRANSPORT_TLS_H

#include "transport/layer.h"

#include <stdatomic.h>

struct jg__tls_kind {
    /* Puts its layer on the transport and begins. Returns 0, or -1 with errno. */
    int (*start)(jg_transport *transport, jg_tls *tls, jg_tls_done_fn done, void *arg,
                 const jg_start_tls_options *options, const char *call);
    int (*add_server_name)(jg_tls *tls, const char *name, const char *certificate, const char *key);
    int (*reload)(jg_tls *tls);
    void (*free)(jg_tls *tls);
};

struct jg_tls {
    const struct jg__tls_kind *kind;
    bool server;
    atomic_size_t references;
};

/* One more who uses it; jg_tls_free is the end of that. Accepts NULL. */
jg_tls *jg__tls_hold(jg_tls *tls);

/* jg_transport_start_tls for a call of another name. */
int jg__transport_start_tls(jg_transport *transport, jg_tls *tls, jg_tls_done_fn done, void *arg,
                            const jg_start_tls_options *options, const char *call);

/* Why the connection has failed with `error`, in the layer's words or in strerror's. */
const char *jg__transport_words(const jg_transport *transport, int error);

#endif
