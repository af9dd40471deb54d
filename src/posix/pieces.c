/* Memory in pieces, used up from its beginning. */
#include "posix/interpose.h"

#include <stdlib.h>
#include <string.h>

size_t jg__posix_bytes(const struct iovec *vector, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += vector[i].iov_len;
    return bytes;
}

int jg__pieces_copy(struct jg__pieces *pieces, const struct iovec *vector, size_t count)
{
    pieces->memory = count <= JG__FEW_PIECES ? pieces->few : malloc(count * sizeof *vector);
    if (!pieces->memory)
        return -1;
    if (count)
        memcpy(pieces->memory, vector, count * sizeof *vector);
    pieces->next = pieces->memory;
    pieces->count = count;
    return 0;
}

void jg__pieces_advance(struct jg__pieces *pieces, size_t bytes)
{
    while (pieces->count && bytes >= pieces->next->iov_len) {
        bytes -= pieces->next->iov_len;
        pieces->next++;
        pieces->count--;
    }
    if (pieces->count && bytes) {
        pieces->next->iov_base = (char *)pieces->next->iov_base + bytes;
        pieces->next->iov_len -= bytes;
    }
}

void jg__pieces_free(struct jg__pieces *pieces)
{
    if (pieces->memory != pieces->few)
        free(pieces->memory);
}
