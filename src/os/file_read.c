/* A whole file, read. */
#include <juggle/file.h>

#include "base/memory.h"
#include "os/file_wait.h"
#include "task/internal.h"

#include <unistd.h>

enum { FIRST_ROOM = 4096, STEP = 1024 * 1024 };
static const size_t DEFAULT_LIMIT = (size_t)1 << 30;

static const char call[] = "jg_read_file";

struct content {
    char *data;
    size_t bytes, room; /* room: without that for the NUL */
    size_t limit;
};

static int too_long(const char *path, size_t limit)
{
    return jg_fail(EFBIG, "%s: %s: more than the limit of %zu bytes", call, path, limit);
}

/* More than the limit is of no use, but for one byte, to see that there is more. */
static int make_room(struct content *content, const char *path, size_t room)
{
    if (content->limit < SIZE_MAX - 1 && room > content->limit + 1)
        room = content->limit + 1;
    char *data = jg__reallocate(content->data, room + 1);
    if (!data)
        return jg_fail(ENOMEM, "%s: %s: no memory for %zu bytes", call, path, room);
    content->data = data;
    content->room = room;
    return 0;
}

/* It was opened without waiting for one: until then it would seem to be at its end. */
static int wait_for_writer(int fd)
{
    return jg_wait_fd(fd, POLLIN) < 0 ? -1 : 0;
}

/* A file may lie about its size (/proc), or grow: it is a hint. One byte more shows the end at the first attempt. */
static int make_first_room(struct content *content, const char *path, int fd)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return jg_fail(errno, "%s: %s: %s", call, path, strerror(errno));
    if (S_ISFIFO(status.st_mode) && wait_for_writer(fd) < 0)
        return -1;
    if (!S_ISREG(status.st_mode) || status.st_size < FIRST_ROOM)
        return make_room(content, path, FIRST_ROOM);
    if ((uint64_t)status.st_size > content->limit)
        return too_long(path, content->limit);
    return make_room(content, path, (size_t)status.st_size + 1);
}

/* Returns 1 when something came, 0 at the end. */
static int read_step(struct content *content, const char *path, int fd)
{
    if (content->bytes == content->room && make_room(content, path, content->room * 2) < 0)
        return -1;
    size_t free_room = content->room - content->bytes;
    struct jg__file file = {.call = JG__FILE_READ,
                            .fd = fd,
                            .path = path,
                            .buffer = content->data + content->bytes,
                            .length = free_room < STEP ? free_room : STEP,
                            .offset = JG__FILE_OWN_POSITION};
    ssize_t count = jg__enter_wait(call) < 0 ? -1 : jg__file_read(call, &file);
    if (count <= 0)
        return (int)count;
    content->bytes += (size_t)count;
    return content->bytes > content->limit ? too_long(path, content->limit) : !file.ended;
}

static int read_all(struct content *content, const char *path, int fd)
{
    int result = make_first_room(content, path, fd);
    if (result == 0)
        do
            result = read_step(content, path, fd);
        while (result > 0);
    return result;
}

int jg_read_file_with(const char *path, char **data, size_t *bytes, const jg_read_file_options *options)
{
    jg_read_file_options whole;
    options = jg__whole_options(options, &whole, sizeof whole);
    if (jg__enter_wait(call) < 0)
        return -1;
    struct content content = {.limit = options->limit ? options->limit : DEFAULT_LIMIT};
    struct jg__file file = {.call = JG__FILE_OPEN, .path = path, .flags = O_RDONLY | O_NONBLOCK | O_NOCTTY};
    int fd = jg__file_open_cached(&file) ? file.result : jg__file_run(call, &file), saved = errno;
    if (fd < 0)
        return -1;
    int result = read_all(&content, path, fd), error = errno;
    close(fd); /* nothing is left to be written, so nothing can fail or take long */
    errno = result < 0 ? error : saved;
    if (result < 0) {
        jg__release(content.data);
        return -1;
    }
    content.data[content.bytes] = '\0';
    *data = content.data;
    if (bytes)
        *bytes = content.bytes;
    return 0;
}
