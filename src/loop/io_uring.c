/* The poller on io_uring. Operations are submitted once a turn, by the call that waits. Multishot operations stay in
 * the kernel; what they receive lands in buffers shared by all connections, so that an idle one holds none. */
#ifdef HAVE_LIBURING
#include "loop/perform.h"
#include "loop/uring.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

/* ---- Handing operations to the kernel ---- */

struct io_uring_sqe *jg__uring_slot(struct jg__uring *uring)
{
    struct io_uring_sqe *slot = io_uring_get_sqe(&uring->io);
    if (slot || !uring->enabled)
        return slot;
    io_uring_submit(&uring->io); /* if that fails, the slots stay filled: they are the kernel's */
    return io_uring_get_sqe(&uring->io);
}

static void fill_receive(struct jg__uring *uring, struct io_uring_sqe *slot, jg_operation *operation)
{
    if (!operation->multishot) {
        io_uring_prep_recv(slot, operation->fd, operation->buffer, jg__clamp(operation->length), 0);
        return;
    }
    bool bulk = operation->flags & JG__BULK;
    if (bulk) {
        io_uring_prep_recv(slot, operation->fd, NULL, uring->large.buffer_size, 0);
        operation->flags |= JG__BULK_ARMED;
    } else {
        io_uring_prep_recv_multishot(slot, operation->fd, NULL, 0, 0);
        operation->flags &= (unsigned char)~JG__BULK_ARMED;
    }
    slot->flags |= IOSQE_BUFFER_SELECT;
    slot->buf_group = bulk ? uring->large.group : uring->small.group;
}

/* The first attempt does not wait for room and has no completion when all was sent: it is over when the call that
 * submits returns, and need not wake the loop. */
static void fill_send(struct jg__uring *uring, struct io_uring_sqe *slot, jg_operation *operation)
{
    bool quick = !(operation->flags & JG__FULL);
    int flags = MSG_NOSIGNAL | MSG_WAITALL | (quick ? MSG_DONTWAIT : 0);
    size_t sent = (size_t)operation->result;
    if (operation->opcode == JG_OP_SEND)
        io_uring_prep_send(slot, operation->fd, (char *)operation->buffer + sent, jg__send_left(operation), flags);
    else
        io_uring_prep_sendmsg(slot, operation->fd, operation->message, (unsigned)flags);
    if (!quick)
        return;
    slot->flags |= IOSQE_CQE_SKIP_SUCCESS;
    operation->flags |= JG__QUICK;
    uring->hurried |= !(operation->flags & JG__LAZY);
    jg__queue_append(&uring->quick, &operation->handle);
}

static void fill(struct jg__uring *uring, struct io_uring_sqe *slot, jg_operation *operation)
{
    int accept_flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
    if (operation->opcode == (jg_opcode)JG__OP_RING) {
        struct jg__ring_operation *ring = jg__container_of(operation, struct jg__ring_operation, operation);
        ring->prepare(ring, slot);
        return;
    }
    switch (operation->opcode) {
    case JG_OP_POLL:
        io_uring_prep_poll_add(slot, operation->fd, (unsigned short)operation->events);
        break;
    case JG_OP_ACCEPT:
        if (operation->multishot)
            io_uring_prep_multishot_accept(slot, operation->fd, NULL, NULL, accept_flags);
        else
            io_uring_prep_accept(slot, operation->fd, NULL, NULL, accept_flags);
        break;
    case JG_OP_CONNECT:
        io_uring_prep_connect(slot, operation->fd, operation->address, operation->address_length);
        break;
    case JG_OP_RECV:
        fill_receive(uring, slot, operation);
        break;
    case JG_OP_SEND:
    case JG_OP_SENDMSG:
        fill_send(uring, slot, operation);
        break;
    case JG_OP_READ:
        io_uring_prep_poll_add(slot, operation->fd, POLLIN);
        break;
    case JG_OP_WRITE:
    case JG_OP_WRITEV:
    case JG_OP_SENDFILE:
        io_uring_prep_poll_add(slot, operation->fd, POLLOUT);
        break;
    }
}

void jg__uring_arm(jg_loop *loop, jg_operation *operation)
{
    struct jg__uring *uring = jg__uring_of(loop);
    struct io_uring_sqe *slot = jg__uring_slot(uring);
    if (!slot) {
        jg__queue_append(&uring->backlog, &operation->handle);
        return;
    }
    fill(uring, slot, operation);
    io_uring_sqe_set_data(slot, operation);
    operation->flags |= JG__ARMED;
    uring->in_kernel++;
    loop->statistics.multishots_armed += operation->multishot;
}

/* The cancellation's own completion carries no operation: the operation's tells how it ended. */
void jg__uring_ask_to_cancel(jg_loop *loop, jg_operation *operation)
{
    struct io_uring_sqe *slot = jg__uring_slot(jg__uring_of(loop));
    if (!slot) {
        jg__queue_append(&jg__uring_of(loop)->backlog, &operation->handle);
        return;
    }
    io_uring_prep_cancel(slot, operation, 0);
    io_uring_sqe_set_data(slot, NULL);
}

/* As epoll has it: a file that is always ready cannot be polled. */
static bool cannot_be_polled(const jg_operation *operation)
{
    struct stat status;
    return operation->opcode == JG_OP_POLL && !(operation->flags & JG__OWN_FD) && fstat(operation->fd, &status) == 0 &&
           (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode));
}

static void submit_operation(jg_loop *loop, jg_operation *operation)
{
    if (cannot_be_polled(operation))
        jg__operation_complete(loop, operation, -EPERM);
    else if (jg__is_performed_here(operation))
        jg__uring_submit_file(loop, operation);
    else
        jg__uring_arm(loop, operation);
}

static bool is_send(const jg_operation *operation)
{
    return operation->opcode == JG_OP_SEND || operation->opcode == JG_OP_SENDMSG;
}

static bool is_multishot(const jg_operation *operation)
{
    return operation->multishot && !jg__is_performed_here(operation);
}

/* Nothing is to be done for an operation that ends by itself now: a quick send, a multishot that is being cancelled
 * already or whose last completion is in a record. */
static void cancel_operation(jg_loop *loop, jg_operation *operation)
{
    bool armed = operation->flags & JG__ARMED;
    bool ends = operation->flags & (is_send(operation) ? JG__QUICK : is_multishot(operation) ? JG__SWITCHING : 0);
    if (armed && !ends) {
        jg__uring_ask_to_cancel(loop, operation);
    } else if (!armed && operation->handle.next) { /* it waits for a slot or a buffer */
        jg__queue_remove(&operation->handle);
        int sent = operation->result;
        jg__operation_complete(loop, operation, sent > 0 ? sent : -ECANCELED);
    }
}

static void retry(jg_loop *loop, jg_handle *queue)
{
    jg_handle *last = queue->previous;
    while (!jg__queue_empty(queue)) {
        jg_handle *handle = queue->next;
        jg_operation *operation = jg__operation_of(handle);
        jg__queue_remove(handle);
        if (operation->flags & JG__ARMED)
            jg__uring_ask_to_cancel(loop, operation);
        else
            jg__uring_arm(loop, operation);
        if (handle == last)
            return;
    }
}

/* ---- Completions ---- */

static void complete_send(jg_loop *loop, jg_operation *operation, int result)
{
    bool cancelled = operation->flags & JG__CANCELLED;
    operation->flags &= (unsigned char)~JG__QUICK;
    /* EAGAIN: a quick one found no room; or one that waited was woken for too little of it too often, and was given up.
     */
    bool goes_on = result > 0 ? jg__send_goes_on(operation, (size_t)result) : result == -EAGAIN;
    if (goes_on && !cancelled) {
        operation->flags |= JG__FULL;
        jg__uring_arm(loop, operation);
    } else if (operation->result > 0) {
        jg__operation_complete(loop, operation, operation->result);
    } else {
        jg__operation_complete(loop, operation, goes_on ? -ECANCELED : result);
    }
}

static bool handle_completion(jg_loop *loop, const struct io_uring_cqe *completion)
{
    jg_operation *operation = io_uring_cqe_get_data(completion);
    if (!operation)
        return true;
    if (is_multishot(operation) && !jg__multishot_record(loop, operation, completion))
        return false;
    loop->statistics.completions++;
    if (completion->flags & IORING_CQE_F_MORE)
        return true;
    operation->flags &= (unsigned char)~JG__ARMED;
    jg__uring_of(loop)->in_kernel--;
    if (operation->handle.next) /* a quick send, or its cancellation waits for a slot */
        jg__queue_remove(&operation->handle);
    if (is_send(operation))
        complete_send(loop, operation, completion->res);
    else if (jg__is_performed_here(operation))
        jg__uring_file_polled(loop, operation, completion->res);
    else if (!operation->multishot)
        jg__operation_complete(loop, operation, completion->res);
    return true;
}

/* The quick sends that were handed to the kernel and have no completion have sent everything. */
static void complete_quick_sends(jg_loop *loop)
{
    struct jg__uring *uring = jg__uring_of(loop);
    while (!jg__queue_empty(&uring->quick)) {
        jg_operation *operation = jg__operation_of(uring->quick.next);
        jg__queue_remove(&operation->handle);
        operation->flags &= (unsigned char)~(JG__ARMED | JG__QUICK);
        uring->in_kernel--;
        jg__operation_complete(loop, operation, operation->result + (int)jg__send_left(operation));
    }
    uring->hurried = false;
}

/* ---- Polling ---- */

static bool kernel_has_work(const struct jg__uring *uring)
{
    unsigned flags = __atomic_load_n(uring->io.sq.kflags, __ATOMIC_RELAXED);
    return io_uring_sq_ready(&uring->io) || flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
}

/* One system call that submits, waits and has the kernel finish what it deferred; none if there is nothing to do. */
static int enter(jg_loop *loop, int64_t timeout)
{
    struct jg__uring *uring = jg__uring_of(loop);
    struct io_uring_cqe *completion;
    if (timeout == 0 || io_uring_cq_ready(&uring->io)) {
        if (!kernel_has_work(uring))
            return 0;
        loop->statistics.polls++;
        return io_uring_submit_and_get_events(&uring->io);
    }
    if (loop->hooks.interrupted && io_uring_sq_ready(&uring->io)) /* a call that also submits tells of no signal */
        io_uring_submit(&uring->io);
    struct __kernel_timespec time = {.tv_sec = timeout / JG__SECOND, .tv_nsec = timeout % JG__SECOND};
    loop->statistics.polls++;
    return io_uring_submit_and_wait_timeout(&uring->io, &completion, 1, timeout == JG__NEVER ? NULL : &time, NULL);
}

/* False: some completions have to stay where they are. */
static bool reap(jg_loop *loop)
{
    struct io_uring *io = &jg__uring_of(loop)->io;
    struct io_uring_cqe *completion;
    unsigned head, count = 0;
    bool all = true;
    io_uring_for_each_cqe(io, head, completion)
    {
        all = handle_completion(loop, completion);
        if (!all)
            break;
        count++;
    }
    io_uring_cq_advance(io, count);
    return all;
}

/* Takes what the last call brought. */
static void settle(jg_loop *loop)
{
    struct jg__uring *uring = jg__uring_of(loop);
    bool all = !jg__uring_unsettled(uring);
    if (reap(loop) && all)
        complete_quick_sends(loop);
}

/* What found no buffer or no slot. */
static void retry_the_waiting(jg_loop *loop)
{
    struct jg__uring *uring = jg__uring_of(loop);
    if (!jg__queue_empty(&uring->starved)) {
        bool small = jg__buffers_available(&uring->small), large = jg__buffers_available(&uring->large);
        if (small || large)
            retry(loop, &uring->starved);
    }
    retry(loop, &uring->backlog);
}

/* Also what waits: an outer loop may sleep after this, without a poll. */
static void flush_io_uring(jg_loop *loop)
{
    struct jg__uring *uring = jg__uring_of(loop);
    if (!uring->enabled)
        return;
    retry_the_waiting(loop);
    if (!io_uring_sq_ready(&uring->io))
        return;
    io_uring_submit(&uring->io);
    settle(loop);
}

static void drain(int event)
{
    int saved = errno;
    eventfd_t count;
    eventfd_read(event, &count); /* fails when there was no event */
    errno = saved;
}

/* Quick sends that are still to be submitted are no reason to stay awake, if nobody waits for them. */
static bool may_sleep(const struct jg__uring *uring)
{
    bool over = !jg__queue_empty(&uring->quick) && !io_uring_sq_ready(&uring->io);
    return !uring->hurried && !over && jg__queue_empty(&uring->backlog);
}

static int poll_io_uring(jg_loop *loop, int64_t timeout)
{
    struct jg__uring *uring = jg__uring_of(loop);
    if (uring->outer_event >= 0)
        drain(uring->outer_event);
    retry_the_waiting(loop);
    int result = enter(loop, may_sleep(uring) ? timeout : 0);
    settle(loop);
    if (result >= 0 || result == -ETIME || result == -EAGAIN || result == -EBUSY)
        return 0;
    errno = -result;
    return -1;
}

const struct jg__poller jg__io_uring = {
    .name = "io_uring",
    .open = jg__uring_open,
    .start = jg__uring_start,
    .close = jg__uring_close,
    .submit = submit_operation,
    .cancel = cancel_operation,
    .poll = poll_io_uring,
    .flush = flush_io_uring,
    .fileno = jg__uring_fileno,
};
#else
typedef int jg__no_io_uring; /* a translation unit is not empty */
#endif
