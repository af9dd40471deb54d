/* Waiting for sockets of other libraries. */
#include "task/scheduler.h"

#include <string.h>

struct fd_wait {
    struct jg__wait wait;
    jg_operation operation;
    int reason;
};

static void operation_done(jg_operation *operation, int result)
{
    struct fd_wait *waiting = jg__container_of(operation, struct fd_wait, operation);
    jg__wake(&waiting->wait, result);
}

/* The kernel may be looking at the operation: the wait ends when it has let go. */
static void interrupt_fd_wait(struct jg__wait *wait, int reason)
{
    struct fd_wait *waiting = jg__container_of(wait, struct fd_wait, wait);
    waiting->reason = -reason;
    jg_cancel_operation(jg__here.loop, &waiting->operation);
}

int jg__wait_for_fd(int fd, short events, const char *call)
{
    struct fd_wait waiting = {.wait = {.call = call, .interrupt = interrupt_fd_wait},
                              .operation = {.opcode = JG_OP_POLL, .fd = fd, .done = operation_done, .events = events}};
    jg_submit(jg__here.loop, &waiting.operation);
    int result = jg__park(&waiting.wait);
    if (result >= 0)
        return result;
    if (result == -ECANCELED && waiting.reason)
        return jg__fail_interrupted(call, waiting.reason);
    return jg_fail(-result, "%s: fd %d: %s", call, fd, strerror(-result));
}

int jg_wait_fd(int fd, short events)
{
    return jg__enter_wait("jg_wait_fd") < 0 ? -1 : jg__wait_for_fd(fd, events, "jg_wait_fd");
}
