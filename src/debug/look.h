/* What a task of this thread is doing. */
#ifndef JUGGLE_DEBUG_LOOK_H
#define JUGGLE_DEBUG_LOOK_H

#include "base/symbols.h"
#include "debug/describe.h"
#include "task/scheduler.h"

void jg__look(const struct jg__task *task, struct jg__seen *seen);

/* Its return addresses, from the innermost frame outwards; returns how many. */
size_t jg__look_at_stack(const struct jg__task *task, void **addresses, size_t capacity);

/* The names of its frames. `call` is the public function in which it is. */
void jg__look_at_frames(const struct jg__task *task, const char *call, struct jg__symbols *symbols,
                        struct jg__frames *frames);

#endif
