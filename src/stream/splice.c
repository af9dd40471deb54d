/* From one stream to another: through a pipe of the kernel's where that can be, else from the input of the one. */
#include "base/memory.h"
#include "stream/input.h"
#include "stream/reader.h"
#include "stream/special.h"
#include "stream/waiter.h"
#include "stream/write.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

enum { AT_ONCE = 1 << 20, COPIED_AT_ONCE = 16 * 1024 };

static const char call[] = "jg_splice";

struct job {
    struct jg__stream *from, *to;
    size_t moved, most;
    bool by_kernel;
    int pipe[2];
};

static size_t left(const struct job *job)
{
    size_t bytes = job->most - job->moved;
    return bytes < AT_ONCE ? bytes : AT_ONCE;
}

/* Others may have closed a stream while the task waited. */
static int check_open(const struct job *job)
{
    return job->from->closed || job->to->closed ? jg__wait_failed(call, EBADF) : 0;
}

/* ---- Copies ---- */

static int wait_for_room(struct job *job, size_t most)
{
    int result = jg__wait_for_progress(job->to, most, call);
    if (result == -EPIPE)
        return jg__check_sending(job->to, call) < 0 ? -1 : jg_fail(EPIPE, "%s: the connection was lost", call);
    return result < 0 ? jg__wait_failed(call, -result) : 1;
}

/* In pieces that are copied whole, so that an interruption cannot come halfway. */
static int move_input(struct job *job)
{
    struct jg__stream *from = job->from;
    size_t count = jg__input_count(from), most = left(job), high = job->to->transport.high_water;
    most = most < COPIED_AT_ONCE ? most : COPIED_AT_ONCE;
    most = most < high || !high ? most : high;
    count = count < most ? count : most;
    if (high && !jg__may_copy(job->to, count))
        return wait_for_room(job, high - count);
    from->shown = from->input;
    struct iovec vector = {(char *)(uintptr_t)jg__input_bytes(from), count};
    int result = jg__write_vector(job->to, &vector, 1, count, call), error = errno;
    jg__input_unpin(from);
    errno = error;
    if (result < 0)
        return -1;
    jg__input_drop(from, count);
    job->moved += count;
    return 1;
}

static int wait_for_input(struct job *job)
{
    int result = jg__reader_wait_buffered(job->from, 1, call);
    return result < 0 ? jg__wait_failed(call, -result) : 1;
}

/* ---- The kernel's way ---- */

/* Is the stream told that there is something, or handed what came? */
static void announce(struct jg__stream *from, bool announced)
{
    bool wanted = jg__input_count(from) < JG__INPUT_MOST && !from->lost && !from->closed;
    from->transport.only_announced = announced;
    if (!announced && wanted)
        jg_transport_resume_reading(&from->transport);
}

static void stop(struct job *job)
{
    if (!job->by_kernel)
        return;
    job->by_kernel = false;
    close(job->pipe[0]);
    close(job->pipe[1]);
    announce(job->from, false);
}

/* What the kernel receives by itself has to be over first, lest the order is lost. */
static int start(struct job *job)
{
    jg_transport *transport = &job->from->transport;
    if (!jg__is_plain(job->from) || !jg__is_plain(job->to) || transport->kind & JG__RECEIVES_FDS)
        return 0;
    jg_transport_pause_reading(transport);
    while (transport->receiving && !job->from->lost && !job->from->at_end)
        if (jg_sleep(0) < 0 || check_open(job) < 0) {
            announce(job->from, false);
            return -1;
        }
    if (job->from->at_end || pipe2(job->pipe, O_CLOEXEC | O_NONBLOCK) < 0) {
        announce(job->from, false);
        return 0;
    }
    announce(job->from, true);
    job->by_kernel = true;
    return 0;
}

/* What is left in the pipe is to be read again. */
static void give_back(struct job *job, size_t bytes)
{
    char *memory = jg__allocate(bytes);
    ssize_t count = memory ? read(job->pipe[0], memory, bytes) : -1;
    if (count != (ssize_t)bytes || !jg__input_put_back(job->from, memory, bytes))
        jg__stream_lose_input(job->from);
    jg__release(memory);
}

static int write_pipe(struct job *job, size_t bytes)
{
    struct jg__direct_write write = {.sends_file = true, .source = job->pipe[0], .offset = -1, .bytes = bytes};
    size_t sent = 0;
    int result = jg__write_specially(job->to, &write, bytes, &sent, call) < 0 ? -1 : 1, error = errno;
    job->moved += sent;
    if (sent < bytes)
        give_back(job, bytes - sent);
    errno = error;
    return result;
}

static ssize_t fetch(struct job *job)
{
    ssize_t count;
    do
        count = splice(job->from->transport.fd, NULL, job->pipe[1], NULL, left(job), SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    while (count < 0 && errno == EINTR);
    return count;
}

static int move_by_kernel(struct job *job)
{
    struct jg__stream *from = job->from;
    ssize_t count = fetch(job);
    if (count > 0)
        return write_pipe(job, (size_t)count);
    if (count < 0 && errno == EAGAIN)
        return wait_for_input(job);
    if (count < 0 && errno != EINVAL) {
        jg__stream_end_input(from, errno);
        jg_transport_abort(&from->transport);
    }
    stop(job); /* the end of file is found once more */
    return 1;
}

/* ---- Both ---- */

/* 1: some were moved, or may be next; 0: the end; -1 with errno. */
static int move_some(struct job *job)
{
    struct jg__stream *from = job->from;
    if (jg__enter_wait(call) < 0 || check_open(job) < 0)
        return -1;
    if (jg__input_count(from))
        return move_input(job);
    if (from->at_end)
        return jg__reader_error(from, call);
    if (jg__check_writable(job->to, call) < 0)
        return -1;
    return job->by_kernel ? move_by_kernel(job) : wait_for_input(job);
}

static ssize_t move_all(struct job *job)
{
    int result = start(job) < 0 ? -1 : 1;
    while (result > 0 && job->moved < job->most)
        result = move_some(job);
    int error = errno;
    stop(job);
    errno = error;
    return result < 0 ? -1 : (ssize_t)job->moved;
}

ssize_t jg_splice(jg_stream *from, jg_stream *to, size_t count)
{
    struct job job = {.to = jg__stream_of(to, call), .most = count && count < SSIZE_MAX ? count : SSIZE_MAX};
    job.from = jg__reader_enter(from, call);
    if (!job.from)
        return -1;
    if (jg__stream_behind(to) != job.to) /* the entry check let others run */
        return jg__wait_failed(call, EBADF);
    int saved = errno;
    job.from->users++;
    job.to->users++;
    ssize_t result = move_all(&job);
    int error = errno;
    jg__stream_leave(job.to);
    jg__stream_leave(job.from);
    errno = result < 0 ? error : saved;
    return result;
}
