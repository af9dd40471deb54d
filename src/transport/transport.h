/* What a transport shows to the files of its own folder and to the floors above: its fields, so that a stream can embed
 * it, and what streams need beyond the public calls. Nothing here waits; callbacks come from turns of the loop, never
 * from inside a call.
 *
 * Memory that get_buffer returns is used only until it returns to the transport: buffer_updated follows in the same
 * callback, or, if nothing came, the memory is not touched any more and get_buffer is asked again later. So a reader
 * may leave at any time. */
#ifndef JUGGLE_TRANSPORT_TRANSPORT_H
#define JUGGLE_TRANSPORT_TRANSPORT_H

#include "loop/internal.h"
#include "transport/kind.h"

#include <juggle/transport.h>

/* For owners that keep the transport inside an object of their own. Each may be NULL. */
struct jg__transport_owner {
    /* Fewer bytes are pending than before, or writing came to its end (`write_error`). Only called while
     * `wants_progress` is set. Also called while the transport closes. */
    void (*progress)(jg_transport *transport, void *arg);
    /* After connection_lost: the library is done with the memory. */
    void (*released)(jg_transport *transport);
    /* With `only_announced`: there is something to receive. Reading is paused now. */
    void (*readable)(jg_transport *transport, void *arg);
};

/* A part of what is to be sent; the first one of the queue is in the kernel, or about to be handed to it. */
struct jg__write {
    struct jg__write *next;
    size_t length;
    size_t sent; /* of those, by operations that ended */
    bool direct; /* a direct write, not a chunk of copied bytes */
    jg_operation operation;
};

/* A large write straight from the caller's memory. The caller keeps it, the vector and the data until `done` was
 * called. */
struct jg__direct_write {
    struct iovec *vector; /* at most IOV_MAX pieces and INT_MAX bytes; changed while sending */
    int count;
    const void *control; /* ancillary data for the first byte, or NULL */
    size_t control_length;
    bool sends_file; /* instead of the vector: so many bytes of `source`, a file from `offset` on or, -1, a pipe; or
                        fewer, if it ends */
    int source;
    off_t offset;
    size_t bytes;
    /* Once, unless cancelling returned true. error 0: the kernel took everything. Else `sent` bytes were taken, and
     * writing is broken unless that is none: ECANCELED after a cancel, EPIPE, ECONNRESET, ... Of a file also 0 for
     * fewer bytes, and what is wrong with it or with the ancillary data, by which writing is not broken. */
    void (*done)(struct jg__direct_write *direct, int error, size_t sent);
    void *arg;              /* the caller's */
    struct jg__write write; /* private */
    struct msghdr message;  /* private */
    bool cancelled;         /* private */
    bool starting;          /* private: within jg__transport_write_direct... */
    bool finished;          /* private: ...and all is sent */
    int error;              /* private: with which it has finished */
};

enum jg__transport_phase {
    JG__TRANSPORT_CONNECTING,
    JG__TRANSPORT_OPENING, /* connected, connection_made is about to be called */
    JG__TRANSPORT_OPEN,
    JG__TRANSPORT_FLUSHING,  /* closed by its owner: sends what is queued */
    JG__TRANSPORT_LINGERING, /* closed by its owner: FIN is sent, input is discarded until the peer's FIN */
    JG__TRANSPORT_ENDING,    /* waits for its operations to leave the kernel, then closes the fd */
};

struct jg_transport {
    struct jg__resident resident;
    jg_loop *loop;
    const jg_protocol *protocol;
    const struct jg__transport_owner *owner; /* NULL: allocated by itself */
    void *arg;
    int fd;
    int error;       /* for connection_lost */
    int write_error; /* why nothing can be written any more, 0 as long as it can */
    enum jg__transport_phase phase : 8;
    unsigned char kind; /* of its fd: see enum jg__kind */
    bool reading_paused : 1;
    bool receiving : 1;  /* `input` is under way */
    bool offered : 1;    /* what comes next is in the owner's memory */
    bool eof : 1;        /* the peer's FIN came */
    bool sending : 1;    /* the first write's operation is under way */
    bool eof_wanted : 1; /* FIN follows what is queued */
    bool eof_sent : 1;
    bool broken : 1;         /* the peer got a part of a cancelled write */
    bool writing_paused : 1; /* pause_writing was called */
    bool reset : 1;          /* close with RST */
    bool only_announced : 1; /* set by the owner, while reading is paused: it fetches what comes by itself */
    bool wants_progress : 1; /* set and cleared by the owner */
    bool unsent : 1;         /* copied bytes were dropped */
    uint32_t discarded;      /* bytes that came while lingering */
    struct jg__write *first, *last;
    struct jg__memory_end *memory; /* in the place of an fd, or NULL */
    struct jg__layer *layer;       /* the uppermost of those that change the bytes on their way, or NULL; see layer.h */
    double linger;                 /* seconds; 0: 1 */
    size_t pending, high_water, low_water;
    jg_timer timer; /* its handle alone until it lingers: what is to be done when the turn ends. Then: how long that may
                       take. */
    jg_operation input; /* CONNECT, then RECV or READ; of a pipe that is only written to, POLL */
};

/* Prepares caller's memory, which from a successful attach or connect on is the transport's until owner->released. */
void jg__transport_init(jg_transport *transport, jg_loop *loop, const jg_protocol *protocol,
                        const struct jg__transport_owner *owner, void *arg);

/* Gives it a connected, non-blocking stream socket, or an fd of another kind, which is set before. Reading starts after
 * connection_made; at once when there is none. */
void jg__transport_attach(jg_transport *transport, int fd);

/* Starts to connect. Returns 0, or -1 with the errno of jg_transport_connect, then the memory is still the caller's. */
int jg__transport_connect(jg_transport *transport, const struct sockaddr *address, socklen_t length,
                          const jg_transport_options *options);

/* Starts to send what is queued, instead of when the turn ends: at once where that is possible, else with the next
 * poll. jg_transport_flush doesn't wait for the poll. `turn_ends`: the poll follows, no code of the owner's before it.
 */
void jg__transport_send(jg_transport *transport, bool turn_ends);

/* Queues a direct write behind what is queued and hands everything to the kernel. Returns 1 when the kernel has taken
 * all of it already, -1 with EPIPE or the error of the connection: in both cases `done` is not called. Returns 0 when
 * `done` will follow. */
int jg__transport_write_direct(jg_transport *transport, struct jg__direct_write *direct);

/* Takes it back. True: nothing of it was sent, `done` will not be called. False: the kernel still has it, `done`
 * follows; if a part was sent, writing is broken (write_error is EPIPE, and closing resets). */
bool jg__transport_cancel_direct(jg_transport *transport, struct jg__direct_write *direct);

/* Receives at once if the poller can do so without breaking the order of what it receives by itself (epoll), also while
 * reading is paused; costs nothing when the kernel is known to have nothing. Returns the count; 0 at end of file
 * (eof_received is not called any more); -1 with EAGAIN: wait for the callbacks; or with the error of the connection,
 * connection_lost follows. */
ssize_t jg__transport_read_now(jg_transport *transport, void *buffer, size_t size);

#endif
