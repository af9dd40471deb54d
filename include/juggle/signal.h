/* Signals: callbacks on a loop, and tasks that wait for them. asyncio's counterparts: loop.add_signal_handler,
 * remove_signal_handler.
 *
 * While a loop listens for a signal, the process's disposition of it is the library's (SA_RESTART, SA_ONSTACK); the
 * disposition from before comes back when the last listener has left, at the latest when its loop is closed, unless
 * somebody else has replaced it meanwhile. All loops that listen are told, in whatever thread they run, and in each of
 * them everybody who listens. They hear of it from a turn of the loop, so a callback that keeps the loop busy delays
 * the news, but loses none. A signal that comes several times before the loop gets to it counts once, as signal(7) has
 * it, and one that nobody waits for at that moment is kept by the jg_signals that were opened for it.
 *
 * SIGINT: jg_run's own treatment (Ctrl-C cancels main) stands back for as long as anybody listens for SIGINT, and is
 * there again afterwards. Signals that are aimed at one thread, or blocked in every thread, do what signal(7) says.
 *
 * EINVAL, said by all of these: SIGKILL and SIGSTOP cannot be caught; SIGSEGV, SIGBUS, SIGFPE and SIGILL come from a
 * broken instruction, which would only be broken again; numbers outside 1 to 64, or reserved by the C library.
 *
 * After a fork, the child has the dispositions from before. */
#ifndef JUGGLE_SIGNAL_H
#define JUGGLE_SIGNAL_H

#include <juggle/task.h>
#include <signal.h>

JG_BEGIN

/* ---- With callbacks ---- */

/* Calls fn(signum, arg) from a turn of the loop after the signal has come. One handler a signal and loop; setting it
 * again replaces it. From the loop's thread; several loops may each have one. Never waits. Returns 0; -1 with EINVAL,
 * ENOMEM. asyncio: loop.add_signal_handler. */
JG_API int jg_add_signal_handler(jg_loop *loop, int signum, void (*fn)(int signum, void *arg), void *arg);

/* Ends that; fn is not called any more, not even if the signal has come already. Returns whether there was a handler.
 * Closing the loop removes all. Never waits. asyncio: loop.remove_signal_handler. */
JG_API bool jg_remove_signal_handler(jg_loop *loop, int signum);

/* ---- With tasks ---- */

/* Waits for the signal, and returns its number. It is listened for during this call only: before and after it the
 * signal does what it would have done. Returns -1 with EINVAL, ENOMEM. asyncio: add_signal_handler with a future. */
JG_API int jg_wait_signal(int signum) JG_MUST_USE;

/* Signals that are listened for until it is closed. */
typedef struct jg_signals jg_signals;

/* Listens for the signals from now on: `jg_autoptr(jg_signals) stop = jg_watch_signals(SIGTERM, SIGHUP);`. It belongs
 * to the running loop, whose closing frees it. The form with _in takes a list that ends with 0. Never waits. Returns
 * NULL with EINVAL (also for an empty list), ENOMEM. Aborts outside of jg_run. */
#define jg_watch_signals(...) jg_watch_signals_in((const int[]){__VA_ARGS__, 0})
JG_API jg_signals *jg_watch_signals_in(const int *signums) JG_MUST_USE;

/* Waits for the next of them, and returns its number; those that came meanwhile are handed out at once, the lowest
 * number first. If several tasks wait, each signal goes to one of them, in the order of their arrival. Returns -1 with
 * EBADF when it is closed meanwhile. */
JG_API int jg_next_signal(jg_signals *signals) JG_MUST_USE;

/* Stops listening, wakes who waits with EBADF, and frees. Accepts NULL, preserves errno. Never waits. */
JG_API void jg_signals_close(jg_signals *signals);
static inline void jg_signals_autoptr(jg_signals **signals)
{
    jg_signals_close(*signals);
}

JG_END

#endif
