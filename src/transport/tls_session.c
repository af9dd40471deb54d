/* Clients remember the last session with each server. One of TLS 1.3 is used once (RFC 8446, appendix C.4). */
#ifdef HAVE_OPENSSL

#include "transport/tls_openssl.h"

#include <string.h>
#include <strings.h>

static void forget(struct jg__tls_session *place)
{
    SSL_SESSION_free(place->session);
    jg__release(place->name);
    *place = (struct jg__tls_session){0};
}

static struct jg__tls_session *find(struct jg__tls *tls, const char *name)
{
    for (size_t i = 0; i < JG__TLS_SESSIONS; i++)
        if (tls->sessions[i].name && !strcasecmp(tls->sessions[i].name, name))
            return &tls->sessions[i];
    return NULL;
}

/* A free place, or that of the session that was not used for longest. */
static struct jg__tls_session *make_place(struct jg__tls *tls, const char *name)
{
    struct jg__tls_session *place = &tls->sessions[0];
    for (size_t i = 1; i < JG__TLS_SESSIONS && place->name; i++)
        if (!tls->sessions[i].name || tls->sessions[i].used < place->used)
            place = &tls->sessions[i];
    forget(place);
    size_t size = strlen(name) + 1;
    place->name = jg__allocate(size);
    if (!place->name)
        return NULL;
    memcpy(place->name, name, size);
    return place;
}

static bool keep(struct jg__tls *tls, const char *name, SSL_SESSION *session)
{
    struct jg__tls_session *place = find(tls, name);
    if (!place)
        place = make_place(tls, name);
    if (!place)
        return false;
    SSL_SESSION_free(place->session);
    place->session = session;
    place->used = ++tls->uses;
    return true;
}

int jg__tls_keep_session(SSL *ssl, SSL_SESSION *session)
{
    const struct jg__tls_connection *connection = jg__tls_connection_of(ssl);
    struct jg__tls *tls = connection->tls;
    if (!*connection->name)
        return 0;
    int saved = errno;
    pthread_mutex_lock(&tls->lock);
    bool kept = keep(tls, connection->name, session);
    pthread_mutex_unlock(&tls->lock);
    errno = saved;
    return kept;
}

void jg__tls_resume_session(struct jg__tls_connection *connection)
{
    struct jg__tls *tls = connection->tls;
    if (tls->shared.server || tls->options.no_resumption || !*connection->name)
        return;
    pthread_mutex_lock(&tls->lock);
    struct jg__tls_session *place = find(tls, connection->name);
    if (place) {
        place->used = ++tls->uses;
        SSL_set_session(connection->ssl, place->session);
        if (SSL_SESSION_get_protocol_version(place->session) >= TLS1_3_VERSION)
            forget(place);
    }
    pthread_mutex_unlock(&tls->lock);
}

void jg__tls_forget_sessions(struct jg__tls *tls)
{
    pthread_mutex_lock(&tls->lock);
    for (size_t i = 0; i < JG__TLS_SESSIONS; i++)
        forget(&tls->sessions[i]);
    pthread_mutex_unlock(&tls->lock);
}

#endif
