/* Reading up to a separator. */
#include "stream/input.h"
#include "stream/reader.h"

#include <errno.h>
#include <string.h>

/* What is looked for, and how far the buffered bytes were searched. */
struct search {
    const char *const *separators;
    size_t longest;  /* of the separators */
    size_t searched; /* no separator ends within so many bytes */
};

static int search_init(struct search *search, const char *const *separators, const char *call)
{
    *search = (struct search){.separators = separators};
    for (size_t i = 0; separators && separators[i]; i++) {
        size_t length = strlen(separators[i]);
        if (length == 0)
            return jg_fail(EINVAL, "%s: a separator is empty", call);
        if (length > search->longest)
            search->longest = length;
    }
    return search->longest ? 0 : jg_fail(EINVAL, "%s: no separator is given", call);
}

/* Where the separator that ends first ends within `count` bytes; 0 if there is none. */
static size_t find(struct search *search, const char *bytes, size_t count)
{
    size_t from = search->searched < search->longest ? 0 : search->searched - search->longest + 1;
    size_t end = 0, limit = count;
    for (size_t i = 0; search->separators[i]; i++) {
        size_t length = strlen(search->separators[i]);
        const char *found = memmem(bytes + from, limit - from, search->separators[i], length);
        if (found)
            limit = end = (size_t)(found - bytes) + length;
    }
    search->searched = count;
    return end;
}

static ssize_t take_text(struct jg__stream *stream, char *buffer, size_t count)
{
    jg__input_take(stream, buffer, count);
    buffer[count] = '\0';
    return (ssize_t)count;
}

/* At the end of the input without a separator: the rest is the last line, or short. */
static ssize_t take_rest(struct jg__stream *stream, char *buffer, bool rest_counts, const char *call)
{
    if (jg__reader_error(stream, call) < 0)
        return -1;
    if (rest_counts)
        return take_text(stream, buffer, jg__input_count(stream));
    return jg_fail(ENODATA, "%s: the end came before a separator", call);
}

static ssize_t read_until(jg_stream *handle, char *buffer, size_t size, const char *const *separators, bool rest_counts,
                          const char *call)
{
    struct jg__stream *stream = jg__reader_enter(handle, call);
    struct search search;
    if (!stream || search_init(&search, separators, call) < 0)
        return -1;
    if (!buffer || size == 0)
        return jg_fail(EINVAL, "%s: the buffer has no room for the NUL", call);
    for (;;) {
        size_t count = jg__input_count(stream), most = count < size ? count : size - 1;
        size_t end = most ? find(&search, jg__input_bytes(stream), most) : 0;
        if (end)
            return take_text(stream, buffer, end);
        if (count >= size || (count == size - 1 && !rest_counts))
            return jg_fail(EMSGSIZE, "%s: no separator within the limit of %zu bytes", call, size - 1);
        if (stream->at_end)
            return take_rest(stream, buffer, rest_counts, call);
        int result = jg__reader_wait_buffered(stream, count + 1, call);
        if (result < 0)
            return jg__wait_failed(call, -result);
    }
}

ssize_t jg_read_until_any(jg_stream *stream, char *buffer, size_t size, const char *const *separators)
{
    return read_until(stream, buffer, size, separators, false, "jg_read_until");
}

ssize_t jg_read_line(jg_stream *stream, char *buffer, size_t size)
{
    return read_until(stream, buffer, size, (const char *const[]){"\n", NULL}, true, "jg_read_line");
}
