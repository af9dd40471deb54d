/* What goes out: datagrams are copied to chunks, one behind the other, and leave by sendmmsg when the turn ends. */
#include "transport/chunk.h"
#include "transport/datagram_internal.h"

#include <netinet/in.h>
#include <stdalign.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { GATHER_MOST = 64 * 1024, IP4_MOST = 65507, IP6_MOST = 65527 };

static const double RETRY_SECONDS = 0.005;

/* A datagram in a chunk: behind this its address, then the data; padded. */
struct record {
    uint32_t bytes;
    uint32_t address_length;
};

static size_t padded(size_t bytes)
{
    return (bytes + alignof(struct record) - 1) & ~(alignof(struct record) - 1);
}

static size_t record_size(size_t bytes, socklen_t address_length)
{
    return sizeof(struct record) + padded(address_length) + padded(bytes);
}

/* ---- Queueing ---- */

static int check_address(const jg_datagram_transport *transport, const struct sockaddr *address, socklen_t length,
                         const char *call)
{
    if (!address)
        return transport->connected ? 0 : jg_fail(EDESTADDRREQ, "%s: no address, and not connected", call);
    socklen_t least = transport->family == AF_INET    ? sizeof(struct sockaddr_in)
                      : transport->family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                      : sizeof(sa_family_t);
    if (length < sizeof(sa_family_t) || length > sizeof(struct sockaddr_storage))
        return jg_fail(EINVAL, "%s: an address of %u bytes", call, length);
    if (address->sa_family != transport->family)
        return jg_fail(EAFNOSUPPORT, "%s: an address of family %d for a socket of family %d", call, address->sa_family,
                       transport->family);
    return length < least ? jg_fail(EINVAL, "%s: an address of %u bytes", call, length) : 0;
}

static int check_size(const jg_datagram_transport *transport, const void *data, size_t bytes, const char *call)
{
    size_t most = transport->family == AF_INET ? IP4_MOST : transport->family == AF_INET6 ? IP6_MOST : JG__UNIX_SLOT;
    if (bytes > most)
        return jg_fail(EMSGSIZE, "%s: %zu bytes are more than the %zu of a datagram", call, bytes, most);
    return !data && bytes ? jg_fail(EINVAL, "%s: the data is NULL", call) : 0;
}

/* Where the next record goes, or NULL. */
static struct record *make_room(jg_datagram_transport *transport, size_t size)
{
    struct jg__chunk *chunk = transport->last ? jg__chunk_of(transport->last) : NULL;
    if (!chunk || chunk->capacity - chunk->write.length < size) {
        chunk = jg__chunk_new(transport->loop, size);
        if (!chunk)
            return NULL;
        *(transport->first ? &transport->last->next : &transport->first) = &chunk->write;
        transport->last = &chunk->write;
    }
    struct record *record = (struct record *)(void *)(chunk->data + chunk->write.length);
    chunk->write.length += size;
    transport->pending += size;
    return record;
}

int jg__datagram_queue(jg_datagram_transport *transport, const void *data, size_t bytes, const struct sockaddr *address,
                       socklen_t length, const char *call)
{
    if (check_address(transport, address, length, call) < 0 || check_size(transport, data, bytes, call) < 0)
        return -1;
    if (!address)
        length = 0;
    struct record *record = make_room(transport, record_size(bytes, length));
    if (!record)
        return jg_fail(ENOMEM, "%s: out of memory for %zu bytes", call, bytes);
    record->bytes = (uint32_t)bytes;
    record->address_length = length;
    char *place = (char *)(record + 1);
    if (length)
        memcpy(place, address, length);
    if (bytes)
        memcpy(place + padded(length), data, bytes);
    jg__call_before_poll(transport->loop, &transport->turn_end);
    if (transport->pending >= GATHER_MOST)
        jg__datagram_send(transport);
    return 0;
}

int jg_datagram_sendto(jg_datagram_transport *transport, const void *data, size_t bytes, const struct sockaddr *address,
                       socklen_t length)
{
    static const char call[] = "jg_datagram_sendto";
    if (jg_datagram_is_closing(transport))
        return jg_fail(EPIPE, "%s: the transport is closed", call);
    return jg__datagram_queue(transport, data, bytes, address, length, call);
}

/* ---- Sending ---- */

/* Fills the vectors with the first datagrams of the queue. Returns how many. */
static unsigned gather(const jg_datagram_transport *transport)
{
    struct jg__datagrams *datagrams = transport->loop->datagrams;
    unsigned count = 0;
    for (struct jg__write *write = transport->first; write; write = write->next) {
        size_t at = write->sent;
        while (at < write->length && count < JG__BATCH) {
            struct record *record = (struct record *)(void *)(jg__chunk_of(write)->data + at);
            char *address = (char *)(record + 1);
            datagrams->pieces[count] = (struct iovec){address + padded(record->address_length), record->bytes};
            datagrams->messages[count].msg_hdr = (struct msghdr){
                .msg_name = record->address_length ? address : NULL,
                .msg_namelen = record->address_length,
                .msg_iov = &datagrams->pieces[count],
                .msg_iovlen = 1,
            };
            count++;
            at += record_size(record->bytes, record->address_length);
        }
    }
    return count;
}

static void drop(jg_datagram_transport *transport, unsigned count)
{
    while (count-- > 0) {
        struct jg__write *write = transport->first;
        const struct record *record = (const struct record *)(void *)(jg__chunk_of(write)->data + write->sent);
        size_t size = record_size(record->bytes, record->address_length);
        write->sent += size;
        transport->pending -= size;
        if (write->sent < write->length)
            continue;
        transport->first = write->next;
        if (!transport->first)
            transport->last = NULL;
        jg__chunk_free(transport->loop, jg__chunk_of(write));
    }
}

void jg__datagram_drop_queue(jg_datagram_transport *transport)
{
    while (transport->first) {
        struct jg__chunk *chunk = jg__chunk_of(transport->first);
        transport->first = transport->first->next;
        jg__release(chunk);
    }
    transport->last = NULL;
    transport->pending = 0;
}

static void go_on(jg_datagram_transport *transport)
{
    transport->blocked = false;
    jg__datagram_send(transport);
    jg__datagram_tell_sent(transport);
}

void jg__datagram_retry(void *arg)
{
    go_on(arg);
}

static void ready_to_write(jg_operation *operation, int events)
{
    jg_datagram_transport *transport = operation->arg;
    transport->awaiting_room = false;
    if (transport->phase == JG__DATAGRAM_ENDING)
        jg__datagram_end_if_idle(transport);
    else if (events < 0)
        jg__datagram_end(transport, -events);
    else
        go_on(transport);
}

/* A Unix socket that is not connected always polls as writable, though the receiver in question may be behind. */
static void await_room(jg_datagram_transport *transport)
{
    transport->blocked = true;
    if (transport->family == AF_UNIX && !transport->connected) {
        jg_call_later(transport->loop, &transport->retry, RETRY_SECONDS);
        return;
    }
    transport->awaiting_room = true;
    transport->output = (jg_operation){
        .opcode = JG_OP_POLL, .fd = transport->fd, .events = POLLOUT, .done = ready_to_write, .arg = transport};
    jg__submit(transport->loop, &transport->output, JG__OWN_FD);
}

void jg__datagram_send(jg_datagram_transport *transport)
{
    int saved = errno;
    while (transport->first && !transport->blocked) {
        unsigned count = gather(transport);
        int sent = sendmmsg(transport->fd, transport->loop->datagrams->messages, count, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent > 0) {
            drop(transport, (unsigned)sent);
        } else if (errno == EAGAIN) {
            await_room(transport);
        } else if (errno != EINTR) {
            if (!transport->send_error)
                transport->send_error = errno;
            drop(transport, 1);
        }
    }
    errno = saved;
}

void jg__datagram_turn_ends(void *arg)
{
    jg_datagram_transport *transport = arg;
    if (jg_datagram_is_closing(transport))
        return;
    jg__datagram_send(transport);
    bool over = transport->pending > transport->high_water;
    if (transport->send_error || over != transport->writing_paused) /* callbacks come from a turn */
        jg_call_soon(transport->loop, &transport->soon);
}

void jg_datagram_flush(jg_datagram_transport *transport)
{
    jg__datagram_send(transport);
    if (transport->phase == JG__DATAGRAM_OPEN)
        jg__call_before_poll(transport->loop, &transport->turn_end);
}

/* ---- What the owner is told ---- */

static void check_water_marks(jg_datagram_transport *transport)
{
    const jg_datagram_protocol *protocol = transport->protocol;
    if (!transport->writing_paused && transport->pending > transport->high_water) {
        transport->writing_paused = true;
        if (protocol->pause_writing)
            protocol->pause_writing(transport, transport->arg);
    } else if (transport->writing_paused && transport->pending <= transport->low_water) {
        transport->writing_paused = false;
        if (protocol->resume_writing)
            protocol->resume_writing(transport, transport->arg);
    }
}

void jg__datagram_tell_sent(jg_datagram_transport *transport)
{
    if (transport->owner)
        transport->owner->progress(transport, transport->arg);
    if (!transport->owner && transport->send_error && transport->phase == JG__DATAGRAM_OPEN) {
        int error = transport->send_error;
        transport->send_error = 0;
        if (transport->protocol->error_received)
            transport->protocol->error_received(transport, transport->arg, error);
    }
    if (transport->phase == JG__DATAGRAM_OPEN)
        check_water_marks(transport);
    if (transport->phase == JG__DATAGRAM_FLUSHING && !transport->first)
        jg__datagram_end(transport, 0);
}

void jg_datagram_set_write_limits(jg_datagram_transport *transport, size_t high, size_t low)
{
    transport->high_water = high;
    transport->low_water = low < high ? low : high;
    if (transport->phase == JG__DATAGRAM_OPEN)
        jg__call_before_poll(transport->loop, &transport->turn_end);
}

size_t jg_datagram_pending(const jg_datagram_transport *transport)
{
    return transport->pending;
}
