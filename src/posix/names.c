/* getaddrinfo: a thread asks, the task is parked. */
#include "posix/interpose.h"

#include <errno.h>
#include <netdb.h>

/* The words of the resolver, which the engine has turned into an errno, turned back. */
static int resolver_error(int error)
{
    switch (error) {
    case ENOENT:
        return EAI_NONAME;
    case EAGAIN:
        return EAI_AGAIN;
    case EAFNOSUPPORT:
        return EAI_FAMILY;
    case EINVAL:
        return EAI_SERVICE;
    case ENAMETOOLONG:
        return EAI_NONAME;
    case ENOMEM:
        return EAI_MEMORY;
    default:
        return EAI_SYSTEM;
    }
}

JG__EXPORT int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                           struct addrinfo **result)
{
    if ((hints && hints->ai_flags & AI_NUMERICHOST) || !JG__PARKS()) /* digits need no look-up */
        return JG__REAL(getaddrinfo)(host, service, hints, result);
    return jg_getaddrinfo(host, service, hints, result) == 0 ? 0 : resolver_error(errno);
}
