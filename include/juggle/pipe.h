/* Streams that are no sockets: pipes and FIFOs, the standard streams of the process, and pairs in memory. asyncio's
 * counterparts: connect_read_pipe, connect_write_pipe.
 *
 * All calls of <juggle/stream.h> work on them. Where a stream goes one way only, the calls of the other direction fail
 * with EBADF, as read(2) and write(2) do; jg_write_eof and jg_close end what the reader sees; jg_abort drops what is
 * queued, and the reader sees the end. When nobody reads a pipe any more, writes fail with EPIPE; SIGPIPE does not come
 * (it is ignored from the first pipe on, if it was at its default). */
#ifndef JUGGLE_PIPE_H
#define JUGGLE_PIPE_H

#include <juggle/stream.h>

JG_BEGIN

/* A pipe: what is written to *writer is read from *reader. Never waits. Returns 0; -1 with EMFILE, ENFILE, ENOMEM, then
 * neither is set. For an end that is there already, as that of a child: jg_stream_from_fd. asyncio: connect_read_pipe,
 * connect_write_pipe. */
JG_API int jg_open_pipe(jg_stream **reader, jg_stream **writer) JG_MUST_USE;

/* Opens a FIFO (mkfifo(3)) for reading or writing: `flags` is O_RDONLY or O_WRONLY. To write, it waits until somebody
 * has opened it for reading, as open(2) does; to read, it returns at once, and the first read waits for a writer. When
 * all writers have closed it, readers see the end of file. Waits. Returns NULL with ECANCELED, ETIMEDOUT; ENOENT,
 * EACCES, ENOTDIR and the like of open(2); EINVAL (other flags, or not a FIFO), EMFILE, ENFILE, ENOMEM. */
#define jg_open_fifo(path, flags, ...) jg_open_fifo_with(path, flags, JG_OPTIONS(jg_stream_options, __VA_ARGS__))
JG_API jg_stream *jg_open_fifo_with(const char *path, int flags, const jg_stream_options *options) JG_MUST_USE;

/* The standard streams of the process: fds 0, 1 and 2, be they terminals, pipes, sockets, files or devices. Each is
 * made when it is first asked for, belongs to the running jg_run, and is flushed and freed at its end; jg_close frees
 * it earlier, the next call makes it anew. The fds themselves stay open and as they are: what they refer to is shared
 * with the parent and with other programs, so O_NONBLOCK is never set on it, and it is never shut down. A terminal, a
 * pipe or a FIFO is opened a second time by way of /proc; where that cannot be, it is polled before each step, and a
 * write to it goes in small pieces. Files and devices that are always ready are read and written by the loop's thread.
 * Input is read ahead, as by stdio; what was not read is lost with the jg_run. On jg_stdin from a terminal,
 * jg_read_line returns what was typed when Enter is pressed. Never wait. Return NULL with EBADF (the program was
 * started with that fd closed), EMFILE, ENFILE, ENOMEM. asyncio: connect_read_pipe(sys.stdin), ... */
JG_API jg_stream *jg_stdin(void) JG_MUST_USE;
JG_API jg_stream *jg_stdout(void) JG_MUST_USE;
JG_API jg_stream *jg_stderr(void) JG_MUST_USE;

/* Two streams that are each other's peers, in memory: no fd, no system call. What one writes the other reads, with the
 * same water marks, read-ahead and ends as over a socket; what jg_abort drops makes the peer's reads fail with
 * ECONNRESET. jg_fileno is -1, names are "". Never waits. Returns 0; -1 with ENOMEM, then neither is set. */
JG_API int jg_stream_pair(jg_stream **first, jg_stream **second) JG_MUST_USE;

JG_END

#endif
