/* Follows a growing file, as `tail -F` does: what is there, then whatever is appended; when the file is cut, it starts
 * from the beginning, and when it was renamed or removed (log rotation), it waits for the next one of that name.
 *
 *     tail_follow FILE */
#include <errno.h>
#include <juggle.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Prints what is behind `offset`, and returns the new end. */
static off_t print_news(int fd, off_t offset)
{
    char data[16384];
    struct stat status;
    ssize_t n;
    if (jg_file_fstat(fd, &status) < 0)
        return -1;
    if (status.st_size < offset)
        offset = 0;
    while ((n = jg_file_pread(fd, data, sizeof data, offset)) > 0) {
        fwrite(data, 1, (size_t)n, stdout);
        offset += n;
    }
    fflush(stdout);
    return n < 0 ? -1 : offset;
}

/* Until the file has lost its name. */
static int follow(const char *path)
{
    jg_watch_event event = {.change = JG_MODIFIED};
    jg_autoptr(jg_watch) watch = jg_watch_path(path, .changes = JG_MODIFIED);
    int fd = watch ? jg_file_open(path, O_RDONLY, 0) : -1;
    off_t offset = 0;
    if (fd < 0)
        return -1;
    do
        offset = print_news(fd, offset);
    while (offset >= 0 && event.change != JG_GONE && jg_watch_next(watch, &event) == 0);
    jg_file_close(fd);
    return offset < 0 || event.change != JG_GONE ? -1 : 0;
}

/* Until there is a file of that name. */
static int wait_for_file(const char *path)
{
    char folder[PATH_MAX] = ".";
    const char *slash = strrchr(path, '/');
    jg_watch_event event;
    struct stat status;
    if (slash)
        snprintf(folder, sizeof folder, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    jg_autoptr(jg_watch) watch = jg_watch_path(folder, .changes = JG_CREATED | JG_RENAMED);
    if (!watch)
        return -1;
    while (jg_file_stat(path, &status) < 0)
        if (errno != ENOENT || jg_watch_next(watch, &event) < 0)
            return -1;
    return 0;
}

static int amain(void *arg)
{
    const char *path = arg;
    while (wait_for_file(path) == 0 && (follow(path) == 0 || errno == ENOENT))
        ;
    return -1;
}

int main(int count, char **arguments)
{
    if (count != 2) {
        fprintf(stderr, "usage: tail_follow FILE\n");
        return 2;
    }
    jg_run(amain, arguments[1]);
    if (errno != EINTR)
        fprintf(stderr, "tail_follow: %s\n", jg_error_text());
    return errno == EINTR ? EXIT_SUCCESS : EXIT_FAILURE;
}
