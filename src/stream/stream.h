/* What a stream is, for the files of this folder. One record holds the stream and its transport; it has no buffer while
 * it is idle. */
#ifndef JUGGLE_STREAM_STREAM_H
#define JUGGLE_STREAM_STREAM_H

#include "stream/pool.h"
#include "task/internal.h"
#include "transport/transport.h"

#include <juggle/stream.h>

/* How long the clean-up of a scope may take. */
enum { JG__AUTOPTR_SECONDS = 1 };

struct jg__candidate;
struct jg__fds;
struct jg__handshake;
struct jg__input;
struct jg__race;

/* The task that serves a connection of a server. */
struct jg__served {
    const struct jg__task *task;
    bool taken; /* another task has closed or aborted its stream */
};

/* The task that reads; on its stack. What comes goes straight to `memory`; without it, to the stream's own buffer. */
struct jg__reader {
    struct jg__wait wait;
    char *memory;
    size_t size;
    size_t filled;
    size_t least; /* it waits until so many bytes are there */
    bool woken;
};

struct jg__stream {
    struct jg__pooled pooled;
    unsigned users; /* tasks inside a call that waits */
    int read_error; /* to be told by the next read that finds no data */
    jg_transport transport;
    struct jg__input *input;         /* received and not read yet; NULL when empty */
    struct jg__fds *fds;             /* received and not taken yet; or NULL */
    struct jg__reader *reader;       /* who reads now */
    struct jg__list waiters;         /* who waits for what is written; see waiter.h */
    struct jg__list node;            /* in a race, or in the server's list of those that wait to be served */
    double read_limit, write_limit;  /* seconds that a call may wait; 0: no limit */
    char *names;                     /* of the peer and of this end, once asked for */
    struct jg__handshake *handshake; /* the task that waits for TLS, or NULL */
    struct jg__served *served;       /* by a server, until it is closed; or NULL */
    union {
        struct { /* while it is `connecting` */
            struct jg__race *race;
            const struct jg__candidate *candidate; /* the address */
        };
        struct {
            struct jg__input *shown; /* the block that jg_peek showed: stays where it is until the next read */
            struct jg__wait *closer; /* the task that closes it and waits until the others have left */
        };
    };
    bool connecting;
    bool standard; /* one of the process that jg_run has closed, and waits for */
    bool at_end;   /* nothing more will come */
    bool torn;     /* a part of an interrupted write was sent */
    bool lost;     /* the connection is over and the transport is done with its memory */
    bool closed;   /* by its owner: the record is free when it is lost and nobody is inside */
};

static inline struct jg__stream *jg__stream_of_transport(jg_transport *transport)
{
    return jg__container_of(transport, struct jg__stream, transport);
}

static inline jg_stream *jg__stream_handle(struct jg__stream *stream)
{
    return jg__handle_of(&stream->pooled);
}

/* The stream behind a handle, or NULL when it was closed. */
static inline struct jg__stream *jg__stream_behind(const jg_stream *handle)
{
    return (struct jg__stream *)jg__pooled_of(handle);
}

_Noreturn void jg__wrong_stream(const jg_stream *handle, const char *call);

/* The same, but aborts with a sentence that names the call; also when another thread's loop runs, or none. */
static inline struct jg__stream *jg__stream_of(const jg_stream *handle, const char *call)
{
    const jg_loop *loop = jg_get_running_loop();
    struct jg__stream *stream = loop ? jg__stream_behind(handle) : NULL;
    if (__builtin_expect(!stream || stream->transport.loop != loop, 0))
        jg__wrong_stream(handle, call);
    return stream;
}

/* Enters a call that waits: the stream, or NULL with ECANCELED, ETIMEDOUT; EBADF when it was closed while the entry
 * check let others run. */
struct jg__stream *jg__stream_enter(const jg_stream *handle, const char *call);

/* Sets errno and the error text of a wait that was interrupted or whose stream was closed; returns -1. */
int jg__wait_failed(const char *call, int error);

/* A stream without a connection, or NULL with ENOMEM. What follows is one of: attach or connect its transport, or put
 * it back. `connecting`: jg__race_won or jg__race_lost is called. */
struct jg__stream *jg__stream_new(jg_loop *loop, bool connecting, size_t high_water, size_t low_water);
void jg__stream_put_back(struct jg__stream *stream);

/* jg_stream_from_fd, for a call of another name; the options are whole. `directions`: JG__READS, JG__WRITES or both; it
 * does the others not even if the fd can. */
jg_stream *jg__stream_from_fd(int fd, const jg_stream_options *options, int directions, const char *call);

/* Gives back what it has on the heap. */
void jg__stream_free_heap(struct jg__pooled *pooled);

/* A task that was counted in stream->users leaves; the last one lets a closer go on, or frees the stream. */
void jg__stream_leave(struct jg__stream *stream);

/* Closes its handle; the record is freed when the connection is lost. */
void jg__stream_retire(struct jg__stream *stream);

/* Nothing more will come: `error` is for the next read that finds no data, 0 for the end of file. Only the first time
 * counts. */
void jg__stream_end_input(struct jg__stream *stream, int error);

/* What was received is lost for want of memory: nothing that comes later may pass for its continuation. */
void jg__stream_lose_input(struct jg__stream *stream);

/* reader.c: wakes the reader. */
void jg__reader_wake(struct jg__stream *stream, int result);

/* waiter.c: wakes those for whom few enough bytes are pending now, or who wait in vain. */
void jg__stream_progress(jg_transport *transport, void *arg);

/* close.c: jg_close, to which a cancellation leaves so many seconds. Returns 0, or the errno of why queued data was not
 * sent. */
int jg__stream_close(struct jg__stream *stream, double grace);

/* race.c: this attempt has connected, or failed. */
void jg__race_won(struct jg__stream *stream);
void jg__race_lost(struct jg__stream *stream, int error);

#endif
