/* What the files of this folder share. */
#ifndef JUGGLE_TRANSPORT_INTERNAL_H
#define JUGGLE_TRANSPORT_INTERNAL_H

#include "base/diagnostics.h"
#include "base/memory.h"
#include "transport/memory.h"
#include "transport/transport.h"

#include <errno.h>

/* jg__submit and jg_cancel_operation, for whatever the transport has in the place of a socket. */
static inline void jg__transport_submit(jg_transport *transport, jg_operation *operation, unsigned char flags)
{
    if (transport->memory)
        jg__memory_submit(transport->memory, operation);
    else
        jg__submit(transport->loop, operation, flags);
}

static inline void jg__transport_cancel(jg_transport *transport, jg_operation *operation)
{
    if (transport->memory)
        jg__memory_cancel(transport->memory, operation);
    else
        jg_cancel_operation(transport->loop, operation);
}

/* jg__operation_try; in memory nothing is possible at once. */
static inline bool jg__transport_try(const jg_transport *transport, jg_operation *operation)
{
    return !transport->memory && jg__operation_try(transport->loop, operation);
}

/* transport.c: the handle's callback, for each phase. */
void jg__transport_handle(void *arg);

/* What changed takes effect, and the owner is told, when the turn ends. In other phases the handle stands for something
 * else. */
static inline void jg__transport_at_turn_end(jg_transport *transport)
{
    if (transport->phase == JG__TRANSPORT_OPEN)
        jg__call_before_poll(transport->loop, &transport->timer.handle);
}

/* Gives back the address that it connects to, or was about to. */
void jg__transport_release_address(jg_transport *transport);

/* reading.c: starts to receive, unless it does already or shall not. */
void jg__transport_receive(jg_transport *transport);

/* The `done` of what receives. */
void jg__transport_received(jg_operation *operation, int result);

/* announce.c: receives with ancillary data, or only tells that there is something. */
void jg__transport_announce(jg_transport *transport);

/* Asks for the end of receiving, if reading is paused. */
void jg__transport_stop_receiving(jg_transport *transport);

/* sending.c: the queue of what is to be sent. */
void jg__transport_enqueue(jg_transport *transport, struct jg__write *write);
void jg__transport_dequeue(jg_transport *transport, struct jg__write *write);

static inline bool jg__write_is_direct(const struct jg__write *write)
{
    return write->direct;
}

static inline struct jg__direct_write *jg__direct_of(struct jg__write *write)
{
    return jg__container_of(write, struct jg__direct_write, write);
}

/* Tells the writer of a direct write that it is over. */
void jg__direct_finish(struct jg__direct_write *direct, int error);

/* Gives back a write that has left its queue, as jg__transport_drop_queue does. */
void jg__transport_drop(jg_transport *transport, struct jg__write *write, int error);

/* The peer has, or will get, a part of a write that was interrupted: nothing can be written any more. */
void jg__transport_break(jg_transport *transport);

/* writing.c: copies bytes to the end of the queue; makes room for so many. False with ENOMEM. */
bool jg__transport_gather(jg_transport *transport, const struct iovec *vector, int count, size_t bytes);
bool jg__transport_reserve(jg_transport *transport, size_t bytes);

/* Sends FIN, if that is wanted; everything before it was sent. */
void jg__transport_send_end(jg_transport *transport);

/* Tells the owner what has become of its writes; from turns only. */
void jg__transport_tell_written(jg_transport *transport);

/* Gives back everything that is queued. `error` is for direct writes; 0: their owner is gone and isn't told. */
void jg__transport_drop_queue(jg_transport *transport, int error);

/* closing.c: after all is sent in phase FLUSHING. */
void jg__transport_linger(jg_transport *transport);

/* Something came in the phases FLUSHING and LINGERING, and is discarded: a count, 0 at end of file, or a negated errno.
 */
void jg__transport_discard(jg_transport *transport, int result);

/* Ends it: connection_lost follows as soon as the kernel has let go. */
void jg__transport_end(jg_transport *transport, int error);

/* In phase ENDING: if no operation is under way, the handle shall finish. */
void jg__transport_end_if_idle(jg_transport *transport);

/* The last step of phase ENDING. */
void jg__transport_finish(jg_transport *transport);

void jg__transport_evict(struct jg__resident *resident);

/* listener.c: an fd of this loop was closed. */
void jg__listeners_retry(jg_loop *loop);

#endif
