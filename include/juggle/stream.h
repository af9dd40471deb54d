/* Byte streams, for tasks: over TCP here, Unix sockets in <juggle/unix.h>, pipes and the like in <juggle/pipe.h>.
 * asyncio's counterparts: open_connection, StreamReader and StreamWriter in one.
 *
 * One task reads at a time (a second one aborts with a sentence), any number write. Unless said otherwise each call
 * that waits can fail with ECANCELED and ETIMEDOUT; with EBADF when the stream is closed meanwhile by another task;
 * with EINVAL for arguments out of range. A call on a stream that was closed or aborted before it began aborts with a
 * sentence. A peer's reset shows as ECONNRESET at the next read and EPIPE at the next write. */
#ifndef JUGGLE_STREAM_H
#define JUGGLE_STREAM_H

#include <juggle/task.h>
#include <juggle/transport.h>
#include <stdarg.h>

JG_BEGIN

typedef struct jg_stream jg_stream;

typedef struct jg_stream_options {
    size_t size;
    int family;                  /* AF_INET, AF_INET6; 0: both */
    const char *local_host;      /* address to connect from; NULL: any */
    int local_port;              /* and its port; 0: any */
    bool keep_alive;             /* SO_KEEPALIVE */
    double attempt_delay;        /* seconds until the next address is tried beside the first (RFC 8305); 0: 0.25 */
    size_t high_water;           /* bytes; 0: 64 KiB. See jg_write. */
    size_t low_water;            /* bytes; 0: a quarter of high_water */
    struct jg_tls *tls;          /* jg_open_*: speak TLS, see tls.h, whose errors it may then fail with too */
    const char *server_hostname; /* with tls: the name to ask for and to check; NULL: that of the host */
    double handshake_timeout;    /* with tls, seconds; 0: 60 */
    double shutdown_timeout;     /* with tls, seconds that it lingers after closing; 0: 1 */
    bool receive_fds;            /* Unix sockets: keep the fds that the peer passes, for jg_recv_fd */
    bool shared;                 /* jg_stream_from_fd: others have this open file too: it stays in blocking mode and is
                                    not shut down */
} jg_stream_options;

/* Connects to host (a name, or an IPv4 or IPv6 address; NULL: this machine) and port (0 to 65535). Names are looked up
 * off the loop; IPv6 and IPv4 addresses are tried in turns and side by side, the first that answers wins (RFC 8305).
 * TCP_NODELAY is on. Waits. Returns NULL with ECANCELED, ETIMEDOUT; ENOENT (the name is unknown: jg_error_text has the
 * resolver's words), EAGAIN (the resolver failed for now), EAFNOSUPPORT (no address of that family), ENAMETOOLONG,
 * EINVAL (port); else what the last address that failed had to say: ECONNREFUSED, ENETUNREACH, EHOSTUNREACH,
 * EADDRINUSE, EADDRNOTAVAIL, ...; EMFILE, ENFILE, ENOMEM. asyncio: open_connection. */
#define jg_open_connection(host, port, ...) \
    jg_open_connection_with(host, port, JG_OPTIONS(jg_stream_options, __VA_ARGS__))
JG_API jg_stream *jg_open_connection_with(const char *host, int port, const jg_stream_options *options) JG_MUST_USE;

/* A stream on a connected stream socket, a pipe, a FIFO, a terminal or another character device, or a file from its
 * current position on. It owns the fd from now on, and makes it non-blocking unless it is `shared`; on failure the fd
 * is still the caller's. An fd that is open for one direction only makes a stream of that direction: see
 * <juggle/pipe.h>. Files, which are always ready, are read and written by the loop's thread. Never waits. Returns NULL
 * with EBADF, ENOTSOCK (a socket that is no stream socket), EINVAL (a directory, or what else is no stream of bytes),
 * ENOMEM. asyncio: open_connection(sock=...), connect_read_pipe, connect_write_pipe. */
#define jg_stream_from_fd(fd, ...) jg_stream_from_fd_with(fd, JG_OPTIONS(jg_stream_options, __VA_ARGS__))
JG_API jg_stream *jg_stream_from_fd_with(int fd, const jg_stream_options *options) JG_MUST_USE;

/* ---- Reading ----
 *
 * Up to 64 KiB are received ahead of the reader (with io_uring a burst may be more); then the peer has to wait. A read
 * that finds its data there returns at once, without letting other tasks run, but for one call in 128. */

/* Reads what is there, at most `size` bytes; waits only when nothing is. Returns the count, 0 at end of file; -1 with
 * ECONNRESET or another error of the connection. asyncio: StreamReader.read(n). */
JG_API ssize_t jg_read(jg_stream *stream, void *buffer, size_t size) JG_MUST_USE;

/* Reads exactly `size` bytes and returns size. If the end of file comes first: -1 with ENODATA, and what came stays
 * readable. Interrupted: what came stays readable. asyncio: readexactly. */
JG_API ssize_t jg_read_exactly(jg_stream *stream, void *buffer, size_t size) JG_MUST_USE;

/* Reads up to and including a separator, one of the strings that follow `size`, and ends it with a NUL; returns the
 * count without the NUL. At most size - 1 bytes: if no separator is among so many, -1 with EMSGSIZE. At end of file
 * before a separator: -1 with ENODATA. Either way what came stays readable; jg_peek and jg_consume skip it. asyncio:
 * readuntil. */
#define jg_read_until(stream, buffer, size, ...) \
    jg_read_until_any(stream, buffer, size, (const char *const[]){__VA_ARGS__, NULL})
JG_API ssize_t jg_read_until_any(jg_stream *stream, char *buffer, size_t size,
                                 const char *const *separators) JG_MUST_USE;

/* Reads a line with its '\n', as jg_read_until does; the last line may lack it. Returns 0 at end of file. asyncio:
 * readline. */
JG_API ssize_t jg_read_line(jg_stream *stream, char *buffer, size_t size) JG_MUST_USE;

/* Shows what was received without taking it: waits until at least `least` bytes are there, or the end of file, sets
 * *data and returns how many there are (fewer than `least` only at end of file). Valid until the next read of this
 * stream. jg_consume takes bytes that were shown; it never waits, more than there are abort. */
JG_API ssize_t jg_peek(jg_stream *stream, const void **data, size_t least) JG_MUST_USE;
JG_API void jg_consume(jg_stream *stream, size_t bytes);

/* Has the end of file been reached and everything been read? Never waits. asyncio: at_eof. */
JG_API bool jg_at_eof(const jg_stream *stream);

/* ---- Writing ---- */

/* Writes all, in the order of the calls. What is small is copied and leaves when the turn ends, together with the other
 * writes of the turn; what is large goes to the kernel straight from `data`. Waits while more than the high-water mark
 * is queued: a slow peer slows its writer, not the memory. Returns 0; -1 with EPIPE, ECONNRESET, ENOMEM (nothing
 * written), ECANCELED, ETIMEDOUT. Interrupted while part of the data may be sent, it leaves the stream broken: later
 * writes fail with EPIPE. An error stays with the stream, so that it may be left to the next call to notice.
 * asyncio: write and drain in one. */
JG_API int jg_write(jg_stream *stream, const void *data, size_t bytes);

/* The same for several pieces, and for formatted text (at most INT_MAX bytes). asyncio: writelines. */
JG_API int jg_writev(jg_stream *stream, const struct iovec *vector, int count);
JG_API int jg_printf(jg_stream *stream, const char *format, ...) JG_PRINTF(2, 3);
JG_API int jg_vprintf(jg_stream *stream, const char *format, va_list arguments) JG_PRINTF(2, 0);

/* Takes all without waiting, or nothing: EAGAIN when that would exceed the high-water mark although the kernel was
 * given what it takes, EPIPE, ENOMEM. For broadcasts: who gets EAGAIN is too slow. A stream that is aborted for that
 * must not be written to any more: take it off the list of receivers first, then call jg_abort. Never waits. */
JG_API int jg_try_write(jg_stream *stream, const void *data, size_t bytes) JG_MUST_USE;

/* Waits until not more than the low-water mark is queued. Returns 0; -1 as jg_write. asyncio: drain. */
JG_API int jg_drain(jg_stream *stream);

/* Sends now and waits until the kernel has everything. Returns 0; -1 as jg_write. */
JG_API int jg_flush(jg_stream *stream);

/* Half-closes after what was written; reading goes on. Never waits. Returns 0; -1 with EPIPE, or EOPNOTSUPP where
 * jg_can_write_eof is false. asyncio: write_eof, can_write_eof. */
JG_API int jg_write_eof(jg_stream *stream);
JG_API bool jg_can_write_eof(const jg_stream *stream);

/* ---- Moving ---- */

/* Sends `count` bytes of a regular file from `offset` on, or fewer at its end; count 0: all up to its end. The position
 * of fd stays as it is. The kernel moves them without a copy (sendfile(2)) where the stream is a plain socket or pipe,
 * behind what was written before and before what is written later; else they are read and written in pieces, and what
 * other tasks write to the stream meanwhile comes between. Files are read by the loop's thread. Waits as jg_write does,
 * and an interruption halfway leaves the stream broken as there. Returns how many were sent; -1 with EINVAL (fd is no
 * regular file, or the offset is negative), EBADF, EIO, ENOMEM, and as jg_write. asyncio: loop.sendfile. */
JG_API ssize_t jg_sendfile(jg_stream *stream, int fd, off_t offset, size_t count);

/* Moves bytes from one stream to another one, or back to the same, until the end of file or until `count` (0: no limit)
 * were moved. The kernel moves them without a copy (splice(2)) where both are plain sockets or pipes; else they are
 * read and written in pieces. The end of file is not passed on: see jg_write_eof. Waits. Returns how many were moved;
 * -1 with what ended reading or writing. After a failure or an interruption, what was taken from the one stream and not
 * written to the other is there to be read. asyncio has none. */
JG_API ssize_t jg_splice(jg_stream *from, jg_stream *to, size_t count);

/* ---- Closing ---- */

/* Sends what is queued, waiting within the task's deadlines, shuts down writing, discards what still comes in the
 * background for at most 1 second and 1 MiB (else unread input makes the kernel reset the connection and the peer loses
 * the end of the answer), and frees the stream. Tasks that wait on it are woken with EBADF and have left it when this
 * returns. Interrupted, it resets the connection. Accepts NULL. Waits. Returns 0, and errno is as it was; -1 with the
 * errno of why queued data was not sent: the stream is gone all the same. asyncio: close and wait_closed. */
JG_API int jg_close(jg_stream *stream);

/* What jg_autoptr(jg_stream) calls: jg_close, whose failure is not told; errno and the error text stay. */
JG_API void jg_stream_autoptr(jg_stream **stream);

/* Drops what is queued, resets the connection, wakes tasks that wait on it with EBADF and frees the stream once they
 * have left. Accepts NULL, preserves errno. Never waits. asyncio: transport.abort. */
JG_API void jg_abort(jg_stream *stream);

/* ---- Looking; none waits ---- */

/* "127.0.0.1:8888", "[::1]:8888" of the peer, and of this end; "" if unknown, as after a reset, unless it was asked
 * before. Valid while the stream is. asyncio: get_extra_info("peername"), ("sockname"). */
JG_API const char *jg_peername(jg_stream *stream);
JG_API const char *jg_sockname(jg_stream *stream);

/* The same as getpeername(2) and getsockname(2) have it. Return 0, or -1 with their errno. */
JG_API int jg_peer_address(jg_stream *stream, struct sockaddr *address, socklen_t *length);
JG_API int jg_own_address(jg_stream *stream, struct sockaddr *address, socklen_t *length);

/* Bytes that were written but not yet taken by the kernel. asyncio: get_write_buffer_size. */
JG_API size_t jg_write_pending(const jg_stream *stream);

/* Sets the water marks in bytes; low is clamped to high. asyncio: set_write_buffer_limits. */
JG_API void jg_set_write_limits(jg_stream *stream, size_t high, size_t low);

/* The fd, for setsockopt and the like; it stays the stream's. -1 when the connection is lost, or in memory. */
JG_API int jg_fileno(const jg_stream *stream);

/* Is it being closed, or lost? asyncio: is_closing. */
JG_API bool jg_is_closing(const jg_stream *stream);

/* The errno that ended the connection, or 0: as long as it stands, after an orderly end, after a close. Unlike the
 * failure of a read it stays. asyncio: StreamReader.exception. */
JG_API int jg_stream_error(const jg_stream *stream);

/* How long, in seconds, each read, and each write, drain, flush and close of this stream may wait before it fails with
 * ETIMEDOUT; 0: no limit, NaN or negative: EINVAL. Streams of a server begin with its idle_timeout and write_timeout. A
 * call that waits already keeps the limit it began with. Return 0 or -1. */
JG_API int jg_set_read_timeout(jg_stream *stream, double seconds);
JG_API int jg_set_write_timeout(jg_stream *stream, double seconds);

/* The transport below, for the questions of <juggle/transport.h>: borrowed, valid while the stream is. To read, write
 * or close it, or to change its protocol, is the stream's. asyncio: StreamWriter.transport. */
JG_API jg_transport *jg_stream_transport(const jg_stream *stream);

JG_END

#endif
