#include "stream/stream.h"

#include "base/memory.h"
#include "stream/fds.h"
#include "stream/input.h"
#include "stream/standard.h"
#include "task/task.h"
#include "transport/layer.h"

#include <errno.h>

/* ---- What the transport tells ---- */

/* Only a reader that waits has a place for what comes; else it is copied to the stream's own buffer. */
static void *get_buffer(jg_transport *transport, void *arg, size_t *size)
{
    (void)transport;
    const struct jg__stream *stream = arg;
    const struct jg__reader *reader = stream->reader;
    if (!reader || reader->woken || !reader->memory)
        return NULL;
    *size = reader->size - reader->filled;
    return reader->memory + reader->filled;
}

static void buffer_updated(jg_transport *transport, void *arg, size_t bytes)
{
    (void)transport;
    struct jg__stream *stream = arg;
    stream->reader->filled += bytes;
    if (stream->reader->filled >= stream->reader->least)
        jg__reader_wake(stream, 0);
}

static void data_received(jg_transport *transport, void *arg, const void *data, size_t bytes)
{
    struct jg__stream *stream = arg;
    if (!jg__input_append(stream, data, bytes)) {
        jg__stream_lose_input(stream);
        return;
    }
    size_t count = jg__input_count(stream);
    const struct jg__reader *reader = stream->reader;
    if (reader && !reader->woken && count < reader->least)
        return;
    jg__reader_wake(stream, 0);
    if (count >= JG__INPUT_MOST)
        jg_transport_pause_reading(transport);
}

static void eof_received(jg_transport *transport, void *arg)
{
    (void)transport;
    jg__stream_end_input(arg, 0);
}

static void connection_made(jg_transport *transport, void *arg)
{
    (void)transport;
    jg__race_won(arg);
}

static void connection_lost(jg_transport *transport, void *arg, int error)
{
    struct jg__stream *stream = arg;
    if (stream->connecting)
        jg__race_lost(stream, error);
    jg__stream_end_input(stream, error == EPIPE ? ECONNRESET : error);
    jg__stream_progress(transport, stream);
}

static void free_if_unused(struct jg__stream *stream)
{
    if (stream->closed && stream->lost && stream->users == 0)
        jg__stream_put_back(stream);
}

static void released(jg_transport *transport)
{
    struct jg__stream *stream = jg__stream_of_transport(transport);
    stream->lost = true;
    if (stream->standard)
        jg__standard_ended(stream);
    free_if_unused(stream);
}

static const jg_protocol connected_protocol = {
    .get_buffer = get_buffer,
    .buffer_updated = buffer_updated,
    .data_received = data_received,
    .eof_received = eof_received,
    .connection_lost = connection_lost,
    .fd_received = jg__fds_received,
};

static const jg_protocol connecting_protocol = {
    .connection_made = connection_made,
    .get_buffer = get_buffer,
    .buffer_updated = buffer_updated,
    .data_received = data_received,
    .eof_received = eof_received,
    .connection_lost = connection_lost,
    .fd_received = jg__fds_received,
};

static void readable(jg_transport *transport, void *arg)
{
    (void)transport;
    jg__reader_wake(arg, 0);
}

static const struct jg__transport_owner owner = {
    .progress = jg__stream_progress, .released = released, .readable = readable};

/* ---- Life ---- */

struct jg__stream *jg__stream_new(jg_loop *loop, bool connecting, size_t high_water, size_t low_water)
{
    struct jg__pools *pools = jg__pools_of(loop);
    struct jg__stream *stream = pools ? jg__pool_get(&pools->streams) : NULL;
    if (!stream)
        return NULL;
    jg__list_init(&stream->waiters);
    jg__transport_init(&stream->transport, loop, connecting ? &connecting_protocol : &connected_protocol, &owner,
                       stream);
    if (high_water)
        stream->transport.high_water = high_water;
    high_water = stream->transport.high_water;
    if (!low_water)
        low_water = high_water / 4;
    stream->transport.low_water = low_water < high_water ? low_water : high_water;
    return stream;
}

void jg__stream_free_heap(struct jg__pooled *pooled)
{
    struct jg__stream *stream = (struct jg__stream *)pooled;
    jg__input_free(stream);
    jg__layers_free(&stream->transport);
    jg__fds_free(stream->fds);
    stream->fds = NULL;
    jg__release(stream->names);
    stream->names = NULL;
}

void jg__stream_put_back(struct jg__stream *stream)
{
    jg__stream_free_heap(&stream->pooled);
    jg__pool_put(&stream->transport.loop->pools->streams, &stream->pooled);
}

void jg__stream_retire(struct jg__stream *stream)
{
    if (stream->served && stream->served->task != jg__here.task)
        stream->served->taken = true;
    jg__pool_retire(&stream->pooled);
    stream->closed = true;
    free_if_unused(stream);
}

void jg__stream_leave(struct jg__stream *stream)
{
    stream->users--;
    if (stream->closer && stream->users == 1)
        jg__wake(stream->closer, 0);
    free_if_unused(stream);
}

jg_stream *jg__stream_from_fd(int fd, const jg_stream_options *options, int directions, const char *call)
{
    jg_loop *loop = jg__loop_of(jg__running(call));
    int kind = jg__kind_adopt(fd,
                              &(jg_transport_options){.keep_alive = options->keep_alive,
                                                      .receive_fds = options->receive_fds,
                                                      .shared = options->shared},
                              call);
    if (kind < 0)
        return NULL;
    struct jg__stream *stream = jg__stream_new(loop, false, options->high_water, options->low_water);
    if (!stream) {
        jg_fail(ENOMEM, "%s: out of memory", call);
        return NULL;
    }
    stream->transport.kind = (unsigned char)(kind & (directions | ~JG__SOCKET));
    jg__transport_attach(&stream->transport, fd);
    return jg__stream_handle(stream);
}

jg_stream *jg_stream_from_fd_with(int fd, const jg_stream_options *options)
{
    jg_stream_options whole;
    return jg__stream_from_fd(fd, jg__whole_options(options, &whole, sizeof whole), JG__SOCKET, "jg_stream_from_fd");
}

/* ---- Entering ---- */

void jg__wrong_stream(const jg_stream *handle, const char *call)
{
    if (!jg_get_running_loop())
        jg__die("%s: called outside jg_run", call);
    if (!handle)
        jg__die("%s: the stream is NULL", call);
    if (jg__stream_behind(handle))
        jg__die("%s: the stream belongs to another thread", call);
    jg__die("%s: the stream was closed", call);
}

struct jg__stream *jg__stream_enter(const jg_stream *handle, const char *call)
{
    struct jg__stream *stream = jg__stream_of(handle, call);
    if (__builtin_expect(jg__enter_wait(call) < 0, 0))
        return NULL;
    if (__builtin_expect(jg__stream_behind(handle) != stream, 0)) {
        jg__wait_failed(call, EBADF);
        return NULL;
    }
    return stream;
}

int jg__wait_failed(const char *call, int error)
{
    if (error == EBADF)
        return jg_fail(EBADF, "%s: the stream was closed meanwhile", call);
    return jg__fail_interrupted(call, error);
}

/* ---- The end of the input ---- */

void jg__stream_end_input(struct jg__stream *stream, int error)
{
    if (!stream->at_end) {
        stream->at_end = true;
        stream->read_error = error;
    }
    jg__reader_wake(stream, 0);
}

void jg__stream_lose_input(struct jg__stream *stream)
{
    stream->at_end = false;
    jg__stream_end_input(stream, ENOMEM);
    if (!stream->lost)
        jg_transport_abort(&stream->transport);
}
