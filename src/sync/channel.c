/* Channels: a queue and a lock. Who waits is served by the thread that brings what it waits for, under the lock: the
 * element is copied into its memory, and then its loop is told, or the thread woken. */
#include "sync/channel.h"

#include "base/memory.h"
#include "host/executor.h"

#include <math.h>
#include <sched.h>

/* ---- The lock ---- */

void jg__channel_lock(jg_channel *channel)
{
    atomic_fetch_add(&channel->inside, 1);
    pthread_mutex_lock(&channel->lock);
}

void jg__channel_unlock(jg_channel *channel)
{
    pthread_mutex_unlock(&channel->lock);
    atomic_fetch_sub(&channel->inside, 1);
}

/* ---- Who waits: a task ---- */

void jg__visit(struct jg__visitor *visitor, void *line[2])
{
    atomic_fetch_add(&visitor->channel->inside, 1);
    jg__line_append(line, &visitor->place);
}

static bool departs(struct jg__visitor *visitor)
{
    return !atomic_exchange(&visitor->departed, true);
}

bool jg__visitor_found(struct jg__visitor *visitor)
{
    jg_channel *channel = visitor->channel;
    if (!departs(visitor))
        return false;
    atomic_fetch_sub(&channel->inside, 1);
    return true;
}

bool jg__visitor_leaves(struct jg__visitor *visitor)
{
    jg_channel *channel = visitor->channel;
    if (!departs(visitor))
        return false;
    pthread_mutex_lock(&channel->lock);
    if (jg__listed(&visitor->place.node))
        jg__list_remove(&visitor->place.node);
    jg__channel_unlock(channel);
    return true;
}

struct guest {
    struct jg__visitor visitor;
    jg_loop *loop;
    jg_handle arrival; /* brings the result to the loop */
    int result;
};

static bool claim_task(struct jg__place *place)
{
    return jg__visitor_found(jg__container_of(place, struct jg__visitor, place));
}

static void arrive(void *arg)
{
    struct guest *guest = arg;
    jg__wake(&guest->visitor.place.wait, guest->result);
}

static void serve_task(struct jg__place *place, int result)
{
    struct guest *guest = jg__container_of(place, struct guest, visitor.place);
    if (guest->loop == jg__here.loop) {
        jg__wake(&place->wait, result);
        return;
    }
    guest->result = result;
    jg_call_soon_threadsafe(guest->loop, &guest->arrival);
}

/* A guest that was found is woken by what is on the way. */
static void interrupt_guest(struct jg__wait *wait, int reason)
{
    struct guest *guest = jg__container_of(wait, struct guest, visitor.place.wait);
    if (jg__visitor_leaves(&guest->visitor))
        jg__wake(wait, reason);
}

/* ---- Who waits: a thread without a loop ---- */

struct sitter {
    struct jg__place place;
    struct jg__job_wait job; /* of which it may be a part */
    jg_channel *channel;
    pthread_cond_t served;
    int result;
};

/* It leaves only with the channel locked. */
static bool claim_thread(struct jg__place *place)
{
    (void)place;
    return true;
}

static void serve_thread(struct jg__place *place, int result)
{
    struct sitter *sitter = jg__container_of(place, struct sitter, place);
    sitter->result = result;
    pthread_cond_signal(&sitter->served);
}

/* It looks with the channel locked. */
static void wake_job(struct jg__job_wait *wait)
{
    struct sitter *sitter = jg__container_of(wait, struct sitter, job);
    pthread_mutex_lock(&sitter->channel->lock);
    pthread_cond_signal(&sitter->served);
    pthread_mutex_unlock(&sitter->channel->lock);
}

static const struct jg__standing standing_task = {claim_task, serve_task};
static const struct jg__standing standing_thread = {claim_thread, serve_thread};

/* ---- Putting and getting ---- */

/* A call that may wait, in its parts. */
struct call {
    const char *name;
    jg_channel *channel;
    void *element;
    bool puts;
    double seconds; /* at most */
};

static int try_call(const struct call *call)
{
    jg_queue *queue = &call->channel->queue;
    return call->puts ? jg__try_put(queue, call->element) : jg__try_get(queue, call->element);
}

static void **line_of(const struct call *call)
{
    return call->puts ? call->channel->queue.putters : call->channel->queue.getters;
}

/* Unlocks the channel. */
static int wait_as_task(const struct call *call)
{
    struct guest guest = {
        .visitor = {.place.wait = {.call = call->name, .object = call->channel, .interrupt = interrupt_guest},
                    .place.element = call->element,
                    .place.standing = &standing_task,
                    .channel = call->channel},
        .loop = jg__here.loop,
        .arrival = {.fn = arrive, .arg = &guest}};
    struct jg__wait *wait = &guest.visitor.place.wait;
    jg__visit(&guest.visitor, line_of(call));
    jg__channel_unlock(call->channel);
    if (isinf(call->seconds))
        return jg__park(wait);
    JG_TIMEOUT(deadline, call->seconds);
    return jg__park(wait);
}

static struct timespec timespec_of(int64_t nanoseconds)
{
    return (struct timespec){.tv_sec = nanoseconds / JG__SECOND, .tv_nsec = nanoseconds % JG__SECOND};
}

/* Until it was served; else returns why it was not, a negated errno. */
static int sit(struct sitter *sitter, int64_t until)
{
    pthread_mutex_t *lock = &sitter->channel->lock;
    struct timespec when = timespec_of(until);
    while (jg__listed(&sitter->place.node)) {
        if (jg_thread_cancelled())
            return -ECANCELED;
        if (until == JG__NEVER)
            pthread_cond_wait(&sitter->served, lock);
        else if (pthread_cond_clockwait(&sitter->served, lock, CLOCK_MONOTONIC, &when) == ETIMEDOUT)
            return -ETIMEDOUT;
    }
    return 0;
}

/* With the channel locked. */
static int try_or_sit(const struct call *call, struct sitter *sitter, int64_t until)
{
    int result = try_call(call);
    if (result != -EAGAIN)
        return result;
    jg__line_append(line_of(call), &sitter->place);
    int unserved = sit(sitter, until);
    if (!jg__listed(&sitter->place.node))
        return sitter->result;
    jg__list_remove(&sitter->place.node);
    return unserved;
}

/* Unlocks the channel, since the lock of the job's executor comes before that of the channel. */
static int wait_as_thread(const struct call *call)
{
    struct sitter sitter = {.place.element = call->element,
                            .place.standing = &standing_thread,
                            .job.wake = wake_job,
                            .channel = call->channel,
                            .served = PTHREAD_COND_INITIALIZER};
    int64_t until = jg__later(jg__clock(), jg__nanoseconds(call->seconds));
    pthread_mutex_unlock(&call->channel->lock);
    jg__job_wait_begin(&sitter.job);
    pthread_mutex_lock(&call->channel->lock);
    int result = try_or_sit(call, &sitter, until);
    pthread_mutex_unlock(&call->channel->lock);
    jg__job_wait_end();
    pthread_cond_destroy(&sitter.served);
    atomic_fetch_sub(&call->channel->inside, 1);
    return result;
}

static int failure(const struct call *call, int result)
{
    if (result == -ETIMEDOUT && !jg__here.task)
        return jg_fail(ETIMEDOUT, "%s: %g seconds have passed", call->name, call->seconds);
    if (result == -ECANCELED && !jg__here.task)
        return jg_fail(ECANCELED, "%s: nobody waits for the job any more", call->name);
    return jg__queue_failure(call->name, "channel", result);
}

/* Of a thread that runs a loop, a task may wait; a callback must not. */
static bool in_loop(void)
{
    return jg__here.scheduler || jg_get_running_loop();
}

static int put_or_get(const struct call *call)
{
    jg__refuse_null(call->channel, call->name, "channel");
    bool as_task = in_loop();
    if (as_task && jg__enter(call->name) < 0)
        return -1;
    if (isnan(call->seconds))
        return jg_fail(EINVAL, "%s: the time is not a number", call->name);
    jg__channel_lock(call->channel);
    int result = try_call(call);
    if (result == -EAGAIN && call->seconds > 0) {
        result = as_task ? wait_as_task(call) : wait_as_thread(call);
    } else {
        jg__channel_unlock(call->channel);
        if (result == -EAGAIN)
            result = -ETIMEDOUT;
    }
    return JG__LIKELY(result == 0) ? 0 : failure(call, result);
}

static int put_or_get_nowait(const struct call *call)
{
    jg__refuse_null(call->channel, call->name, "channel");
    jg__channel_lock(call->channel);
    int result = try_call(call);
    jg__channel_unlock(call->channel);
    return JG__LIKELY(result == 0) ? 0 : failure(call, result);
}

/* What is put is only read. */
static void *readable(const void *element)
{
    return (void *)(uintptr_t)element; // NOLINT(performance-no-int-to-ptr)
}

int jg_channel_put(jg_channel *channel, const void *element)
{
    return put_or_get(&(struct call){"jg_channel_put", channel, readable(element), true, INFINITY});
}

int jg_channel_get(jg_channel *channel, void *element)
{
    return put_or_get(&(struct call){"jg_channel_get", channel, element, false, INFINITY});
}

int jg_channel_put_for(jg_channel *channel, const void *element, double seconds)
{
    return put_or_get(&(struct call){"jg_channel_put_for", channel, readable(element), true, seconds});
}

int jg_channel_get_for(jg_channel *channel, void *element, double seconds)
{
    return put_or_get(&(struct call){"jg_channel_get_for", channel, element, false, seconds});
}

int jg_channel_put_nowait(jg_channel *channel, const void *element)
{
    return put_or_get_nowait(&(struct call){"jg_channel_put_nowait", channel, readable(element), true, 0});
}

int jg_channel_get_nowait(jg_channel *channel, void *element)
{
    return put_or_get_nowait(&(struct call){"jg_channel_get_nowait", channel, element, false, 0});
}

/* ---- Life ---- */

jg_channel *jg_channel_new(size_t element_size, size_t capacity)
{
    if (element_size == 0 || capacity == 0) {
        jg_fail(EINVAL, "jg_channel_new: elements of %zu bytes, capacity %zu", element_size, capacity);
        return NULL;
    }
    jg_channel *channel = element_size < PTRDIFF_MAX / 64 ? jg__allocate_zeroed(sizeof *channel) : NULL;
    if (!channel) {
        jg_fail(ENOMEM, "jg_channel_new: out of memory for elements of %zu bytes", element_size);
        return NULL;
    }
    pthread_mutex_init(&channel->lock, NULL); /* with NULL it cannot fail */
    channel->queue.element_size = element_size;
    channel->queue.capacity = capacity;
    return channel;
}

size_t jg_channel_size(jg_channel *channel)
{
    jg__refuse_null(channel, "jg_channel_size", "channel");
    jg__channel_lock(channel);
    size_t size = channel->queue.size;
    jg__channel_unlock(channel);
    return size;
}

void jg_channel_shutdown(jg_channel *channel, bool immediate)
{
    jg__refuse_null(channel, "jg_channel_shutdown", "channel");
    jg__channel_lock(channel);
    jg__shut_down(&channel->queue, immediate, NULL);
    jg__channel_unlock(channel);
}

static void refuse_to_free(const jg_queue *queue)
{
    if (!jg__line_empty(queue->getters) || !jg__line_empty(queue->putters))
        jg__die("jg_channel_free: somebody waits in the channel");
}

void jg_channel_free(jg_channel *channel)
{
    if (!channel)
        return;
    int saved = errno;
    pthread_mutex_lock(&channel->lock);
    refuse_to_free(&channel->queue);
    pthread_mutex_unlock(&channel->lock);
    while (atomic_load(&channel->inside))
        sched_yield();
    pthread_mutex_destroy(&channel->lock);
    jg__elements_free(&channel->queue);
    jg__release(channel);
    errno = saved;
}
