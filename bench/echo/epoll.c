/* The floor on epoll: an echo server without a library. Edge-triggered, registered once, one receive and one send a
 * message; a receive that is shorter than asked for means that the socket is empty. */
#include "socket.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS = 256, BUFFER = 64 * 1024 };

/* What a peer that reads slowly has not taken yet; while there is some, nothing more is read from it. */
struct connection {
    int fd;
    char *pending;
    size_t pending_start, pending_end;
};

static char buffer[BUFFER];

static void drop(struct connection *connection)
{
    close(connection->fd);
    free(connection->pending);
    free(connection);
}

/* Sends what is pending; true when nothing is left. */
static bool send_pending(struct connection *connection)
{
    while (connection->pending_start < connection->pending_end) {
        ssize_t sent = send(connection->fd, connection->pending + connection->pending_start,
                            connection->pending_end - connection->pending_start, MSG_NOSIGNAL);
        if (sent < 0)
            return false;
        connection->pending_start += (size_t)sent;
    }
    return true;
}

static bool keep_rest(struct connection *connection, size_t start, size_t end)
{
    if (!connection->pending && !(connection->pending = malloc(BUFFER)))
        return false;
    memcpy(connection->pending, buffer + start, end - start);
    connection->pending_start = 0;
    connection->pending_end = end - start;
    return true;
}

/* Echoes until the socket is empty. False: the connection has ended. */
static bool echo(struct connection *connection, bool half_closed)
{
    if (connection->pending_start < connection->pending_end && !send_pending(connection))
        return errno == EAGAIN;
    for (;;) {
        ssize_t received = recv(connection->fd, buffer, sizeof buffer, 0);
        if (received <= 0)
            return received < 0 && errno == EAGAIN;
        ssize_t sent = send(connection->fd, buffer, (size_t)received, MSG_NOSIGNAL);
        if (__builtin_expect(sent < received, 0)) {
            if (sent < 0 && errno != EAGAIN)
                return false;
            return keep_rest(connection, sent < 0 ? 0 : (size_t)sent, (size_t)received);
        }
        if (received < BUFFER && !half_closed)
            return true;
    }
}

static void accept_all(int epoll, int listener)
{
    int fd;
    // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): epoll keeps the connection
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct connection *connection = calloc(1, sizeof *connection);
        if (!connection)
            die("calloc");
        connection->fd = fd;
        send_at_once(fd);
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = connection};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
            die("epoll_ctl");
    }
    if (errno != EAGAIN)
        die("accept4");
}

int main(void)
{
    int listener = listen_anywhere();
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event events[EVENTS] = {{.events = EPOLLIN | EPOLLET, .data.ptr = NULL}};
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &events[0]) < 0)
        die("epoll");
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS, -1);
        if (count < 0 && errno != EINTR)
            die("epoll_wait");
        for (int i = 0; i < count; i++) {
            struct connection *connection = events[i].data.ptr;
            if (!connection)
                accept_all(epoll, listener);
            else if (!echo(connection, events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
                drop(connection);
        }
    }
}
