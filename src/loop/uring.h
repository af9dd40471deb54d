/* The state of the poller on io_uring, for its three files: io_uring.c hands operations to the kernel, multishot.c
 * delivers what multishot operations bring, uring_life.c opens and closes. */
#ifndef JUGGLE_LOOP_URING_H
#define JUGGLE_LOOP_URING_H

#include "loop/buffer_ring.h"
#include "loop/internal.h"

/* Flags of operations. */
enum {
    JG__ARMED = JG__POLLER_FLAG, /* the kernel owes a completion */

    /* Multishot receives. A connection that brings little at a time has a multishot receive with small buffers; one
     * that fills them is given large ones, one at a time, so that a flood is noticed before much of it was taken. */
    JG__BULK = 16,       /* to be armed for a large buffer */
    JG__BULK_ARMED = 32, /* is */
    JG__SWITCHING = 64,  /* its multishot is being cancelled for that */

    /* Sends. The first attempt ends while it is submitted; only a failure has a completion. */
    JG__QUICK = 16, /* such an attempt was handed to the kernel */
    JG__FULL = 32,  /* one has found the socket full: wait for room */
};

struct jg__record_block;

struct jg__uring {
    struct io_uring io;
    bool enabled;
    bool hurried;      /* somebody waits for a quick send: don't sleep before it is counted */
    pid_t thread;      /* that enabled it: only that one may submit */
    int outer_event;   /* the eventfd for a loop that embeds this one, or -1 */
    size_t in_kernel;  /* completions that the kernel owes */
    uint64_t opcodes;  /* bits of those that the kernel knows; 0: it was not asked yet */
    jg_handle backlog; /* operations to be handed to the kernel, or cancelled, that found no slot */
    jg_handle starved; /* receives that found no buffer */
    jg_handle quick;   /* sends that succeed unless a completion says otherwise */
    struct jg__list free_records;
    struct jg__record_block *record_blocks;
    struct jg__buffer_ring small, large;
    char *scratch; /* where a file is read for owners that offer nothing; NULL until it is needed */
};

static inline struct jg__uring *jg__uring_of(const jg_loop *loop)
{
    return loop->poller_state;
}

/* There are submissions that the kernel has not taken, or completions that it had no room for: what is not told of may
 * still have failed. */
static inline bool jg__uring_unsettled(const struct jg__uring *uring)
{
    return io_uring_sq_ready(&uring->io) || *uring->io.sq.kflags & IORING_SQ_CQ_OVERFLOW;
}

static inline jg_operation *jg__operation_of(jg_handle *handle)
{
    return jg__container_of(handle, jg_operation, handle);
}

/* io_uring.c: a submission slot, or NULL. */
struct io_uring_sqe *jg__uring_slot(struct jg__uring *uring);

/* Hands an operation to the kernel, or to the backlog. */
void jg__uring_arm(jg_loop *loop, jg_operation *operation);

/* Asks the kernel to give it back. */
void jg__uring_ask_to_cancel(jg_loop *loop, jg_operation *operation);

/* readiness.c: starts a read or write of a file, which is performed here; goes on when a poll told that it is ready. */
void jg__uring_submit_file(jg_loop *loop, jg_operation *operation);
void jg__uring_file_polled(jg_loop *loop, jg_operation *operation, int result);

/* multishot.c: queues the delivery of a completion; its last one is the one without IORING_CQE_F_MORE. False: out of
 * memory for a record; the completion has to stay in the queue. */
bool jg__multishot_record(jg_loop *loop, jg_operation *operation, const struct io_uring_cqe *completion);

/* The first records are there from the beginning, so that completions are handled even when there is no memory for
 * more. */
bool jg__multishot_open(struct jg__uring *uring);

/* Closes connections that nobody has taken, and frees the records. */
void jg__multishot_close(struct jg__uring *uring);

/* A connection that nobody will take. */
void jg__drop_connection(const jg_operation *operation, int result);

/* uring_life.c: for the table. */
int jg__uring_open(jg_loop *loop, const jg_loop_options *options);
int jg__uring_start(jg_loop *loop);
void jg__uring_close(jg_loop *loop);
int jg__uring_fileno(const jg_loop *loop);

#endif
