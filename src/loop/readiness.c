/* Reads and writes of fds that are no sockets, on io_uring: the ring tells when an fd is ready, and the call is made
 * here. Left to the ring, a read of a device that cannot be polled well would hold a thread of the kernel's, and memory
 * of the owner's, for as long as nothing comes. */
#ifdef HAVE_LIBURING
#include "base/memory.h"
#include "loop/perform.h"
#include "loop/uring.h"

#include <errno.h>

enum { SCRATCH = 64 * 1024 };

/* Memory for the next bytes: the owner's, or scratch. NULL when out of memory. */
static void *room_for(jg_loop *loop, jg_operation *operation, size_t *length)
{
    struct jg__uring *uring = jg__uring_of(loop);
    void *buffer = operation->offer ? operation->offer(operation, length) : NULL;
    if (buffer && *length)
        return buffer;
    if (!uring->scratch)
        uring->scratch = jg__allocate(SCRATCH);
    *length = SCRATCH;
    return uring->scratch;
}

/* The owner may cancel it while it is handed the bytes: that it goes on is settled first. */
static void read_more(jg_loop *loop, jg_operation *operation)
{
    size_t length = 0;
    void *buffer = room_for(loop, operation, &length);
    int result = buffer ? jg__receive(operation, buffer, length) : -ENOMEM;
    if (result <= 0 && result != JG__AGAIN) {
        jg__operation_done(operation, result);
        return;
    }
    jg__uring_arm(loop, operation);
    if (result == JG__AGAIN)
        return;
    operation->buffer = buffer;
    operation->length = (size_t)result;
    operation->more = true;
    operation->done(operation, result);
}

static void perform(void *arg)
{
    jg_operation *operation = arg;
    jg_loop *loop = jg_get_running_loop();
    int result;
    if (operation->multishot)
        read_more(loop, operation);
    else if ((result = jg__perform(operation, false)) == JG__AGAIN)
        jg__uring_arm(loop, operation);
    else
        jg__operation_done(operation, result);
}

void jg__uring_submit_file(jg_loop *loop, jg_operation *operation)
{
    int result = operation->multishot ? JG__AGAIN : jg__perform(operation, false);
    if (result == JG__AGAIN)
        jg__uring_arm(loop, operation);
    else
        jg__operation_complete(loop, operation, result);
}

/* Where the poll failed, the call will tell why. */
void jg__uring_file_polled(jg_loop *loop, jg_operation *operation, int result)
{
    if (operation->flags & JG__CANCELLED || result == -ECANCELED) {
        jg__operation_complete(loop, operation, operation->result > 0 ? operation->result : -ECANCELED);
        return;
    }
    operation->handle.fn = perform;
    operation->handle.arg = operation;
    jg__queue_append(&loop->ready, &operation->handle);
}
#else
typedef int jg__no_readiness; /* a translation unit is not empty */
#endif
