/* What the kinds of cases of jg_select do. */
#include "sync/select.h"

#include <juggle/sync.h>
#include <math.h>
#include <poll.h>

/* ---- Lines of this thread: queues and events ---- */

static struct jg__entry *entry_at(struct jg__place *place)
{
    return jg__container_of(place, struct jg__entry, visitor.place);
}

static bool claim_place(struct jg__place *place)
{
    return jg__selection_claim(entry_at(place)->selection);
}

static void wake_place(struct jg__place *place, int result)
{
    struct jg__entry *entry = entry_at(place);
    if (JG__UNLIKELY(entry->selection->loop != jg__here.loop))
        jg__refuse_to_wake(place);
    jg__selection_decide(entry, result);
}

static const struct jg__standing standing = {claim_place, wake_place};

static void enter_line(struct jg__entry *entry, void *line[2])
{
    entry->visitor.place.wait.call = "jg_select";
    entry->visitor.place.element = jg__case_of(entry)->element.got; /* what is put is only read */
    entry->visitor.place.standing = &standing;
    jg__line_append(line, &entry->visitor.place);
}

static void leave_line(struct jg__entry *entry)
{
    if (jg__listed(&entry->visitor.place.node))
        jg__list_remove(&entry->visitor.place.node);
}

static int look_at_get(const jg_case *wanted, const struct jg__selection *selection)
{
    (void)selection;
    return jg__could_get(wanted->object) ? 0 : -EAGAIN;
}

static int get(const jg_case *wanted)
{
    return jg__try_get(wanted->object, wanted->element.got);
}

static void enter_getters(struct jg__entry *entry)
{
    enter_line(entry, ((jg_queue *)jg__case_of(entry)->object)->getters);
}

static int look_at_put(const jg_case *wanted, const struct jg__selection *selection)
{
    (void)selection;
    return jg__could_put(wanted->object) ? 0 : -EAGAIN;
}

static int put(const jg_case *wanted)
{
    return jg__try_put(wanted->object, wanted->element.put);
}

static void enter_putters(struct jg__entry *entry)
{
    enter_line(entry, ((jg_queue *)jg__case_of(entry)->object)->putters);
}

static int look_at_event(const jg_case *wanted, const struct jg__selection *selection)
{
    (void)selection;
    return jg_event_is_set(wanted->object) ? 0 : -EAGAIN;
}

static void enter_event(struct jg__entry *entry)
{
    enter_line(entry, ((jg_event *)jg__case_of(entry)->object)->waiters);
}

/* ---- Channels ---- */

/* Its memory is there until it is told that it was found, at the earliest. */
static bool claim_visitor(struct jg__place *place)
{
    struct jg__entry *entry = entry_at(place);
    bool claimed = jg__selection_claim(entry->selection);
    (void)jg__visitor_found(&entry->visitor);
    return claimed;
}

/* Always by way of the loop: to leave the other lines means to lock other channels, and one is locked now. */
static void wake_visitor(struct jg__place *place, int result)
{
    struct jg__entry *entry = entry_at(place);
    struct jg__selection *selection = entry->selection;
    selection->winner = (size_t)(entry - selection->entries);
    selection->result = result;
    if (selection->loop == jg__here.loop)
        jg_call_soon(selection->loop, &selection->arrival);
    else
        jg_call_soon_threadsafe(selection->loop, &selection->arrival);
}

static const struct jg__standing visiting = {claim_visitor, wake_visitor};

static bool takes(const jg_case *wanted)
{
    return wanted->kind == JG_CASE_TAKE;
}

static bool could_happen(const jg_case *wanted)
{
    const jg_channel *channel = wanted->object;
    return takes(wanted) ? jg__could_get(&channel->queue) : jg__could_put(&channel->queue);
}

static int happen_locked(const jg_case *wanted)
{
    jg_channel *channel = wanted->object;
    return takes(wanted) ? jg__try_get(&channel->queue, wanted->element.got)
                         : jg__try_put(&channel->queue, wanted->element.put);
}

static int look_at_channel(const jg_case *wanted, const struct jg__selection *selection)
{
    (void)selection;
    jg__refuse_null(wanted->object, "jg_select", "channel");
    jg__channel_lock(wanted->object);
    bool could = could_happen(wanted);
    jg__channel_unlock(wanted->object);
    return could ? 0 : -EAGAIN;
}

static int happen_in_channel(const jg_case *wanted)
{
    jg__channel_lock(wanted->object);
    int result = happen_locked(wanted);
    jg__channel_unlock(wanted->object);
    return result;
}

static void visit(struct jg__entry *entry, jg_channel *channel)
{
    entry->visitor.channel = channel;
    entry->visitor.place.element = jg__case_of(entry)->element.got; /* what is put is only read */
    entry->visitor.place.standing = &visiting;
    jg__visit(&entry->visitor, takes(jg__case_of(entry)) ? channel->queue.getters : channel->queue.putters);
}

/* Since it looked, another thread may have changed the channel, or served it in another one. */
static void enter_channel(struct jg__entry *entry)
{
    const jg_case *wanted = jg__case_of(entry);
    jg_channel *channel = wanted->object;
    int result = -EAGAIN;
    jg__channel_lock(channel);
    entry->waiting = !could_happen(wanted);
    if (entry->waiting)
        visit(entry, channel);
    else if (jg__selection_claim(entry->selection))
        result = happen_locked(wanted);
    jg__channel_unlock(channel);
    if (result != -EAGAIN)
        jg__selection_decide(entry, result);
}

static void leave_channel(struct jg__entry *entry)
{
    (void)jg__visitor_leaves(&entry->visitor);
}

/* ---- Tasks ---- */

static bool has_task(const jg_case *wanted)
{
    return wanted->object != NULL;
}

static struct jg__task *task_of(const jg_case *wanted)
{
    return jg__task_of(wanted->object, "jg_select");
}

static int look_at_task(const jg_case *wanted, const struct jg__selection *selection)
{
    (void)selection;
    return task_of(wanted)->ended ? 0 : -EAGAIN;
}

static void task_ended(struct jg__watcher *watcher, const struct jg__task *task)
{
    (void)task;
    jg__selection_happens(jg__container_of(watcher, struct jg__entry, watcher), 0);
}

static void enter_task(struct jg__entry *entry)
{
    entry->watcher.ended = task_ended;
    jg__watch_task(task_of(jg__case_of(entry)), &entry->watcher);
}

static void leave_task(struct jg__entry *entry)
{
    jg__unwatch_task(&entry->watcher);
}

/* ---- Times ---- */

static bool has_time(const jg_case *wanted)
{
    return !isnan(wanted->seconds);
}

static int64_t time_of(const jg_case *wanted, const struct jg__selection *selection)
{
    int64_t time = jg__nanoseconds(wanted->seconds);
    return wanted->kind == JG_CASE_AT ? time : jg__later(selection->now, time);
}

static int look_at_after(const jg_case *wanted, const struct jg__selection *selection)
{
    (void)wanted;
    (void)selection;
    return -EAGAIN;
}

static int look_at_time(const jg_case *wanted, const struct jg__selection *selection)
{
    return time_of(wanted, selection) <= selection->now ? 0 : -EAGAIN;
}

static void time_came(void *arg)
{
    jg__selection_happens(arg, 0);
}

static void enter_timers(struct jg__entry *entry)
{
    entry->timer.handle = (jg_handle){.fn = time_came, .arg = entry};
    jg__call_at(jg__here.loop, &entry->timer, time_of(jg__case_of(entry), entry->selection));
}

static void leave_timers(struct jg__entry *entry)
{
    jg_timer_cancel(jg__here.loop, &entry->timer);
}

/* ---- Fds ---- */

static int look_at_fd(const jg_case *wanted, const struct jg__selection *selection)
{
    struct pollfd asked = {.fd = wanted->fd, .events = wanted->events};
    int saved = errno;
    int found = poll(&asked, 1, 0);
    (void)selection;
    errno = saved;
    if (wanted->fd < 0 || (found > 0 && asked.revents & POLLNVAL))
        return -EBADF;
    return found > 0 ? asked.revents : -EAGAIN; /* an interrupted one is asked again by the loop */
}

static void fd_done(jg_operation *operation, int result)
{
    struct jg__entry *entry = jg__container_of(operation, struct jg__entry, operation);
    struct jg__selection *selection = entry->selection;
    entry->waiting = false;
    jg__selection_happens(entry, result);
    jg__selection_returned(selection);
}

static void enter_poll(struct jg__entry *entry)
{
    const jg_case *wanted = jg__case_of(entry);
    entry->operation =
        (jg_operation){.opcode = JG_OP_POLL, .fd = wanted->fd, .done = fd_done, .events = wanted->events};
    entry->selection->in_kernel++;
    jg_submit(jg__here.loop, &entry->operation);
}

static void leave_poll(struct jg__entry *entry)
{
    jg_cancel_operation(jg__here.loop, &entry->operation);
}

const struct jg__case_kind jg__case_kinds[] = {
    [JG_CASE_GET] = {NULL, look_at_get, get, enter_getters, leave_line},
    [JG_CASE_PUT] = {NULL, look_at_put, put, enter_putters, leave_line},
    [JG_CASE_TAKE] = {NULL, look_at_channel, happen_in_channel, enter_channel, leave_channel},
    [JG_CASE_GIVE] = {NULL, look_at_channel, happen_in_channel, enter_channel, leave_channel},
    [JG_CASE_DONE] = {has_task, look_at_task, NULL, enter_task, leave_task},
    [JG_CASE_ON] = {NULL, look_at_event, NULL, enter_event, leave_line},
    [JG_CASE_READY] = {NULL, look_at_fd, NULL, enter_poll, leave_poll},
    [JG_CASE_AFTER] = {has_time, look_at_after, NULL, enter_timers, leave_timers},
    [JG_CASE_AT] = {has_time, look_at_time, NULL, enter_timers, leave_timers},
};
