/* Locks, events, conditions, semaphores and barriers for the tasks of one thread. asyncio's counterparts: Lock, Event,
 * Condition, Semaphore, BoundedSemaphore, Barrier. Between threads see channel.h, and jg_future.
 *
 * They are structs of the caller's: the zero value, or the initialiser that is named, is ready to use, also statically
 * and before jg_run. Nothing is allocated and nothing has to be freed. They must stay where they are while somebody
 * waits; whoever was woken, or interrupted, no longer touches them. Calls that don't wait may also be made by callbacks
 * of the loop, and where there is no loop yet. All fields are private unless said otherwise.
 *
 * Waiters are served in the order of their arrival, and what they wait for is handed to them: nobody who comes later
 * gets it first. A waiter that is interrupted leaves the line at once and takes nothing with it; one that is woken and
 * interrupted in the same turn has what it waited for, and hears of the interruption in its next wait. */
#ifndef JUGGLE_SYNC_H
#define JUGGLE_SYNC_H

#include <juggle/task.h>

JG_BEGIN

/* ---- Lock ---- */

/* Needed only where a task waits in the middle of what nobody else may see: between two calls that wait it runs
 * undisturbed anyway. asyncio: Lock. */
typedef struct jg_lock {
    bool locked;
    void *waiters[2];
    void *reserved[2];
} jg_lock;

/* Takes the lock; waits while another task has it. Not recursive: a task that takes it twice waits for itself. Returns
 * 0; -1 with ECANCELED, ETIMEDOUT. asyncio: Lock.acquire. */
JG_API int jg_lock_acquire(jg_lock *lock) JG_MUST_USE;

/* Takes it if it is free. Never waits. Returns 0; -1 with EAGAIN. */
JG_API int jg_lock_try_acquire(jg_lock *lock) JG_MUST_USE;

/* Gives it up: to the first in line, in whose name it stays locked, or else it is free. Any task may do this for the
 * one that took it. Aborts if it isn't locked. Never waits. asyncio: Lock.release. */
JG_API void jg_lock_release(jg_lock *lock);

/* Does anybody have it? Never waits. asyncio: Lock.locked. */
JG_API bool jg_lock_locked(const jg_lock *lock);

/* Declares `name`, a jg_lock *, and holds the lock to the end of the block: `JG_LOCKED(held, &lock); if (!held) return
 * -1;`. NULL, with errno, when acquiring it failed. To release it earlier: jg_lock_release(held), then held = NULL.
 * Waits. asyncio: async with lock. */
#define JG_LOCKED(name, lock) __attribute__((cleanup(jg_lock_leave))) jg_lock *name = jg_lock_enter(lock)

/* What the macro calls: the lock, or NULL with errno; and its release, unless *lock is NULL. */
JG_API jg_lock *jg_lock_enter(jg_lock *lock) JG_MUST_USE;
JG_API void jg_lock_leave(jg_lock **lock);

/* ---- Event ---- */

/* A flag that tasks wait for. asyncio: Event. */
typedef struct jg_event {
    bool set;
    void *waiters[2];
    void *reserved[2];
} jg_event;

/* Sets the flag and wakes all who wait; they return even if it is cleared before they run. Never waits. asyncio:
 * Event.set. */
JG_API void jg_event_set(jg_event *event);

/* Clears the flag. Never waits. asyncio: Event.clear. */
JG_API void jg_event_clear(jg_event *event);

/* Never waits. asyncio: Event.is_set. */
JG_API bool jg_event_is_set(const jg_event *event);

/* Waits until the flag is set. Returns 0; -1 with ECANCELED, ETIMEDOUT. asyncio: Event.wait. */
JG_API int jg_event_wait(jg_event *event) JG_MUST_USE;

/* ---- Condition ---- */

/* A lock, and a line of tasks that gave it up until somebody tells them that something has changed. The lock is its
 * own, or one that several conditions share: `jg_condition full = {.lock = &lock};`. asyncio: Condition. */
typedef struct jg_condition {
    jg_lock *lock; /* public: NULL for its own */
    void *waiters[2];
    jg_lock own;
    void *reserved[2];
} jg_condition;

/* The lock, taken, given up, looked at: as jg_lock_acquire, jg_lock_release, jg_lock_locked. jg_condition_lock is the
 * lock itself, for the scope: `JG_LOCKED(held, jg_condition_lock(&c));`. asyncio: Condition.acquire, release, locked.
 */
JG_API int jg_condition_acquire(jg_condition *condition) JG_MUST_USE;
JG_API void jg_condition_release(jg_condition *condition);
JG_API bool jg_condition_locked(const jg_condition *condition);
JG_API jg_lock *jg_condition_lock(jg_condition *condition);

/* Gives the lock up, waits until it is notified, and takes the lock again, in the order of the notifications. Returns
 * 0; -1 with ECANCELED, ETIMEDOUT: also then it has the lock, for which it waits as long as that takes. Aborts if the
 * lock isn't locked. Other than in asyncio, who is interrupted after the notification returns 0: it is not lost.
 * asyncio: Condition.wait. */
JG_API int jg_condition_wait(jg_condition *condition) JG_MUST_USE;

/* Waits so until predicate(arg), which must not wait, returns true; it is asked with the lock held, first at once.
 * Returns 0; -1 with ECANCELED, ETIMEDOUT. Either way it has the lock. asyncio: Condition.wait_for. */
JG_API int jg_condition_wait_for(jg_condition *condition, bool (*predicate)(void *arg), void *arg) JG_MUST_USE;

/* Wakes at most `count` of those who wait, or all; they return when they have the lock, which the caller holds: aborts
 * if it isn't locked. Never waits. asyncio: Condition.notify, notify_all. */
JG_API void jg_condition_notify(jg_condition *condition, size_t count);
JG_API void jg_condition_notify_all(jg_condition *condition);

/* ---- Semaphore ---- */

/* So many permits. Zero has none to begin with. asyncio: Semaphore, BoundedSemaphore. */
typedef struct jg_semaphore {
    size_t permits;
    size_t bound; /* if bounded */
    bool bounded;
    void *waiters[2];
    void *reserved[2];
} jg_semaphore;

/* `jg_semaphore s = JG_SEMAPHORE(3);`; of a bounded one no more permits can be released than it began with. */
/* clang-format off */
#define JG_SEMAPHORE(permits) {(size_t)(permits), 0, false, {NULL, NULL}, {NULL, NULL}}
#define JG_BOUNDED_SEMAPHORE(permits) {(size_t)(permits), (size_t)(permits), true, {NULL, NULL}, {NULL, NULL}}
/* clang-format on */

/* Takes a permit; waits while there is none. Returns 0; -1 with ECANCELED, ETIMEDOUT. asyncio: Semaphore.acquire. */
JG_API int jg_semaphore_acquire(jg_semaphore *semaphore) JG_MUST_USE;

/* Takes a permit if there is one. Never waits. Returns 0; -1 with EAGAIN. */
JG_API int jg_semaphore_try_acquire(jg_semaphore *semaphore) JG_MUST_USE;

/* Gives a permit to the first in line, or else adds it. Any task may do this, whether it took one or not. Aborts when a
 * bounded semaphore would have more permits than it began with, which is a bug of the caller's (asyncio: ValueError).
 * Never waits. asyncio: Semaphore.release. */
JG_API void jg_semaphore_release(jg_semaphore *semaphore);

/* Would acquiring one wait? Never waits. asyncio: Semaphore.locked. */
JG_API bool jg_semaphore_locked(const jg_semaphore *semaphore);

/* Declares `name`, a jg_semaphore *, and holds a permit to the end of the block; see JG_LOCKED. Waits. asyncio: async
 * with semaphore. */
#define JG_ACQUIRED(name, semaphore) \
    __attribute__((cleanup(jg_semaphore_leave))) jg_semaphore *name = jg_semaphore_enter(semaphore)

/* What the macro calls: the semaphore, or NULL with errno; and its release, unless *semaphore is NULL. */
JG_API jg_semaphore *jg_semaphore_enter(jg_semaphore *semaphore) JG_MUST_USE;
JG_API void jg_semaphore_leave(jg_semaphore **semaphore);

/* ---- Barrier ---- */

/* So many tasks wait for each other, again and again. asyncio: Barrier. */
typedef struct jg_barrier {
    size_t parties;
    size_t waiting;
    bool broken;
    void *waiters[2];
    void *reserved[2];
} jg_barrier;

/* `jg_barrier b = JG_BARRIER(3);` */
/* clang-format off */
#define JG_BARRIER(parties) {(size_t)(parties), 0, false, {NULL, NULL}, {NULL, NULL}}
/* clang-format on */

/* Waits until as many tasks wait as there are parties; then all return, and the next round begins. Returns a different
 * index in each of them, 0 for the first in line to parties - 1 for the last one, which doesn't wait; -1 with
 * ECANCELED, ETIMEDOUT (then the others wait for one more); EPIPE when the barrier is or gets broken, or is reset;
 * EINVAL when it has no parties, or over INT_MAX. asyncio: Barrier.wait, BrokenBarrierError. */
JG_API int jg_barrier_wait(jg_barrier *barrier) JG_MUST_USE;

/* Breaks it: who waits, and who comes, fails with EPIPE until it is reset. Never waits. asyncio: Barrier.abort. */
JG_API void jg_barrier_abort(jg_barrier *barrier);

/* Makes it as new: who waits fails with EPIPE, who comes begins a round. Never waits. asyncio: Barrier.reset. */
JG_API void jg_barrier_reset(jg_barrier *barrier);

/* How many it takes, how many wait at the moment, whether it is broken. None waits. asyncio: Barrier.parties,
 * n_waiting, broken. */
JG_API size_t jg_barrier_parties(const jg_barrier *barrier);
JG_API size_t jg_barrier_n_waiting(const jg_barrier *barrier);
JG_API bool jg_barrier_broken(const jg_barrier *barrier);

JG_END

#endif
