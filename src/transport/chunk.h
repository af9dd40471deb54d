/* Memory for bytes that wait to be sent: it exists only while there are such bytes, so that an idle connection holds
 * none. Spare chunks of the usual size are kept with the loop. */
#ifndef JUGGLE_TRANSPORT_CHUNK_H
#define JUGGLE_TRANSPORT_CHUNK_H

#include "transport/transport.h"

struct jg__chunk {
    struct jg__write write; /* `length` bytes are filled */
    size_t capacity;
    char data[];
};

static inline struct jg__chunk *jg__chunk_of(struct jg__write *write)
{
    return jg__container_of(write, struct jg__chunk, write);
}

/* Copies pieces that it has room for to its end. */
void jg__chunk_fill(struct jg__chunk *chunk, const struct iovec *vector, int count);

/* An empty one with room for at least `bytes`; NULL with ENOMEM. */
struct jg__chunk *jg__chunk_new(jg_loop *loop, size_t bytes);

/* Makes room for at least `bytes` more, which may move it; NULL with ENOMEM, then it is as it was. */
struct jg__chunk *jg__chunk_grow(struct jg__chunk *chunk, size_t bytes);

void jg__chunk_free(jg_loop *loop, struct jg__chunk *chunk);

#endif
