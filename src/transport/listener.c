/* Listening sockets. When fds run out, a listener stops accepting and stands in the loop's list of listeners without
 * fds, until an fd of the loop's is closed or a short time is over. */
#include "base/options.h"
#include "transport/internal.h"
#include "transport/socket.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REPORT_SECONDS = 60 };
static const double RETRY_SECONDS = 0.1;

struct jg_listener {
    struct jg__resident resident;
    struct jg__list without_fds; /* in the loop's list while it backs off */
    jg_loop *loop;
    jg_accept_fn accepted;
    void *arg;
    int fd;
    struct jg__unix_file file;
    bool accepting; /* the operation is under way */
    bool paused;
    bool closed;
    bool shared;      /* others may listen on the same socket */
    int64_t reported; /* when fds ran out and it was said; 0: never */
    jg_timer retry;
    jg_operation accept;
};

static void arrived(jg_operation *operation, int result);

static void start_accepting(jg_listener *listener)
{
    if (listener->paused || listener->closed || listener->accepting || jg__listed(&listener->without_fds))
        return;
    listener->accepting = true;
    listener->accept = (jg_operation){
        .opcode = JG_OP_ACCEPT,
        .fd = listener->fd,
        .done = arrived,
        .arg = listener,
        .multishot = true,
    };
    jg_submit(listener->loop, &listener->accept);
}

/* ---- Without fds ---- */

static void stop_backing_off(jg_listener *listener)
{
    if (jg__listed(&listener->without_fds))
        jg__list_remove(&listener->without_fds);
    jg_timer_cancel(listener->loop, &listener->retry);
}

static void try_again(void *arg)
{
    jg_listener *listener = arg;
    stop_backing_off(listener);
    start_accepting(listener);
}

static void report(jg_listener *listener, int error)
{
    int64_t now = listener->loop->now;
    if (listener->reported && now - listener->reported < REPORT_SECONDS * JG__SECOND)
        return;
    listener->reported = now;
    jg__report(NULL, error, "accept on fd %d: %s: the listener stays and tries again", listener->fd, strerror(error));
}

static void back_off(jg_listener *listener, int error)
{
    report(listener, error);
    if (jg__listed(&listener->without_fds))
        return;
    jg__list_append(&listener->loop->listeners_without_fds, &listener->without_fds);
    jg_call_later(listener->loop, &listener->retry, RETRY_SECONDS);
}

void jg__listeners_retry(jg_loop *loop)
{
    struct jg__list waiting;
    jg__list_init(&waiting);
    jg__list_splice(&waiting, &loop->listeners_without_fds);
    while (!jg__list_empty(&waiting)) {
        jg_listener *listener = jg__container_of(waiting.next, jg_listener, without_fds);
        try_again(listener);
    }
}

/* ---- Accepting ---- */

static void free_listener(jg_listener *listener)
{
    stop_backing_off(listener);
    jg_forget_fd(listener->loop, listener->fd);
    close(listener->fd);
    jg__list_remove(&listener->resident.node);
    jg__listeners_retry(listener->loop);
    jg__release(listener);
}

static void arrived(jg_operation *operation, int result)
{
    jg_listener *listener = operation->arg;
    if (result >= 0 && listener->closed)
        close(result);
    else if (result >= 0)
        listener->accepted(listener, result, listener->arg);
    else if (result != -ECANCELED && !listener->closed)
        back_off(listener, -result);
    if (operation->more)
        return;
    listener->accepting = false; /* not before: the callee may close the listener */
    if (listener->closed)
        free_listener(listener);
    else
        start_accepting(listener);
}

void jg_listener_pause(jg_listener *listener)
{
    listener->paused = true;
    stop_backing_off(listener);
    if (listener->accepting)
        jg_cancel_operation(listener->loop, &listener->accept);
}

void jg_listener_resume(jg_listener *listener)
{
    listener->paused = false;
    start_accepting(listener);
}

/* ---- Life ---- */

static void evict(struct jg__resident *resident)
{
    jg_listener *listener = jg__container_of(resident, jg_listener, resident);
    jg__unix_unlink(listener->fd, listener->file);
    close(listener->fd);
    jg__release(listener);
}

static jg_listener *new_listener(jg_loop *loop, jg_accept_fn accepted, void *arg, bool paused)
{
    jg_listener *listener = jg__allocate_zeroed(sizeof *listener);
    if (!listener) {
        jg_fail(ENOMEM, "jg_listen: out of memory");
        return NULL;
    }
    listener->loop = loop;
    listener->accepted = accepted;
    listener->arg = arg;
    listener->paused = paused;
    listener->retry.handle.fn = try_again;
    listener->retry.handle.arg = listener;
    listener->resident.evict = evict;
    return listener;
}

/* From here on the loop frees it, if nobody else does. A socket that was listening already may be shared with whoever
 * handed it over: a parent, another worker, systemd. */
static jg_listener *start_listener(jg_listener *listener, int fd, bool shared)
{
    listener->fd = fd;
    listener->shared = shared;
    jg__list_append(&listener->loop->residents, &listener->resident.node);
    start_accepting(listener);
    return listener;
}

jg_listener *jg_listen_with(jg_loop *loop, const struct sockaddr *address, socklen_t length, jg_accept_fn accepted,
                            void *arg, const jg_listener_options *options)
{
    jg_listener_options whole;
    options = jg__whole_options(options, &whole, sizeof whole);
    jg_listener *listener = new_listener(loop, accepted, arg, options->paused);
    int fd = listener ? jg__socket_listen(address, length, options, &listener->file) : -1;
    if (fd >= 0)
        return start_listener(listener, fd, false);
    jg__release(listener);
    return NULL;
}

jg_listener *jg_listen_fd_with(jg_loop *loop, int fd, jg_accept_fn accepted, void *arg,
                               const jg_listener_options *options)
{
    jg_listener_options whole;
    options = jg__whole_options(options, &whole, sizeof whole);
    if (jg__socket_adopt_listening(fd) < 0)
        return NULL;
    jg_listener *listener = new_listener(loop, accepted, arg, options->paused);
    return listener ? start_listener(listener, fd, true) : NULL;
}

void jg_listener_close(jg_listener *listener)
{
    if (!listener || listener->closed)
        return;
    int saved = errno;
    listener->closed = true;
    jg__unix_unlink(listener->fd, listener->file);
    if (!listener->shared)
        shutdown(listener->fd, SHUT_RD); /* at once, though the kernel may hold on to the accept for a while */
    if (listener->accepting)
        jg_cancel_operation(listener->loop, &listener->accept);
    else
        free_listener(listener);
    errno = saved;
}

/* ---- Questions ---- */

int jg_listener_fileno(const jg_listener *listener)
{
    return listener->fd;
}

int jg_listener_port(const jg_listener *listener)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
    socklen_t length = sizeof address;
    int saved = errno;
    if (getsockname(listener->fd, &address.any, &length) < 0)
        address.any.sa_family = AF_UNSPEC;
    errno = saved;
    switch (address.any.sa_family) {
    case AF_INET:
        return ntohs(address.v4.sin_port);
    case AF_INET6:
        return ntohs(address.v6.sin6_port);
    default:
        return 0;
    }
}
