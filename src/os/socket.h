/* What jg_sock_sendfile shares with the other calls on sockets. */
#ifndef JUGGLE_OS_SOCKET_H
#define JUGGLE_OS_SOCKET_H

#include <juggle/socket.h>

/* For calls that have no flag for not blocking: makes the socket non-blocking for the moment. Returns whether that has
 * to be undone; undoing preserves errno. */
bool jg__begin_nonblocking(int fd);
void jg__end_nonblocking(int fd, bool undo);

/* Returns how much of it was sent: less than everything only with errno. */
size_t jg__sock_send_all(int fd, const char *data, size_t bytes, const char *call);

#endif
