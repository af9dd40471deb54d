/* What the process does at a signal: one handler of the library's for all that is listened for. */
#ifndef JUGGLE_HOST_DISPOSITION_H
#define JUGGLE_HOST_DISPOSITION_H

#include <signal.h>
#include <stdbool.h>

/* Takes the signal over, or once more; the last to let go brings back what was there before. Returns 0, or an errno:
 * EINVAL for a signal that cannot be caught, or must not be. Thread-safe. */
int jg__signal_hold(int signum);
void jg__signal_let_go(int signum);

/* Does the process at this signal what it does by default, but for us? Thread-safe. */
bool jg__signal_is_default(int signum);

/* Sets who is told of a held signal when nobody else wants to hear of it; in the signal handler. NULL: nobody any more,
 * and nobody is still being told. */
void jg__signal_set_fallback(int signum, void (*fn)(int signum));

/* Waits until no signal handler runs that began before. */
void jg__signal_handlers_left(void);

/* signal.c: tells the loops, in the signal handler. Returns whether there was one that wanted to hear. */
bool jg__signal_tell(int signum);

/* signal.c: forgets the loops, after a fork, in the child. */
void jg__signal_forget_loops(void);

#endif
