/* The standard streams. What fds 0, 1 and 2 refer to is shared with the parent and with other programs: O_NONBLOCK must
 * not be set there, because it would stay when this program has ended, and others would stumble over it. */
#include "stream/standard.h"

#include "base/diagnostics.h"
#include "stream/stream.h"

#include <fcntl.h>
#include <juggle/pipe.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const calls[] = {"jg_stdin", "jg_stdout", "jg_stderr"};

static int direction_of(int fd)
{
    return fd == STDIN_FILENO ? JG__READS : JG__WRITES;
}

/* ---- A way to the open file that is ours ---- */

static bool allows(int flags, int fd)
{
    int mode = flags & O_ACCMODE;
    return mode == O_RDWR || mode == (fd == STDIN_FILENO ? O_RDONLY : O_WRONLY);
}

/* To open the master of a pseudo-terminal again makes a new one. */
static bool can_be_opened_again(int fd, const struct stat *status)
{
    int number;
    return S_ISFIFO(status->st_mode) || (S_ISCHR(status->st_mode) && isatty(fd) && ioctl(fd, TIOCGPTN, &number) < 0);
}

static bool is_same(int fd, const struct stat *status)
{
    struct stat other;
    return fstat(fd, &other) == 0 && other.st_dev == status->st_dev && other.st_ino == status->st_ino &&
           other.st_rdev == status->st_rdev;
}

/* A FIFO that is opened when its writers are gone already would wait for new ones. */
static bool has_hung_up(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return poll(&poll_fd, 1, 0) > 0 && poll_fd.revents & POLLHUP;
}

/* Opened a second time, with flags of its own; or -1. */
static int open_again(int fd, const struct stat *status)
{
    char path[32];
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || !allows(flags, fd) || !can_be_opened_again(fd, status))
        return -1;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int mode = fd == STDIN_FILENO ? O_RDONLY : O_WRONLY;
    int own = open(path, mode | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (own < 0)
        return -1;
    if (is_same(own, status) && !(mode == O_RDONLY && has_hung_up(fd)))
        return own;
    close(own);
    return -1;
}

/* An fd that exec would close was not inherited: it is one of this program's own, which took the place of a standard
 * stream that was closed when the program started. */
static bool is_inherited(int fd)
{
    int flags = fcntl(fd, F_GETFD);
    return flags >= 0 && !(flags & FD_CLOEXEC);
}

static jg_stream *open_standard(int fd)
{
    struct stat status;
    if (!is_inherited(fd) || fstat(fd, &status) < 0) {
        jg_fail(EBADF, "%s: fd %d was closed when the program started", calls[fd], fd);
        return NULL;
    }
    int own = open_again(fd, &status);
    const jg_stream_options options = {.size = sizeof options, .shared = own < 0};
    if (own < 0)
        own = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (own < 0) {
        jg_fail(errno, "%s: %s", calls[fd], strerror(errno));
        return NULL;
    }
    jg_stream *stream = jg__stream_from_fd(own, &options, direction_of(fd), calls[fd]);
    if (!stream) {
        int error = errno;
        close(own);
        errno = error;
    }
    return stream;
}

/* ---- One of each kind ---- */

static void report_unsent(const struct jg__stream *stream)
{
    int error = stream->transport.write_error;
    if (stream->transport.unsent && error)
        jg__report(NULL, error, "a standard stream could not take everything that was written: %s", strerror(error));
}

void jg__standard_ended(struct jg__stream *stream)
{
    stream->transport.loop->lingering--;
    report_unsent(stream);
}

/* What is still to be written is waited for, as for connections that linger. */
static void finish_stream(jg_loop *loop, struct jg__stream *stream, bool output)
{
    jg_transport *transport = &stream->transport;
    bool lost = stream->lost;
    if (lost && output)
        report_unsent(stream);
    stream->standard = output && !lost;
    jg__stream_retire(stream);
    if (lost)
        return;
    loop->lingering += output;
    if (output)
        jg_transport_close(transport);
    else
        jg_transport_abort(transport);
}

/* The tasks have ended. */
static void finish(jg_loop *loop)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        struct jg__stream *stream = jg__stream_behind(loop->pools->standard[fd]);
        loop->pools->standard[fd] = NULL;
        if (stream)
            finish_stream(loop, stream, fd != STDIN_FILENO);
    }
}

static jg_stream *standard(int fd)
{
    jg_loop *loop = jg__loop_of(jg__running(calls[fd]));
    struct jg__pools *pools = jg__pools_of(loop);
    if (!pools) {
        jg_fail(ENOMEM, "%s: out of memory", calls[fd]);
        return NULL;
    }
    if (jg__stream_behind(pools->standard[fd]))
        return pools->standard[fd];
    int saved = errno;
    jg_stream *stream = open_standard(fd);
    if (!stream)
        return NULL;
    errno = saved;
    loop->finish = finish;
    return pools->standard[fd] = stream;
}

jg_stream *jg_stdin(void)
{
    return standard(STDIN_FILENO);
}

jg_stream *jg_stdout(void)
{
    return standard(STDOUT_FILENO);
}

jg_stream *jg_stderr(void)
{
    return standard(STDERR_FILENO);
}
