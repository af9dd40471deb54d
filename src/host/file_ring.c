/* File operations on io_uring. */
#include "host/file.h"

#ifdef HAVE_LIBURING
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <unistd.h>

/* Handed to a worker of the kernel's at once. An attempt from here would open a FIFO as if with O_NONBLOCK. */
static void open_by_worker(struct io_uring_sqe *slot, const struct jg__file *file)
{
    io_uring_prep_openat(slot, AT_FDCWD, file->path, file->flags | O_CLOEXEC, file->mode);
    slot->flags |= IOSQE_ASYNC;
}

/* -1 is the file's own position. */
static __u64 offset_of(const struct jg__file *file)
{
    return file->offset == JG__FILE_OWN_POSITION ? (__u64)-1 : (__u64)file->offset;
}

static void prepare(struct jg__ring_operation *ring, struct io_uring_sqe *slot)
{
    const struct jg__file *file = jg__container_of(ring, struct jg__file, ring);
    switch (file->call) {
    case JG__FILE_OPEN:
        open_by_worker(slot, file);
        break;
    case JG__FILE_CLOSE:
        io_uring_prep_close(slot, file->fd);
        break;
    case JG__FILE_READ:
        io_uring_prep_read(slot, file->fd, file->buffer, (unsigned)file->length, offset_of(file));
        break;
    case JG__FILE_WRITE:
        io_uring_prep_write(slot, file->fd, file->buffer, (unsigned)file->length, offset_of(file));
        break;
    case JG__FILE_FSYNC:
        io_uring_prep_fsync(slot, file->fd, 0);
        break;
    case JG__FILE_STAT:
        io_uring_prep_statx(slot, file->fd, file->path, file->flags, STATX_BASIC_STATS, file->status);
        break;
    case JG__FILE_RENAME:
        io_uring_prep_renameat(slot, AT_FDCWD, file->path, AT_FDCWD, file->to, 0);
        break;
    case JG__FILE_UNLINK:
        io_uring_prep_unlinkat(slot, AT_FDCWD, file->path, file->flags);
        break;
    case JG__FILE_MKDIR:
        io_uring_prep_mkdirat(slot, AT_FDCWD, file->path, file->mode);
        break;
    default:
        break;
    }
}

/* The kernel's name of a call; IORING_OP_NOP where it has none, or none that these headers know. */
static unsigned opcode_of(enum jg__file_call call)
{
    switch (call) {
    case JG__FILE_OPEN:
        return IORING_OP_OPENAT;
    case JG__FILE_CLOSE:
        return IORING_OP_CLOSE;
    case JG__FILE_READ:
        return IORING_OP_READ;
    case JG__FILE_WRITE:
        return IORING_OP_WRITE;
    case JG__FILE_FSYNC:
        return IORING_OP_FSYNC;
    case JG__FILE_STAT:
        return IORING_OP_STATX;
    case JG__FILE_RENAME:
        return IORING_OP_RENAMEAT;
    case JG__FILE_UNLINK:
        return IORING_OP_UNLINKAT;
    case JG__FILE_MKDIR:
        return IORING_OP_MKDIRAT;
    default:
        return IORING_OP_NOP;
    }
}

/* The kernel forgets to move the file's position when a part was transferred before an error (6.18). */
static void mend_position(const struct jg__file *file, off_t expected)
{
    if (fcntl(file->fd, F_GETFL) & O_APPEND)
        lseek(file->fd, 0, SEEK_END);
    else if (lseek(file->fd, 0, SEEK_CUR) != expected)
        lseek(file->fd, expected, SEEK_SET);
}

static void completed(jg_operation *operation, int result)
{
    struct jg__file *file = operation->arg;
    if (result > 0 && file->start >= 0 && (size_t)result < file->length)
        mend_position(file, file->start + result);
    jg__file_answer(file, result);
}

static off_t start_of(const struct jg__file *file)
{
    int saved = errno;
    bool moves = (file->call == JG__FILE_READ || file->call == JG__FILE_WRITE) && file->offset == JG__FILE_OWN_POSITION;
    off_t start = moves ? lseek(file->fd, 0, SEEK_CUR) : -1; /* also for a pipe */
    errno = saved;
    return start;
}

bool jg__file_submit_to_ring(struct jg__file *file)
{
    unsigned opcode = opcode_of(file->call);
    if (opcode == IORING_OP_NOP || !jg__ring_supports(file->loop, opcode))
        return false;
    file->ring = (struct jg__ring_operation){
        .operation = {.opcode = (jg_opcode)JG__OP_RING, .fd = file->fd, .done = completed, .arg = file},
        .prepare = prepare,
    };
    file->start = start_of(file);
    file->where = JG__FILE_IN_RING;
    jg_submit(file->loop, &file->ring.operation);
    return true;
}
#else
bool jg__file_submit_to_ring(struct jg__file *file)
{
    (void)file;
    return false;
}
#endif
