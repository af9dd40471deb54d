#include "stream/fds.h"

#include "base/memory.h"
#include "stream/input.h"
#include "stream/reader.h"
#include "stream/special.h"
#include "stream/write.h"

#include <fcntl.h>
#include <juggle/unix.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* In the order in which they came. */
struct jg__fds {
    int count;
    struct {
        int fd;       /* or a negated errno: it is lost */
        size_t ahead; /* unread bytes up to and including the one that it came with; 0: that was read */
    } list[JG__FDS_MOST];
};

static void drop(int fd)
{
    if (fd >= 0)
        close(fd);
}

void jg__fds_received(jg_transport *transport, void *arg, int fd)
{
    (void)transport;
    struct jg__stream *stream = arg;
    if (!stream->fds)
        stream->fds = jg__allocate_zeroed(sizeof *stream->fds);
    if (!stream->fds || stream->fds->count == JG__FDS_MOST) {
        drop(fd);
        if (!stream->fds)
            jg__stream_lose_input(stream);
        return;
    }
    int last = stream->fds->count++;
    stream->fds->list[last].fd = fd;
    stream->fds->list[last].ahead = jg__input_count(stream);
}

void jg__fds_pass(struct jg__fds *fds, size_t bytes)
{
    for (int i = 0; i < fds->count; i++)
        fds->list[i].ahead -= bytes < fds->list[i].ahead ? bytes : fds->list[i].ahead;
}

void jg__fds_free(struct jg__fds *fds)
{
    for (int i = 0; fds && i < fds->count; i++)
        drop(fds->list[i].fd);
    jg__release(fds);
}

/* ---- Receiving ---- */

static bool is_there(const struct jg__stream *stream)
{
    return stream->fds && stream->fds->count;
}

static int take(struct jg__stream *stream, const char *call)
{
    struct jg__fds *fds = stream->fds;
    int fd = fds->list[0].fd;
    bool byte = fds->list[0].ahead == 1;
    memmove(fds->list, fds->list + 1, (size_t)--fds->count * sizeof *fds->list);
    if (byte)
        jg__input_drop(stream, 1);
    return fd < 0 ? jg_fail(-fd, "%s: an fd came, and got lost: %s", call, strerror(-fd)) : fd;
}

int jg_recv_fd(jg_stream *handle)
{
    static const char call[] = "jg_recv_fd";
    struct jg__stream *stream = jg__reader_enter(handle, call);
    if (!stream)
        return -1;
    if (!(stream->transport.kind & JG__RECEIVES_FDS))
        return jg_fail(EOPNOTSUPP, "%s: the stream was not made with receive_fds", call);
    if (!is_there(stream) && !jg__input_count(stream) && !stream->at_end) {
        int result = jg__reader_wait_buffered(stream, 1, call);
        if (result < 0)
            return jg__wait_failed(call, -result);
    }
    if (is_there(stream))
        return take(stream, call);
    if (jg__input_count(stream))
        return jg_fail(ENOMSG, "%s: what came next are %zu bytes without an fd", call, jg__input_count(stream));
    if (jg__reader_error(stream, call) < 0)
        return -1;
    return jg_fail(ENODATA, "%s: the end came before an fd", call);
}

/* ---- Sending ---- */

int jg_send_fd(jg_stream *handle, int fd)
{
    static const char call[] = "jg_send_fd";
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))}};
    struct jg__stream *stream = jg__writer_enter(handle, call);
    if (!stream)
        return -1;
    int domain = AF_UNSPEC;
    if (!jg__is_plain(stream) ||
        getsockopt(stream->transport.fd, SOL_SOCKET, SO_DOMAIN, &domain, &(socklen_t){sizeof domain}) < 0 ||
        domain != AF_UNIX)
        return jg_fail(EOPNOTSUPP, "%s: not a plain Unix socket", call);
    if (fcntl(fd, F_GETFD) < 0)
        return jg_fail(EBADF, "%s: fd %d is not open", call, fd);
    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    char byte = 0;
    struct iovec vector = {&byte, 1};
    struct jg__direct_write write = {
        .vector = &vector, .count = 1, .control = &control, .control_length = sizeof control.bytes};
    size_t sent;
    return jg__write_specially(stream, &write, 1, &sent, call) < 0 ? -1 : 0;
}
