/* Where a flow of control is: return addresses, from the innermost frame outwards. One below each of them lies inside
 * the function that it belongs to. Nothing is allocated. */
#ifndef JUGGLE_CORO_BACKTRACE_H
#define JUGGLE_CORO_BACKTRACE_H

#include "coro/context.h"

/* Of the caller; in a signal handler, of what was interrupted. Returns how many there are. */
size_t jg__backtrace(void **addresses, size_t capacity);

/* Of a suspended context; 0 with ucontext. */
size_t jg__context_backtrace(const struct jg__context *context, void **addresses, size_t capacity);

#endif
