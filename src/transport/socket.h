/* Sockets as transports and listeners want them. */
#ifndef JUGGLE_TRANSPORT_SOCKET_H
#define JUGGLE_TRANSPORT_SOCKET_H

#include "transport/unix_path.h"

#include <juggle/transport.h>

/* A new, non-blocking stream socket, bound to options->local_address if there is one, to be connected. Returns the fd,
 * or -1 with EMFILE, ENFILE, ENOMEM, EAFNOSUPPORT, or bind's errno. `call` names the caller in the error text. */
int jg__socket_open(int family, const jg_transport_options *options, const char *call);

/* Sets what the options ask for, as far as the socket knows it. */
void jg__socket_set_options(int fd, const jg_transport_options *options);

/* Non-blocking, and closed by exec. Returns 0, or -1 with EBADF. */
int jg__socket_make_nonblocking(int fd, const char *call);

/* A new socket that is bound and listens; a Unix socket tells of its file. Returns the fd, or -1 with the errno of
 * jg_listen. */
int jg__socket_listen(const struct sockaddr *address, socklen_t length, const jg_listener_options *options,
                      struct jg__unix_file *file);

/* Makes a listening socket of somebody else's non-blocking. Returns 0, or -1 with EBADF, ENOTSOCK, EINVAL. */
int jg__socket_adopt_listening(int fd);

#endif
