/* The life of the poller on io_uring. */
#ifdef HAVE_LIBURING
#include "base/diagnostics.h"
#include "base/memory.h"
#include "loop/uring.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A flag of kernels newer than the headers, by number. */
#ifndef IORING_SETUP_DEFER_TASKRUN
#define IORING_SETUP_DEFER_TASKRUN (1U << 13)
#endif

enum { ENTRIES = 256, COMPLETIONS = 4096 };

/* A ring may be mapped where another thread's was until just now. ThreadSanitizer doesn't see liburing's system calls;
 * a lock shows it which came first. */
static pthread_mutex_t mapping = PTHREAD_MUTEX_INITIALIZER;

static void unmap(struct jg__uring *uring)
{
    pthread_mutex_lock(&mapping);
    io_uring_queue_exit(&uring->io);
    pthread_mutex_unlock(&mapping);
}

static int set_up(struct jg__uring *uring, unsigned entries)
{
    static const unsigned ladder[] = {
        IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
        IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
    };
    int result = -EINVAL;
    unsigned completions = entries > COMPLETIONS ? entries : COMPLETIONS; /* the kernel refuses fewer than entries */
    for (size_t step = 0; result == -EINVAL && step < sizeof ladder / sizeof *ladder; step++) {
        struct io_uring_params parameters = {.cq_entries = completions,
                                             .flags = ladder[step] | IORING_SETUP_R_DISABLED | IORING_SETUP_SUBMIT_ALL |
                                                      IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP};
        result = io_uring_queue_init_params(entries, &uring->io, &parameters);
    }
    return result;
}

/* Small buffers for many connections that bring little, large ones for a few that bring much. */
static int open_buffers(struct jg__uring *uring)
{
    uring->small = (struct jg__buffer_ring){.group = 0, .buffer_size = 4096, .per_block = 64, .most = 4096};
    uring->large = (struct jg__buffer_ring){.group = 1, .buffer_size = 65536, .per_block = 4, .most = 64};
    int result = jg__buffer_ring_open(&uring->small, &uring->io);
    if (result < 0)
        return result;
    result = jg__buffer_ring_open(&uring->large, &uring->io);
    if (result < 0)
        jg__buffer_ring_close(&uring->small);
    return result;
}

static int open_ring(struct jg__uring *uring, const jg_loop_options *options)
{
    if (!jg__multishot_open(uring))
        return -ENOMEM;
    pthread_mutex_lock(&mapping);
    int result = set_up(uring, options->entries ? options->entries : ENTRIES);
    pthread_mutex_unlock(&mapping);
    if (result == 0) {
        io_uring_ring_dontfork(&uring->io);
        result = open_buffers(uring);
        if (result < 0)
            unmap(uring);
    }
    if (result < 0)
        jg__multishot_close(uring);
    return result;
}

int jg__uring_open(jg_loop *loop, const jg_loop_options *options)
{
    struct jg__uring *uring = jg__allocate_zeroed(sizeof *uring);
    if (!uring)
        return -1;
    int result = open_ring(uring, options);
    if (result < 0) {
        jg__release(uring);
        errno = -result;
        return -1;
    }
    jg__queue_init(&uring->backlog);
    jg__queue_init(&uring->starved);
    jg__queue_init(&uring->quick);
    uring->outer_event = -1;
    loop->poller_state = uring;
    return 0;
}

/* The ring belongs to the thread that first runs the loop. */
int jg__uring_start(jg_loop *loop)
{
    struct jg__uring *uring = jg__uring_of(loop);
    if (uring->enabled)
        return 0;
    /* io_uring_enable_rings is missing from the shared library of liburing 2.3. */
    int result = io_uring_register((unsigned)uring->io.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
    if (result < 0) {
        errno = -result;
        return -1;
    }
    uring->thread = gettid();
    uring->enabled = true;
    return 0;
}

static void reap_the_last(struct jg__uring *uring)
{
    struct io_uring_cqe *completion;
    unsigned head, count = 0;
    io_uring_for_each_cqe(&uring->io, head, completion)
    {
        jg_operation *operation = io_uring_cqe_get_data(completion);
        count++;
        if (!operation)
            continue;
        jg__drop_connection(operation, completion->res);
        if (operation->handle.next)
            jg__queue_remove(&operation->handle);
        uring->in_kernel -= !(completion->flags & IORING_CQE_F_MORE);
    }
    io_uring_cq_advance(&uring->io, count);
}

/* A thread that ends takes its operations out of the kernel. It may still be about to vanish after it was joined. */
static void wait_for_the_thread(const struct jg__uring *uring)
{
    for (int waits = 0; tgkill(getpid(), uring->thread, 0) == 0 || errno != ESRCH; waits++) {
        if (waits == 1000)
            jg__die("jg_loop_close: close a loop on the thread that ran it, or when that thread has ended");
        usleep(1000);
    }
}

static void check_for_close(int result)
{
    if (result < 0 && result != -EINTR && result != -EAGAIN && result != -EBUSY && result != -ETIME)
        jg__die("jg_loop_close: io_uring: %s", strerror(-result));
}

/* Until every submission is taken and every completion that is due to that was seen. */
static void submit_all(struct jg__uring *uring)
{
    while (jg__uring_unsettled(uring)) {
        check_for_close(io_uring_submit_and_get_events(&uring->io));
        reap_the_last(uring);
    }
}

static void submit_cancel(struct jg__uring *uring)
{
    struct io_uring_sqe *slot = io_uring_get_sqe(&uring->io);
    io_uring_prep_cancel(slot, NULL, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
    io_uring_sqe_set_data(slot, NULL);
    submit_all(uring);
}

static int wait_a_little(struct jg__uring *uring)
{
    struct __kernel_timespec limit = {.tv_nsec = 1000 * 1000};
    struct io_uring_cqe *completion;
    return io_uring_submit_and_wait_timeout(&uring->io, &completion, 1, &limit, NULL);
}

/* The memory of the operations is the kernel's until each has completed. A send that is just being handed to a thread
 * of the kernel's is missed by a cancellation, and waits there for a peer that may never read: so it is asked again. */
static void cancel_everything(struct jg__uring *uring)
{
    if (uring->thread != gettid()) {
        wait_for_the_thread(uring);
        reap_the_last(uring);
        return;
    }
    submit_all(uring);
    submit_cancel(uring);
    for (; !jg__queue_empty(&uring->quick); uring->in_kernel--) /* done, without a completion */
        jg__queue_remove(uring->quick.next);
    while (uring->in_kernel) {
        int result = wait_a_little(uring);
        check_for_close(result);
        reap_the_last(uring);
        if (result == -ETIME)
            submit_cancel(uring);
    }
}

void jg__uring_close(jg_loop *loop)
{
    struct jg__uring *uring = jg__uring_of(loop);
    if (uring->enabled)
        cancel_everything(uring);
    jg__multishot_close(uring);
    unmap(uring);
    jg__buffer_ring_close(&uring->small);
    jg__buffer_ring_close(&uring->large);
    if (uring->outer_event >= 0)
        close(uring->outer_event);
    jg__release(uring->scratch);
    jg__release(uring);
}

/* The ring's own fd wakes nobody of what the kernel has deferred; an eventfd does. */
int jg__uring_fileno(const jg_loop *loop)
{
    struct jg__uring *uring = jg__uring_of(loop);
    if (uring->outer_event >= 0)
        return uring->outer_event;
    int event = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event < 0)
        return jg_fail(errno, "jg_loop_fileno: %s", strerror(errno));
    int result = io_uring_register_eventfd(&uring->io, event);
    if (result < 0) {
        close(event);
        return jg_fail(-result, "jg_loop_fileno: %s", strerror(-result));
    }
    return uring->outer_event = event;
}

static uint64_t ask_for_opcodes(struct jg__uring *uring)
{
    uint64_t opcodes = 1; /* IORING_OP_NOP, which every kernel knows */
    struct io_uring_probe *probe = io_uring_get_probe_ring(&uring->io);
    for (int opcode = 0; probe && opcode < 64; opcode++)
        if (io_uring_opcode_supported(probe, opcode))
            opcodes |= UINT64_C(1) << opcode;
    io_uring_free_probe(probe);
    return opcodes;
}

bool jg__ring_supports(jg_loop *loop, unsigned opcode)
{
    if (loop->poller != &jg__io_uring)
        return false;
    struct jg__uring *uring = jg__uring_of(loop);
    if (!uring->opcodes)
        uring->opcodes = ask_for_opcodes(uring);
    return uring->opcodes >> opcode & 1;
}

#else
typedef int jg__no_uring_life; /* a translation unit is not empty */
#endif
