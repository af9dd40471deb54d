/* What the files of the datagram transports share. */
#ifndef JUGGLE_TRANSPORT_DATAGRAM_INTERNAL_H
#define JUGGLE_TRANSPORT_DATAGRAM_INTERNAL_H

#include "base/diagnostics.h"
#include "base/memory.h"
#include "transport/datagram_batch.h"

#include <errno.h>

/* datagram_reading.c: waits for datagrams, unless it does already or shall not. */
void jg__datagram_await_input(jg_datagram_transport *transport);

/* Hands out what came, until reading is paused. From turns only. */
void jg__datagram_deliver(jg_datagram_transport *transport);

/* datagram_sending.c: the callbacks of the operation and the timers by which sending goes on. */
void jg__datagram_turn_ends(void *arg);
void jg__datagram_retry(void *arg);

/* Tells the owner what has become of what it sent; from turns only. */
void jg__datagram_tell_sent(jg_datagram_transport *transport);

/* Drops what is queued. */
void jg__datagram_drop_queue(jg_datagram_transport *transport);

/* datagram.c: ends it: connection_lost follows as soon as the kernel has let go. */
void jg__datagram_end(jg_datagram_transport *transport, int error);

/* In phase ENDING: if no operation is under way, the handle shall finish. */
void jg__datagram_end_if_idle(jg_datagram_transport *transport);

/* datagram_socket.c: a datagram socket with these options, bound to the address, and connected if they say so; `file`:
 * that of a Unix path. Returns the fd, or -1 with errno. */
int jg__datagram_socket(const struct sockaddr *address, socklen_t length, const jg_datagram_options *options,
                        struct jg__unix_file *file, const char *call);

/* Checks a datagram socket of somebody else's and sets the options that count there. Returns 0, or -1 with errno. */
int jg__datagram_socket_adopt(int fd, const jg_datagram_options *options, const char *call);

#endif
