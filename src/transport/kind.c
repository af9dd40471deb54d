#include "transport/kind.h"

#include "base/diagnostics.h"
#include "base/sigpipe.h"
#include "transport/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static int fail(int fd, const char *call)
{
    return jg_fail(errno, "%s: fd %d: %s", call, fd, strerror(errno));
}

static int directions_of(int flags)
{
    switch (flags & O_ACCMODE) {
    case O_RDONLY:
        return JG__READS;
    case O_WRONLY:
        return JG__WRITES;
    default:
        return JG__READS | JG__WRITES;
    }
}

/* A regular file is always ready, in either mode. */
static int kind_of_file(int fd, const jg_transport_options *options, const char *call)
{
    struct stat status;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fstat(fd, &status) < 0)
        return fail(fd, call);
    bool pipe = S_ISFIFO(status.st_mode), device = S_ISCHR(status.st_mode);
    if (!pipe && !device && !S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode))
        return jg_fail(EINVAL, "%s: fd %d is no stream of bytes", call, fd);
    if (pipe)
        jg__ignore_sigpipe();
    bool blocking = options->shared && (pipe || device) && !(flags & O_NONBLOCK);
    return JG__FILE | directions_of(flags) | (pipe ? JG__PIPE : 0) | (blocking ? JG__BLOCKING : 0);
}

static int kind_of(int fd, const jg_transport_options *options, const char *call)
{
    int type = 0, saved = errno;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &(socklen_t){sizeof type}) < 0) {
        if (errno != ENOTSOCK)
            return fail(fd, call);
        errno = saved;
        return kind_of_file(fd, options, call);
    }
    if (type != SOCK_STREAM)
        return jg_fail(ENOTSOCK, "%s: fd %d is not a stream socket", call, fd);
    jg__socket_set_options(fd, options);
    return JG__SOCKET | (options->receive_fds ? JG__RECEIVES_FDS : 0);
}

int jg__kind_adopt(int fd, const jg_transport_options *options, const char *call)
{
    int kind = kind_of(fd, options, call);
    if (kind < 0)
        return -1;
    if (options->shared)
        return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? fail(fd, call) : kind | JG__SHARED;
    return jg__socket_make_nonblocking(fd, call) < 0 ? -1 : kind;
}
