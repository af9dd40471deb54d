/* Names of hosts and services, looked up off the loop. asyncio's counterparts: loop.getaddrinfo, loop.getnameinfo.
 *
 * Where the answer needs no look-up (addresses and ports as digits) no thread is asked. Both calls wait; cancelled or
 * out of time they return at once, though the resolver may be at work for longer. Arguments are copied. */
#ifndef JUGGLE_NAMES_H
#define JUGGLE_NAMES_H

#include <juggle/task.h>
#include <netdb.h>
#include <sys/socket.h>

JG_BEGIN

struct addrinfo; /* netdb.h has it only beyond -std=c11 */

/* As getaddrinfo(3): the addresses of host (NULL: this machine, or with AI_PASSIVE any address) for service (a name or
 * a port; NULL: port 0), narrowed down by hints (NULL: none). Sets *result, to be freed with freeaddrinfo(3); on
 * failure it is left alone. Waits. Returns 0; -1 with ECANCELED, ETIMEDOUT; ENOENT (EAI_NONAME, EAI_NODATA, EAI_FAIL:
 * unknown), EAGAIN (EAI_AGAIN: the resolver failed for now; or no thread can be started), EAFNOSUPPORT (EAI_FAMILY,
 * EAI_ADDRFAMILY: no such address), EINVAL (EAI_BADFLAGS, EAI_SERVICE, EAI_SOCKTYPE), ENAMETOOLONG, ENOMEM, or the
 * errno of EAI_SYSTEM; jg_error_text has the resolver's words. asyncio: loop.getaddrinfo. */
JG_API int jg_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                          struct addrinfo **result) JG_MUST_USE;

/* As getnameinfo(3): the name of the host and of the service that an address stands for, or either alone (the other
 * NULL with size 0); flags are NI_NUMERICHOST, NI_NUMERICSERV, NI_NAMEREQD, NI_DGRAM, ... Buffers are written only on
 * success. Waits. Returns 0; -1 with ECANCELED, ETIMEDOUT; ENOENT (EAI_NONAME: no name, with NI_NAMEREQD), EAGAIN,
 * EAFNOSUPPORT (a family or a length that is unknown), EINVAL (flags), ENAMETOOLONG (a buffer is too small), ENOMEM, or
 * the errno of EAI_SYSTEM. asyncio: loop.getnameinfo. */
JG_API int jg_getnameinfo(const struct sockaddr *address, socklen_t length, char *host, socklen_t host_size,
                          char *service, socklen_t service_size, int flags) JG_MUST_USE;

JG_END

#endif
