/* Fetches http:// URLs, all at the same time and in one thread, each to a file in the current directory.
 *
 *     build/release/examples/downloader http://127.0.0.1:8000/a http://127.0.0.1:8000/b
 *
 * Shows how each gets on, then a table. A download is called NAME.part until all of it has come. The exit code is 1 if
 * one failed. */
#define _GNU_SOURCE 1 /* strcasestr */
#include <errno.h>
#include <juggle.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct download {
    const char *url, *path, *name; /* http://host:port/path, name is what follows the last slash */
    char host[256];
    int port;
    long long expected, received; /* bytes; expected is -1 if the server doesn't say */
    int quarters_shown;
    double seconds;
    char failure[256]; /* in words, "" if there is none */
};

JG_PRINTF(2, 3) static int fail(struct download *download, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(download->failure, sizeof download->failure, format, arguments);
    va_end(arguments);
    return -1;
}

static int parse_url(struct download *download)
{
    int length = 0;
    download->port = 80;
    if (sscanf(download->url, "http://%255[^:/]%n:%d%n", download->host, &length, &download->port, &length) > 0) {
        download->path = download->url + length;
        download->name = strrchr(download->url, '/') + 1;
        if (*download->path == '/' && *download->name)
            return 0;
    }
    return fail(download, "not of the form http://host[:port]/path/name");
}

/* Sends the request and reads the answer up to its empty line. */
static int ask(struct download *download, jg_stream *server)
{
    char header[8192];
    JG_TIMEOUT(silence, 30);
    jg_printf(server, "GET %s HTTP/1.1\r\nHost: %s:%d\r\nConnection: close\r\n\r\n", download->path, download->host,
              download->port);
    if (jg_read_until(server, header, sizeof header, "\r\n\r\n") < 0)
        return -1;
    if (strncmp(header, "HTTP/1.", 7) != 0 || strncmp(header + 8, " 200 ", 5) != 0)
        return fail(download, "the server answers: %.*s", (int)strcspn(header, "\r"), header);
    if (strcasestr(header, "\r\nTransfer-Encoding:"))
        return fail(download, "the server sends the file in chunks, which this program doesn't understand");
    const char *content_length = strcasestr(header, "\r\nContent-Length:");
    download->expected = content_length ? atoll(content_length + 17) : -1;
    return 0;
}

static void show_progress(struct download *download)
{
    int quarters = download->expected > 0 ? (int)(4 * download->received / download->expected) : 0;
    if (quarters > download->quarters_shown)
        printf("%-20s %3d %%  %12lld bytes\n", download->name, 25 * quarters, download->received);
    download->quarters_shown = quarters;
}

/* Copies the rest of the answer to the file, from where it was received. */
static int save(struct download *download, jg_stream *server, FILE *file)
{
    while (download->expected < 0 || download->received < download->expected) {
        const void *data;
        JG_TIMEOUT(silence, 30); /* anew for each piece */
        ssize_t n = jg_peek(server, &data, 1);
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        if (fwrite(data, 1, (size_t)n, file) < (size_t)n)
            return fail(download, "cannot write: %s", strerror(errno));
        jg_consume(server, (size_t)n);
        download->received += n;
        show_progress(download);
    }
    if (download->expected >= 0 && download->received != download->expected)
        return fail(download, "%lld of %lld bytes came", download->received, download->expected);
    return 0;
}

static int transfer(struct download *download, FILE *file)
{
    jg_autoptr(jg_stream) server = jg_open_connection(download->host, download->port);
    if (!server || ask(download, server) < 0 || save(download, server, file) < 0)
        return *download->failure ? -1 : fail(download, "%s", jg_error_text());
    return 0;
}

static int fetch(void *arg)
{
    struct download *download = arg;
    char part[1024];
    double start = jg_loop_time(jg_task_loop());
    if (parse_url(download) < 0)
        return -1;
    snprintf(part, sizeof part, "%s.part", download->name);
    FILE *file = fopen(part, "wx"); /* x: not one that is being written already */
    if (!file)
        return fail(download, "%s: %s", part, strerror(errno));
    int result = transfer(download, file);
    if (fclose(file) != 0 && result == 0)
        result = fail(download, "cannot write: %s", strerror(errno));
    if (result == 0 && rename(part, download->name) < 0)
        result = fail(download, "cannot rename: %s", strerror(errno));
    if (result < 0)
        unlink(part);
    download->seconds = jg_loop_time(jg_task_loop()) - start;
    return result;
}

static int amain(void *arg)
{
    jg_autogroup group = {0};
    int result, more;
    for (struct download *download = arg; download->url; download++)
        if (jg_group_start(&group, fetch, download) < 0)
            return -1;
    while ((more = jg_group_next(&group, &result, NULL)) > 0) /* next, not wait: a failure does not cancel the rest */
        continue;
    return more;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: downloader http://host[:port]/path/name...\n");
        return 2;
    }
    struct download *downloads = calloc((size_t)argc, sizeof *downloads); /* the last one has no URL */
    if (!downloads) {
        perror("downloader");
        return 1;
    }
    for (int i = 1; i < argc; i++)
        downloads[i - 1].url = argv[i];
    setvbuf(stdout, NULL, _IOLBF, 0);
    bool failed = jg_run(amain, downloads) < 0;
    if (failed)
        fprintf(stderr, "downloader: %s\n", jg_error_text());
    for (struct download *download = downloads; download->url; download++) {
        bool whole = *download->failure == '\0';
        printf("%12lld bytes %8.3f s  %s%s%s\n", download->received, download->seconds, download->url,
               whole ? "" : ": ", download->failure);
        failed |= !whole;
    }
    free(downloads);
    return failed;
}
