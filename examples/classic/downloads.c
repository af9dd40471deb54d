/* Concurrent downloads: downloads PORT PATH... */
#include <juggle.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 100 };

struct download {
    int port;
    const char *path;
    int status;
    size_t size;
};

static int download(void *arg)
{
    struct download *self = arg;
    jg_autoptr(jg_stream) stream = jg_open_connection("127.0.0.1", self->port);
    if (!stream)
        return -1;
    jg_printf(stream, "GET %s HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n", self->path);
    char data[65536];
    if (jg_read_until(stream, data, sizeof data, "\r\n\r\n") < 0)
        return -1;
    self->status = atoi(strchr(data, ' '));
    ssize_t n;
    while ((n = jg_read(stream, data, sizeof data)) > 0)
        self->size += (size_t)n;
    return (int)n;
}

static int amain(void *arg)
{
    char **arguments = arg;
    struct download downloads[MOST];
    jg_task *tasks[MOST] = {0};
    size_t count = 0;
    for (char **path = arguments + 2; *path && count < MOST; path++, count++) {
        downloads[count] = (struct download){.port = atoi(arguments[1]), .path = *path};
        tasks[count] = jg_create_task(download, &downloads[count]);
    }
    if (jg_gatherv(tasks, count) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        printf("%s: %d, %zu bytes\n", downloads[i].path, downloads[i].status, downloads[i].size);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 3 || jg_run(amain, argv) < 0) {
        fprintf(stderr, "downloads: %s\n", argc < 3 ? "PORT PATH..." : jg_error_text());
        return 1;
    }
    return 0;
}
