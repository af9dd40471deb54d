/* The socket addresses of a host. */
#ifndef JUGGLE_STREAM_CANDIDATES_H
#define JUGGLE_STREAM_CANDIDATES_H

#include <stddef.h>
#include <sys/socket.h>

struct jg__candidate {
    socklen_t length;
    union {
        struct sockaddr any;
        struct sockaddr_storage storage;
    } address;
};

struct jg__candidates {
    struct jg__candidate *list; /* on the heap */
    size_t count;
};

/* Looks them up, in the resolver's order; at least one. `flags`: AI_PASSIVE, or 0. Waits. Returns 0, or -1 with errno
 * and the error text. */
int jg__candidates_find(struct jg__candidates *candidates, const char *host, int port, int family, int flags,
                        const char *call);
void jg__candidates_free(struct jg__candidates *candidates);

/* The families take turns, beginning with that of the first (RFC 8305, section 4). Returns 0, or -1 with ENOMEM. */
int jg__candidates_interleave(struct jg__candidates *candidates);

/* The first one of that family, or NULL. */
const struct jg__candidate *jg__candidates_of_family(const struct jg__candidates *candidates, int family);

#endif
