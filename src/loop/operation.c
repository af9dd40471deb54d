/* Operations: the part that both pollers share. */
#include "loop/internal.h"

#include "base/diagnostics.h"
#include "base/probes.h"

#include <errno.h>

void jg__operation_done(jg_operation *operation, int result)
{
    operation->state = JG__IDLE;
    operation->more = false;
    JG__PROBE2(operation_done, operation, result);
    operation->done(operation, result);
}

static void call_done(void *arg)
{
    jg_operation *operation = arg;
    jg__operation_done(operation, operation->result);
}

void jg__operation_complete(jg_loop *loop, jg_operation *operation, int result)
{
    operation->result = result;
    operation->state = JG__COMPLETED;
    operation->handle.fn = call_done;
    operation->handle.arg = operation;
    jg__queue_append(&loop->ready, &operation->handle);
}

void jg_submit(jg_loop *loop, jg_operation *operation)
{
    jg__submit(loop, operation, 0);
}

void jg__submit(jg_loop *loop, jg_operation *operation, unsigned char flags)
{
    if (operation->state != JG__IDLE)
        jg__die("jg_submit: the operation on fd %d is under way already", operation->fd);
    loop->statistics.operations++;
    JG__PROBE3(operation_submit, operation, operation->opcode, operation->fd);
    operation->result = 0;
    operation->flags = flags;
    operation->handle.next = NULL;
    operation->state = JG__SUBMITTED;
    int saved = errno;
    loop->poller->submit(loop, operation);
    errno = saved;
}

bool jg__operation_try(jg_loop *loop, jg_operation *operation)
{
    if (!loop->poller->attempt)
        return false;
    operation->result = 0;
    operation->flags = 0;
    int saved = errno;
    bool complete = loop->poller->attempt(loop, operation);
    errno = saved;
    return complete;
}

bool jg__operation_take(jg_operation *operation, int *result)
{
    if (operation->state != JG__COMPLETED)
        return false;
    jg__queue_remove(&operation->handle);
    operation->state = JG__IDLE;
    *result = operation->result;
    return true;
}

void jg__operations_flush(jg_loop *loop)
{
    int saved = errno;
    loop->poller->flush(loop);
    errno = saved;
}

void jg_cancel_operation(jg_loop *loop, jg_operation *operation)
{
    if (operation->state != JG__SUBMITTED || operation->flags & JG__CANCELLED)
        return;
    operation->flags |= JG__CANCELLED;
    int saved = errno;
    loop->poller->cancel(loop, operation);
    errno = saved;
}

void jg_forget_fd(jg_loop *loop, int fd)
{
    jg__forget_fd(loop, fd, false);
}

void jg__forget_fd(jg_loop *loop, int fd, bool shared)
{
    if (loop->poller->forget)
        loop->poller->forget(loop, fd, shared);
}
