/* The poller on epoll. An operation is tried first and waits for its fd only when that would block. The fd is
 * registered once, edge-triggered, and what is known of it is remembered: there may be something to read, there may be
 * room to write. Fds that are only polled may belong to somebody else, who may close them without a word: they are
 * registered anew for each operation. */
#include "base/diagnostics.h"
#include "base/memory.h"
#include "loop/internal.h"
#include "loop/perform.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { PAGE = 128, EVENTS = 256, SCRATCH = 64 * 1024, ACCEPTS = 32 };

enum fd_flags {
    EDGE = 1,     /* registered edge-triggered */
    READABLE = 2, /* while EDGE: there may be something to read */
    WRITABLE = 4, /* there may be room */
    HANG_UP = 8,  /* the end was announced: no further event will announce it */
    STREAM = 16,  /* while EDGE: a receive that does not fill its buffer has emptied the socket */
};

/* Operations of ours: a connect was started. */
enum { STARTED = JG__POLLER_FLAG };

struct fd_state {
    jg_handle waiting; /* the handles of the operations that wait for an event */
    uint32_t level;    /* not EDGE: the events it is registered for */
    unsigned char flags;
};

struct epoll {
    int fd;
    bool no_pwait2; /* the kernel, or a filter, has none */
    struct fd_state **pages;
    size_t page_count;
    char scratch[SCRATCH]; /* where data is received for owners that offer nothing */
};

static struct epoll *epoll_of(const jg_loop *loop)
{
    return loop->poller_state;
}

static jg_operation *operation_of(jg_handle *handle)
{
    return jg__container_of(handle, jg_operation, handle);
}

/* ---- What is known of an fd ---- */

static struct fd_state *find_state(const struct epoll *epoll, int fd)
{
    size_t page = (size_t)fd / PAGE;
    return fd >= 0 && page < epoll->page_count && epoll->pages[page] ? &epoll->pages[page][fd % PAGE] : NULL;
}

static struct fd_state *make_state(struct epoll *epoll, int fd)
{
    size_t page = (size_t)fd / PAGE;
    if (page >= epoll->page_count) {
        size_t count = page * 2 + 1;
        struct fd_state **larger = jg__reallocate(epoll->pages, count * sizeof *larger);
        if (!larger)
            return NULL;
        memset(larger + epoll->page_count, 0, (count - epoll->page_count) * sizeof *larger);
        epoll->pages = larger;
        epoll->page_count = count;
    }
    struct fd_state *states = jg__allocate_zeroed(PAGE * sizeof *states);
    if (!states)
        return NULL;
    for (int i = 0; i < PAGE; i++)
        jg__queue_init(&states[i].waiting);
    epoll->pages[page] = states;
    return &states[fd % PAGE];
}

/* ---- Registering ---- */

/* Registers the fd for these events, whether it is registered already or not. Returns 0 or a negated errno. */
static int control(jg_loop *loop, int fd, uint32_t events, bool registered)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    for (int attempt = 0; attempt < 2; attempt++, registered = !registered) {
        loop->statistics.registrations++;
        if (epoll_ctl(epoll_of(loop)->fd, registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) == 0)
            return 0;
        if (errno != (registered ? ENOENT : EEXIST))
            break;
    }
    return -errno;
}

/* One of a Unix socket may stop short before a message with ancillary data. */
static bool is_stream(int fd)
{
    int protocol = 0;
    return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &(socklen_t){sizeof protocol}) == 0 &&
           protocol == IPPROTO_TCP;
}

static int register_edge(jg_loop *loop, struct fd_state *state, int fd)
{
    if (state->flags & EDGE)
        return 0;
    uint32_t events = (uint32_t)EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | (uint32_t)EPOLLET;
    int result = control(loop, fd, events, state->level != 0);
    if (result == 0)
        state->flags = EDGE | WRITABLE | (is_stream(fd) ? STREAM : 0); /* an event will tell whether it is readable */
    if (result == -EPERM)
        state->flags = EDGE | READABLE | WRITABLE | HANG_UP; /* a file, which is always ready */
    state->level = 0;
    return result == -EPERM ? 0 : result;
}

/* What the waiting polls want to hear of; one that does not own its fd makes it a registration for one event. */
static uint32_t wanted_events(const struct fd_state *state)
{
    uint32_t events = 0;
    for (jg_handle *handle = state->waiting.next; handle != &state->waiting; handle = handle->next) {
        const jg_operation *operation = operation_of(handle);
        events |= (uint32_t)(unsigned short)operation->events;
        if (!(operation->flags & JG__OWN_FD))
            events |= EPOLLONESHOT;
    }
    return events;
}

/* Adapts the registration of an fd that is only polled. Events that nobody wants any more stay registered until one
 * comes, unless `exactly`. */
static int register_level(jg_loop *loop, struct fd_state *state, int fd, bool exactly)
{
    uint32_t wanted = wanted_events(state);
    if (state->level == wanted ||
        (!exactly && !(wanted & EPOLLONESHOT) && (state->level & wanted) == wanted && !(state->level & EPOLLONESHOT)))
        return 0;
    int result = 0;
    if (wanted)
        result = control(loop, fd, wanted, state->level != 0);
    else
        epoll_ctl(epoll_of(loop)->fd, EPOLL_CTL_DEL, fd, NULL); /* fails if it was closed: just as well */
    state->level = result == 0 ? wanted : 0;
    return result;
}

/* ---- Performing ---- */

static void perform(void *arg);

static void wait_for_event(struct fd_state *state, jg_operation *operation)
{
    jg__queue_append(&state->waiting, &operation->handle);
}

static void perform_soon(jg_loop *loop, jg_operation *operation)
{
    operation->handle.fn = perform;
    operation->handle.arg = operation;
    jg__queue_append(&loop->ready, &operation->handle);
}

static unsigned char direction_of(const jg_operation *operation)
{
    return operation->opcode == JG_OP_RECV || operation->opcode == JG_OP_ACCEPT || operation->opcode == JG_OP_READ
               ? READABLE
               : WRITABLE;
}

/* A system call would have blocked, or did less than it was asked for: nothing more until the next event. */
static void exhausted(struct fd_state *state, unsigned char direction)
{
    if (!(state->flags & HANG_UP))
        state->flags &= (unsigned char)~direction;
}

/* A receive of messages brings one at a time, whatever the room. */
static void received(struct fd_state *state, int result, size_t room)
{
    if (result == JG__AGAIN || (state->flags & STREAM && result >= 0 && (size_t)result < room))
        exhausted(state, READABLE);
}

static bool may_succeed(const struct fd_state *state, unsigned char direction)
{
    return !(state->flags & EDGE) || state->flags & direction;
}

static bool attempt(jg_loop *loop, jg_operation *operation)
{
    struct fd_state *state = find_state(epoll_of(loop), operation->fd);
    unsigned char direction = direction_of(operation);
    if (state && !may_succeed(state, direction))
        return false;
    int result = jg__perform(operation, operation->flags & STARTED);
    if (state && operation->opcode == JG_OP_RECV)
        received(state, result, operation->length);
    else if (state && result == JG__AGAIN)
        exhausted(state, direction);
    if (result == JG__AGAIN)
        return false;
    operation->result = result;
    return true;
}

/* For an operation that would block: has its fd registered and lets it wait. */
static void park(jg_loop *loop, struct fd_state *state, jg_operation *operation)
{
    operation->flags |= STARTED;
    int result = register_edge(loop, state, operation->fd);
    if (result < 0)
        jg__operation_complete(loop, operation, result);
    else if (operation->multishot && may_succeed(state, READABLE))
        perform_soon(loop, operation);
    else
        wait_for_event(state, operation);
}

/* One receive; what it brings is handed to the owner, who may cancel the operation, so that its place in the queues
 * is settled first. */
static void receive_more(jg_loop *loop, struct fd_state *state, jg_operation *operation)
{
    size_t length = 0;
    void *buffer = operation->offer ? operation->offer(operation, &length) : NULL;
    if (!buffer || !length) {
        buffer = epoll_of(loop)->scratch;
        length = SCRATCH;
    }
    int result = jg__receive(operation, buffer, length);
    received(state, result, length);
    if (result <= 0 && result != JG__AGAIN) {
        jg__operation_done(operation, result);
        return;
    }
    park(loop, state, operation);
    if (result == JG__AGAIN)
        return;
    operation->buffer = buffer;
    operation->length = (size_t)result;
    operation->more = true;
    operation->done(operation, result);
}

static void accept_more(jg_loop *loop, struct fd_state *state, jg_operation *operation)
{
    park(loop, state, operation);
    for (int i = 0; i < ACCEPTS && operation->state == JG__SUBMITTED && !(operation->flags & JG__CANCELLED); i++) {
        int result = jg__accept(operation->fd, NULL, NULL);
        if (result == JG__AGAIN) {
            exhausted(state, READABLE);
            jg__queue_remove(&operation->handle);
            wait_for_event(state, operation);
            return;
        }
        if (result < 0) {
            jg__queue_remove(&operation->handle);
            jg__operation_done(operation, result);
            return;
        }
        operation->more = true;
        operation->done(operation, result);
    }
}

/* Runs from the ready queue: the operation's fd has become ready. */
static void perform(void *arg)
{
    jg_operation *operation = arg;
    jg_loop *loop = jg_get_running_loop();
    struct fd_state *state = find_state(epoll_of(loop), operation->fd);
    if (operation->multishot && !may_succeed(state, READABLE))
        wait_for_event(state, operation);
    else if (operation->multishot && operation->opcode != JG_OP_ACCEPT)
        receive_more(loop, state, operation);
    else if (operation->multishot)
        accept_more(loop, state, operation);
    else if (attempt(loop, operation))
        jg__operation_done(operation, operation->result);
    else
        wait_for_event(state, operation);
}

/* ---- The table ---- */

static int open_epoll(jg_loop *loop, const jg_loop_options *options)
{
    (void)options;
    struct epoll *epoll = jg__allocate_zeroed(sizeof *epoll);
    if (!epoll)
        return -1;
    epoll->fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll->fd < 0) {
        jg__release(epoll);
        return -1;
    }
    loop->poller_state = epoll;
    return 0;
}

static int start_epoll(jg_loop *loop)
{
    (void)loop;
    return 0;
}

static void close_epoll(jg_loop *loop)
{
    struct epoll *epoll = epoll_of(loop);
    close(epoll->fd);
    for (size_t i = 0; i < epoll->page_count; i++)
        jg__release(epoll->pages[i]);
    jg__release(epoll->pages);
    jg__release(epoll);
}

static void submit_poll(jg_loop *loop, struct fd_state *state, jg_operation *operation)
{
    int result = 0;
    if (state->flags & EDGE && (result = jg__perform(operation, false)) != JG__AGAIN) {
        jg__operation_complete(loop, operation, result);
        return;
    }
    wait_for_event(state, operation);
    if (!(state->flags & EDGE) && (result = register_level(loop, state, operation->fd, false)) < 0) {
        jg__queue_remove(&operation->handle);
        jg__operation_complete(loop, operation, result);
    }
}

static void submit_epoll(jg_loop *loop, jg_operation *operation)
{
    struct epoll *epoll = epoll_of(loop);
    struct fd_state *state = find_state(epoll, operation->fd);
    if (!state && operation->fd >= 0)
        state = make_state(epoll, operation->fd);
    if (!state)
        jg__operation_complete(loop, operation, operation->fd < 0 ? -EBADF : -ENOMEM);
    else if (operation->opcode == JG_OP_POLL)
        submit_poll(loop, state, operation);
    else if (!operation->multishot && attempt(loop, operation))
        jg__operation_complete(loop, operation, operation->result);
    else
        park(loop, state, operation);
}

static void cancel_epoll(jg_loop *loop, jg_operation *operation)
{
    struct fd_state *state = find_state(epoll_of(loop), operation->fd);
    jg__queue_remove(&operation->handle);
    if (operation->opcode == JG_OP_POLL && !(state->flags & EDGE))
        register_level(loop, state, operation->fd, true);
    bool sent = direction_of(operation) == WRITABLE && operation->result > 0;
    jg__operation_complete(loop, operation, sent ? operation->result : -ECANCELED);
}

static void forget_epoll(jg_loop *loop, int fd, bool shared)
{
    struct fd_state *state = find_state(epoll_of(loop), fd);
    if (state && shared && (state->flags & EDGE || state->level)) /* to close it is not enough */
        epoll_ctl(epoll_of(loop)->fd, EPOLL_CTL_DEL, fd, NULL);
    if (state) {
        state->flags = 0;
        state->level = 0;
    }
}

/* Does the operation run now that these events hold? */
static bool concerns(const jg_operation *operation, uint32_t events)
{
    uint32_t fault = EPOLLERR | EPOLLHUP;
    if (operation->opcode == JG_OP_POLL)
        return events & ((uint32_t)(unsigned short)operation->events | fault);
    return events & (direction_of(operation) == READABLE ? EPOLLIN | EPOLLRDHUP | EPOLLPRI | fault : EPOLLOUT | fault);
}

static void remember(struct fd_state *state, uint32_t events)
{
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        state->flags |= READABLE;
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        state->flags |= WRITABLE;
    if (events & (EPOLLRDHUP | EPOLLHUP)) /* not for an error alone: that of a datagram is over when it was told */
        state->flags |= HANG_UP;
    if (events & EPOLLPRI) /* a receive stops short at urgent data */
        state->flags &= (unsigned char)~STREAM;
}

static void event_for(jg_loop *loop, jg_operation *operation, uint32_t events)
{
    uint32_t asked = (uint32_t)(unsigned short)operation->events | EPOLLERR | EPOLLHUP;
    jg__queue_remove(&operation->handle);
    if (operation->opcode == JG_OP_POLL)
        jg__operation_complete(loop, operation, (int)(events & asked));
    else
        perform_soon(loop, operation);
}

static void dispatch(jg_loop *loop, int fd, uint32_t events)
{
    struct fd_state *state = find_state(epoll_of(loop), fd);
    bool expected = false;
    remember(state, events);
    for (jg_handle *handle = state->waiting.next, *next; handle != &state->waiting; handle = next) {
        next = handle->next;
        if (!concerns(operation_of(handle), events))
            continue;
        event_for(loop, operation_of(handle), events);
        expected = true;
    }
    if (state->flags & EDGE)
        return;
    bool disarmed = state->level & EPOLLONESHOT;
    if (disarmed)
        state->level = EPOLLONESHOT; /* still registered, for nothing */
    if (disarmed ? !jg__queue_empty(&state->waiting) : !expected)
        register_level(loop, state, fd, true);
}

static int wait_for_events(struct epoll *epoll, struct epoll_event *events, int64_t timeout)
{
    if (timeout > 0 && timeout != JG__NEVER && !epoll->no_pwait2) {
        struct timespec time = {.tv_sec = timeout / JG__SECOND, .tv_nsec = timeout % JG__SECOND};
        int count = epoll_pwait2(epoll->fd, events, EVENTS, &time, NULL);
        if (count >= 0 || (errno != ENOSYS && errno != EPERM))
            return count;
        epoll->no_pwait2 = true;
    }
    int milliseconds = timeout == JG__NEVER               ? -1
                       : timeout / 1000000 >= INT_MAX - 1 ? INT_MAX
                                                          : (int)((timeout + 999999) / 1000000);
    return epoll_wait(epoll->fd, events, EVENTS, milliseconds);
}

static int poll_epoll(jg_loop *loop, int64_t timeout)
{
    struct epoll_event events[EVENTS];
    loop->statistics.polls++;
    int count = wait_for_events(epoll_of(loop), events, timeout);
    if (count < 0)
        return -1;
    loop->statistics.completions += (uint64_t)count;
    for (int i = 0; i < count; i++)
        dispatch(loop, events[i].data.fd, events[i].events);
    return 0;
}

static void flush_epoll(jg_loop *loop)
{
    (void)loop; /* nothing is held back */
}

static int epoll_fileno(const jg_loop *loop)
{
    return epoll_of(loop)->fd;
}

const struct jg__poller jg__epoll = {
    .name = "epoll",
    .open = open_epoll,
    .start = start_epoll,
    .close = close_epoll,
    .submit = submit_epoll,
    .cancel = cancel_epoll,
    .attempt = attempt,
    .forget = forget_epoll,
    .poll = poll_epoll,
    .flush = flush_epoll,
    .fileno = epoll_fileno,
};
