/* The buffers into which io_uring receives: shared by all connections of a loop, more of them when they run out. */
#ifndef JUGGLE_LOOP_BUFFER_RING_H
#define JUGGLE_LOOP_BUFFER_RING_H

#include <liburing.h>
#include <stdbool.h>
#include <stddef.h>

enum {
    JG__BUFFER_GROUP = 0,
    JG__BUFFER_SIZE = 16 * 1024,
    JG__BUFFERS_PER_BLOCK = 64,
    JG__BUFFERS_MOST = 1024, /* a power of two */
};

struct jg__buffer_ring {
    struct io_uring_buf_ring *ring; /* shared with the kernel */
    size_t ring_size;
    unsigned count; /* buffers that exist */
    bool returned;  /* one was given back since a receive found none */
    char *blocks[JG__BUFFERS_MOST / JG__BUFFERS_PER_BLOCK];
};

/* Registers the ring and provides the first buffers. Returns 0 or a negated errno. */
int jg__buffer_ring_open(struct jg__buffer_ring *buffers, struct io_uring *io);

/* Frees the buffers; the io_uring is closed. */
void jg__buffer_ring_close(struct jg__buffer_ring *buffers);

static inline char *jg__buffer(const struct jg__buffer_ring *buffers, unsigned id)
{
    return buffers->blocks[id / JG__BUFFERS_PER_BLOCK] + (size_t)(id % JG__BUFFERS_PER_BLOCK) * JG__BUFFER_SIZE;
}

/* Gives a buffer back to the kernel. */
void jg__buffer_return(struct jg__buffer_ring *buffers, unsigned id);

/* After a receive found none: provides more, up to the most. False: there are none until one is returned. */
bool jg__buffers_available(struct jg__buffer_ring *buffers);

#endif
