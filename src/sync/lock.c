/* Locks. A lock that is released while somebody waits stays locked: it is handed over, so it is free only when nobody
 * waits. */
#include "sync/line.h"

#include <juggle/sync.h>

int jg_lock_acquire(jg_lock *lock)
{
    if (jg__enter("jg_lock_acquire") < 0)
        return -1;
    if (lock->locked)
        return jg__line_wait("jg_lock_acquire", lock, lock->waiters);
    lock->locked = true;
    return 0;
}

int jg_lock_try_acquire(jg_lock *lock)
{
    if (lock->locked)
        return jg__fail_again("jg_lock_try_acquire");
    lock->locked = true;
    return 0;
}

void jg_lock_release(jg_lock *lock)
{
    if (JG__UNLIKELY(!lock->locked))
        jg__die("jg_lock_release: the lock is not locked");
    struct jg__place *next = jg__line_next(lock->waiters);
    if (next)
        jg__place_wake(next, 0);
    else
        lock->locked = false;
}

bool jg_lock_locked(const jg_lock *lock)
{
    return lock->locked;
}

jg_lock *jg_lock_enter(jg_lock *lock)
{
    return jg_lock_acquire(lock) == 0 ? lock : NULL;
}

void jg_lock_leave(jg_lock **lock)
{
    if (*lock)
        jg_lock_release(*lock);
}
