/* What kind of fd a transport has. */
#ifndef JUGGLE_TRANSPORT_KIND_H
#define JUGGLE_TRANSPORT_KIND_H

#include <juggle/transport.h>

enum jg__kind {
    JG__READS = 1, /* it is open for reading */
    JG__WRITES = 2,
    JG__SOCKET = JG__READS | JG__WRITES,
    JG__FILE = 4,          /* no socket: a pipe, a device, a file */
    JG__PIPE = 8,          /* and that a pipe or a FIFO */
    JG__SHARED = 16,       /* others have the open file too */
    JG__BLOCKING = 32,     /* and left it in blocking mode: it is to be polled first */
    JG__RECEIVES_FDS = 64, /* a Unix socket whose fds are wanted */
    JG__MEMORY = 128,      /* no fd: one end of a pair in memory */
};

/* So many fds of a message are received. */
enum { JG__FDS_MOST = 16 };

/* Makes an fd of somebody else's ready for a transport: sets its options, and non-blocking mode unless it is shared.
 * Returns its kind, or -1 with EBADF, ENOTSOCK, EINVAL. `call` names the caller in the error text. */
int jg__kind_adopt(int fd, const jg_transport_options *options, const char *call);

#endif
