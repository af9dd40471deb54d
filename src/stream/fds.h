/* The fds that the peer of a Unix socket has passed, and nobody has taken yet. */
#ifndef JUGGLE_STREAM_FDS_H
#define JUGGLE_STREAM_FDS_H

#include "stream/stream.h"

struct jg__fds;

/* One came with the last of the unread bytes; or a negated errno. */
void jg__fds_received(jg_transport *transport, void *arg, int fd);

/* So many of the unread bytes were taken. */
void jg__fds_pass(struct jg__fds *fds, size_t bytes);

/* Closes those that are left. */
void jg__fds_free(struct jg__fds *fds);

#endif
