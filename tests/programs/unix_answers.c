/* Serves a Unix socket: `unix_answers PATH echo`, or `http`: a small answer to each request. Without a second argument
 * it is a client, which sends its standard input and shows what comes back. */
#include <juggle.h>
#include <stdio.h>
#include <string.h>

static const char *path, *what;

static int echo(jg_stream *client, void *arg)
{
    (void)arg;
    return jg_splice(client, client, 0) < 0 ? -1 : 0;
}

static int answer(jg_stream *client, void *arg)
{
    (void)arg;
    char line[1000];
    pid_t pid = 0;
    if (jg_peer_credentials(client, &pid, NULL, NULL) < 0)
        return -1;
    while (jg_read_line(client, line, sizeof line) > 2) {
    }
    return jg_printf(client, "HTTP/1.0 200 OK\r\nContent-Length: 6\r\nX-Peer: %d\r\n\r\nhello\n", (int)pid);
}

static int forward(void *arg)
{
    ssize_t bytes = jg_splice(jg_stdin(), arg, 0);
    return bytes < 0 ? -1 : jg_write_eof(arg);
}

static int ask(void)
{
    jg_autoptr(jg_stream) stream = jg_open_unix_connection(path);
    if (!stream)
        return -1;
    jg_task *sender = jg_create_task(forward, stream);
    ssize_t bytes = jg_splice(stream, jg_stdout(), 0);
    return jg_await(sender) < 0 || bytes < 0 ? -1 : 0;
}

static int amain(void *arg)
{
    (void)arg;
    if (!what)
        return ask();
    jg_autoptr(jg_server) server = jg_start_unix_server(strcmp(what, "http") ? echo : answer, NULL, path, .mode = 0600);
    if (!server)
        return -1;
    printf("Listening on %s\n", jg_server_address(server, 0));
    fflush(stdout);
    jg_server *serving = server;
    server = NULL;
    return jg_serve_forever(serving);
}

int main(int argc, char **argv)
{
    path = argc > 1 ? argv[1] : "";
    what = argc > 2 ? argv[2] : NULL;
    if (jg_run(amain, NULL) == 0)
        return 0;
    fprintf(stderr, "%s\n", jg_error_text());
    return 1;
}
