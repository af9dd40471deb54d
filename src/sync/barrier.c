/* Barriers. The last to come wakes the others, each with its index, and the next round begins at once. */
#include "sync/line.h"

#include <juggle/sync.h>
#include <limits.h>

static void interrupt_party(struct jg__wait *wait, int reason)
{
    ((jg_barrier *)(uintptr_t)wait->object)->waiting--; // NOLINT(performance-no-int-to-ptr)
    jg__line_leave(wait, reason);
}

static int release_all(jg_barrier *barrier)
{
    int index = 0;
    struct jg__place *place;
    barrier->waiting = 0;
    while ((place = jg__line_next(barrier->waiters)))
        jg__place_wake(place, index++);
    return index;
}

static int fail_broken(void)
{
    return jg_fail(EPIPE, "jg_barrier_wait: the barrier was broken or reset");
}

int jg_barrier_wait(jg_barrier *barrier)
{
    if (jg__enter("jg_barrier_wait") < 0)
        return -1;
    if (barrier->parties == 0 || barrier->parties > INT_MAX)
        return jg_fail(EINVAL, "jg_barrier_wait: a barrier for %zu parties", barrier->parties);
    if (barrier->broken)
        return fail_broken();
    if (barrier->waiting + 1 == barrier->parties)
        return release_all(barrier);
    barrier->waiting++;
    struct jg__place place = {.wait = {.call = "jg_barrier_wait", .object = barrier, .interrupt = interrupt_party}};
    int result = jg__line_park(barrier->waiters, &place);
    if (result >= 0)
        return result;
    return result == -EPIPE ? fail_broken() : jg__fail_interrupted("jg_barrier_wait", -result);
}

static void send_away(jg_barrier *barrier, bool broken)
{
    barrier->broken = broken;
    barrier->waiting = 0;
    jg__line_wake_all(barrier->waiters, -EPIPE);
}

void jg_barrier_abort(jg_barrier *barrier)
{
    send_away(barrier, true);
}

void jg_barrier_reset(jg_barrier *barrier)
{
    send_away(barrier, false);
}

size_t jg_barrier_parties(const jg_barrier *barrier)
{
    return barrier->parties;
}

size_t jg_barrier_n_waiting(const jg_barrier *barrier)
{
    return barrier->waiting;
}

bool jg_barrier_broken(const jg_barrier *barrier)
{
    return barrier->broken;
}
