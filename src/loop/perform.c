/* The system calls behind the operations. */
#include "loop/perform.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/sendfile.h>
#include <unistd.h>

enum { BLOCKING_STEP = PIPE_BUF };

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

/* Has it to be asked first, and is the fd not ready? */
static bool would_block(const jg_operation *operation, short events)
{
    return operation->blocking && jg__poll_now(operation->fd, events) == 0;
}

int jg__receive(const jg_operation *operation, void *buffer, size_t length)
{
    bool file = operation->opcode == JG_OP_READ;
    ssize_t count;
    if (file && would_block(operation, POLLIN))
        return JG__AGAIN;
    do
        count = file ? read(operation->fd, buffer, jg__clamp(length))
                     : recv(operation->fd, buffer, jg__clamp(length), MSG_DONTWAIT);
    while (count < 0 && errno == EINTR);
    return result_of(count);
}

/* A connection that was given up before it was accepted is no failure of the listener (accept(2) lists these). */
static bool connection_vanished(int error)
{
    return error == ECONNABORTED || error == EINTR || error == EPROTO || error == ENETDOWN || error == ENOPROTOOPT ||
           error == EHOSTDOWN || error == ENONET || error == EHOSTUNREACH || error == ENETUNREACH;
}

int jg__accept(int fd, struct sockaddr *address, socklen_t *length)
{
    int connection;
    do
        connection = accept4(fd, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
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
    if (operation->opcode == JG_OP_SEND || operation->opcode == JG_OP_WRITE)
        return jg__clamp(operation->length) - (size_t)operation->result;
    if (operation->opcode == JG_OP_SENDFILE)
        return jg__clamp(operation->count) - (size_t)operation->result;
    size_t length = 0;
    for (size_t i = 0; i < operation->message->msg_iovlen; i++)
        length += operation->message->msg_iov[i].iov_len;
    return length;
}

/* Takes what was sent off the message. */
void jg__message_advance(struct msghdr *message, size_t sent)
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
    if (operation->opcode == JG_OP_SENDMSG || operation->opcode == JG_OP_WRITEV)
        jg__message_advance(operation->message, sent);
    return true;
}

static ssize_t write_some(const jg_operation *operation, struct iovec left)
{
    const struct iovec *vector = &left;
    size_t count = 1;
    if (operation->opcode == JG_OP_WRITEV) {
        jg__message_advance(operation->message, 0); /* past pieces that are empty */
        vector = operation->message->msg_iov;
        count = operation->message->msg_iovlen;
    }
    if (!operation->blocking)
        return writev(operation->fd, vector, count < IOV_MAX ? (int)count : IOV_MAX);
    return write(operation->fd, vector->iov_base, vector->iov_len < BLOCKING_STEP ? vector->iov_len : BLOCKING_STEP);
}

static ssize_t send_file(const jg_operation *operation)
{
    off_t offset = operation->offset + operation->result;
    size_t left = jg__send_left(operation);
    if (operation->offset >= 0)
        return sendfile(operation->fd, operation->source, &offset, left);
    return splice(operation->source, NULL, operation->fd, NULL, left, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
}

static int send_some(const jg_operation *operation)
{
    if (operation->opcode == JG_OP_SENDFILE) {
        ssize_t sent;
        do
            sent = send_file(operation);
        while (sent < 0 && errno == EINTR);
        return result_of(sent);
    }
    size_t sent = operation->opcode == JG_OP_SEND || operation->opcode == JG_OP_WRITE ? (size_t)operation->result : 0;
    struct iovec left = {(char *)operation->buffer + sent, jg__send_left(operation)};
    int flags = MSG_NOSIGNAL | MSG_DONTWAIT;
    ssize_t count;
    do
        count = jg__is_performed_here(operation)     ? write_some(operation, left)
                : operation->opcode == JG_OP_SENDMSG ? sendmsg(operation->fd, operation->message, flags)
                                                     : send(operation->fd, left.iov_base, left.iov_len, flags);
    while (count < 0 && errno == EINTR);
    return result_of(count);
}

/* A short send means that the socket is full, while a file may take more. An error after a part is for the next one. */
static int send_all(jg_operation *operation)
{
    bool file = jg__is_performed_here(operation);
    int result;
    do {
        if (file && would_block(operation, POLLOUT))
            return JG__AGAIN;
        result = send_some(operation);
        if (result >= 0 && !jg__send_goes_on(operation, (size_t)result))
            return operation->result;
    } while (file && result > 0);
    if (result >= 0 && !file)
        return JG__AGAIN;
    if (result == 0 && operation->opcode != JG_OP_SENDFILE) /* it takes nothing, and does not say why */
        result = -EIO;
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
        return jg__accept(operation->fd, NULL, NULL);
    case JG_OP_CONNECT:
        return connect_once(operation, resumed);
    case JG_OP_RECV:
    case JG_OP_READ:
        return jg__receive(operation, operation->buffer, operation->length);
    case JG_OP_SEND:
    case JG_OP_SENDMSG:
    case JG_OP_WRITE:
    case JG_OP_WRITEV:
    case JG_OP_SENDFILE:
        return send_all(operation);
    }
    return -EINVAL;
}
