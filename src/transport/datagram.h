/* What a datagram transport shows to its own files and to the floors above: its fields, so that an endpoint can embed
 * it, and what endpoints need beyond the public calls. Nothing here waits. */
#ifndef JUGGLE_TRANSPORT_DATAGRAM_H
#define JUGGLE_TRANSPORT_DATAGRAM_H

#include "loop/internal.h"
#include "transport/unix_path.h"

#include <juggle/datagram.h>

struct jg__batch;
struct jg__write;

/* For owners that keep the transport inside an object of their own. */
struct jg__datagram_owner {
    /* Less is pending than before, or something has failed. From turns only. */
    void (*progress)(jg_datagram_transport *transport, void *arg);
    /* After connection_lost: the library is done with the memory. */
    void (*released)(jg_datagram_transport *transport);
};

enum jg__datagram_phase {
    JG__DATAGRAM_OPENING, /* connection_made is about to be called */
    JG__DATAGRAM_OPEN,
    JG__DATAGRAM_FLUSHING, /* closed by its owner: sends what is queued */
    JG__DATAGRAM_ENDING,   /* waits for its operations to leave the kernel, then closes the fd */
};

struct jg_datagram_transport {
    struct jg__resident resident;
    jg_loop *loop;
    const jg_datagram_protocol *protocol;
    const struct jg__datagram_owner *owner; /* NULL: allocated by itself */
    void *arg;
    int fd;
    sa_family_t family;
    enum jg__datagram_phase phase : 8;
    bool connected : 1;
    bool adopted : 1; /* others may have the socket too */
    bool reading_paused : 1;
    bool awaiting_input : 1;        /* `input` is under way */
    bool blocked : 1;               /* the kernel takes no more for now: `output` or `retry` is under way */
    bool awaiting_room : 1;         /* `output` is */
    bool writing_paused : 1;        /* pause_writing was called */
    int error;                      /* for connection_lost */
    int send_error;                 /* of a datagram that was to be sent; still to be told */
    uint64_t dropped;               /* datagrams for which there was no memory */
    struct jg__unix_file file;      /* that it is bound to */
    struct jg__batch *batch;        /* datagrams that came and were not delivered yet; NULL: none */
    struct jg__write *first, *last; /* chunks of datagrams to be sent */
    size_t pending, high_water, low_water;
    jg_handle soon;             /* what is to be done in the next turn */
    jg_handle turn_end;         /* what was sent in a turn leaves when it ends */
    jg_timer retry;             /* where no poll tells when there is room again */
    jg_operation input, output; /* polls */
};

/* Prepares caller's memory, which from a successful open or attach on is the transport's until owner->released. */
void jg__datagram_init(jg_datagram_transport *transport, jg_loop *loop, const jg_datagram_protocol *protocol,
                       const struct jg__datagram_owner *owner, void *arg, const jg_datagram_options *options);

/* Opens a socket as jg_datagram_open does, or takes over one. Returns 0, or -1 with errno, then the memory (and the fd)
 * are still the caller's. The options are whole. */
int jg__datagram_open(jg_datagram_transport *transport, const struct sockaddr *address, socklen_t length,
                      const jg_datagram_options *options, const char *call);
int jg__datagram_adopt(jg_datagram_transport *transport, int fd, const jg_datagram_options *options, const char *call);

/* Queues a datagram. Returns 0, or -1 as jg_datagram_sendto. */
int jg__datagram_queue(jg_datagram_transport *transport, const void *data, size_t bytes, const struct sockaddr *address,
                       socklen_t length, const char *call);

/* Sends what can be sent now; errors are left in send_error, to be told by whoever comes first. */
void jg__datagram_send(jg_datagram_transport *transport);

/* A datagram as it lies in the transport's memory. */
struct jg__datagram {
    const void *data;
    size_t bytes, lost;
    const struct sockaddr *from;
    socklen_t length;
};

/* The next datagram that came and was not delivered yet; false if there is none. Valid until jg__datagram_taken. */
bool jg__datagram_next(jg_datagram_transport *transport, struct jg__datagram *datagram);
void jg__datagram_taken(jg_datagram_transport *transport);

#endif
