/* What the files of this folder share. */
#ifndef JUGGLE_TRANSPORT_INTERNAL_H
#define JUGGLE_TRANSPORT_INTERNAL_H

#include "base/diagnostics.h"
#include "base/memory.h"
#include "transport/transport.h"

#include <errno.h>

/* transport.c: the handle's callback, for each phase. */
void jg__transport_handle(void *arg);

/* reading.c: starts to receive, unless it does already or shall not. */
void jg__transport_receive(jg_transport *transport);

/* Asks for the end of receiving, if reading is paused. */
void jg__transport_stop_receiving(jg_transport *transport);

/* sending.c: the queue of what is to be sent. */
void jg__transport_enqueue(jg_transport *transport, struct jg__write *write);
void jg__transport_dequeue(jg_transport *transport, struct jg__write *write);

static inline bool jg__write_is_direct(const struct jg__write *write)
{
    return write->operation.opcode == JG_OP_SENDMSG;
}

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
