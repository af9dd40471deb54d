/* A pair in memory: what takes the place of a pair of connected sockets, for the operations of two transports. */
#ifndef JUGGLE_TRANSPORT_MEMORY_H
#define JUGGLE_TRANSPORT_MEMORY_H

#include "loop/internal.h"

struct jg__memory_end;

/* Makes both ends. Returns false when out of memory. */
bool jg__memory_pair(jg_loop *loop, struct jg__memory_end *ends[2]);

/* The same as jg_submit, for a multishot RECV, a SEND or a SENDMSG, of which there is one at a time in each direction;
 * and as jg_cancel_operation. */
void jg__memory_submit(struct jg__memory_end *end, jg_operation *operation);
void jg__memory_cancel(struct jg__memory_end *end, jg_operation *operation);

/* The peer finds the end of file behind what was sent. */
void jg__memory_shut(struct jg__memory_end *end);

/* No operation of this end is under way. The peer finds the end of file, or a reset. */
void jg__memory_close(struct jg__memory_end *end, bool reset);

#endif
