/* The end of a connection: close sends what is queued and lingers for the peer's end, abort resets; neither needs the
 * owner's memory. The fd is closed once the kernel has let go of every operation. */
#include "transport/internal.h"
#include "transport/layer.h"

#include <sys/socket.h>
#include <unistd.h>

enum { LINGER_SECONDS = 1, LINGER_BYTES = 1024 * 1024 };

/* ---- Ending ---- */

void jg__transport_end_if_idle(jg_transport *transport)
{
    if (!transport->receiving && !transport->sending)
        jg_call_soon(transport->loop, &transport->timer.handle);
}

void jg__transport_end(jg_transport *transport, int error)
{
    if (transport->phase == JG__TRANSPORT_ENDING)
        return;
    transport->loop->lingering -= transport->phase == JG__TRANSPORT_LINGERING;
    transport->phase = JG__TRANSPORT_ENDING;
    transport->error = error;
    transport->reset |= transport->broken || error;
    jg_timer_cancel(transport->loop, &transport->timer);
    if (transport->receiving)
        jg__transport_cancel(transport, &transport->input);
    if (transport->sending)
        jg__transport_cancel(transport, &transport->first->operation);
    jg__transport_end_if_idle(transport);
}

static void close_fd(jg_transport *transport)
{
    if (transport->memory)
        jg__memory_close(transport->memory, transport->reset);
    transport->memory = NULL;
    if (transport->fd < 0)
        return;
    if (transport->reset &&
        !(transport->kind & (JG__FILE | JG__SHARED))) /* unknown to other sockets than TCP, and of no use there */
        setsockopt(transport->fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
    close(transport->fd);
    transport->fd = -1;
}

static void release(jg_transport *transport)
{
    if (!transport->owner) {
        jg__layers_free(transport);
        jg__release(transport);
    } else if (transport->owner->released)
        transport->owner->released(transport);
}

void jg__transport_finish(jg_transport *transport)
{
    jg__transport_drop_queue(transport, transport->error ? transport->error : ECANCELED);
    if (transport->wants_progress && transport->owner->progress)
        transport->owner->progress(transport, transport->arg);
    jg__transport_release_address(transport);
    jg__forget_fd(transport->loop, transport->fd, transport->kind & JG__SHARED);
    close_fd(transport);
    jg__list_remove(&transport->resident.node);
    jg__listeners_retry(transport->loop);
    if (transport->protocol->connection_lost)
        transport->protocol->connection_lost(transport, transport->arg, transport->error);
    release(transport);
}

void jg__transport_evict(struct jg__resident *resident)
{
    jg_transport *transport = jg__container_of(resident, jg_transport, resident);
    jg__transport_drop_queue(transport, 0);
    jg__transport_release_address(transport);
    close_fd(transport);
    release(transport);
}

/* ---- Lingering ---- */

void jg__transport_linger(jg_transport *transport)
{
    if (transport->eof || transport->kind & (JG__FILE | JG__SHARED | JG__MEMORY) ||
        shutdown(transport->fd, SHUT_WR) < 0) {
        jg__transport_end(transport, 0);
        return;
    }
    transport->phase = JG__TRANSPORT_LINGERING;
    transport->loop->lingering++;
    jg_call_later(transport->loop, &transport->timer, transport->linger > 0 ? transport->linger : LINGER_SECONDS);
    jg__transport_receive(transport);
}

void jg__transport_discard(jg_transport *transport, int result)
{
    bool lingering = transport->phase == JG__TRANSPORT_LINGERING;
    if (result > 0 && lingering)
        transport->discarded += (uint32_t)result;
    if (result == 0)
        transport->eof = true;
    if (result < 0 && result != -ECANCELED)
        jg__transport_end(transport, lingering ? 0 : -result);
    else if (lingering && (transport->eof || transport->discarded > LINGER_BYTES))
        jg__transport_end(transport, 0);
    else
        jg__transport_receive(transport);
}

void jg_transport_close(jg_transport *transport)
{
    int saved = errno;
    if (transport->phase == JG__TRANSPORT_CONNECTING ||
        (transport->phase <= JG__TRANSPORT_OPEN && transport->write_error)) {
        jg__transport_end(transport, 0);
    } else if (transport->phase <= JG__TRANSPORT_OPEN) {
        transport->phase = JG__TRANSPORT_FLUSHING;
        jg_timer_cancel(transport->loop, &transport->timer);
        jg__transport_receive(transport);
        jg__transport_send(transport, false);
        if (!transport->first)
            jg__transport_linger(transport);
    }
    errno = saved;
}

void jg_transport_abort(jg_transport *transport)
{
    int saved = errno;
    transport->reset = true;
    jg__transport_end(transport, 0);
    errno = saved;
}
