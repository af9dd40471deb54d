/* What is seen of a task, in words: the same from inside the process and from outside. Used by the command `juggle`
 * too, so it needs nothing else of the library. */
#ifndef JUGGLE_DEBUG_DESCRIBE_H
#define JUGGLE_DEBUG_DESCRIBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum jg__state { JG__RUNS, JG__READY, JG__WAITS, JG__NOT_BEGUN, JG__ENDED };

struct jg__seen {
    const char *name;
    const char *created_at; /* "server.c:31", or "" */
    enum jg__state state;
    const char *call;   /* of one that waits: in which function, */
    uint64_t object;    /* for what, or 0, */
    const char *awaits; /* for the task of which name, or NULL, */
    int64_t waiting;    /* and for how many nanoseconds */
    bool cancelled;
};

enum { JG__DURATION_SIZE = 24, JG__LINE_SIZE = 512 };

/* "12 ms", "1.5 s", "3 min", "25 h". Returns `text`. */
const char *jg__describe_duration(char text[JG__DURATION_SIZE], int64_t nanoseconds);

/* "waits in jg_read on 0x7f52c8000b70, 0.5 s", without a newline. Returns `text`. */
const char *jg__describe_state(char text[JG__LINE_SIZE], const struct jg__seen *seen);

/* "reader: waits in jg_read, 0.5 s, created at server.c:31", without a newline. Returns `text`. */
const char *jg__describe_task(char text[JG__LINE_SIZE], const struct jg__seen *seen);

/* A backtrace by names. */
enum { JG__FRAMES_MOST = 64, JG__FRAME_SIZE = 96 };
struct jg__frames {
    char names[JG__FRAMES_MOST][JG__FRAME_SIZE];
    size_t first, end; /* those between are the program's business */
};

/* Sets first and end of `count` frames: from the public `call`, if it is among them, to the function of the task. */
void jg__trim_frames(struct jg__frames *frames, size_t count, const char *call);

#endif
