#ifdef HAVE_LIBURING
#include "loop/buffer_ring.h"

#include "base/memory.h"

#include <errno.h>
#include <sys/mman.h>

static size_t ring_size(const struct jg__buffer_ring *buffers)
{
    return buffers->most * sizeof(struct io_uring_buf);
}

static bool add_block(struct jg__buffer_ring *buffers)
{
    unsigned first = buffers->count;
    if (first == buffers->most)
        return false;
    char *block = jg__allocate(buffers->per_block * buffers->buffer_size);
    if (!block)
        return false;
    buffers->blocks[first / buffers->per_block] = block;
    buffers->count += buffers->per_block;
    for (unsigned id = first; id < buffers->count; id++)
        jg__buffer_return(buffers, id);
    return true;
}

int jg__buffer_ring_open(struct jg__buffer_ring *buffers, struct io_uring *io)
{
    buffers->ring = mmap(NULL, ring_size(buffers), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (buffers->ring == MAP_FAILED)
        return -errno;
    struct io_uring_buf_reg registration = {
        .ring_addr = (unsigned long)buffers->ring, .ring_entries = buffers->most, .bgid = buffers->group};
    int result = io_uring_register_buf_ring(io, &registration, 0);
    if (result == 0) {
        io_uring_buf_ring_init(buffers->ring);
        if (add_block(buffers))
            return 0;
        result = -ENOMEM;
    }
    munmap(buffers->ring, ring_size(buffers));
    return result;
}

void jg__buffer_ring_close(struct jg__buffer_ring *buffers)
{
    munmap(buffers->ring, ring_size(buffers));
    for (unsigned block = 0; block < buffers->count / buffers->per_block; block++)
        jg__release(buffers->blocks[block]);
}

void jg__buffer_return(struct jg__buffer_ring *buffers, unsigned id)
{
    io_uring_buf_ring_add(buffers->ring, jg__buffer(buffers, id), (unsigned)buffers->buffer_size, (unsigned short)id,
                          io_uring_buf_ring_mask(buffers->most), 0);
    io_uring_buf_ring_advance(buffers->ring, 1);
    buffers->returned = true;
}

bool jg__buffers_available(struct jg__buffer_ring *buffers)
{
    bool available = add_block(buffers) || buffers->returned;
    buffers->returned = false;
    return available;
}
#else
typedef int jg__no_buffer_ring; /* a translation unit is not empty */
#endif
