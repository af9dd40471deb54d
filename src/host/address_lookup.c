/* From names to addresses: getaddrinfo. */
#include "base/diagnostics.h"
#include "host/lookup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { NAME_MOST = 254 }; /* of a domain name, with its last dot */

struct address_lookup {
    jg__lookup lookup;
    jg__lookup_done done;
    struct addrinfo hints;
    struct addrinfo *addresses;
    const char *host, *service; /* in `texts`, or NULL */
    char texts[];
};

static struct address_lookup *self_of(jg__lookup *lookup)
{
    return jg__container_of(lookup, struct address_lookup, lookup);
}

static void resolve(jg__lookup *lookup, bool fast)
{
    struct address_lookup *self = self_of(lookup);
    struct addrinfo hints = self->hints;
    if (fast)
        hints.ai_flags |= AI_NUMERICHOST | AI_NUMERICSERV;
    lookup->status = getaddrinfo(self->host, self->service, &hints, &self->addresses);
    lookup->error = errno;
    if (lookup->status)
        self->addresses = NULL;
}

static void tell(jg__lookup *lookup, int error, const char *text)
{
    const struct address_lookup *self = self_of(lookup);
    self->done(lookup->arg, self->addresses, error, text);
}

static void free_lookup(jg__lookup *lookup)
{
    struct address_lookup *self = self_of(lookup);
    if (self->addresses)
        freeaddrinfo(self->addresses);
    jg__release(self);
}

struct addrinfo *jg__lookup_keep(jg__lookup *lookup)
{
    struct address_lookup *self = self_of(lookup);
    struct addrinfo *addresses = self->addresses;
    self->addresses = NULL;
    return addresses;
}

/* Copies a text to `place`, and moves that behind it. */
static const char *keep_text(char **place, const char *text)
{
    if (!text)
        return NULL;
    char *copy = *place;
    *place = stpcpy(copy, text) + 1;
    return copy;
}

static struct address_lookup *new_lookup(const char *host, const char *service)
{
    size_t bytes = (host ? strlen(host) + 1 : 0) + (service ? strlen(service) + 1 : 0);
    struct address_lookup *self = jg__allocate_zeroed(sizeof *self + bytes);
    if (!self)
        return NULL;
    char *place = self->texts;
    self->host = keep_text(&place, host);
    self->service = keep_text(&place, service);
    return self;
}

jg__lookup *jg__lookup_addresses(jg_loop *loop, const char *host, const char *service, const struct addrinfo *hints,
                                 jg__lookup_done done, void *arg)
{
    static const struct addrinfo none = {0};
    const char *subject = host ? host : service ? service : "this machine";
    if (!hints)
        hints = &none;
    if (host && strlen(host) > NAME_MOST) {
        jg_fail(ENAMETOOLONG, "look-up of %.64s...: the name is too long", host);
        return NULL;
    }
    struct address_lookup *self = new_lookup(host, service);
    if (!self) {
        jg_fail(ENOMEM, "look-up of %s: out of memory", subject);
        return NULL;
    }
    self->done = done;
    self->hints = (struct addrinfo){.ai_flags = hints->ai_flags,
                                    .ai_family = hints->ai_family,
                                    .ai_socktype = hints->ai_socktype,
                                    .ai_protocol = hints->ai_protocol};
    self->lookup.resolve = resolve;
    self->lookup.tell = tell;
    self->lookup.free = free_lookup;
    self->lookup.arg = arg;
    self->lookup.any_family = hints->ai_family == AF_UNSPEC;
    self->lookup.may_ask =
        (host && !(hints->ai_flags & AI_NUMERICHOST)) || (service && !(hints->ai_flags & AI_NUMERICSERV));
    return jg__lookup_begin(&self->lookup, loop, subject);
}

jg__lookup *jg__lookup_start(jg_loop *loop, const char *host, int port, int family, int flags, jg__lookup_done done,
                             void *arg)
{
    char service[8];
    struct addrinfo hints = {.ai_family = family, .ai_flags = flags | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    if (port < 0 || port > 65535) {
        jg_fail(EINVAL, "look-up of %s: port %d is not within 0 to 65535", host ? host : "this machine", port);
        return NULL;
    }
    snprintf(service, sizeof service, "%d", port);
    return jg__lookup_addresses(loop, host, service, &hints, done, arg);
}
