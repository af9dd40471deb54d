/* The ring of provided buffers. */
#ifdef HAVE_LIBURING
#include "loop/buffer_ring.h"

#include "base/memory.h"

#include <errno.h>
#include <sys/mman.h>

static bool add_block(struct jg__buffer_ring *buffers)
{
    if (buffers->count == JG__BUFFERS_MOST)
        return false;
    char *block = jg__allocate((size_t)JG__BUFFERS_PER_BLOCK * JG__BUFFER_SIZE);
    if (!block)
        return false;
    unsigned first = buffers->count;
    buffers->blocks[first / JG__BUFFERS_PER_BLOCK] = block;
    buffers->count += JG__BUFFERS_PER_BLOCK;
    for (unsigned id = first; id < buffers->count; id++)
        jg__buffer_return(buffers, id);
    return true;
}

int jg__buffer_ring_open(struct jg__buffer_ring *buffers, struct io_uring *io)
{
    buffers->ring_size = JG__BUFFERS_MOST * sizeof(struct io_uring_buf);
    buffers->ring = mmap(NULL, buffers->ring_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (buffers->ring == MAP_FAILED)
        return -errno;
    struct io_uring_buf_reg registration = {
        .ring_addr = (unsigned long)buffers->ring, .ring_entries = JG__BUFFERS_MOST, .bgid = JG__BUFFER_GROUP};
    int result = io_uring_register_buf_ring(io, &registration, 0);
    if (result == 0) {
        io_uring_buf_ring_init(buffers->ring);
        if (add_block(buffers))
            return 0;
        result = -ENOMEM;
    }
    munmap(buffers->ring, buffers->ring_size);
    return result;
}

void jg__buffer_ring_close(struct jg__buffer_ring *buffers)
{
    munmap(buffers->ring, buffers->ring_size);
    for (unsigned block = 0; block < buffers->count / JG__BUFFERS_PER_BLOCK; block++)
        jg__release(buffers->blocks[block]);
}

void jg__buffer_return(struct jg__buffer_ring *buffers, unsigned id)
{
    io_uring_buf_ring_add(buffers->ring, jg__buffer(buffers, id), JG__BUFFER_SIZE, (unsigned short)id,
                          io_uring_buf_ring_mask(JG__BUFFERS_MOST), 0);
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
typedef int jg__no_io_uring; /* a translation unit is not empty */
#endif
