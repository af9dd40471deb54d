/* A write to a pipe or socket that nobody reads is an error, not the end of the process. */
#ifndef JUGGLE_BASE_SIGPIPE_H
#define JUGGLE_BASE_SIGPIPE_H

#include <signal.h>

/* Ignores SIGPIPE if it is at its default; whoever has chosen otherwise is left alone. */
static inline void jg__ignore_sigpipe(void)
{
    struct sigaction action;
    if (sigaction(SIGPIPE, NULL, &action) == 0 && !(action.sa_flags & SA_SIGINFO) && action.sa_handler == SIG_DFL)
        signal(SIGPIPE, SIG_IGN);
}

#endif
