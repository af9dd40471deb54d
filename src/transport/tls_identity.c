/* Who a server is: the first certificate, and others for clients that ask for a name. */
#ifdef HAVE_OPENSSL

#include "transport/tls_openssl.h"

#include <string.h>
#include <strings.h>

static char *copy_of(const char *text)
{
    size_t size = text ? strlen(text) + 1 : 0;
    char *copy = size ? jg__allocate(size) : NULL;
    return copy ? memcpy(copy, text, size) : NULL;
}

static void free_identity(struct jg__tls_identity *identity)
{
    SSL_CTX_free(identity->context);
    jg__release(identity->name);
    jg__release(identity->certificate);
    jg__release(identity->key);
    jg__release(identity);
}

void jg__tls_free_identities(struct jg__tls *tls)
{
    SSL_CTX_free(tls->identity.context);
    while (tls->identity.next) {
        struct jg__tls_identity *identity = tls->identity.next;
        tls->identity.next = identity->next;
        free_identity(identity);
    }
}

SSL_CTX *jg__tls_context(struct jg__tls *tls)
{
    pthread_mutex_lock(&tls->lock);
    SSL_CTX *context = tls->identity.context;
    SSL_CTX_up_ref(context);
    pthread_mutex_unlock(&tls->lock);
    return context;
}

/* ---- Choosing ---- */

/* "*.example.com" stands for names with one label more. */
static bool fits(const char *pattern, const char *name)
{
    if (pattern[0] != '*' || pattern[1] != '.')
        return !strcasecmp(pattern, name);
    const char *dot = strchr(name, '.');
    return dot && dot != name && !strcasecmp(pattern + 1, dot);
}

static SSL_CTX *find(const struct jg__tls *tls, const char *name)
{
    const struct jg__tls_identity *best = NULL;
    for (const struct jg__tls_identity *each = tls->identity.next; each; each = each->next)
        if (fits(each->name, name) && (!best || strlen(each->name) > strlen(best->name)))
            best = each;
    return best ? best->context : NULL;
}

int jg__tls_choose_identity(SSL *ssl, int *alert, void *arg)
{
    (void)alert;
    struct jg__tls *tls = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (!name)
        return SSL_TLSEXT_ERR_NOACK;
    pthread_mutex_lock(&tls->lock);
    SSL_CTX *context = find(tls, name);
    if (context)
        SSL_set_SSL_CTX(ssl, context);
    pthread_mutex_unlock(&tls->lock);
    return SSL_TLSEXT_ERR_OK;
}

/* ---- Adding ---- */

static struct jg__tls_identity *new_identity(struct jg__tls *tls, const char *name, const char *certificate,
                                             const char *key)
{
    static const char call[] = "jg_tls_add_server_name";
    struct jg__tls_identity *identity = jg__allocate_zeroed(sizeof *identity);
    if (!identity) {
        jg_fail(ENOMEM, "%s: out of memory", call);
        return NULL;
    }
    identity->name = copy_of(name);
    identity->certificate = copy_of(certificate);
    identity->key = copy_of(key);
    bool copied = identity->name && identity->certificate && (identity->key || !key);
    if (!copied)
        jg_fail(ENOMEM, "%s: out of memory", call);
    else
        identity->context = jg__tls_context_new(tls, certificate, key, call);
    if (identity->context)
        return identity;
    free_identity(identity);
    return NULL;
}

/* Takes the place of the one with the same name, which is returned, or of none. */
static struct jg__tls_identity *put(struct jg__tls *tls, struct jg__tls_identity *identity)
{
    struct jg__tls_identity **link = &tls->identity.next;
    while (*link && strcasecmp((*link)->name, identity->name) != 0)
        link = &(*link)->next;
    struct jg__tls_identity *old = *link;
    identity->next = old ? old->next : NULL;
    *link = identity;
    return old;
}

int jg__tls_add_server_name(jg_tls *shared, const char *name, const char *certificate, const char *key)
{
    struct jg__tls *tls = (struct jg__tls *)shared;
    struct jg__tls_identity *identity = new_identity(tls, name, certificate, key);
    if (!identity)
        return -1;
    pthread_mutex_lock(&tls->lock);
    struct jg__tls_identity *old = put(tls, identity);
    pthread_mutex_unlock(&tls->lock);
    if (old)
        free_identity(old);
    return 0;
}

/* ---- Reading the files again ---- */

static size_t count_identities(const struct jg__tls *tls)
{
    size_t count = 1;
    for (const struct jg__tls_identity *each = tls->identity.next; each; each = each->next)
        count++;
    return count;
}

/* All new contexts, in the order of the identities; or as many as there were until one failed. */
static size_t read_again(struct jg__tls *tls, SSL_CTX **contexts)
{
    static const char call[] = "jg_tls_reload";
    size_t count = 0;
    for (const struct jg__tls_identity *each = &tls->identity; each; each = each->next) {
        bool first = each == &tls->identity;
        contexts[count] = jg__tls_context_new(tls, first ? tls->options.certificate : each->certificate,
                                              first ? tls->options.key : each->key, call);
        if (!contexts[count])
            break;
        count++;
    }
    return count;
}

static void exchange(struct jg__tls *tls, SSL_CTX **contexts)
{
    for (struct jg__tls_identity *each = &tls->identity; each; each = each->next) {
        SSL_CTX *old = each->context;
        each->context = *contexts;
        *contexts++ = old;
    }
}

int jg__tls_reload(jg_tls *shared)
{
    struct jg__tls *tls = (struct jg__tls *)shared;
    int saved = errno;
    pthread_mutex_lock(&tls->lock);
    size_t wanted = count_identities(tls);
    SSL_CTX **contexts = jg__allocate(wanted * sizeof(SSL_CTX *));
    size_t count = contexts ? read_again(tls, contexts) : 0;
    if (count == wanted)
        exchange(tls, contexts);
    pthread_mutex_unlock(&tls->lock);
    int error = count == wanted ? saved : contexts ? errno : ENOMEM;
    if (!contexts)
        jg_fail(ENOMEM, "jg_tls_reload: out of memory");
    for (size_t i = 0; i < count; i++)
        SSL_CTX_free(contexts[i]);
    jg__release(contexts);
    if (count == wanted)
        jg__tls_forget_sessions(tls);
    errno = error;
    return count == wanted ? 0 : -1;
}

#endif
