/* A task that waits for the first of several cases, and what it does at each of them. */
#ifndef JUGGLE_SYNC_SELECT_H
#define JUGGLE_SYNC_SELECT_H

#include "sync/channel.h"

#include <juggle/select.h>

#pragma GCC visibility push(hidden)

struct jg__selection;

/* Where it waits for one case. */
struct jg__entry {
    struct jg__selection *selection;
    union {
        struct jg__visitor visitor; /* TAKE, GIVE; of the others only its `place`: GET, PUT, ON */
        struct jg__watcher watcher; /* DONE */
        jg_timer timer;             /* AFTER, AT */
        jg_operation operation;     /* READY */
    };
    bool waiting; /* it is where its kind waits */
};

struct jg__selection {
    struct jg__wait wait;
    jg_case *cases;
    size_t count;
    struct jg__entry *entries;
    jg_loop *loop;
    int64_t now;         /* when it began */
    atomic_bool claimed; /* one case happens, no other can; other threads may have done that */
    jg_handle arrival;   /* that of a channel's case, from whoever served it */
    bool decided;        /* claimed, and this thread knows; no entry is left but in the kernel */
    unsigned in_kernel;  /* operations */
    size_t winner;
    int result; /* of the winner */
    int reason; /* of the interruption, if that came first */
};

/* Only one who claims it, and finds that nobody has before, goes on to decide it. */
bool jg__selection_claim(struct jg__selection *selection);

/* This case happens: it leaves all entries, and wakes its task as soon as the kernel has let go. */
void jg__selection_decide(struct jg__entry *winner, int result);

/* The same if nothing else has happened before. */
void jg__selection_happens(struct jg__entry *winner, int result);

/* An operation is out of the kernel. */
void jg__selection_returned(struct jg__selection *selection);

static inline jg_case *jg__case_of(const struct jg__entry *entry)
{
    return &entry->selection->cases[entry - entry->selection->entries];
}

/* What a kind of case does. */
struct jg__case_kind {
    bool (*valid)(const jg_case *wanted); /* NULL: always */
    /* Can it happen now? With what result; -EAGAIN: no. Has no effect. */
    int (*look)(const jg_case *wanted, const struct jg__selection *selection);
    /* Lets it happen now: its result; -EAGAIN: it couldn't after all. NULL: there is nothing to do. */
    int (*happen)(const jg_case *wanted);
    void (*enter)(struct jg__entry *entry); /* begins to wait for it; may decide */
    void (*leave)(struct jg__entry *entry); /* and ends that */
};

extern const struct jg__case_kind jg__case_kinds[];

#pragma GCC visibility pop

#endif
