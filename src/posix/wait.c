/* What parks a task: for one fd, for the first of several, until a time. */
#include "posix/interpose.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <sys/time.h>

enum { CALLS_BEFORE_A_YIELD = 64, FEW_FDS = 8 };

/* A library that finds its data at once each time would keep the thread for itself. */
int jg__posix_enter(void)
{
    static _Thread_local unsigned calls;
    if (jg_check() < 0)
        return jg_yield(); /* which fails as well, and slows down who does not listen */
    return ++calls % CALLS_BEFORE_A_YIELD ? 0 : jg_yield();
}

double jg__posix_until(double seconds)
{
    return isinf(seconds) ? INFINITY : jg_time() + seconds;
}

double jg__posix_socket_limit(int fd, int option)
{
    struct timeval limit = {0, 0};
    socklen_t size = sizeof limit;
    if (getsockopt(fd, SOL_SOCKET, option, &limit, &size) < 0 || !timerisset(&limit))
        return INFINITY;
    return jg__posix_until((double)limit.tv_sec + (double)limit.tv_usec / 1e6);
}

int jg__posix_wait(int fd, short events, double until)
{
    JG_TIMEOUT_AT(limit, until);
    int saved = errno;
    if (jg_wait_fd(fd, events) >= 0)
        return 1;
    if (errno != ETIMEDOUT || !jg_timeout_expired(&limit))
        return -1;
    errno = saved; /* if a deadline of the task's has passed too, the next call says so */
    return 0;
}

/* ---- Several fds ---- */

struct many {
    jg_future first, last; /* the first fd is ready, or the time has come; the kernel has let go of all */
    size_t left;
    int error;
};

static void polled(jg_operation *operation, int result)
{
    struct many *many = operation->arg;
    many->left--;
    if (result < 0 && result != -ECANCELED && result != -EPERM)
        many->error = -result; /* EPERM is a file, which nothing ever happens to */
    if (result != -ECANCELED && result != -EPERM && !jg_future_done(&many->first))
        (void)jg_future_set_result(&many->first, NULL);
    if (!many->left)
        (void)jg_future_set_result(&many->last, NULL);
}

static void submit(struct many *many, jg_operation *operations, const struct pollfd *fds, nfds_t count)
{
    for (nfds_t i = 0; i < count; i++) {
        if (fds[i].fd < 0)
            continue;
        operations[i] =
            (jg_operation){.opcode = JG_OP_POLL, .fd = fds[i].fd, .events = fds[i].events, .done = polled, .arg = many};
        many->left++;
        jg_submit(jg_task_loop(), &operations[i]);
    }
}

/* Whatever happens to the task: the kernel looks at what is on its stack. */
static void take_back(struct many *many, jg_operation *operations, const struct pollfd *fds, nfds_t count)
{
    int saved = errno;
    for (nfds_t i = 0; i < count; i++)
        if (fds[i].fd >= 0)
            jg_cancel_operation(jg_task_loop(), &operations[i]);
    if (many->left) {
        JG_SHIELD(shield, INFINITY);
        while (jg_future_wait(&many->last, NULL) < 0)
            ;
    }
    errno = saved;
}

static int wait_for_first(struct many *many, double until)
{
    JG_TIMEOUT_AT(limit, until);
    int saved = errno;
    if (jg_future_wait(&many->first, NULL) == 0)
        return 1;
    if (errno != ETIMEDOUT || !jg_timeout_expired(&limit))
        return -1;
    errno = saved;
    return 0;
}

static int wait_for_many(jg_operation *operations, const struct pollfd *fds, nfds_t count, double until)
{
    struct many many = {.left = 0};
    submit(&many, operations, fds, count);
    int result = wait_for_first(&many, until);
    take_back(&many, operations, fds, count);
    if (result != 1 || !many.error)
        return result;
    errno = many.error;
    return -1;
}

int jg__posix_wait_any(const struct pollfd *fds, nfds_t count, double until)
{
    jg_operation few[FEW_FDS];
    nfds_t used = 0, which = 0;
    for (nfds_t i = 0; i < count; i++) {
        used += fds[i].fd >= 0;
        which = fds[i].fd >= 0 ? i : which;
    }
    if (!used)
        return jg_sleep_until(until);
    if (used == 1)
        return jg__posix_wait(fds[which].fd, fds[which].events, until);
    if (count <= FEW_FDS)
        return wait_for_many(few, fds, count, until);
    jg_operation *operations = calloc(count, sizeof *operations);
    if (!operations)
        return -1;
    int result = wait_for_many(operations, fds, count, until);
    free(operations);
    return result;
}
