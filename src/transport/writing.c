/* The calls that write: small writes gather in a chunk until the turn ends, direct writes go to the kernel as they are.
 */
#include "transport/chunk.h"
#include "transport/internal.h"
#include "transport/layer.h"

#include <string.h>

enum { GATHER_MOST = 64 * 1024 }; /* bytes that wait for the end of the turn */

/* ---- Writing ---- */

static int refuse(const jg_transport *transport, const char *call)
{
    if (!(transport->kind & JG__WRITES))
        return jg_fail(EBADF, "%s: it is not open for writing", call);
    if (transport->phase > JG__TRANSPORT_OPEN)
        return jg_fail(EPIPE, "%s: the connection is closed", call);
    if (transport->write_error)
        return jg_fail(EPIPE, "%s: the connection is lost: %s", call, strerror(transport->write_error));
    return jg_fail(EPIPE, "%s: the connection is half-closed", call);
}

static bool is_writable(const jg_transport *transport)
{
    return transport->phase <= JG__TRANSPORT_OPEN && !transport->write_error && !transport->eof_wanted &&
           transport->kind & JG__WRITES;
}

/* The chunk at the end of the queue that is still gathering, or NULL. */
static struct jg__chunk *gathering_chunk(const jg_transport *transport)
{
    struct jg__write *last = transport->last;
    return last && !jg__write_is_direct(last) && !(last == transport->first && transport->sending)
               ? jg__container_of(last, struct jg__chunk, write)
               : NULL;
}

/* A chunk at the end of the queue with room for so many bytes, or NULL: then nothing has changed. */
static struct jg__chunk *make_room(jg_transport *transport, size_t bytes)
{
    struct jg__chunk *chunk = gathering_chunk(transport);
    if (!chunk) {
        chunk = jg__chunk_new(transport->loop, bytes);
        if (chunk)
            jg__transport_enqueue(transport, &chunk->write);
        return chunk;
    }
    if (chunk->capacity - chunk->write.length >= bytes)
        return chunk;
    size_t pending = transport->pending;
    jg__transport_dequeue(transport, &chunk->write);
    struct jg__chunk *larger = jg__chunk_grow(chunk, bytes);
    jg__transport_enqueue(transport, larger ? &larger->write : &chunk->write);
    transport->pending = pending;
    return larger;
}

bool jg__transport_reserve(jg_transport *transport, size_t bytes)
{
    return make_room(transport, bytes) != NULL;
}

bool jg__transport_gather(jg_transport *transport, const struct iovec *vector, int count, size_t bytes)
{
    struct jg__chunk *chunk = make_room(transport, bytes);
    if (!chunk)
        return false;
    jg__chunk_fill(chunk, vector, count);
    transport->pending += bytes;
    jg__transport_at_turn_end(transport);
    return true;
}

/* Would more than that wait for the end of the turn? */
static bool has_gathered_enough(const jg_transport *transport)
{
    const struct jg__write *last = transport->last;
    return transport->layer ? transport->layer->waiting >= GATHER_MOST : last->length - last->sent >= GATHER_MOST;
}

static int append(jg_transport *transport, const char *call, const struct iovec *vector, int count, size_t bytes)
{
    bool appended = transport->layer ? jg__layer_append(transport->layer, vector, count, bytes) == 0
                                     : jg__transport_gather(transport, vector, count, bytes);
    if (!appended)
        return jg_fail(ENOMEM, "%s: out of memory for %zu bytes", call, bytes);
    if (has_gathered_enough(transport))
        jg__transport_send(transport, false);
    jg__transport_at_turn_end(transport);
    return 0;
}

static int write_all(jg_transport *transport, const char *call, const struct iovec *vector, int count)
{
    size_t bytes = 0;
    for (int i = 0; i < count; i++)
        if (__builtin_add_overflow(bytes, vector[i].iov_len, &bytes))
            return jg_fail(ENOMEM, "%s: more bytes than memory can hold", call);
    if (!is_writable(transport))
        return refuse(transport, call);
    return bytes ? append(transport, call, vector, count, bytes) : 0;
}

int jg_transport_write(jg_transport *transport, const void *data, size_t bytes)
{
    return write_all(transport, "jg_transport_write", &(struct iovec){(void *)(uintptr_t)data, bytes}, 1);
}

int jg_transport_writev(jg_transport *transport, const struct iovec *vector, int count)
{
    return write_all(transport, "jg_transport_writev", vector, count);
}

static bool exceeds_high_water(const jg_transport *transport, size_t bytes)
{
    return bytes && (bytes > transport->high_water || transport->pending > transport->high_water - bytes);
}

int jg_transport_try_write(jg_transport *transport, const void *data, size_t bytes)
{
    if (exceeds_high_water(transport, bytes) && transport->pending) /* a fast peer has room for what is queued */
        jg_transport_flush(transport);
    if (exceeds_high_water(transport, bytes) && is_writable(transport))
        return jg_fail(EAGAIN, "jg_transport_try_write: %zu bytes would exceed the high-water mark", bytes);
    return write_all(transport, "jg_transport_try_write", &(struct iovec){(void *)(uintptr_t)data, bytes}, 1);
}

bool jg_transport_can_write_eof(const jg_transport *transport)
{
    bool one_way = !(transport->kind & JG__READS), file = transport->kind & JG__FILE;
    return transport->kind & JG__WRITES && !(transport->kind & JG__SHARED) && (one_way || !file);
}

int jg_transport_write_eof(jg_transport *transport)
{
    if (!is_writable(transport))
        return refuse(transport, "jg_transport_write_eof");
    if (!jg_transport_can_write_eof(transport))
        return jg_fail(EOPNOTSUPP, "jg_transport_write_eof: only closing it ends what is written");
    transport->eof_wanted = true;
    if (transport->layer) /* which has something to say first */
        jg__transport_at_turn_end(transport);
    else if (!transport->first && transport->phase == JG__TRANSPORT_OPEN)
        jg__transport_send_end(transport);
    return 0;
}

/* ---- Direct writes ---- */

int jg__transport_write_direct(jg_transport *transport, struct jg__direct_write *direct)
{
    size_t bytes = direct->sends_file ? direct->bytes : 0;
    for (int i = 0; i < direct->count; i++)
        bytes += direct->vector[i].iov_len;
    if (!is_writable(transport))
        return refuse(transport, "jg_write");
    if (!bytes)
        return 1;
    direct->message = (struct msghdr){
        .msg_iov = direct->vector,
        .msg_iovlen = (size_t)direct->count,
        .msg_control = (void *)(uintptr_t)direct->control,
        .msg_controllen = direct->control_length,
    };
    direct->write = (struct jg__write){.length = bytes, .direct = true};
    direct->write.operation = (jg_operation){.message = &direct->message};
    direct->cancelled = direct->finished = false;
    direct->error = 0;
    direct->starting = true;
    if (transport->layer)
        jg__layer_enqueue(transport->layer, &direct->write);
    else
        jg__transport_enqueue(transport, &direct->write);
    jg__transport_send(transport, false);
    direct->starting = false;
    if (direct->finished)
        return 1;
    if (!transport->write_error)
        return 0;
    if (transport->layer)
        jg__layer_dequeue(transport->layer, &direct->write);
    else
        jg__transport_dequeue(transport, &direct->write);
    return refuse(transport, "jg_write");
}

bool jg__transport_cancel_direct(jg_transport *transport, struct jg__direct_write *direct)
{
    struct jg__layer *layer = transport->layer;
    while (layer && !jg__layer_has(layer, &direct->write))
        layer = layer->below;
    if (layer)
        return jg__layer_cancel_direct(layer, direct);
    if (&direct->write == transport->first && transport->sending) {
        direct->cancelled = true;
        jg__transport_cancel(transport, &direct->write.operation);
        return false;
    }
    if (direct->write.sent) /* writing has failed meanwhile */
        return false;
    jg__transport_dequeue(transport, &direct->write);
    return true;
}

/* ---- Water marks ---- */

void jg_transport_set_write_limits(jg_transport *transport, size_t high, size_t low)
{
    transport->high_water = high;
    transport->low_water = low < high ? low : high;
    jg__transport_at_turn_end(transport);
}

size_t jg_transport_pending(const jg_transport *transport)
{
    return transport->pending;
}
