/* Conditions. Who is notified moves from the condition's line to the lock's, and so does who is interrupted: its task
 * runs only when it has the lock. */
#include "sync/line.h"

#include <juggle/sync.h>

struct sleeper {
    struct jg__place place;
    jg_lock *lock;
    int reason;    /* of its interruption, before it was notified */
    bool notified; /* or interrupted: it stands in the lock's line */
};

static jg_lock *lock_of(const jg_condition *condition)
{
    return condition->lock ? condition->lock : (jg_lock *)(uintptr_t)&condition->own; // NOLINT(*-int-to-ptr)
}

static jg_lock *lock_held(const char *call, const jg_condition *condition)
{
    jg_lock *lock = lock_of(condition);
    if (JG__UNLIKELY(!lock->locked))
        jg__die("%s: the lock of the condition is not locked", call);
    return lock;
}

int jg_condition_acquire(jg_condition *condition)
{
    return jg_lock_acquire(lock_of(condition));
}

void jg_condition_release(jg_condition *condition)
{
    jg_lock_release(lock_of(condition));
}

bool jg_condition_locked(const jg_condition *condition)
{
    return jg_lock_locked(lock_of(condition));
}

jg_lock *jg_condition_lock(jg_condition *condition)
{
    return lock_of(condition);
}

static void go_for_lock(struct sleeper *sleeper)
{
    sleeper->notified = true;
    if (sleeper->lock->locked) {
        jg__line_append(sleeper->lock->waiters, &sleeper->place);
        return;
    }
    sleeper->lock->locked = true;
    jg__place_wake(&sleeper->place, 0);
}

static void interrupt_sleeper(struct jg__wait *wait, int reason)
{
    struct sleeper *sleeper = jg__container_of(wait, struct sleeper, place.wait);
    if (sleeper->notified)
        return;
    sleeper->reason = -reason;
    jg__list_remove(&sleeper->place.node);
    go_for_lock(sleeper);
}

static int wait_notified(const char *call, jg_condition *condition)
{
    struct sleeper sleeper = {.place.wait = {.call = call, .object = condition, .interrupt = interrupt_sleeper},
                              .lock = lock_held(call, condition)};
    jg_lock_release(sleeper.lock);
    jg__line_park(condition->waiters, &sleeper.place);
    return sleeper.reason ? jg__fail_interrupted(call, sleeper.reason) : 0;
}

int jg_condition_wait(jg_condition *condition)
{
    if (jg__enter("jg_condition_wait") < 0)
        return -1;
    return wait_notified("jg_condition_wait", condition);
}

int jg_condition_wait_for(jg_condition *condition, bool (*predicate)(void *arg), void *arg)
{
    if (jg__enter("jg_condition_wait_for") < 0)
        return -1;
    lock_held("jg_condition_wait_for", condition);
    while (!predicate(arg))
        if (jg_check() < 0 || wait_notified("jg_condition_wait_for", condition) < 0)
            return -1;
    return 0;
}

void jg_condition_notify(jg_condition *condition, size_t count)
{
    lock_held("jg_condition_notify", condition);
    struct jg__place *place;
    while (count-- && (place = jg__line_next(condition->waiters)))
        go_for_lock(jg__container_of(place, struct sleeper, place));
}

void jg_condition_notify_all(jg_condition *condition)
{
    jg_condition_notify(condition, SIZE_MAX);
}
