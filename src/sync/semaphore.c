/* Semaphores. A permit that is released while somebody waits is handed over, so there are permits only when nobody
 * waits. */
#include "sync/line.h"

#include <juggle/sync.h>

int jg_semaphore_acquire(jg_semaphore *semaphore)
{
    if (jg__enter("jg_semaphore_acquire") < 0)
        return -1;
    if (!semaphore->permits)
        return jg__line_wait("jg_semaphore_acquire", semaphore, semaphore->waiters);
    semaphore->permits--;
    return 0;
}

int jg_semaphore_try_acquire(jg_semaphore *semaphore)
{
    if (!semaphore->permits)
        return jg__fail_again("jg_semaphore_try_acquire");
    semaphore->permits--;
    return 0;
}

void jg_semaphore_release(jg_semaphore *semaphore)
{
    if (JG__UNLIKELY(semaphore->bounded && semaphore->permits >= semaphore->bound))
        jg__die("jg_semaphore_release: more permits than the %zu that the semaphore began with", semaphore->bound);
    struct jg__place *next = jg__line_next(semaphore->waiters);
    if (next)
        jg__place_wake(next, 0);
    else
        semaphore->permits++;
}

bool jg_semaphore_locked(const jg_semaphore *semaphore)
{
    return semaphore->permits == 0;
}

jg_semaphore *jg_semaphore_enter(jg_semaphore *semaphore)
{
    return jg_semaphore_acquire(semaphore) == 0 ? semaphore : NULL;
}

void jg_semaphore_leave(jg_semaphore **semaphore)
{
    if (*semaphore)
        jg_semaphore_release(*semaphore);
}
