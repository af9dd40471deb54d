/* Deadlines and shields that last to the end of a block. asyncio's counterparts: timeout, timeout_at, shield. */
#ifndef JUGGLE_TIMEOUT_H
#define JUGGLE_TIMEOUT_H

#include <juggle/task.h>

JG_BEGIN

/* A scope of the running task. All fields are private. */
typedef struct jg_timeout {
    jg_timer timer;
    void *task;
    struct jg_timeout *outer;
    int kind;
    bool expired;
    void *reserved[2];
} jg_timeout;

/* These macros are declarations (two statements: not the body of an `if` without braces). A scope ends with its block,
 * however the block is left; only a goto must not jump into it, past the declaration: jg_timeout_leave would find what
 * was never entered. Clean-up by jg_autoptr is shielded from deadlines for at most 1 second, by jg_autogroup until the
 * children have ended. */

/* Declares a deadline, `seconds` from now or at `when` on jg_time, that holds to the end of the block: every wait
 * in it fails with ETIMEDOUT once it has passed. 0 or less: at the first wait. Infinity: never. Blocks nest; the nearer
 * deadline wins. Never waits, allocates nothing. asyncio: timeout, timeout_at. */
#define JG_TIMEOUT(name, seconds)                               \
    __attribute__((cleanup(jg_timeout_leave))) jg_timeout name; \
    jg_timeout_enter(&name, seconds)
#define JG_TIMEOUT_AT(name, when)                               \
    __attribute__((cleanup(jg_timeout_leave))) jg_timeout name; \
    jg_timeout_enter_at(&name, when)

/* Hides cancellation and the deadlines outside of this block from it, for at most so many seconds; then they show.
 * Deadlines declared inside hold. For clean-up that has to wait. asyncio: shield (whose waiter returns while the work
 * goes on: here that is a detached task and a future). */
#define JG_SHIELD(name, seconds)                                \
    __attribute__((cleanup(jg_timeout_leave))) jg_timeout name; \
    jg_shield_enter(&name, seconds)

/* Has this very deadline passed? Tells whose ETIMEDOUT it was. asyncio: Timeout.expired. */
JG_API bool jg_timeout_expired(const jg_timeout *timeout);

/* Moves the deadline, of this task or of another one that is still inside the scope, to `when` on jg_time; one
 * that has expired comes back to life. asyncio: Timeout.reschedule.
 */
JG_API void jg_timeout_reschedule(jg_timeout *timeout, double when);

/* When it expires, on jg_time; infinity for never. asyncio: Timeout.when. */
JG_API double jg_timeout_when(const jg_timeout *timeout);

/* What the macros call. They must be entered and left in the order of a stack, in the same task, or abort. */
JG_API void jg_timeout_enter(jg_timeout *timeout, double seconds);
JG_API void jg_timeout_enter_at(jg_timeout *timeout, double when);
JG_API void jg_shield_enter(jg_timeout *shield, double seconds);
JG_API void jg_timeout_leave(jg_timeout *timeout);

JG_END

#endif
