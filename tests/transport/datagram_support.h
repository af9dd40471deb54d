/* What the tests of datagram transports share: an owner that notes every callback. */
#ifndef JUGGLE_TESTS_TRANSPORT_DATAGRAM_SUPPORT_H
#define JUGGLE_TESTS_TRANSPORT_DATAGRAM_SUPPORT_H

#include "support.h"

/* One transport. The letters of `order` say what was called: M made, D datagram, E error, P and R pause and resume
 * writing, L lost. */
struct post {
    jg_datagram_transport *transport;
    char order[64];
    int made, datagrams, errors, pauses, resumes, lost, error, last_error;
    size_t bytes, truncated;
    char last[64]; /* the beginning of the datagram that came last, */
    size_t last_bytes;
    struct sockaddr_storage from; /* whose it is, */
    socklen_t from_length;
    unsigned next; /* and the number that the next one of a sequence should have; UINT_MAX once one was missing */
    void (*on_datagram)(struct post *post);
    void *extra;
};

extern const jg_datagram_protocol post_protocol;

/* Opens a transport on a free port of 127.0.0.1. */
void open_post(jg_loop *loop, struct post *post);

/* Its address. */
struct sockaddr_in address_of(const jg_datagram_transport *transport);

/* Opens a transport at a Unix address: "" for an abstract name that the kernel chooses, "@..." for an abstract one. */
jg_datagram_transport *open_unix(jg_loop *loop, struct post *post, const char *path);
socklen_t unix_address(const char *path, struct sockaddr_un *address);

int send_to(struct post *from, const struct post *to, const void *data, size_t bytes);

/* Sends the number as a datagram of 4 bytes or more. */
int send_number(struct post *from, const struct post *to, unsigned number, size_t bytes);

/* Closes it, unless that was done, and waits for its end. */
void finish_post(jg_loop *loop, struct post *post);

/* A bare UDP socket, bound to a free port of 127.0.0.1. */
int bare_udp(struct sockaddr_in *address);

#endif
