/* The names of Unix sockets: paths, which are files, and abstract names. */
#ifndef JUGGLE_TRANSPORT_UNIX_PATH_H
#define JUGGLE_TRANSPORT_UNIX_PATH_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/* The file that a socket was bound to. inode 0: none. */
struct jg__unix_file {
    dev_t device;
    ino_t inode;
};

/* The address of a path or of "@name". Returns 0, or -1 with ENAMETOOLONG or EINVAL (empty). */
int jg__unix_address(const char *path, struct sockaddr_un *address, socklen_t *length, const char *call);

/* bind(2); a socket file at which nobody answers is replaced. Tells of the file that was made. Returns 0, or -1 with
 * bind's errno; EADDRINUSE also for a file that is no socket. */
int jg__unix_bind(int fd, const struct sockaddr *address, socklen_t length, struct jg__unix_file *file);

/* Removes the file that the socket is bound to, if it is still this one. Preserves errno. */
void jg__unix_unlink(int fd, struct jg__unix_file file);

#endif
