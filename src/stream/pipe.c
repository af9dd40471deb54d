/* Pipes, and FIFOs by their path. */
#include "base/options.h"
#include "stream/stream.h"

#include <fcntl.h>
#include <juggle/pipe.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const jg_stream_options defaults = {.size = sizeof defaults};

/* A stream that owns the fd; closes it when there is none. */
static jg_stream *stream_on(int fd, const jg_stream_options *options, const char *call)
{
    jg_stream *stream = jg__stream_from_fd(fd, options, JG__SOCKET, call);
    if (!stream) {
        int error = errno;
        close(fd);
        errno = error;
    }
    return stream;
}

int jg_open_pipe(jg_stream **reader, jg_stream **writer)
{
    static const char call[] = "jg_open_pipe";
    int ends[2];
    jg__running(call);
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return jg_fail(errno, "%s: %s", call, strerror(errno));
    jg_stream *in = stream_on(ends[0], &defaults, call);
    if (!in) {
        close(ends[1]);
        return -1;
    }
    jg_stream *out = stream_on(ends[1], &defaults, call);
    if (!out) {
        jg_abort(in);
        return -1;
    }
    *reader = in;
    *writer = out;
    return 0;
}

/* ---- FIFOs ---- */

static const double ATTEMPTS_FIRST = 0.001, ATTEMPTS_LATER = 0.05; /* seconds between them */

static const char fifo_call[] = "jg_open_fifo";

static int fail(const char *path)
{
    return jg_fail(errno, "%s %s: %s", fifo_call, path, strerror(errno));
}

/* Returns the fd, or -1 with ENXIO when it is to be written and nobody reads. */
static int open_once(const char *path, int flags)
{
    struct stat status;
    int fd = open(path, flags | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return -1;
    if (fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode))
        return fd;
    close(fd);
    errno = EINVAL;
    return -1;
}

/* The kernel tells nobody who does not block that a reader has come. */
static int open_patiently(const char *path, int flags)
{
    int saved = errno;
    for (double pause = ATTEMPTS_FIRST;; pause = pause * 2 < ATTEMPTS_LATER ? pause * 2 : ATTEMPTS_LATER) {
        int fd = open_once(path, flags);
        if (fd >= 0) {
            errno = saved;
            return fd;
        }
        if (errno == ENXIO && jg_sleep(pause) < 0)
            return jg__fail_interrupted(fifo_call, errno);
        if (errno != ENXIO)
            return errno == EINVAL ? jg_fail(EINVAL, "%s %s: it is no FIFO", fifo_call, path) : fail(path);
    }
}

jg_stream *jg_open_fifo_with(const char *path, int flags, const jg_stream_options *options)
{
    jg_stream_options whole;
    options = jg__whole_options(options, &whole, sizeof whole);
    if (jg__enter_wait(fifo_call) < 0)
        return NULL;
    if (!path || (flags != O_RDONLY && flags != O_WRONLY)) {
        jg_fail(EINVAL, "%s: %s", fifo_call, path ? "the flags are neither O_RDONLY nor O_WRONLY" : "the path is NULL");
        return NULL;
    }
    int fd = open_patiently(path, flags);
    return fd < 0 ? NULL : stream_on(fd, options, fifo_call);
}
