#include "os/file_wait.h"

#include "task/internal.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

enum { BYTES_A_CALL = 4096 };

struct file_wait {
    struct jg__wait wait;
    struct jg__file *file;
    int result;
    int reason; /* of an interruption, or 0 */
};

static void done(struct jg__file *file, int result)
{
    struct file_wait *waiting = file->arg;
    waiting->result = result;
    jg__wake(&waiting->wait, 0);
}

/* The memory is the kernel's or a thread's: the wait ends when they have let go. */
static void interrupt_file(struct jg__wait *wait, int reason)
{
    struct file_wait *waiting = jg__container_of(wait, struct file_wait, wait);
    waiting->reason = -reason;
    jg__file_cancel(waiting->file);
}

static int await_file(struct file_wait *waiting, struct jg__file *file)
{
    file->done = done;
    file->arg = waiting;
    waiting->file = file;
    jg__file_submit(jg__here.loop, file);
    jg__park(&waiting->wait);
    return waiting->result;
}

static int fail(const char *call, const struct jg__file *file, int error)
{
    if (file->subject)
        return jg_fail(error, "%s: %s: %s", call, file->subject, strerror(error));
    if (file->to)
        return jg_fail(error, "%s: %s to %s: %s", call, file->path, file->to, strerror(error));
    if (file->path && *file->path)
        return jg_fail(error, "%s: %s: %s", call, file->path, strerror(error));
    return jg_fail(error, "%s: fd %d: %s", call, file->fd, strerror(error));
}

int jg__file_run(const char *call, struct jg__file *file)
{
    struct file_wait waiting = {.wait = {.call = call, .object = file->path, .interrupt = interrupt_file}};
    int result = await_file(&waiting, file);
    if (result >= 0)
        return result;
    if (result == -ECANCELED && waiting.reason)
        return jg__fail_interrupted(call, waiting.reason);
    return fail(call, file, -result);
}

int jg__file_finish(const char *call, struct jg__file *file)
{
    struct file_wait waiting = {.wait = {.call = call, .object = file->path, .interrupt = jg__not_now}};
    file->must = true;
    return await_file(&waiting, file);
}

/* To copy much counts as several calls against the budget of jg__enter_wait. */
static void count_bytes(int bytes)
{
    struct jg__task *task = jg__here.task;
    task->spent = (uint16_t)(task->spent + bytes / BYTES_A_CALL);
}

ssize_t jg__file_read(const char *call, struct jg__file *file)
{
    bool complete = jg__file_read_cached(file);
    count_bytes(file->result);
    if (complete)
        return file->result;
    int already = file->result, saved = errno;
    int result = jg__file_run(call, file);
    if (result >= 0)
        return already + result;
    if (already == 0)
        return -1;
    errno = saved;
    return already;
}

/* Words for a write that did not end. */
static int fail_after(const char *call, const struct jg__file *file, size_t written)
{
    int error = errno;
    if (written == 0)
        return -1;
    if (file->subject)
        return jg_fail(error, "%s: %s: after %zu bytes: %s", call, file->subject, written, strerror(error));
    return jg_fail(error, "%s: fd %d: after %zu bytes: %s", call, file->fd, written, strerror(error));
}

/* To be killed for a file that is too large helps nobody: write says EFBIG. */
static void ignore_sigxfsz(void)
{
    struct sigaction action;
    if (sigaction(SIGXFSZ, NULL, &action) == 0 && !(action.sa_flags & SA_SIGINFO) && action.sa_handler == SIG_DFL)
        signal(SIGXFSZ, SIG_IGN);
}

int jg__file_write(const char *call, struct jg__file *file)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, ignore_sigxfsz);
    size_t left = file->length, written = 0;
    char *data = file->buffer;
    int64_t offset = file->offset;
    do {
        file->buffer = data + written;
        file->length = left;
        int result = jg__file_run(call, file);
        if (result < 0)
            return fail_after(call, file, written);
        if (result == 0 && left) { /* no file system should, but then this must not go on for ever */
            jg_fail(EIO, "%s: fd %d: nothing was written", call, file->fd);
            return fail_after(call, file, written);
        }
        written += (size_t)result;
        left -= (size_t)result;
        if (offset != JG__FILE_OWN_POSITION)
            file->offset = offset + (int64_t)written;
    } while (left);
    return 0;
}
