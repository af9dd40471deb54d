#include "host/resolver.h"

#include "base/diagnostics.h"
#include "base/memory.h"
#include "host/job.h"
#include "loop/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { NAME_MOST = 254 }; /* of a domain name, with its last dot */

/* The look-ups of a loop. */
struct jg__resolver {
    struct jg__resident resident;
    jg_loop *loop;
    struct jg__list lookups;
};

struct jg__lookup {
    struct jg__job job;
    struct jg__list node;
    jg_loop *loop;
    jg__lookup_done done;
    void *arg;
    jg_handle answer;
    bool by_thread;
    int family, flags;
    int status; /* of getaddrinfo */
    int error;  /* errno, for EAI_SYSTEM */
    struct addrinfo *addresses;
    char service[8];
    bool has_host;
    char host[];
};

/* ---- The resolvers of the loops ---- */

static void evict(struct jg__resident *resident)
{
    struct jg__resolver *resolver = jg__container_of(resident, struct jg__resolver, resident);
    while (!jg__list_empty(&resolver->lookups))
        jg__lookup_cancel(jg__container_of(resolver->lookups.next, jg__lookup, node));
    resolver->loop->resolver = NULL;
    jg__release(resolver);
    jg__jobs_let_go();
}

static struct jg__resolver *resolver_of(jg_loop *loop)
{
    if (!loop->resolver) {
        struct jg__resolver *resolver = jg__allocate_zeroed(sizeof *resolver);
        if (!resolver)
            return NULL;
        jg__list_init(&resolver->lookups);
        resolver->loop = loop;
        resolver->resident.evict = evict;
        jg__list_append(&loop->residents, &resolver->resident.node);
        loop->resolver = resolver;
        jg__jobs_hold();
    }
    return loop->resolver;
}

/* ---- A look-up ---- */

static void resolve(jg__lookup *lookup, int more_flags)
{
    struct addrinfo hints = {
        .ai_family = lookup->family,
        .ai_flags = lookup->flags | AI_NUMERICSERV | more_flags,
        .ai_socktype = SOCK_STREAM,
    };
    lookup->status = getaddrinfo(lookup->has_host ? lookup->host : NULL, lookup->service, &hints, &lookup->addresses);
    lookup->error = errno;
    if (lookup->status)
        lookup->addresses = NULL;
}

static void free_lookup(jg__lookup *lookup)
{
    if (lookup->addresses)
        freeaddrinfo(lookup->addresses);
    jg__release(lookup);
}

static int error_of(const jg__lookup *lookup)
{
    switch (lookup->status) {
    case 0:
        return 0;
    case EAI_AGAIN:
        return EAGAIN;
    case EAI_ADDRFAMILY:
    case EAI_FAMILY:
        return EAFNOSUPPORT;
    case EAI_NODATA: /* the name is known, but not with such addresses */
        return lookup->family ? EAFNOSUPPORT : ENOENT;
    case EAI_MEMORY:
        return ENOMEM;
    case EAI_OVERFLOW:
        return ENAMETOOLONG;
    case EAI_BADFLAGS:
    case EAI_SERVICE:
    case EAI_SOCKTYPE:
        return EINVAL;
    case EAI_SYSTEM:
        return lookup->error ? lookup->error : EIO;
    default: /* EAI_NONAME, EAI_FAIL: asking again won't help */
        return ENOENT;
    }
}

static void answer(void *arg)
{
    jg__lookup *lookup = arg;
    int error = error_of(lookup);
    const char *text = lookup->status == EAI_SYSTEM ? strerror(error) : gai_strerror(lookup->status);
    jg__list_remove(&lookup->node);
    lookup->done(lookup->arg, lookup->addresses, error, error ? text : "");
    free_lookup(lookup);
}

/* ---- On a thread ---- */

static jg__lookup *lookup_of(struct jg__job *job)
{
    return jg__container_of(job, jg__lookup, job);
}

static void resolve_on_thread(struct jg__job *job)
{
    resolve(lookup_of(job), 0);
}

static void send_answer(struct jg__job *job)
{
    jg__lookup *lookup = lookup_of(job);
    jg_call_soon_threadsafe(lookup->loop, &lookup->answer);
}

static void drop_answer(struct jg__job *job)
{
    free_lookup(lookup_of(job));
}

/* ---- Start and cancel ---- */

static jg__lookup *new_lookup(jg_loop *loop, const char *host, int port, int family, int flags)
{
    size_t length = host ? strlen(host) : 0;
    jg__lookup *lookup = jg__allocate_zeroed(sizeof *lookup + length + 1);
    if (!lookup)
        return NULL;
    lookup->job = (struct jg__job){.work = resolve_on_thread, .finished = send_answer, .dropped = drop_answer};
    lookup->loop = loop;
    lookup->answer = (jg_handle){.fn = answer, .arg = lookup};
    lookup->family = family;
    lookup->flags = flags;
    snprintf(lookup->service, sizeof lookup->service, "%d", port);
    lookup->has_host = host != NULL;
    if (host)
        memcpy(lookup->host, host, length);
    return lookup;
}

static int begin(jg__lookup *lookup)
{
    resolve(lookup, AI_NUMERICHOST); /* without a name there is nothing to ask for */
    if (lookup->status == EAI_NONAME && lookup->has_host) {
        lookup->by_thread = true;
        return jg__job_start(&lookup->job);
    }
    jg_call_soon(lookup->loop, &lookup->answer);
    return 0;
}

jg__lookup *jg__lookup_start(jg_loop *loop, const char *host, int port, int family, int flags, jg__lookup_done done,
                             void *arg)
{
    int saved = errno;
    if (port < 0 || port > 65535) {
        jg_fail(EINVAL, "look-up of %s: port %d is not within 0 to 65535", host ? host : "this machine", port);
        return NULL;
    }
    if (host && strlen(host) > NAME_MOST) {
        jg_fail(ENAMETOOLONG, "look-up of %.64s...: the name is too long", host);
        return NULL;
    }
    struct jg__resolver *resolver = resolver_of(loop);
    jg__lookup *lookup = resolver ? new_lookup(loop, host, port, family, flags) : NULL;
    if (!lookup) {
        jg_fail(ENOMEM, "look-up of %s: out of memory", host ? host : "this machine");
        return NULL;
    }
    lookup->done = done;
    lookup->arg = arg;
    if (begin(lookup) < 0) {
        free_lookup(lookup);
        jg_fail(EAGAIN, "look-up of %s: no thread can be started", host);
        return NULL;
    }
    jg__list_append(&resolver->lookups, &lookup->node);
    errno = saved;
    return lookup;
}

void jg__lookup_cancel(jg__lookup *lookup)
{
    int saved = errno;
    jg__list_remove(&lookup->node);
    if (!lookup->by_thread || jg__job_withdraw(&lookup->job)) {
        jg_handle_cancel(lookup->loop, &lookup->answer);
        free_lookup(lookup);
    }
    errno = saved;
}
