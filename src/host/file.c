#include "host/file.h"

#include "host/executor.h"

#include <errno.h>
#include <limits.h>

/* ---- The answer ---- */

/* What is cancelled in the kernel may say EINTR. */
static void tell(struct jg__file *file, int result)
{
    file->where = JG__FILE_IDLE;
    file->done(file, result == -EINTR && file->cancelled ? -ECANCELED : result);
}

static void tell_result(void *arg)
{
    struct jg__file *file = arg;
    tell(file, file->result);
}

/* From a later turn. */
static void answer_soon(struct jg__file *file, int result)
{
    file->result = result;
    file->where = JG__FILE_ANSWERED;
    file->answer = (jg_handle){.fn = tell_result, .arg = file};
    jg_call_soon(file->loop, &file->answer);
}

/* ---- On a thread ---- */

static void work(jg_job *job)
{
    struct jg__file *file = job->arg;
    file->result = jg__file_perform(file);
}

static void worked(jg_job *job)
{
    struct jg__file *file = job->arg;
    jg__file_answer(file, file->result);
}

bool jg__file_wanted(void)
{
    return !jg_thread_cancelled();
}

static void submit_to_thread(struct jg__file *file)
{
    int saved = errno;
    file->job = (jg_job){.work = work, .done = worked, .arg = file};
    file->where = JG__FILE_ON_THREAD;
    if (jg__job_start("file", file->loop, jg__executor_for_library(), &file->job) < 0)
        answer_soon(file, file->must ? jg__file_perform(file) : -errno);
    errno = saved;
}

/* ---- Files that make one wait ---- */

/* A thread that waited for a pipe could not be called back: the loop waits until it is ready, and again if somebody
 * else was faster. */
static void polled(jg_operation *operation, int result)
{
    struct jg__file *file = operation->arg;
    if (result < 0 && result != -EPERM)
        tell(file, result);
    else
        submit_to_thread(file);
}

static bool may_keep_waiting(const struct jg__file *file)
{
    struct stat status;
    return (file->call == JG__FILE_READ || file->call == JG__FILE_WRITE) && fstat(file->fd, &status) == 0 &&
           !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode) && !S_ISBLK(status.st_mode);
}

static void submit_to_poller(struct jg__file *file)
{
    bool write = file->call == JG__FILE_WRITE;
    if (write && file->length > PIPE_BUF)
        file->length = PIPE_BUF; /* as much as a pipe that is ready takes without waiting */
    file->where = JG__FILE_POLLED;
    file->polled = true;
    file->poll = (jg_operation){
        .opcode = JG_OP_POLL, .fd = file->fd, .events = write ? POLLOUT : POLLIN, .done = polled, .arg = file};
    jg_submit(file->loop, &file->poll);
}

/* ---- All ---- */

/* With O_NONBLOCK or without: the task waits. */
void jg__file_answer(struct jg__file *file, int result)
{
    if (result == -EAGAIN && !file->cancelled && may_keep_waiting(file))
        submit_to_poller(file);
    else
        tell(file, result);
}

void jg__file_submit(jg_loop *loop, struct jg__file *file)
{
    file->loop = loop;
    file->cancelled = file->polled = false;
    if (file->length > JG__FILE_MOST)
        file->length = JG__FILE_MOST;
    if (jg__file_submit_to_ring(file))
        return;
    if (may_keep_waiting(file))
        submit_to_poller(file);
    else
        submit_to_thread(file);
}

void jg__file_cancel(struct jg__file *file)
{
    file->cancelled = true;
    if (file->where == JG__FILE_IN_RING)
        jg_cancel_operation(file->loop, &file->ring.operation);
    else if (file->where == JG__FILE_POLLED)
        jg_cancel_operation(file->loop, &file->poll);
    else if (file->where == JG__FILE_ON_THREAD && jg_job_cancel(&file->job))
        answer_soon(file, -ECANCELED);
}
