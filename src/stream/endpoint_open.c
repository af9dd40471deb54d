/* jg_open_endpoint: the addresses of its two ends, and the first of them that works. */
#include "base/options.h"
#include "stream/candidates.h"
#include "stream/endpoint.h"

#include <net/if.h>
#include <netdb.h>
#include <string.h>

static const char call[] = "jg_open_endpoint";

/* ---- Addresses ---- */

/* The address of a group, in digits. */
static int parse_group(const char *text, struct jg__candidate *group)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_DGRAM}, *result;
    if (getaddrinfo(text, NULL, &hints, &result) != 0)
        return jg_fail(EINVAL, "%s: the multicast group \"%.64s\" is no address", call, text);
    group->length = result->ai_addrlen;
    memcpy(&group->address, result->ai_addr, result->ai_addrlen);
    freeaddrinfo(result);
    return 0;
}

/* The options for the transport, but for the remote address. */
static int translate(const jg_endpoint_options *from, jg_datagram_options *to, struct jg__candidate *group)
{
    *to = (jg_datagram_options){
        .size = sizeof *to,
        .reuse_port = from->reuse_port,
        .reuse_address = from->reuse_address,
        .broadcast = from->broadcast,
        .multicast_no_loop = from->multicast_no_loop,
        .multicast_ttl = from->multicast_ttl,
        .receive_limit = from->receive_limit,
        .high_water = from->high_water,
        .low_water = from->low_water,
    };
    if (from->multicast_interface) {
        to->multicast_interface = if_nametoindex(from->multicast_interface);
        if (!to->multicast_interface)
            return jg_fail(ENODEV, "%s: there is no interface \"%.32s\"", call, from->multicast_interface);
    }
    if (!from->multicast_group)
        return 0;
    to->multicast_group = &group->address.any;
    return parse_group(from->multicast_group, group);
}

/* Any address of this family. */
static int find_any(struct jg__candidates *found, int family, int port)
{
    return jg__candidates_find(found, NULL, port, family, AI_PASSIVE, call);
}

/* ---- Opening ---- */

/* One attempt. NULL with errno. */
static struct jg__endpoint *open_one(const struct jg__candidate *own, const struct jg__candidate *remote,
                                     const jg_datagram_options *options)
{
    struct jg__endpoint *endpoint = jg__endpoint_new(jg_task_loop(), options);
    if (!endpoint) {
        jg_fail(ENOMEM, "%s: out of memory", call);
        return NULL;
    }
    jg_datagram_options connected = *options;
    connected.remote_address = remote ? &remote->address.any : NULL;
    connected.remote_address_length = remote ? remote->length : 0;
    const struct sockaddr *address = own ? &own->address.any : NULL;
    if (jg__datagram_open(&endpoint->transport, address, own ? own->length : 0, &connected, call) == 0)
        return endpoint;
    jg__endpoint_put_back(endpoint);
    return NULL;
}

/* Each own address with each remote one of its family, until one works. */
static struct jg__endpoint *open_first(const struct jg__candidates *own, const struct jg__candidates *remote,
                                       const jg_datagram_options *options)
{
    jg_fail(EAFNOSUPPORT, "%s: no address of the one end is of the family of the other", call);
    for (size_t i = 0; i < own->count; i++) {
        struct jg__endpoint *endpoint = NULL;
        if (!remote->count)
            endpoint = open_one(&own->list[i], NULL, options);
        for (size_t k = 0; k < remote->count && !endpoint; k++)
            if (remote->list[k].address.any.sa_family == own->list[i].address.any.sa_family)
                endpoint = open_one(&own->list[i], &remote->list[k], options);
        if (endpoint)
            return endpoint;
    }
    return NULL;
}

/* Without a host, this end takes the family of the other one, or of the group. */
static struct jg__endpoint *open_from(const char *host, int port, const struct jg__candidates *remote, int family,
                                      const jg_datagram_options *options)
{
    struct jg__candidates own = {0};
    if (!family && options->multicast_group)
        family = options->multicast_group->sa_family;
    if (!family && !host && remote->count)
        family = remote->list[0].address.any.sa_family;
    if (!family && !host)
        family = AF_INET;
    int found = host ? jg__candidates_find(&own, host, port, family, 0, call) : find_any(&own, family, port);
    if (found < 0)
        return NULL;
    struct jg__endpoint *endpoint = open_first(&own, remote, options);
    jg__candidates_free(&own);
    return endpoint;
}

static struct jg__endpoint *open_ip(const char *host, int port, const jg_endpoint_options *options,
                                    const jg_datagram_options *transport_options)
{
    struct jg__candidates remote = {0};
    int family = options->family || options->remote_host ? options->family : AF_INET;
    if ((options->remote_host || options->remote_port) &&
        jg__candidates_find(&remote, options->remote_host, options->remote_port, family, 0, call) < 0)
        return NULL;
    struct jg__endpoint *endpoint = open_from(host, port, &remote, options->family, transport_options);
    int saved = errno;
    jg__candidates_free(&remote);
    errno = saved;
    return endpoint;
}

/* ---- Unix ---- */

static int unix_candidate(const char *path, struct jg__candidate *candidate)
{
    *candidate = (struct jg__candidate){.length = sizeof(sa_family_t), .address.any.sa_family = AF_UNIX};
    if (!path) /* bound to that, a socket is given an abstract name */
        return 0;
    return jg__unix_address(path, (struct sockaddr_un *)(void *)&candidate->address.storage, &candidate->length, call);
}

static struct jg__endpoint *open_unix(const char *host, int port, const jg_endpoint_options *options,
                                      const jg_datagram_options *transport_options)
{
    struct jg__candidate own, remote;
    if (host || port || options->remote_host || options->remote_port || options->multicast_group) {
        jg_fail(EINVAL, "%s: a Unix endpoint has neither host nor port", call);
        return NULL;
    }
    if (unix_candidate(options->path, &own) < 0 || unix_candidate(options->remote_path, &remote) < 0)
        return NULL;
    return open_one(&own, options->remote_path ? &remote : NULL, transport_options);
}

jg_endpoint *jg_open_endpoint_with(const char *host, int port, const jg_endpoint_options *options)
{
    jg_endpoint_options whole;
    jg_datagram_options transport_options;
    struct jg__candidate group = {0};
    options = jg__whole_options(options, &whole, sizeof whole);
    if (jg__enter_wait(call) < 0)
        return NULL;
    int saved = errno;
    if (translate(options, &transport_options, &group) < 0)
        return NULL;
    struct jg__endpoint *endpoint = options->path || options->remote_path
                                        ? open_unix(host, port, options, &transport_options)
                                        : open_ip(host, port, options, &transport_options);
    if (!endpoint)
        return NULL;
    errno = saved;
    return jg__handle_of(&endpoint->pooled);
}
