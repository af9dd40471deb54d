#include "transport/tls.h"

#include "base/options.h"
#include "transport/internal.h"

#include <string.h>

/* ---- What connections share ---- */

jg_tls *jg__tls_hold(jg_tls *tls)
{
    if (tls)
        atomic_fetch_add_explicit(&tls->references, 1, memory_order_relaxed);
    return tls;
}

void jg_tls_free(jg_tls *tls)
{
    int saved = errno;
    if (tls && atomic_fetch_sub_explicit(&tls->references, 1, memory_order_acq_rel) == 1)
        tls->kind->free(tls);
    errno = saved;
}

int jg_tls_add_server_name(jg_tls *tls, const char *name, const char *certificate, const char *key)
{
    static const char call[] = "jg_tls_add_server_name";
    if (!tls || !tls->server)
        return jg_fail(EINVAL, "%s: %s", call, tls ? "this is a client's" : "tls is NULL");
    if (!name || !*name || !certificate)
        return jg_fail(EINVAL, "%s: %s", call, certificate ? "no name" : "no certificate");
    return tls->kind->add_server_name(tls, name, certificate, key);
}

int jg_tls_reload(jg_tls *tls)
{
    return tls ? tls->kind->reload(tls) : jg_fail(EINVAL, "jg_tls_reload: tls is NULL");
}

/* ---- Connections ---- */

static int check(const jg_transport *transport, const jg_tls *tls, const char *call)
{
    if (!tls)
        return jg_fail(EINVAL, "%s: tls is NULL", call);
    if (transport->phase < JG__TRANSPORT_OPEN)
        return jg_fail(ENOTCONN, "%s: not connected yet", call);
    if (transport->phase > JG__TRANSPORT_OPEN || transport->write_error || transport->eof_wanted || transport->eof)
        return jg_fail(EPIPE, "%s: the connection is closed, half-closed or lost", call);
    return 0;
}

int jg__transport_start_tls(jg_transport *transport, jg_tls *tls, jg_tls_done_fn done, void *arg,
                            const jg_start_tls_options *options, const char *call)
{
    jg_start_tls_options whole;
    options = jg__whole_options(options, &whole, sizeof whole);
    if (check(transport, tls, call) < 0)
        return -1;
    int saved = errno;
    if (tls->kind->start(transport, tls, done, arg, options, call) < 0)
        return -1;
    transport->linger = options->shutdown_timeout;
    jg_transport_resume_reading(transport);
    errno = saved;
    return 0;
}

int jg_transport_start_tls_with(jg_transport *transport, jg_tls *tls, jg_tls_done_fn done, void *arg,
                                const jg_start_tls_options *options)
{
    return jg__transport_start_tls(transport, tls, done, arg, options, "jg_transport_start_tls");
}

const char *jg_transport_tls_info(jg_transport *transport, jg_tls_field field)
{
    int saved = errno;
    struct jg__layer *layer = transport->layer;
    const char *text = layer ? layer->kind->info(layer, field) : NULL;
    errno = saved;
    return text;
}

const char *jg__transport_words(const jg_transport *transport, int error)
{
    for (const struct jg__layer *each = transport->layer; each; each = each->below)
        if (each->error == error && *each->words)
            return each->words;
    return strerror(error);
}
