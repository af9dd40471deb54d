/* Unix sockets, for tasks. asyncio's counterparts: open_unix_connection, start_unix_server.
 *
 * A path of at most 107 bytes names a file; "@name" is an abstract name, which has no file (unix(7)); "./@name" is a
 * file again. The streams and servers are those of <juggle/stream.h> and <juggle/server.h>. A reset is not part of Unix
 * sockets: to the peer, jg_abort looks like the end of file, or like ECONNRESET if it left data unread. */
#ifndef JUGGLE_UNIX_H
#define JUGGLE_UNIX_H

#include <juggle/server.h>

JG_BEGIN

/* Connects to the server at `path`. While the server's backlog is full, it waits and tries again. Waits. Returns NULL
 * with ECANCELED, ETIMEDOUT; ENOENT, ECONNREFUSED (nobody listens: the file was left behind), EACCES, EPROTOTYPE (not a
 * stream socket), ENOTDIR, ENAMETOOLONG (over 107 bytes), EINVAL (empty), EMFILE, ENFILE, ENOMEM. Of the options those
 * about hosts are ignored. asyncio: open_unix_connection. */
#define jg_open_unix_connection(path, ...) \
    jg_open_unix_connection_with(path, JG_OPTIONS(jg_stream_options, __VA_ARGS__))
JG_API jg_stream *jg_open_unix_connection_with(const char *path, const jg_stream_options *options) JG_MUST_USE;

/* Listens at `path` and runs handler(client, arg) for each connection, as jg_start_server does. The options `mode` and
 * `receive_fds` are for it; those about hosts are ignored. A socket file at which nobody answers is replaced; one that
 * is served gives EADDRINUSE, and so does a file that is no socket. When the server closes it removes the file, if it
 * is still its own. Never waits, but fails in a task that is interrupted. Returns NULL with ECANCELED, ETIMEDOUT;
 * EADDRINUSE, EACCES, ENOENT and ENOTDIR (the directory), EROFS, ENAMETOOLONG (over 107 bytes), EINVAL (empty, or a
 * handler that is NULL), EMFILE, ENFILE, ENOMEM. asyncio: start_unix_server. */
#define jg_start_unix_server(handler, arg, path, ...) \
    jg_start_unix_server_with(                        \
        handler, arg, path,                           \
        &(jg_server_options){.size = sizeof(jg_server_options), JG_TASK_NAME(#handler) __VA_ARGS__})
JG_API jg_server *jg_start_unix_server_with(jg_connection_handler handler, void *arg, const char *path,
                                            const jg_server_options *options) JG_MUST_USE;

/* Who is at the other end of a Unix connection: the process that connected, or that listened, and its effective ids at
 * that moment (SO_PEERCRED, unix(7)). Each pointer may be NULL. Never waits. Returns 0; -1 with ENOTCONN (the
 * connection is lost), EOPNOTSUPP (not a Unix socket). */
JG_API int jg_peer_credentials(jg_stream *stream, pid_t *pid, uid_t *uid, gid_t *gid);

/* Passes an open fd to the process at the other end, with one byte of data (a zero), behind what was written before;
 * the caller's fd stays open and is the caller's. Waits as jg_write does. Returns 0; -1 with EBADF (not an open fd, not
 * open for writing, or the stream was closed meanwhile), EOPNOTSUPP (not a plain Unix socket), EINVAL (an io_uring),
 * ETOOMANYREFS (unix(7)), and as jg_write. An fd that the kernel refuses leaves the stream as it is. asyncio has none;
 * socket.send_fds. */
JG_API int jg_send_fd(jg_stream *stream, int fd);

/* Takes the next fd that the peer has passed; it is the caller's, with FD_CLOEXEC. If everything before the message
 * that it came with was read and that message is one byte, as jg_send_fd has it, the byte is taken too; else the data
 * stays to be read. The stream must have been made with the option receive_fds: without it the kernel discards fds, so
 * that nobody is given any that does not look for them. At most 16 wait to be taken; more are closed. What is still
 * waiting when the stream is closed is closed. One task at a time, and none that reads meanwhile. Waits. Returns the
 * fd; -1 with ENODATA (end of file), ENOMSG (data came without an fd, and is to be read first), EMFILE (one came, but
 * this process had no room for it; it is lost), EOPNOTSUPP (not made with receive_fds), ECONNRESET. asyncio has none;
 * socket.recv_fds. */
JG_API int jg_recv_fd(jg_stream *stream) JG_MUST_USE;

JG_END

#endif
