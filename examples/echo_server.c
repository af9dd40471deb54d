/* An echo server: every client gets back what it sends, each in a task of its own, all in one thread.
 *
 *     build/release/examples/echo_server [port]        then, elsewhere: nc 127.0.0.1 8888
 *
 * Port 0 takes one that is free. Ctrl-C closes all connections and ends it. */
#include <juggle.h>
#include <stdio.h>
#include <stdlib.h>

static int handle_client(jg_stream *client, void *arg)
{
    (void)arg;
    char data[1024];
    ssize_t n;
    printf("Serving %s\n", jg_peername(client));
    while ((n = jg_read(client, data, sizeof data)) > 0)
        jg_write(client, data, (size_t)n); /* waits while a slow peer is behind; an error shows at the next read */
    return (int)n;                         /* the stream is flushed and closed when the handler returns */
}

static int amain(void *arg)
{
    jg_server *server = jg_start_server(handle_client, NULL, "127.0.0.1", *(int *)arg);
    if (!server)
        return -1;
    printf("Listening on %s\n", jg_server_address(server, 0));
    return jg_serve_forever(server);
}

int main(int argc, char **argv)
{
    int port = argc > 1 ? atoi(argv[1]) : 8888;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (jg_run(amain, &port) < 0) {
        fprintf(stderr, "echo_server: %s\n", jg_error_text()); /* a port that is in use, Ctrl-C, ... */
        return 1;
    }
    return 0;
}
