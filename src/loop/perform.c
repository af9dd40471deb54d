/* The system calls behind the operations. */
#include "loop/perform.h"

#include <errno.h>
#include <limits.h>

/* What a system call returned, as a result of an operation. */
static int result_of(ssize_t returned)
{
    if (returned >= 0)
        return (int)returned;
    return errno == EAGAIN || errno == EWOULDBLOCK ? JG__AGAIN : -errno;
}

size_t jg__clamp(size_t length)
{
    return length < INT_MAX ? length : INT_MAX;
}

int jg__receive(int fd, void *buffer, size_t length)
{
    ssize_t count;
    do
        count = recv(fd, buffer, jg__clamp(length), 0);
    while (count < 0 && errno == EINTR);
    return result_of(count);
}

/* A connection that was given up before it was accepted is no failure of the listener (accept(2) lists these). */
static bool connection_vanished(int error)
{
    return error == ECONNABORTED || error == EINTR || error == EPROTO || error == ENETDOWN || error == ENOPROTOOPT ||
           error == EHOSTDOWN || error == ENONET || error == EHOSTUNREACH || error == ENETUNREACH;
}

int jg__accept(int fd)
{
    int connection;
    do
        connection = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (connection < 0 && connection_vanished(errno));
    return result_of(connection);
}

int jg__poll_now(int fd, short events)
{
    struct pollfd poll_fd = {.fd = fd, .events = events};
    int count;
    do
        count = poll(&poll_fd, 1, 0);
    while (count < 0 && errno == EINTR);
    if (count < 0)
        return -errno;
    return poll_fd.revents & POLLNVAL ? -EBADF : poll_fd.revents;
}

static int connect_once(jg_operation *operation, bool resumed)
{
    int error = 0;
    socklen_t length = sizeof error;
    if (resumed)
        return getsockopt(operation->fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0 ? -errno : -error;
    if (connect(operation->fd, operation->address, operation->address_length) == 0)
        return 0;
    return errno == EINPROGRESS || errno == EINTR ? JG__AGAIN : -errno;
}

size_t jg__send_left(const jg_operation *operation)
{
    if (operation->opcode == JG_OP_SEND)
        return jg__clamp(operation->length) - (size_t)operation->result;
    size_t length = 0;
    for (size_t i = 0; i < operation->message->msg_iovlen; i++)
        length += operation->message->msg_iov[i].iov_len;
    return length;
}

/* Takes what was sent off the message. */
static void advance(struct msghdr *message, size_t sent)
{
    message->msg_control = NULL;
    message->msg_controllen = 0;
    while (message->msg_iovlen && sent >= message->msg_iov->iov_len) {
        sent -= message->msg_iov->iov_len;
        message->msg_iov++;
        message->msg_iovlen--;
    }
    if (message->msg_iovlen) {
        message->msg_iov->iov_base = (char *)message->msg_iov->iov_base + sent;
        message->msg_iov->iov_len -= sent;
    }
}

bool jg__send_goes_on(jg_operation *operation, size_t sent)
{
    size_t left = jg__send_left(operation);
    operation->result += (int)sent;
    if (sent == left)
        return false;
    if (operation->opcode == JG_OP_SENDMSG)
        advance(operation->message, sent);
    return true;
}

/* A short send means that the socket is full. An error after a part is for the next send. */
static int send_once(jg_operation *operation)
{
    bool plain = operation->opcode == JG_OP_SEND;
    size_t sent = (size_t)operation->result;
    ssize_t count;
    do
        count = plain ? send(operation->fd, (char *)operation->buffer + sent, jg__send_left(operation), MSG_NOSIGNAL)
                      : sendmsg(operation->fd, operation->message, MSG_NOSIGNAL);
    while (count < 0 && errno == EINTR);
    int result = result_of(count);
    if (result >= 0)
        return jg__send_goes_on(operation, (size_t)result) ? JG__AGAIN : operation->result;
    return result != JG__AGAIN && operation->result > 0 ? operation->result : result;
}

int jg__perform(jg_operation *operation, bool resumed)
{
    switch (operation->opcode) {
    case JG_OP_POLL: {
        int events = jg__poll_now(operation->fd, operation->events);
        return events ? events : JG__AGAIN;
    }
    case JG_OP_ACCEPT:
        return jg__accept(operation->fd);
    case JG_OP_CONNECT:
        return connect_once(operation, resumed);
    case JG_OP_RECV:
        return jg__receive(operation->fd, operation->buffer, operation->length);
    case JG_OP_SEND:
    case JG_OP_SENDMSG:
        return send_once(operation);
    }
    return -EINVAL;
}
