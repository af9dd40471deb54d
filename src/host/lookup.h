/* What look-ups of either direction share: the fast attempt, the thread, the answer. */
#ifndef JUGGLE_HOST_LOOKUP_H
#define JUGGLE_HOST_LOOKUP_H

#include "base/list.h"
#include "base/memory.h"
#include "host/resolver.h"

#include <juggle/thread.h>

struct jg__lookup {
    /* Sets status and error. `fast`: only what needs no look-up. May run on a thread. */
    void (*resolve)(jg__lookup *lookup, bool fast);
    /* Calls the owner's `done`. */
    void (*tell)(jg__lookup *lookup, int error, const char *text);
    void (*free)(jg__lookup *lookup); /* may run on a thread */
    void *arg;                        /* the owner's */
    int status;                       /* of getaddrinfo or getnameinfo */
    int error;                        /* errno, for EAI_SYSTEM */
    bool may_ask;                     /* there is something to ask for, if the fast attempt says EAI_NONAME */
    bool any_family;                  /* so a name without addresses has none at all */
    jg_job job;                       /* private from here on */
    struct jg__list node;
    jg_loop *loop;
    jg_handle answer;
    bool by_thread;
};

/* Starts it. `subject` is for the error text. Returns the look-up, whose answer comes from a later turn; or NULL with
 * ENOMEM, EAGAIN: then it was freed. */
jg__lookup *jg__lookup_begin(jg__lookup *lookup, jg_loop *loop, const char *subject);

#endif
