/* What multishot operations bring: each completion travels through the ready queue in a record of its own. */
#ifdef HAVE_LIBURING
#include "base/memory.h"
#include "loop/uring.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { RECORDS = 64 };

/* A completion on its way; there may be many of one operation. */
struct record {
    struct jg__list node;
    jg_handle handle;
    jg_operation *operation; /* NULL while free */
    int result;
    unsigned flags;
    struct jg__buffer_ring *buffers; /* from which it has one */
};

struct jg__record_block {
    struct jg__record_block *next;
    struct record records[RECORDS];
};

static bool grow_records(struct jg__uring *uring)
{
    struct jg__record_block *block = jg__allocate_zeroed(sizeof *block);
    if (!block)
        return false;
    block->next = uring->record_blocks;
    uring->record_blocks = block;
    for (int i = 0; i < RECORDS; i++)
        jg__list_append(&uring->free_records, &block->records[i].node);
    return true;
}

bool jg__multishot_open(struct jg__uring *uring)
{
    jg__list_init(&uring->free_records);
    return grow_records(uring);
}

void jg__drop_connection(const jg_operation *operation, int result)
{
    if (operation->opcode == JG_OP_ACCEPT && result >= 0)
        close(result);
}

void jg__multishot_close(struct jg__uring *uring)
{
    while (uring->record_blocks) {
        struct jg__record_block *block = uring->record_blocks;
        for (struct record *record = block->records; record < block->records + RECORDS; record++)
            if (record->operation) {
                jg__queue_remove(&record->handle); /* its neighbours in the ready queue live on */
                jg__drop_connection(record->operation, record->result);
            }
        uring->record_blocks = block->next;
        jg__release(block);
    }
}

/* ---- Delivering ---- */

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

/* A full small buffer: there is more where that came from. Less than that in a large one: the flood is over. */
static void choose_buffers(jg_loop *loop, jg_operation *operation, const struct record *record)
{
    struct jg__uring *uring = jg__uring_of(loop);
    bool much = (size_t)record->result >= uring->small.buffer_size;
    if (!much && record->buffers == &uring->large)
        operation->flags &= (unsigned char)~JG__BULK;
    if (!much || operation->flags & (JG__BULK | JG__CANCELLED))
        return;
    operation->flags |= JG__BULK;
    if (operation->flags & JG__ARMED) {
        operation->flags |= JG__SWITCHING;
        jg__uring_ask_to_cancel(loop, operation);
    }
}

static void deliver_data(jg_loop *loop, const struct record *record)
{
    jg_operation *operation = record->operation;
    unsigned id = record->flags >> IORING_CQE_BUFFER_SHIFT;
    if (record->result > 0) {
        hand_over(operation, jg__buffer(record->buffers, id), (size_t)record->result);
        choose_buffers(loop, operation, record);
    }
    jg__buffer_return(record->buffers, id);
}

/* The operation got its last completion of this arming and goes on, unless it ended or was cancelled. */
static void after_last(jg_loop *loop, jg_operation *operation, int result)
{
    bool switched = operation->flags & JG__SWITCHING && result == -ECANCELED;
    operation->flags &= (unsigned char)~JG__SWITCHING;
    if (operation->flags & JG__CANCELLED)
        jg__operation_done(operation, result < 0 && result != -ENOBUFS ? result : -ECANCELED);
    else if (result == -ENOBUFS)
        jg__queue_append(&jg__uring_of(loop)->starved, &operation->handle);
    else if (!switched && (result < 0 || (result == 0 && operation->opcode == JG_OP_RECV)))
        jg__operation_done(operation, result);
    else
        jg__uring_arm(loop, operation);
}

static void deliver(void *arg)
{
    struct record *kept = arg, record = *kept;
    jg_loop *loop = jg_get_running_loop();
    kept->operation = NULL;
    jg__list_append(&jg__uring_of(loop)->free_records, &kept->node);

    if (record.flags & IORING_CQE_F_BUFFER) {
        deliver_data(loop, &record);
    } else if (record.operation->opcode == JG_OP_ACCEPT && record.result >= 0) {
        record.operation->more = true;
        record.operation->done(record.operation, record.result);
    }
    if (!(record.flags & IORING_CQE_F_MORE))
        after_last(loop, record.operation, record.result);
}

bool jg__multishot_record(jg_loop *loop, jg_operation *operation, const struct io_uring_cqe *completion)
{
    struct jg__uring *uring = jg__uring_of(loop);
    if (jg__list_empty(&uring->free_records) && !grow_records(uring))
        return false;
    struct record *record = jg__container_of(uring->free_records.previous, struct record, node);
    jg__list_remove(&record->node);
    *record = (struct record){.handle = {.fn = deliver, .arg = record},
                              .operation = operation,
                              .result = completion->res,
                              .flags = completion->flags,
                              .buffers = operation->flags & JG__BULK_ARMED ? &uring->large : &uring->small};
    jg__queue_append(&loop->ready, &record->handle);
    loop->statistics.buffers_received += (completion->flags & IORING_CQE_F_BUFFER) != 0;
    loop->statistics.buffers_exhausted += completion->res == -ENOBUFS;
    return true;
}
#else
typedef int jg__no_multishot; /* a translation unit is not empty */
#endif
