/* Sockets as datagram transports want them. */
#include "transport/datagram_internal.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

/* Of kernels newer than the headers. */
#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif

static int set(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value);
}

/* The options of one family, by the names that it has for them. */
struct multicast_names {
    int level, interface, ttl, loop, all, join;
};

static const struct multicast_names ip4 = {
    IPPROTO_IP, IP_MULTICAST_IF, IP_MULTICAST_TTL, IP_MULTICAST_LOOP, IP_MULTICAST_ALL, IP_ADD_MEMBERSHIP,
};
static const struct multicast_names ip6 = {
    IPPROTO_IPV6, IPV6_MULTICAST_IF, IPV6_MULTICAST_HOPS, IPV6_MULTICAST_LOOP, IPV6_MULTICAST_ALL, IPV6_JOIN_GROUP,
};

static int set_multicast_interface(int fd, sa_family_t family, unsigned index)
{
    if (family == AF_INET6)
        return set(fd, ip6.level, ip6.interface, (int)index);
    struct ip_mreqn request = {.imr_ifindex = (int)index};
    return setsockopt(fd, ip4.level, ip4.interface, &request, sizeof request);
}

static int join(int fd, const struct sockaddr *group, unsigned index)
{
    if (group->sa_family == AF_INET6) {
        const struct sockaddr_in6 *address = (const struct sockaddr_in6 *)(const void *)group;
        struct ipv6_mreq request = {.ipv6mr_multiaddr = address->sin6_addr,
                                    .ipv6mr_interface = index ? index : address->sin6_scope_id};
        return setsockopt(fd, ip6.level, ip6.join, &request, sizeof request);
    }
    const struct sockaddr_in *address = (const struct sockaddr_in *)(const void *)group;
    struct ip_mreqn request = {.imr_multiaddr = address->sin_addr, .imr_ifindex = (int)index};
    return setsockopt(fd, ip4.level, ip4.join, &request, sizeof request);
}

/* Returns 0, or -1 with errno. */
static int set_multicast(int fd, sa_family_t family, const jg_datagram_options *options)
{
    const struct multicast_names *names = family == AF_INET6 ? &ip6 : &ip4;
    const struct sockaddr *group = options->multicast_group;
    unsigned index = options->multicast_interface;
    if (options->multicast_ttl && set(fd, names->level, names->ttl, options->multicast_ttl) < 0)
        return -1;
    if (options->multicast_no_loop && set(fd, names->level, names->loop, 0) < 0)
        return -1;
    if (index && set_multicast_interface(fd, family, index) < 0)
        return -1;
    if (!group)
        return 0;
    if (group->sa_family != family)
        return errno = EAFNOSUPPORT, -1;
    int saved = errno;
    set(fd, names->level, names->all, 0); /* IPv6: since Linux 4.20 */
    errno = saved;
    return join(fd, group, index);
}

static int set_receive_limit(int fd, size_t limit)
{
    return limit ? set(fd, SOL_SOCKET, SO_RCVBUF, limit < INT32_MAX ? (int)limit : INT32_MAX) : 0;
}

/* What has to be set before bind. */
static int set_options(int fd, sa_family_t family, const jg_datagram_options *options)
{
    if ((options->reuse_address || options->multicast_group) && set(fd, SOL_SOCKET, SO_REUSEADDR, 1) < 0)
        return -1;
    if (options->reuse_port && set(fd, SOL_SOCKET, SO_REUSEPORT, 1) < 0)
        return -1;
    if (options->broadcast && set(fd, SOL_SOCKET, SO_BROADCAST, 1) < 0)
        return -1;
    if (family == AF_INET6 && set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) < 0)
        return -1;
    if (set_receive_limit(fd, options->receive_limit) < 0)
        return -1;
    return family == AF_UNIX ? 0 : set_multicast(fd, family, options);
}

static int bind_it(int fd, const struct sockaddr *address, socklen_t length, struct jg__unix_file *file)
{
    if (address->sa_family == AF_UNIX)
        return jg__unix_bind(fd, address, length, file);
    return bind(fd, address, length);
}

/* Binds and connects. Returns NULL, or what has failed, with errno. */
static const char *set_up(int fd, const struct sockaddr *address, socklen_t length, const jg_datagram_options *options,
                          struct jg__unix_file *file)
{
    const struct sockaddr *remote = options->remote_address;
    if (set_options(fd, address ? address->sa_family : remote->sa_family, options) < 0)
        return "setsockopt";
    if (address && bind_it(fd, address, length, file) < 0)
        return "bind";
    if (remote && connect(fd, remote, options->remote_address_length) < 0)
        return "connect";
    return NULL;
}

int jg__datagram_socket(const struct sockaddr *address, socklen_t length, const jg_datagram_options *options,
                        struct jg__unix_file *file, const char *call)
{
    if (!address && !options->remote_address)
        return jg_fail(EINVAL, "%s: neither an address nor a remote one", call);
    int family = address ? address->sa_family : options->remote_address->sa_family;
    if (family != AF_INET && family != AF_INET6 && family != AF_UNIX)
        return jg_fail(EAFNOSUPPORT, "%s: family %d has no datagrams", call, family);
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return jg_fail(errno, "%s: %s", call, strerror(errno));
    const char *failed = set_up(fd, address, length, options, file);
    if (!failed)
        return fd;
    int error = errno;
    jg__unix_unlink(fd, *file);
    close(fd);
    return jg_fail(error, "%s: %s: %s", call, failed, strerror(error));
}

int jg__datagram_socket_adopt(int fd, const jg_datagram_options *options, const char *call)
{
    int type = 0;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &(socklen_t){sizeof type}) < 0)
        return jg_fail(errno, "%s: fd %d: %s", call, fd, strerror(errno));
    if (type != SOCK_DGRAM)
        return jg_fail(ENOTSOCK, "%s: fd %d is not a datagram socket", call, fd);
    set_receive_limit(fd, options->receive_limit);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    return 0;
}
