/* Buffers into which io_uring receives: a ring of them is shared by all connections of a loop, and gets more of them
 * when they run out. */
#ifndef JUGGLE_LOOP_BUFFER_RING_H
#define JUGGLE_LOOP_BUFFER_RING_H

#include <liburing.h>
#include <stdbool.h>
#include <stddef.h>

enum { JG__BUFFER_BLOCKS = 64 };

struct jg__buffer_ring {
    struct io_uring_buf_ring *ring; /* shared with the kernel */
    unsigned short group;           /* its number */
    size_t buffer_size;
    unsigned per_block, most; /* buffers allocated at a time, and at the most: powers of two */
    unsigned count;           /* buffers that exist */
    bool returned;            /* one was given back since a receive found none */
    char *blocks[JG__BUFFER_BLOCKS];
};

/* Registers a ring, with the numbers above set, and provides the first buffers. Returns 0 or a negated errno. */
int jg__buffer_ring_open(struct jg__buffer_ring *buffers, struct io_uring *io);

/* Frees the buffers; the io_uring is closed. */
void jg__buffer_ring_close(struct jg__buffer_ring *buffers);

static inline char *jg__buffer(const struct jg__buffer_ring *buffers, unsigned id)
{
    return buffers->blocks[id / buffers->per_block] + (id % buffers->per_block) * buffers->buffer_size;
}

/* Gives a buffer back to the kernel. */
void jg__buffer_return(struct jg__buffer_ring *buffers, unsigned id);

/* After a receive found none: provides more, up to the most. False: there are none until one is returned. */
bool jg__buffers_available(struct jg__buffer_ring *buffers);

#endif
