#include "stream/writer.h"

#include "base/memory.h"
#include "stream/waiter.h"

#include <errno.h>
#include <limits.h>

enum { VECTOR_FEW = 8, PIECE_MOST = 1 << 30 };

/* One call of jg_write. The kernel takes so many bytes and pieces of memory at once; what is larger is queued as
 * several direct writes. */
struct writer {
    struct jg__waiter waiter;
    struct jg__stream *stream;
    struct jg__direct_write *writes;
    int count; /* of the writes that were queued */
    int left;  /* of those, that are not done */
    size_t bytes, sent;
    int reason; /* of an interruption, negated errno */
    struct jg__direct_write one;
    struct iovec few[VECTOR_FEW];
};

/* The kernel has let go of all of it. */
static void settle(struct writer *writer, int result)
{
    if (writer->reason && writer->sent && writer->sent < writer->bytes)
        writer->stream->torn = true;
    jg__wake(&writer->waiter.wait, result);
}

static void write_done(struct jg__direct_write *write, int error, size_t sent)
{
    struct writer *writer = write->arg;
    write->arg = NULL;
    (void)error; /* the stream remembers it */
    writer->sent += sent;
    if (--writer->left == 0)
        settle(writer, 0);
}

/* From the last to the first, so that nothing is sent behind a gap. */
static void interrupt_writer(struct jg__wait *wait, int reason)
{
    struct writer *writer = jg__container_of(wait, struct writer, waiter.wait);
    if (writer->reason)
        return;
    writer->reason = reason;
    for (int i = writer->count; i-- > 0;) {
        struct jg__direct_write *write = &writer->writes[i];
        if (write->arg && jg__transport_cancel_direct(&writer->stream->transport, write)) {
            write->arg = NULL;
            writer->left--;
        }
    }
    if (writer->left == 0)
        settle(writer, reason);
}

/* ---- Cutting ---- */

static size_t pieces_most(int count, size_t bytes)
{
    return (size_t)count + bytes / PIECE_MOST + 1;
}

/* Moves the next piece of the caller's memory, or a part of it, to the copy; `offset` is how much of *from was moved
 * before. */
static struct iovec cut(const struct iovec **from, size_t *offset, size_t most)
{
    size_t left = (*from)->iov_len - *offset;
    struct iovec part = {(char *)(*from)->iov_base + *offset, left < most ? left : most};
    *offset += part.iov_len;
    if (*offset == (*from)->iov_len) {
        (*from)++;
        *offset = 0;
    }
    return part;
}

/* Copies the vector, which sending changes, and makes writes of it that the kernel takes. Returns how many. */
static int cut_into_writes(struct writer *writer, const struct iovec *vector, int count, struct iovec *copy)
{
    const struct iovec *end = vector + count;
    size_t offset = 0;
    int writes = 0;
    while (vector < end) {
        struct jg__direct_write *write = &writer->writes[writes++];
        *write = (struct jg__direct_write){.vector = copy, .done = write_done, .arg = writer};
        size_t room = PIECE_MOST;
        while (vector < end && room && write->count < IOV_MAX) {
            *copy = cut(&vector, &offset, room);
            room -= copy++->iov_len;
            write->count++;
        }
    }
    return writes;
}

/* ---- Writing ---- */

static void start(struct writer *writer, int writes)
{
    for (int i = 0; i < writes; i++) {
        struct jg__direct_write *write = &writer->writes[i];
        size_t bytes = 0;
        for (int k = 0; k < write->count; k++)
            bytes += write->vector[k].iov_len;
        int result = jg__transport_write_direct(&writer->stream->transport, write);
        writer->count++;
        writer->left += result == 0;
        if (result == 0)
            continue;
        write->arg = NULL;
        if (result < 0)
            return;
        writer->sent += bytes;
    }
}

/* The stream may be gone when it was closed meanwhile. */
static int outcome(struct writer *writer, const char *call)
{
    if (writer->sent == writer->bytes)
        return 0;
    if (writer->reason)
        return jg__wait_failed(call, -writer->reason);
    return jg__check_sending(writer->stream, call) < 0 ? -1 : jg_fail(EPIPE, "%s: the connection is lost", call);
}

static int write_with(struct writer *writer, const struct iovec *vector, int count, struct iovec *copy)
{
    int saved = errno;
    start(writer, cut_into_writes(writer, vector, count, copy));
    if (writer->left)
        jg__waiter_park(writer->stream, &writer->waiter);
    errno = saved;
    return outcome(writer, writer->waiter.wait.call);
}

int jg__write_directly(struct jg__stream *stream, const struct iovec *vector, int count, size_t bytes, const char *call)
{
    struct writer writer = {
        .waiter = {.wait = {.call = call, .object = stream, .interrupt = interrupt_writer}},
        .stream = stream,
        .writes = &writer.one,
        .bytes = bytes,
    };
    if (count <= VECTOR_FEW && bytes <= PIECE_MOST)
        return write_with(&writer, vector, count, writer.few);
    size_t pieces = pieces_most(count, bytes), writes = bytes / PIECE_MOST + (size_t)count / IOV_MAX + 2;
    void *memory = jg__allocate(writes * sizeof *writer.writes + pieces * sizeof *vector);
    if (!memory)
        return jg_fail(ENOMEM, "%s: out of memory for %d pieces", call, count);
    writer.writes = memory;
    int result = write_with(&writer, vector, count, (struct iovec *)(void *)(writer.writes + writes));
    jg__release(memory);
    return result;
}
