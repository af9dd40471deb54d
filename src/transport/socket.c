#include "transport/socket.h"

#include "base/diagnostics.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

static void enable(int fd, int level, int option)
{
    setsockopt(fd, level, option, &(int){1}, sizeof(int));
}

/* Options that a socket other than TCP doesn't know are of no use to it: their failure is none. */
void jg__socket_set_options(int fd, const jg_transport_options *options)
{
    int saved = errno;
    if (!options->delay)
        enable(fd, IPPROTO_TCP, TCP_NODELAY);
    if (options->keep_alive)
        enable(fd, SOL_SOCKET, SO_KEEPALIVE);
    errno = saved;
}

static int fail_and_close(int fd, const char *call, const char *what)
{
    int error = errno;
    close(fd);
    return jg_fail(error, "%s: %s: %s", call, what, strerror(error));
}

static int new_socket(int family, const char *call)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        jg_fail(errno, "%s: %s", call, strerror(errno));
    return fd;
}

int jg__socket_open(int family, const jg_transport_options *options, const char *call)
{
    int fd = new_socket(family, call);
    if (fd < 0)
        return -1;
    jg__socket_set_options(fd, options);
    if (options->local_address && bind(fd, options->local_address, options->local_address_length) < 0)
        return fail_and_close(fd, call, "bind");
    return fd;
}

int jg__socket_make_nonblocking(int fd, const char *call)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || (!(flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0))
        return jg_fail(errno, "%s: fd %d: %s", call, fd, strerror(errno));
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    return 0;
}

/* Nobody can connect before it listens: the mode is in time. */
static int bind_unix(int fd, const struct sockaddr *address, socklen_t length, mode_t mode, struct jg__unix_file *file)
{
    if (jg__unix_bind(fd, address, length, file) < 0)
        return -1;
    if (!mode || !file->inode || chmod(((const struct sockaddr_un *)(const void *)address)->sun_path, mode) == 0)
        return 0;
    jg__unix_unlink(fd, *file);
    return -1;
}

static int bind_socket(int fd, const struct sockaddr *address, socklen_t length, const jg_listener_options *options,
                       struct jg__unix_file *file)
{
    *file = (struct jg__unix_file){0};
    if (address->sa_family == AF_UNIX)
        return bind_unix(fd, address, length, options->mode, file);
    return bind(fd, address, length);
}

int jg__socket_listen(const struct sockaddr *address, socklen_t length, const jg_listener_options *options,
                      struct jg__unix_file *file)
{
    int fd = new_socket(address->sa_family, "jg_listen");
    if (fd < 0)
        return -1;
    enable(fd, SOL_SOCKET, SO_REUSEADDR);
    if (options->reuse_port)
        enable(fd, SOL_SOCKET, SO_REUSEPORT);
    if (address->sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){!options->dual_stack}, sizeof(int));
    jg__socket_set_options(fd, &(jg_transport_options){0}); /* connections inherit it */
    if (bind_socket(fd, address, length, options, file) < 0)
        return fail_and_close(fd, "jg_listen", "bind");
    if (listen(fd, options->backlog ? options->backlog : SOMAXCONN) < 0) {
        jg__unix_unlink(fd, *file);
        return fail_and_close(fd, "jg_listen", "listen");
    }
    return fd;
}

int jg__socket_adopt_listening(int fd)
{
    int listening = 0;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &(socklen_t){sizeof listening}) < 0)
        return jg_fail(errno, "jg_listen_fd: fd %d: %s", fd, strerror(errno));
    if (!listening)
        return jg_fail(EINVAL, "jg_listen_fd: fd %d does not listen", fd);
    jg__socket_set_options(fd, &(jg_transport_options){0});
    return jg__socket_make_nonblocking(fd, "jg_listen_fd");
}
