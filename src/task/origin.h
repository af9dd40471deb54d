/* Where objects come from that must be closed one day: noted in debug mode, told of those that never were. */
#ifndef JUGGLE_TASK_ORIGIN_H
#define JUGGLE_TASK_ORIGIN_H

#pragma GCC visibility push(hidden)

struct jg__origin;

/* Notes that the running task has made this object, unless memory is short. Outside of debug mode, and of tasks, it
 * does nothing. */
void jg__origin_note(struct jg__origin **all, const void *object);

/* It was closed. */
void jg__origin_forget(struct jg__origin **all, const void *object);

/* Tells, in debug mode, that `what` ("a stream") was never closed. */
void jg__origin_tell(struct jg__origin **all, const void *object, const char *what);

void jg__origins_free(struct jg__origin **all);

#pragma GCC visibility pop

#endif
