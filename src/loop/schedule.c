/* Handles and timers: what runs next, what runs later, and what other threads send. */
#include "loop/internal.h"

#include <errno.h>
#include <unistd.h>

void jg_call_soon(jg_loop *loop, jg_handle *handle)
{
    if (!handle->next)
        jg__queue_append(&loop->ready, handle);
}

void jg_handle_cancel(jg_loop *loop, jg_handle *handle)
{
    jg__take_inbox(loop);
    if (handle->next)
        jg__queue_remove(handle);
}

/* The inbox is a stack of handles linked by `next`; the last one points at the ready queue, since NULL means "not
 * queued". */
void jg_call_soon_threadsafe(jg_loop *loop, jg_handle *handle)
{
    atomic_fetch_add(&loop->senders, 1);
    jg_handle *head = atomic_load_explicit(&loop->inbox, memory_order_relaxed);
    do
        handle->next = head ? head : &loop->ready;
    while (!atomic_compare_exchange_weak(&loop->inbox, &head, handle));
    if (atomic_load(&loop->asleep) && atomic_exchange(&loop->asleep, false)) {
        int saved = errno;
        while (write(loop->wake_fd, &(uint64_t){1}, sizeof(uint64_t)) < 0 && errno == EINTR)
            ;
        errno = saved;
    }
    atomic_fetch_sub(&loop->senders, 1);
}

void jg__take_inbox(jg_loop *loop)
{
    if (!atomic_load_explicit(&loop->inbox, memory_order_relaxed))
        return;
    jg_handle *newest = atomic_exchange(&loop->inbox, NULL);
    jg_handle *oldest = &loop->ready;
    while (newest != &loop->ready) {
        jg_handle *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest != &loop->ready) {
        jg_handle *next = oldest->next;
        jg__queue_append(&loop->ready, oldest);
        oldest = next;
    }
}

void jg__call_at(jg_loop *loop, jg_timer *timer, int64_t when)
{
    jg_timer_cancel(loop, timer);
    if (when != JG__NEVER)
        jg__timers_add(&loop->timers, timer, when);
}

void jg_call_at(jg_loop *loop, jg_timer *timer, double when)
{
    jg__call_at(loop, timer, jg__nanoseconds(when));
}

void jg_call_later(jg_loop *loop, jg_timer *timer, double delay)
{
    jg__call_at(loop, timer, jg__later(jg__clock(), jg__nanoseconds(delay)));
}

void jg_timer_cancel(jg_loop *loop, jg_timer *timer)
{
    if (timer->slot)
        jg__timers_remove(&loop->timers, timer);
    else if (timer->handle.next)
        jg__queue_remove(&timer->handle);
}
