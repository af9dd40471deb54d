/* Connecting to the first of several addresses that answers (RFC 8305): they are tried one after the other, the next
 * one when the last one has failed or has taken a while. */
#ifndef JUGGLE_STREAM_RACE_H
#define JUGGLE_STREAM_RACE_H

#include "stream/candidates.h"
#include "stream/stream.h"

enum { JG__RACE_TEXT = 320 };

struct jg__race {
    struct jg__wait wait;
    jg_loop *loop;
    const struct jg__candidates *candidates;
    const struct jg__candidates *local; /* addresses to connect from; NULL: any */
    const jg_stream_options *options;
    size_t next;              /* the candidate to be tried next */
    struct jg__list attempts; /* streams that are connecting */
    struct jg__stream *winner;
    jg_timer delay;
    int error;                /* of the last one that failed */
    char text[JG__RACE_TEXT]; /* what each one that failed had to say */
};

/* Runs it. Returns the stream that has connected; NULL with errno ECANCELED, ETIMEDOUT or race->error. Waits. */
struct jg__stream *jg__race_run(struct jg__race *race, const char *call);

#endif
