/* What the hand-written servers share: a listening socket on a port of the kernel's choice, announced on stdout. Set-up
 * only, nothing that is measured. */
#ifndef BENCH_ECHO_SOCKET_H
#define BENCH_ECHO_SOCKET_H

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

_Noreturn static inline void die(const char *what)
{
    perror(what);
    exit(1);
}

static inline void announce(int port)
{
    printf("port %d\n", port);
    fflush(stdout);
}

static inline int listen_anywhere(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) < 0 || listen(fd, SOMAXCONN) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) < 0)
        die("listen");
    announce(ntohs(address.sin_port));
    return fd;
}

static inline void send_at_once(int fd)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

#endif
