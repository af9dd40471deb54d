/* From addresses to names: getnameinfo. */
#include "base/diagnostics.h"
#include "host/address.h"
#include "host/lookup.h"

#include <errno.h>
#include <string.h>

struct name_lookup {
    jg__lookup lookup;
    jg__name_done done;
    int flags;
    bool wants_host, wants_service;
    socklen_t length;
    struct sockaddr_storage address;
    char host[NI_MAXHOST];
    char service[NI_MAXSERV];
};

static struct name_lookup *self_of(jg__lookup *lookup)
{
    return jg__container_of(lookup, struct name_lookup, lookup);
}

/* Nobody has to be asked for digits, nor for the path of a Unix socket. */
static bool is_fast(const struct name_lookup *self)
{
    bool host = !self->wants_host || self->flags & NI_NUMERICHOST;
    bool service = !self->wants_service || self->flags & NI_NUMERICSERV;
    return (host && service) || self->address.ss_family == AF_UNIX;
}

static void resolve(jg__lookup *lookup, bool fast)
{
    struct name_lookup *self = self_of(lookup);
    if (fast && !is_fast(self)) {
        lookup->status = EAI_NONAME;
        return;
    }
    lookup->may_ask = false;
    lookup->status = getnameinfo((struct sockaddr *)&self->address, self->length, self->wants_host ? self->host : NULL,
                                 self->wants_host ? sizeof self->host : 0, self->wants_service ? self->service : NULL,
                                 self->wants_service ? sizeof self->service : 0, self->flags);
    lookup->error = errno;
}

static void tell(jg__lookup *lookup, int error, const char *text)
{
    const struct name_lookup *self = self_of(lookup);
    self->done(lookup->arg, self->host, self->service, error, text);
}

static void free_lookup(jg__lookup *lookup)
{
    jg__release(self_of(lookup));
}

jg__lookup *jg__lookup_name(jg_loop *loop, const struct sockaddr *address, socklen_t length, bool host, bool service,
                            int flags, jg__name_done done, void *arg)
{
    struct name_lookup *self = jg__allocate_zeroed(sizeof *self);
    if (!self) {
        jg_fail(ENOMEM, "look-up of a name: out of memory");
        return NULL;
    }
    self->lookup = (jg__lookup){.resolve = resolve, .tell = tell, .free = free_lookup, .arg = arg, .may_ask = true};
    self->done = done;
    self->flags = flags;
    self->wants_host = host;
    self->wants_service = service;
    self->length = length < sizeof self->address ? length : sizeof self->address;
    memcpy(&self->address, address, self->length);
    char text[JG__ADDRESS_TEXT];
    return jg__lookup_begin(&self->lookup, loop, jg__address_text(address, self->length, text));
}
