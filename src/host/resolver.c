/* Look-ups: first what can be said without asking anybody, else on a thread; the answer comes from a turn. */
#include "host/resolver.h"

#include "base/diagnostics.h"
#include "host/executor.h"
#include "host/lookup.h"
#include "loop/internal.h"

#include <errno.h>
#include <string.h>

/* The look-ups of a loop. */
struct jg__resolver {
    struct jg__resident resident;
    jg_loop *loop;
    struct jg__list lookups;
};

/* ---- The resolvers of the loops ---- */

static void evict(struct jg__resident *resident)
{
    struct jg__resolver *resolver = jg__container_of(resident, struct jg__resolver, resident);
    while (!jg__list_empty(&resolver->lookups))
        jg__lookup_cancel(jg__container_of(resolver->lookups.next, jg__lookup, node));
    resolver->loop->resolver = NULL;
    jg__release(resolver);
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
    }
    return loop->resolver;
}

/* ---- The answer ---- */

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
        return lookup->any_family ? ENOENT : EAFNOSUPPORT;
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
    lookup->tell(lookup, error, error ? text : "");
    lookup->free(lookup);
}

/* ---- On a thread ---- */

static jg__lookup *lookup_of(jg_job *job)
{
    return jg__container_of(job, jg__lookup, job);
}

static void resolve_on_thread(jg_job *job)
{
    jg__lookup *lookup = lookup_of(job);
    lookup->resolve(lookup, false);
}

static void take_answer(jg_job *job)
{
    answer(lookup_of(job));
}

static void drop_answer(jg_job *job)
{
    jg__lookup *lookup = lookup_of(job);
    lookup->free(lookup);
}

/* ---- Start and cancel ---- */

/* Returns 0 or an errno. */
static int begin(jg__lookup *lookup)
{
    struct jg__resolver *resolver = resolver_of(lookup->loop);
    if (!resolver)
        return ENOMEM;
    lookup->resolve(lookup, true);
    lookup->by_thread = lookup->status == EAI_NONAME && lookup->may_ask;
    if (!lookup->by_thread)
        jg_call_soon(lookup->loop, &lookup->answer);
    else if (jg__job_start("look-up", lookup->loop, jg__executor_for_library(), &lookup->job) < 0)
        return errno;
    jg__list_append(&resolver->lookups, &lookup->node);
    return 0;
}

jg__lookup *jg__lookup_begin(jg__lookup *lookup, jg_loop *loop, const char *subject)
{
    int saved = errno;
    lookup->loop = loop;
    lookup->job = (jg_job){.work = resolve_on_thread, .done = take_answer, .abandoned = drop_answer};
    lookup->answer = (jg_handle){.fn = answer, .arg = lookup};
    int error = begin(lookup);
    if (!error) {
        errno = saved;
        return lookup;
    }
    jg_fail(error, "look-up of %s: %s", subject, error == ENOMEM ? "out of memory" : "no thread can be started");
    lookup->free(lookup);
    errno = error;
    return NULL;
}

void jg__lookup_cancel(jg__lookup *lookup)
{
    int saved = errno;
    jg__list_remove(&lookup->node);
    if (!lookup->by_thread) {
        jg_handle_cancel(lookup->loop, &lookup->answer);
        lookup->free(lookup);
    } else if (!jg_job_abandon(&lookup->job)) {
        lookup->free(lookup);
    }
    errno = saved;
}
