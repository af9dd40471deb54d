/* The poller on io_uring. Operations are submitted once a turn, by the call that waits. Multishot operations stay in
 * the kernel; what they receive lands in a ring of buffers shared by all connections, so that an idle one holds none.
 */
#ifdef HAVE_LIBURING
#include "base/diagnostics.h"
#include "base/memory.h"
#include "loop/buffer_ring.h"
#include "loop/internal.h"
#include "loop/perform.h"

#include <errno.h>
#include <liburing.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Flags of kernels newer than the headers, by number. */
#ifndef IORING_SETUP_DEFER_TASKRUN
#define IORING_SETUP_DEFER_TASKRUN (1U << 13)
#endif

enum { ENTRIES = 256, COMPLETIONS = 4096, RECORDS = 64 };

/* The kernel owes a completion. */
enum { ARMED = JG__POLLER_FLAG };

/* A completion of a multishot operation on its way through the ready queue; there may be many of one operation. */
struct record {
    struct jg__list node;
    jg_handle handle;
    jg_operation *operation; /* NULL while free */
    int result;
    unsigned flags;
};

struct record_block {
    struct record_block *next;
    struct record records[RECORDS];
};

struct ring {
    struct io_uring io;
    bool enabled;
    pid_t thread;      /* that enabled it: only that one may submit */
    size_t in_kernel;  /* completions that the kernel owes */
    jg_handle backlog; /* operations to be handed to the kernel, or cancelled, that found no slot */
    jg_handle starved; /* receives that found no buffer */
    struct jg__list free_records;
    struct record_block *record_blocks;
    struct jg__buffer_ring buffers;
    int outer_event; /* an eventfd for the loop around this one; -1 until it is asked for */
};

static struct ring *ring_of(const jg_loop *loop)
{
    return loop->poller_state;
}

static jg_operation *operation_of(jg_handle *handle)
{
    return jg__container_of(handle, jg_operation, handle);
}

/* ---- Handing operations to the kernel ---- */

static struct io_uring_sqe *get_slot(struct ring *ring)
{
    struct io_uring_sqe *slot = io_uring_get_sqe(&ring->io);
    if (slot || !ring->enabled)
        return slot;
    io_uring_submit(&ring->io); /* if that fails, the slots stay filled: they are the kernel's */
    return io_uring_get_sqe(&ring->io);
}

static void fill_receive(struct io_uring_sqe *slot, const jg_operation *operation)
{
    if (!operation->multishot) {
        io_uring_prep_recv(slot, operation->fd, operation->buffer, operation->length, 0);
        return;
    }
    io_uring_prep_recv_multishot(slot, operation->fd, NULL, 0, 0);
    slot->flags |= IOSQE_BUFFER_SELECT;
    slot->buf_group = JG__BUFFER_GROUP;
}

static void fill(struct io_uring_sqe *slot, const jg_operation *operation)
{
    int accept_flags = SOCK_NONBLOCK | SOCK_CLOEXEC, send_flags = MSG_NOSIGNAL | MSG_WAITALL;
    size_t sent = (size_t)operation->result;
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
        fill_receive(slot, operation);
        break;
    case JG_OP_SEND:
        io_uring_prep_send(slot, operation->fd, (char *)operation->buffer + sent, operation->length - sent, send_flags);
        break;
    case JG_OP_SENDMSG:
        io_uring_prep_sendmsg(slot, operation->fd, operation->message, (unsigned)send_flags);
        break;
    }
}

static void arm(jg_loop *loop, jg_operation *operation)
{
    struct ring *ring = ring_of(loop);
    struct io_uring_sqe *slot = get_slot(ring);
    if (!slot) {
        jg__queue_append(&ring->backlog, &operation->handle);
        return;
    }
    fill(slot, operation);
    io_uring_sqe_set_data(slot, operation);
    operation->flags |= ARMED;
    ring->in_kernel++;
    loop->statistics.multishots_armed += operation->multishot;
}

/* The cancellation's own completion carries no operation: the operation's tells how it ended. */
static void ask_to_cancel(jg_loop *loop, jg_operation *operation)
{
    struct io_uring_sqe *slot = get_slot(ring_of(loop));
    if (!slot) {
        jg__queue_append(&ring_of(loop)->backlog, &operation->handle);
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
    else
        arm(loop, operation);
}

static void cancel_operation(jg_loop *loop, jg_operation *operation)
{
    if (operation->handle.next) { /* it waits for a slot or a buffer */
        jg__queue_remove(&operation->handle);
        jg__operation_complete(loop, operation, -ECANCELED);
    } else if (operation->flags & ARMED) {
        ask_to_cancel(loop, operation);
    } /* else its last completion is in a record: that is where the cancellation is seen */
}

static void retry_backlog(jg_loop *loop, jg_handle *queue)
{
    jg_handle *last = queue->previous;
    while (!jg__queue_empty(queue)) {
        jg_handle *handle = queue->next;
        jg_operation *operation = operation_of(handle);
        jg__queue_remove(handle);
        if (operation->flags & ARMED)
            ask_to_cancel(loop, operation);
        else
            arm(loop, operation);
        if (handle == last)
            return;
    }
}

/* ---- Completions of multishot operations ---- */

static bool grow_records(struct ring *ring)
{
    struct record_block *block = jg__allocate_zeroed(sizeof *block);
    if (!block)
        return false;
    block->next = ring->record_blocks;
    ring->record_blocks = block;
    for (int i = 0; i < RECORDS; i++)
        jg__list_append(&ring->free_records, &block->records[i].node);
    return true;
}

/* The operation got its last completion of this arming and goes on, unless it ended or was cancelled. */
static void after_last(jg_loop *loop, jg_operation *operation, int result)
{
    if (operation->flags & JG__CANCELLED)
        jg__operation_done(operation, result < 0 && result != -ENOBUFS ? result : -ECANCELED);
    else if (result == -ENOBUFS)
        jg__queue_append(&ring_of(loop)->starved, &operation->handle);
    else if (result < 0 || (result == 0 && operation->opcode == JG_OP_RECV))
        jg__operation_done(operation, result);
    else
        arm(loop, operation);
}

/* Into the owner's memory as long as it offers any; the rest is shown where it lies. */
static void hand_over(jg_operation *operation, char *data, size_t length)
{
    while (length) {
        size_t room = 0;
        void *buffer = operation->offer ? operation->offer(operation, &room) : NULL;
        size_t part = buffer && room && room < length ? room : length;
        if (buffer && room)
            memcpy(buffer, data, part);
        operation->buffer = buffer && room ? buffer : data;
        operation->length = part;
        operation->more = true;
        operation->done(operation, (int)part);
        data += part;
        length -= part;
    }
}

static void deliver(void *arg)
{
    struct record *record = arg;
    jg_loop *loop = jg_get_running_loop();
    struct ring *ring = ring_of(loop);
    jg_operation *operation = record->operation;
    int result = record->result;
    unsigned flags = record->flags;
    record->operation = NULL;
    jg__list_append(&ring->free_records, &record->node);

    if (flags & IORING_CQE_F_BUFFER) {
        unsigned id = flags >> IORING_CQE_BUFFER_SHIFT;
        if (result > 0)
            hand_over(operation, jg__buffer(&ring->buffers, id), (size_t)result);
        jg__buffer_return(&ring->buffers, id);
    } else if (operation->opcode == JG_OP_ACCEPT && result >= 0) {
        operation->more = true;
        operation->done(operation, result);
    }
    if (!(flags & IORING_CQE_F_MORE))
        after_last(loop, operation, result);
}

/* False: out of memory for a record; the completion stays in the queue. */
static bool record_completion(jg_loop *loop, jg_operation *operation, const struct io_uring_cqe *completion)
{
    struct ring *ring = ring_of(loop);
    if (jg__list_empty(&ring->free_records) && !grow_records(ring))
        return false;
    struct record *record = jg__container_of(ring->free_records.previous, struct record, node);
    jg__list_remove(&record->node);
    *record = (struct record){.handle = {.fn = deliver, .arg = record},
                              .operation = operation,
                              .result = completion->res,
                              .flags = completion->flags};
    jg__queue_append(&loop->ready, &record->handle);
    loop->statistics.buffers_received += (completion->flags & IORING_CQE_F_BUFFER) != 0;
    loop->statistics.buffers_exhausted += completion->res == -ENOBUFS;
    return true;
}

/* ---- Completions of the others ---- */

static bool is_send(const jg_operation *operation)
{
    return operation->opcode == JG_OP_SEND || operation->opcode == JG_OP_SENDMSG;
}

static void complete(jg_loop *loop, jg_operation *operation, int result)
{
    if (operation->handle.next) /* its cancellation waits for a slot */
        jg__queue_remove(&operation->handle);
    bool send = is_send(operation);
    if (send && result > 0 && jg__send_goes_on(operation, (size_t)result) && !(operation->flags & JG__CANCELLED))
        arm(loop, operation);
    else
        jg__operation_complete(loop, operation, send && operation->result > 0 ? operation->result : result);
}

static bool handle_completion(jg_loop *loop, const struct io_uring_cqe *completion)
{
    jg_operation *operation = io_uring_cqe_get_data(completion);
    if (!operation)
        return true;
    if (operation->multishot && !record_completion(loop, operation, completion))
        return false;
    loop->statistics.completions++;
    if (!(completion->flags & IORING_CQE_F_MORE)) {
        operation->flags &= (unsigned char)~ARMED;
        ring_of(loop)->in_kernel--;
    }
    if (!operation->multishot)
        complete(loop, operation, completion->res);
    else if (!(operation->flags & ARMED) && operation->handle.next)
        jg__queue_remove(&operation->handle);
    return true;
}

/* ---- Polling ---- */

static bool kernel_has_work(const struct ring *ring)
{
    unsigned flags = __atomic_load_n(ring->io.sq.kflags, __ATOMIC_RELAXED);
    return io_uring_sq_ready(&ring->io) || flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
}

static void flush_io_uring(jg_loop *loop)
{
    struct ring *ring = ring_of(loop);
    if (ring->enabled && io_uring_sq_ready(&ring->io))
        io_uring_submit(&ring->io);
}

/* One system call that submits, waits and has the kernel finish what it deferred; none if there is nothing to do. */
static int enter(jg_loop *loop, int64_t timeout)
{
    struct ring *ring = ring_of(loop);
    struct io_uring_cqe *completion;
    if (timeout == 0 || io_uring_cq_ready(&ring->io)) {
        if (!kernel_has_work(ring))
            return 0;
        loop->statistics.polls++;
        return io_uring_submit_and_get_events(&ring->io);
    }
    if (loop->hooks.interrupted) /* a call that also submits does not tell of a signal */
        flush_io_uring(loop);
    struct __kernel_timespec time = {.tv_sec = timeout / JG__SECOND, .tv_nsec = timeout % JG__SECOND};
    loop->statistics.polls++;
    return io_uring_submit_and_wait_timeout(&ring->io, &completion, 1, timeout == JG__NEVER ? NULL : &time, NULL);
}

static void reap(jg_loop *loop)
{
    struct io_uring *io = &ring_of(loop)->io;
    struct io_uring_cqe *completion;
    unsigned head, count = 0;
    io_uring_for_each_cqe(io, head, completion)
    {
        if (!handle_completion(loop, completion))
            break;
        count++;
    }
    io_uring_cq_advance(io, count);
}

static void drain(int event)
{
    int saved = errno;
    eventfd_t count;
    eventfd_read(event, &count); /* fails when there was no event */
    errno = saved;
}

static int poll_io_uring(jg_loop *loop, int64_t timeout)
{
    struct ring *ring = ring_of(loop);
    if (ring->outer_event >= 0)
        drain(ring->outer_event);
    if (!jg__queue_empty(&ring->starved) && jg__buffers_available(&ring->buffers))
        retry_backlog(loop, &ring->starved);
    retry_backlog(loop, &ring->backlog);
    int result = enter(loop, jg__queue_empty(&ring->backlog) ? timeout : 0);
    reap(loop);
    if (result >= 0 || result == -ETIME || result == -EAGAIN || result == -EBUSY)
        return 0;
    errno = -result;
    return -1;
}

/* ---- Life ---- */

/* A ring may be mapped where another thread's was until just now. ThreadSanitizer doesn't see liburing's system calls;
 * a lock shows it which came first. */
static pthread_mutex_t mapping = PTHREAD_MUTEX_INITIALIZER;

static void unmap(struct ring *ring)
{
    pthread_mutex_lock(&mapping);
    io_uring_queue_exit(&ring->io);
    pthread_mutex_unlock(&mapping);
}

static int set_up(struct ring *ring, unsigned entries)
{
    static const unsigned ladder[] = {
        IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
        IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
    };
    int result = -EINVAL;
    unsigned completions = COMPLETIONS;
    for (size_t step = 0; result == -EINVAL && step < sizeof ladder / sizeof *ladder; step++) {
        struct io_uring_params parameters = {.cq_entries = completions,
                                             .flags = ladder[step] | IORING_SETUP_R_DISABLED | IORING_SETUP_SUBMIT_ALL |
                                                      IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP};
        result = io_uring_queue_init_params(entries, &ring->io, &parameters);
    }
    return result;
}

static int open_io_uring(jg_loop *loop, const jg_loop_options *options)
{
    struct ring *ring = jg__allocate_zeroed(sizeof *ring);
    if (!ring)
        return -1;
    jg__list_init(&ring->free_records);
    if (!grow_records(ring)) { /* with these, completions are handled even when there is no memory for more */
        jg__release(ring);
        return -1;
    }
    pthread_mutex_lock(&mapping);
    int result = set_up(ring, options->entries ? options->entries : ENTRIES);
    pthread_mutex_unlock(&mapping);
    if (result == 0) {
        io_uring_ring_dontfork(&ring->io);
        result = jg__buffer_ring_open(&ring->buffers, &ring->io);
        if (result < 0)
            unmap(ring);
    }
    if (result < 0) {
        jg__release(ring->record_blocks);
        jg__release(ring);
        errno = -result;
        return -1;
    }
    jg__queue_init(&ring->backlog);
    jg__queue_init(&ring->starved);
    ring->outer_event = -1;
    loop->poller_state = ring;
    return 0;
}

/* The ring belongs to the thread that first runs the loop. */
static int start_io_uring(jg_loop *loop)
{
    struct ring *ring = ring_of(loop);
    if (ring->enabled)
        return 0;
    /* io_uring_enable_rings is missing from the shared library of liburing 2.3. */
    int result = io_uring_register((unsigned)ring->io.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
    if (result < 0) {
        errno = -result;
        return -1;
    }
    ring->thread = gettid();
    ring->enabled = true;
    return 0;
}

/* A connection that nobody will take. */
static void drop_connection(const jg_operation *operation, int result)
{
    if (operation->opcode == JG_OP_ACCEPT && result >= 0)
        close(result);
}

static void reap_the_last(struct ring *ring)
{
    struct io_uring_cqe *completion;
    unsigned head, count = 0;
    io_uring_for_each_cqe(&ring->io, head, completion)
    {
        jg_operation *operation = io_uring_cqe_get_data(completion);
        count++;
        if (!operation)
            continue;
        drop_connection(operation, completion->res);
        ring->in_kernel -= !(completion->flags & IORING_CQE_F_MORE);
    }
    io_uring_cq_advance(&ring->io, count);
}

/* A thread that ends takes its operations out of the kernel. It may still be about to vanish after it was joined. */
static void wait_for_the_thread(const struct ring *ring)
{
    for (int waits = 0; tgkill(getpid(), ring->thread, 0) == 0 || errno != ESRCH; waits++) {
        if (waits == 1000)
            jg__die("jg_loop_close: close a loop on the thread that ran it, or when that thread has ended");
        usleep(1000);
    }
}

/* The memory of the operations is the kernel's until each has completed. */
static void cancel_everything(struct ring *ring)
{
    if (ring->thread != gettid()) {
        wait_for_the_thread(ring);
        reap_the_last(ring);
        return;
    }
    struct io_uring_sqe *slot = get_slot(ring);
    if (slot) {
        io_uring_prep_cancel(slot, NULL, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
        io_uring_sqe_set_data(slot, NULL);
    }
    while (ring->in_kernel) {
        int result = io_uring_submit_and_wait(&ring->io, 1);
        if (result < 0 && result != -EINTR && result != -EAGAIN && result != -EBUSY)
            jg__die("jg_loop_close: io_uring: %s", strerror(-result));
        reap_the_last(ring);
    }
}

static void free_records(struct ring *ring)
{
    while (ring->record_blocks) {
        struct record_block *block = ring->record_blocks;
        for (int i = 0; i < RECORDS; i++)
            if (block->records[i].operation)
                drop_connection(block->records[i].operation, block->records[i].result);
        ring->record_blocks = block->next;
        jg__release(block);
    }
}

static void close_io_uring(jg_loop *loop)
{
    struct ring *ring = ring_of(loop);
    if (ring->enabled)
        cancel_everything(ring);
    free_records(ring);
    unmap(ring);
    jg__buffer_ring_close(&ring->buffers);
    if (ring->outer_event >= 0)
        close(ring->outer_event);
    jg__release(ring);
}

/* The ring's own fd wakes nobody of what the kernel has deferred; an eventfd does. */
static int io_uring_fileno(const jg_loop *loop)
{
    struct ring *ring = ring_of(loop);
    if (ring->outer_event >= 0)
        return ring->outer_event;
    int event = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event < 0)
        return jg__fail(errno, "jg_loop_fileno: %s", strerror(errno));
    int result = io_uring_register_eventfd(&ring->io, event);
    if (result < 0) {
        close(event);
        return jg__fail(-result, "jg_loop_fileno: %s", strerror(-result));
    }
    return ring->outer_event = event;
}

const struct jg__poller jg__io_uring = {
    .name = "io_uring",
    .open = open_io_uring,
    .start = start_io_uring,
    .close = close_io_uring,
    .submit = submit_operation,
    .cancel = cancel_operation,
    .poll = poll_io_uring,
    .flush = flush_io_uring,
    .fileno = io_uring_fileno,
};
#else
typedef int jg__no_io_uring; /* a translation unit is not empty */
#endif
