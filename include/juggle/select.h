/* Waiting for the first of several things: elements of queues and channels, room in them, the ends of tasks, events,
 * fds, points in time. asyncio's counterpart: wait with FIRST_COMPLETED, without the tasks that this takes.
 *
 *     switch (JG_SELECT(JG_GET(&jobs, &job), JG_ON(&stop), JG_AFTER(5))) {
 *     case 0: work(&job); break;
 *     case 1: return 0;
 *     case 2: puts("nothing to do"); break;
 *     default: return -1;
 *     } */
#ifndef JUGGLE_SELECT_H
#define JUGGLE_SELECT_H

#include <juggle/channel.h>
#include <juggle/queue.h>
#include <juggle/sync.h>
#include <juggle/task.h>

JG_BEGIN

/* One thing to wait for; made by the macros below. */
typedef struct jg_case {
    int result; /* after jg_select, of the case that happened: 0, or the events; a negated errno if it failed */
    int kind;   /* private, like the rest */
    void *object;
    union {
        void *got;
        const void *put;
    } element;
    double seconds;
    int fd;
    short events;
} jg_case;

/* Waits until one of the cases can happen, lets exactly that one happen and returns its index. The others have no
 * effect and leave no trace. Of several that can happen at once each has the same chance. Cases may name the same
 * object. Returns -1 with what the case that happened failed with: EPIPE (a queue or channel is shut down), EBADF or
 * EPERM (an fd), ENOMEM; its .result tells which case it was. Also -1, and nothing has happened, with ECANCELED,
 * ETIMEDOUT; EINVAL (no cases, over INT_MAX, a NULL task, a time that is NaN); ENOMEM (over 8 cases). Waits. */
JG_API int jg_select(jg_case *cases, size_t count) JG_MUST_USE;

/* The same with the cases as arguments; in C only. */
#define JG_SELECT(...) jg_select((jg_case[]){__VA_ARGS__}, sizeof((jg_case[]){__VA_ARGS__}) / sizeof(jg_case))

/* ---- Cases; `jg_case`s, in arrays or alone ---- */

/* An element of a queue is got into *element, or one is put: jg_queue_get, jg_queue_put. */
#define JG_GET(queue, element) jg_case_get(queue, element)
#define JG_PUT(queue, element) jg_case_put(queue, element)

/* The same of a channel: jg_channel_get, jg_channel_put. */
#define JG_TAKE(channel, element) jg_case_take(channel, element)
#define JG_GIVE(channel, element) jg_case_give(channel, element)

/* A task has ended. It is neither consumed nor cancelled: jg_await has its result without waiting. */
#define JG_DONE(task) jg_case_done(task)

/* An event is set: jg_event_wait. */
#define JG_ON(event) jg_case_on(event)

/* One of the poll(2) events holds on an fd; .result has those that do: jg_wait_fd. */
#define JG_READY(fd, events) jg_case_ready(fd, events)

/* So many seconds have passed; 0 or less: no other case can happen at once, so that jg_select doesn't wait. Infinity:
 * never. */
#define JG_AFTER(seconds) jg_case_after(seconds)

/* It is `when` on jg_time. */
#define JG_AT(when) jg_case_at(when)

/* What the macros call. */
enum jg_case_kind {
    JG_CASE_GET,
    JG_CASE_PUT,
    JG_CASE_TAKE,
    JG_CASE_GIVE,
    JG_CASE_DONE,
    JG_CASE_ON,
    JG_CASE_READY,
    JG_CASE_AFTER,
    JG_CASE_AT
};

static inline jg_case jg_case_of(int kind, void *object)
{
    jg_case made;
    made.result = 0;
    made.kind = kind;
    made.object = object;
    made.element.got = NULL;
    made.seconds = 0;
    made.fd = -1;
    made.events = 0;
    return made;
}

static inline jg_case jg_case_getting(int kind, void *object, void *element)
{
    jg_case made = jg_case_of(kind, object);
    made.element.got = element;
    return made;
}

static inline jg_case jg_case_putting(int kind, void *object, const void *element)
{
    jg_case made = jg_case_of(kind, object);
    made.element.put = element;
    return made;
}

static inline jg_case jg_case_get(jg_queue *queue, void *element)
{
    return jg_case_getting(JG_CASE_GET, queue, element);
}

static inline jg_case jg_case_put(jg_queue *queue, const void *element)
{
    return jg_case_putting(JG_CASE_PUT, queue, element);
}

static inline jg_case jg_case_take(jg_channel *channel, void *element)
{
    return jg_case_getting(JG_CASE_TAKE, channel, element);
}

static inline jg_case jg_case_give(jg_channel *channel, const void *element)
{
    return jg_case_putting(JG_CASE_GIVE, channel, element);
}

static inline jg_case jg_case_done(jg_task *task)
{
    return jg_case_of(JG_CASE_DONE, task);
}

static inline jg_case jg_case_on(jg_event *event)
{
    return jg_case_of(JG_CASE_ON, event);
}

static inline jg_case jg_case_ready(int fd, short events)
{
    jg_case made = jg_case_of(JG_CASE_READY, NULL);
    made.fd = fd;
    made.events = events;
    return made;
}

static inline jg_case jg_case_after(double seconds)
{
    jg_case made = jg_case_of(JG_CASE_AFTER, NULL);
    made.seconds = seconds;
    return made;
}

static inline jg_case jg_case_at(double when)
{
    jg_case made = jg_case_of(JG_CASE_AT, NULL);
    made.seconds = when;
    return made;
}

JG_END

#endif
