/* Who is at the two ends of a stream or an endpoint. */
#ifndef JUGGLE_STREAM_NAMES_H
#define JUGGLE_STREAM_NAMES_H

#include <stdbool.h>

/* The peer, or this end, as text; "" if it is unknown. The two texts are kept in *names, on the heap, from the first
 * question on. */
const char *jg__end_name(char **names, int fd, bool peer);

#endif
