/* jg_sock_sendfile. */
#include "base/memory.h"
#include "os/socket.h"
#include "task/internal.h"

#include <limits.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

static const char call[] = "jg_sock_sendfile";

enum { STEP = 256 * 1024, COPY = 64 * 1024 }; /* bytes that are moved without letting others run */

struct transfer {
    int fd, file;
    off_t offset;
    size_t left, sent;
};

static size_t next_step(const struct transfer *transfer, size_t most)
{
    return transfer->left < most ? transfer->left : most;
}

static void count(struct transfer *transfer, size_t sent)
{
    transfer->left -= sent;
    transfer->sent += sent;
}

static ssize_t send_now(struct transfer *transfer)
{
    bool undo = jg__begin_nonblocking(transfer->fd);
    ssize_t sent = sendfile(transfer->fd, transfer->file, &transfer->offset, next_step(transfer, STEP));
    jg__end_nonblocking(transfer->fd, undo);
    return sent;
}

/* Returns 0 at the end, 1 when the kernel can't send this file by itself, -1 with errno. */
static int send_by_kernel(struct transfer *transfer)
{
    while (transfer->left) {
        ssize_t sent = send_now(transfer);
        if (sent == 0)
            return 0;
        if (sent > 0) {
            count(transfer, (size_t)sent);
            if (transfer->left && jg_yield() < 0)
                return -1;
        } else if ((errno == EINVAL || errno == ENOSYS) && !transfer->sent) {
            return 1;
        } else if (errno == EAGAIN ? jg__wait_for_fd(transfer->fd, POLLOUT, call) < 0 : errno != EINTR) {
            return -1;
        }
    }
    return 0;
}

static int send_by_copying(struct transfer *transfer, char *buffer)
{
    while (transfer->left) {
        ssize_t bytes = pread(transfer->file, buffer, next_step(transfer, COPY), transfer->offset);
        if (bytes <= 0)
            return (int)bytes;
        size_t sent = jg__sock_send_all(transfer->fd, buffer, (size_t)bytes, call);
        transfer->offset += bytes;
        count(transfer, sent);
        if (sent < (size_t)bytes || (transfer->left && jg_yield() < 0))
            return -1;
    }
    return 0;
}

static int copy(struct transfer *transfer)
{
    char *buffer = jg__allocate(COPY);
    int result = buffer ? send_by_copying(transfer, buffer) : -1;
    jg__release(buffer);
    return result;
}

ssize_t jg_sock_sendfile(int fd, int file, off_t offset, size_t bytes)
{
    struct transfer transfer = {
        .fd = fd, .file = file, .offset = offset, .left = bytes && bytes < SSIZE_MAX ? bytes : SSIZE_MAX};
    int saved = errno;
    if (jg__enter_wait(call) < 0)
        return -1;
    if (offset < 0)
        return jg_fail(EINVAL, "%s: the offset is negative", call);
    int result = send_by_kernel(&transfer);
    if (result > 0)
        result = copy(&transfer);
    if (result < 0)
        return jg_fail(errno, "%s: after %zu bytes: %s", call, transfer.sent, strerror(errno));
    errno = saved;
    return (ssize_t)transfer.sent;
}
