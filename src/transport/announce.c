/* Input that is only announced by the kernel and fetched here: that of Unix sockets whose fds are wanted, and that of
 * streams which are spliced. */
#include "transport/internal.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM = 16 * 1024 };

/* The fds that came with a message. */
struct fds {
    int count;
    int list[JG__FDS_MOST];
    bool lost; /* there was no room for all of them in this process */
};

/* What does not fit the control data was closed by the kernel. */
static void collect(struct msghdr *message, struct fds *fds)
{
    fds->count = 0;
    for (struct cmsghdr *each = CMSG_FIRSTHDR(message); each; each = CMSG_NXTHDR(message, each)) {
        if (each->cmsg_level != SOL_SOCKET || each->cmsg_type != SCM_RIGHTS)
            continue;
        size_t bytes = each->cmsg_len - CMSG_LEN(0);
        memcpy(fds->list + fds->count, CMSG_DATA(each), bytes);
        fds->count += (int)(bytes / sizeof(int));
    }
    fds->lost = message->msg_flags & MSG_CTRUNC && fds->count < JG__FDS_MOST;
}

static void hand_over(jg_transport *transport, const struct fds *fds)
{
    for (int i = 0; i < fds->count; i++)
        if (transport->phase == JG__TRANSPORT_OPEN && transport->protocol->fd_received)
            transport->protocol->fd_received(transport, transport->arg, fds->list[i]);
        else
            close(fds->list[i]);
    if (fds->lost && transport->phase == JG__TRANSPORT_OPEN && transport->protocol->fd_received)
        transport->protocol->fd_received(transport, transport->arg, -EMFILE);
}

/* A message with fds ends what one call receives: they belong to the last byte of it. */
static void receive_message(jg_transport *transport)
{
    char data[ROOM];
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(JG__FDS_MOST * sizeof(int))];
    struct iovec room = {data, sizeof data};
    struct msghdr message = {
        .msg_iov = &room, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct fds fds = {0};
    ssize_t count;
    do
        count = recvmsg(transport->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (count < 0 && errno == EINTR);
    if (count > 0)
        collect(&message, &fds);
    transport->input.buffer = data;
    jg__transport_received(&transport->input, count >= 0 ? (int)count : errno == EAGAIN ? -ECANCELED : -errno);
    hand_over(transport, &fds);
}

static void announced(jg_operation *operation, int result)
{
    jg_transport *transport = operation->arg;
    int saved = errno;
    bool wanted = transport->phase == JG__TRANSPORT_OPEN && !transport->reading_paused && result >= 0;
    if (wanted && transport->only_announced) {
        transport->receiving = false;
        transport->reading_paused = true;
        transport->owner->readable(transport, transport->arg);
    } else if (wanted && transport->kind & JG__RECEIVES_FDS) {
        receive_message(transport);
    } else { /* it is received in another way from now on */
        jg__transport_received(operation, result < 0 ? result : -ECANCELED);
    }
    errno = saved;
}

void jg__transport_announce(jg_transport *transport)
{
    transport->input = (jg_operation){
        .opcode = JG_OP_POLL, .fd = transport->fd, .done = announced, .arg = transport, .events = POLLIN};
    jg__submit(transport->loop, &transport->input, JG__OWN_FD);
}
