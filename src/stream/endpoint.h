/* What an endpoint is, for the files of this folder. One record holds it and its transport. */
#ifndef JUGGLE_STREAM_ENDPOINT_H
#define JUGGLE_STREAM_ENDPOINT_H

#include "stream/pool.h"
#include "task/internal.h"
#include "transport/datagram.h"

struct jg__endpoint {
    struct jg__pooled pooled;
    unsigned users; /* tasks inside a call that waits */
    jg_datagram_transport transport;
    struct jg__list receivers; /* who waits for a datagram; the oldest first */
    struct jg__list senders;   /* who waits until less is queued */
    struct jg__wait *closer;   /* the task that closes it, and waits until the others and the transport have left */
    size_t truncated;          /* bytes of the last datagram that did not fit */
    char *names;               /* of this end and the other, once asked for */
    bool lost;                 /* the transport is done with its memory */
    bool closed;               /* by its owner: the record is free when it is lost and nobody is inside */
};

/* On the task's stack. */
struct jg__endpoint_waiter {
    struct jg__wait wait;
    struct jg__list node; /* in receivers or senders */
    size_t most;          /* senders: until not more than so many bytes are pending */
};

/* An endpoint without a socket, or NULL with ENOMEM. What follows is one of: open its transport, or put it back. */
struct jg__endpoint *jg__endpoint_new(jg_loop *loop, const jg_datagram_options *options);
void jg__endpoint_put_back(struct jg__endpoint *endpoint);

void jg__endpoint_free_heap(struct jg__pooled *pooled);

/* The endpoint behind a handle; aborts with a sentence that names the call when it was closed. */
struct jg__endpoint *jg__endpoint_of(const jg_endpoint *handle, const char *call);

/* Enters a call that waits: the endpoint, or NULL with ECANCELED, ETIMEDOUT; EBADF when it was closed while the entry
 * check let others run. */
struct jg__endpoint *jg__endpoint_enter(const jg_endpoint *handle, const char *call);

/* Parks the running task in one of the two lists. Returns 0 or a negated errno; after -EBADF the endpoint may be gone.
 */
int jg__endpoint_park(struct jg__endpoint *endpoint, struct jg__list *list, struct jg__endpoint_waiter *waiter);

/* Sets errno and the error text of a wait that has failed; returns -1. */
int jg__endpoint_wait_failed(const char *call, int error);

/* A task that was counted in endpoint->users leaves. */
void jg__endpoint_leave(struct jg__endpoint *endpoint);

/* endpoint_receive.c, endpoint_send.c: the transport's callbacks. */
void jg__endpoint_received(jg_datagram_transport *transport, void *arg, const void *data, size_t bytes, size_t lost,
                           const struct sockaddr *from, socklen_t length);
void jg__endpoint_failed(jg_datagram_transport *transport, void *arg, int error);
void jg__endpoint_progress(jg_datagram_transport *transport, void *arg);

/* Wakes a receiver with this error. False: none waits. */
bool jg__endpoint_tell_receiver(struct jg__endpoint *endpoint, int error);

/* Waits until not more than so many bytes are pending. Returns 0 or a negated errno. */
int jg__endpoint_wait_for_room(struct jg__endpoint *endpoint, size_t most, const char *call);

/* Takes the error of a datagram that was to be sent: 0, or -1 with it as errno. */
int jg__endpoint_check_sent(struct jg__endpoint *endpoint, const char *call);

#endif
