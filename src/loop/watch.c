/* Readers and writers of fds: a poll operation each, submitted again after every callback. */
#include "base/diagnostics.h"
#include "base/memory.h"
#include "loop/internal.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

struct jg__watch {
    struct jg__list node; /* all of the loop's, for its end */
    jg_operation poll;
    jg_loop *loop;
    void (*fn)(void *arg);
    void *arg;
    bool calling; /* the callback is running: it is freed afterwards */
    bool removed;
};

static void free_watch(struct jg__watch *watch)
{
    jg__list_remove(&watch->node);
    jg__release(watch);
}

static void polled(jg_operation *operation, int events)
{
    struct jg__watch *watch = operation->arg;
    if (!watch->removed && events != -ECANCELED) {
        watch->calling = true;
        watch->fn(watch->arg);
        watch->calling = false;
    }
    if (watch->removed)
        free_watch(watch);
    else if (events > 0 || events == -ECANCELED)
        jg__submit(watch->loop, &watch->poll, JG__OWN_FD);
}

static int fail_to_watch(const char *call, int fd, int error)
{
    return jg_fail(error, "%s: fd %d: %s", call, fd, strerror(error));
}

/* epoll refuses files that are always ready, io_uring doesn't: the answer is to be the same. */
static int check_fd(const char *call, int fd)
{
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0)
        return fail_to_watch(call, fd, EBADF);
    if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode))
        return fail_to_watch(call, fd, EPERM);
    return 0;
}

static int make_room(jg_loop *loop, size_t count)
{
    if (count <= loop->watch_count)
        return 0;
    count = count < 64 ? 64 : count * 2;
    struct jg__watch **larger = jg__reallocate(loop->watches, count * sizeof *larger);
    if (!larger)
        return -1;
    memset(larger + loop->watch_count, 0, (count - loop->watch_count) * sizeof *larger);
    loop->watches = larger;
    loop->watch_count = count;
    return 0;
}

static size_t index_of(int fd, short event)
{
    return (size_t)fd * 2 + (event == POLLOUT);
}

/* Returns 0, or the errno of a poll that was refused at once. */
static int start(struct jg__watch *watch)
{
    int result = 0;
    jg__submit(watch->loop, &watch->poll, JG__OWN_FD);
    if (watch->poll.result < 0)
        jg__operation_take(&watch->poll, &result);
    return -result;
}

static int watch_fd(const char *call, jg_loop *loop, int fd, short event, void (*fn)(void *arg), void *arg)
{
    if (check_fd(call, fd) < 0)
        return -1;
    if (make_room(loop, index_of(fd, event) + 1) < 0)
        return fail_to_watch(call, fd, ENOMEM);
    struct jg__watch *watch = loop->watches[index_of(fd, event)];
    if (!watch) {
        watch = jg__allocate_zeroed(sizeof *watch);
        if (!watch)
            return fail_to_watch(call, fd, ENOMEM);
        watch->loop = loop;
        watch->poll = (jg_operation){.opcode = JG_OP_POLL, .fd = fd, .events = event, .done = polled, .arg = watch};
        loop->watches[index_of(fd, event)] = watch;
        jg__list_append(&loop->all_watches, &watch->node);
    }
    watch->fn = fn;
    watch->arg = arg;
    int error = watch->poll.state == JG__IDLE && !watch->calling ? start(watch) : 0;
    if (!error)
        return 0;
    loop->watches[index_of(fd, event)] = NULL;
    free_watch(watch);
    return fail_to_watch(call, fd, error);
}

static bool unwatch_fd(jg_loop *loop, int fd, short event)
{
    size_t index = fd < 0 ? SIZE_MAX : index_of(fd, event);
    struct jg__watch *watch = index < loop->watch_count ? loop->watches[index] : NULL;
    if (!watch)
        return false;
    loop->watches[index] = NULL;
    watch->removed = true;
    if (watch->poll.state != JG__IDLE)
        jg_cancel_operation(loop, &watch->poll);
    else if (!watch->calling)
        free_watch(watch);
    return true;
}

int jg_add_reader(jg_loop *loop, int fd, void (*fn)(void *arg), void *arg)
{
    return watch_fd("jg_add_reader", loop, fd, POLLIN, fn, arg);
}

int jg_add_writer(jg_loop *loop, int fd, void (*fn)(void *arg), void *arg)
{
    return watch_fd("jg_add_writer", loop, fd, POLLOUT, fn, arg);
}

bool jg_remove_reader(jg_loop *loop, int fd)
{
    return unwatch_fd(loop, fd, POLLIN);
}

bool jg_remove_writer(jg_loop *loop, int fd)
{
    return unwatch_fd(loop, fd, POLLOUT);
}

void jg__watches_free(jg_loop *loop)
{
    while (!jg__list_empty(&loop->all_watches))
        free_watch(jg__container_of(loop->all_watches.next, struct jg__watch, node));
    jg__release(loop->watches);
}
