/* Option structs, which start with their size: a program built against an older header has a shorter one. */
#ifndef JUGGLE_BASE_OPTIONS_H
#define JUGGLE_BASE_OPTIONS_H

#include <stddef.h>
#include <string.h>

/* The options in full, in `whole` if need be: what is missing in them, or in NULL, is zero. */
static inline const void *jg__whole_options(const void *options, void *whole, size_t size)
{
    size_t given = options ? *(const size_t *)options : 0;
    if (given >= size)
        return options;
    memset(whole, 0, size);
    if (given)
        memcpy(whole, options, given);
    return whole;
}

#endif
