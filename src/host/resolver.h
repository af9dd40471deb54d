/* Name look-up by getaddrinfo and getnameinfo, off the loop. */
#ifndef JUGGLE_HOST_RESOLVER_H
#define JUGGLE_HOST_RESOLVER_H

#include <juggle/loop.h>
#include <netdb.h>

typedef struct jg__lookup jg__lookup;

/* The answer: the addresses, valid during the call, and error 0; or NULL, an errno, and the resolver's words. errno is
 * ENOENT for an unknown name, EAGAIN when the resolver failed for now, EAFNOSUPPORT when the name has no address of the
 * family, ENOMEM, or a system call's. */
typedef void (*jg__lookup_done)(void *arg, const struct addrinfo *addresses, int error, const char *text);

/* Looks up host (copied; NULL: this machine, or with AI_PASSIVE in `flags` any address) and port for stream sockets.
 * `done` is called from a later turn, for numeric addresses too, which need no thread. Returns NULL with ENOMEM,
 * ENAMETOOLONG, EINVAL (port), EAGAIN (no thread can be started). */
jg__lookup *jg__lookup_start(jg_loop *loop, const char *host, int port, int family, int flags, jg__lookup_done done,
                             void *arg);

/* The same with everything that getaddrinfo takes. */
jg__lookup *jg__lookup_addresses(jg_loop *loop, const char *host, const char *service, const struct addrinfo *hints,
                                 jg__lookup_done done, void *arg);

/* In `done`: the addresses become the callee's, to be freed with freeaddrinfo. */
struct addrinfo *jg__lookup_keep(jg__lookup *lookup);

/* The answer: the texts, valid during the call; "" for one that was not asked for. */
typedef void (*jg__name_done)(void *arg, const char *host, const char *service, int error, const char *text);

/* What getnameinfo answers for this address, which is copied. Returns NULL with ENOMEM, EAGAIN. */
jg__lookup *jg__lookup_name(jg_loop *loop, const struct sockaddr *address, socklen_t length, bool host, bool service,
                            int flags, jg__name_done done, void *arg);

/* Forgets it: `done` is not called any more. At once, also while the resolver is at work. Not from inside `done`. */
void jg__lookup_cancel(jg__lookup *lookup);

#endif
