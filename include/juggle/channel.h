/* Channels: queues between threads, for elements of any type, copied by value. asyncio has none; its users take
 * queue.Queue and call_soon_threadsafe.
 *
 * Any call may be made from any thread. In a task, what has to wait parks the task, and is interrupted as every wait;
 * in a thread without a loop it blocks the thread; in a callback of a loop, which must do neither, it aborts with a
 * sentence. A job of jg_to_thread or jg_run_in_executor whose owner was interrupted (see jg_thread_cancelled) does not
 * block: what has to wait, or waits already, fails with ECANCELED. Who waits, tasks of different loops and threads
 * alike, is served in the order of arrival, as with jg_queue. A task that is woken and interrupted at the same time has
 * put or got its element, and hears of the interruption in its next wait. Several channels at once: select.h. */
#ifndef JUGGLE_CHANNEL_H
#define JUGGLE_CHANNEL_H

#include <juggle/task.h>

JG_BEGIN

typedef struct jg_channel jg_channel;

/* A channel for elements of so many bytes, at most `capacity` of them (1 or more; JG_UNBOUNDED: never full), first in
 * first out. Needs no loop. jg_channel_free frees it. Never waits. Returns NULL with EINVAL (a size or capacity of 0),
 * ENOMEM. */
JG_API jg_channel *jg_channel_new(size_t element_size, size_t capacity) JG_MUST_USE;

/* Copies *element into the channel; waits while it is full. Returns 0; -1 with EPIPE (shut down), ENOMEM; in a task
 * ECANCELED, ETIMEDOUT, in a job of a thread ECANCELED: then the element isn't in the channel. */
JG_API int jg_channel_put(jg_channel *channel, const void *element) JG_MUST_USE;

/* Takes the oldest element out, into *element; waits while there is none. Returns 0; -1 with EPIPE (shut down, and
 * empty); in a task ECANCELED, ETIMEDOUT, in a job of a thread ECANCELED: then *element is as it was. */
JG_API int jg_channel_get(jg_channel *channel, void *element) JG_MUST_USE;

/* The same, for at most so many seconds, then -1 with ETIMEDOUT; infinity waits for ever; 0 or less: as the _nowait
 * form, but with ETIMEDOUT (in a task too, where JG_TIMEOUT of 0 would fail without an effect). NaN: EINVAL. */
JG_API int jg_channel_put_for(jg_channel *channel, const void *element, double seconds) JG_MUST_USE;
JG_API int jg_channel_get_for(jg_channel *channel, void *element, double seconds) JG_MUST_USE;

/* The same without waiting, also for callbacks of a loop: -1 with EAGAIN when the channel is full, or empty. */
JG_API int jg_channel_put_nowait(jg_channel *channel, const void *element) JG_MUST_USE;
JG_API int jg_channel_get_nowait(jg_channel *channel, void *element) JG_MUST_USE;

/* How many elements were in it a moment ago. Never waits. */
JG_API size_t jg_channel_size(jg_channel *channel);

/* No more elements: who puts, or waits to, fails with EPIPE; who gets is served until the channel is empty, and then
 * fails with EPIPE. `immediate`: what is in it is dropped. For good; a second call can only add that. Never waits. */
JG_API void jg_channel_shutdown(jg_channel *channel, bool immediate);

/* Frees the channel and drops what is in it. No thread may begin a call any more; calls that are about to return are
 * waited for (so that who got the last element may free it). Aborts when somebody waits in it: shut it down first, and
 * let them leave. Accepts NULL, preserves errno. Never waits otherwise. */
JG_API void jg_channel_free(jg_channel *channel);
static inline void jg_channel_autoptr(jg_channel **channel)
{
    jg_channel_free(*channel);
}

JG_END

#endif
