/* An echo server on all processors: a loop in a thread for each, one port for all.
 *
 *     build/release/examples/workers [port [workers]]
 *
 * Each worker runs the same coroutine and listens by itself; the kernel spreads the connections (SO_REUSEPORT). They
 * share nothing, so nothing is locked. Ctrl-C and SIGTERM end them all in order. */
#include <errno.h>
#include <juggle.h>
#include <stdio.h>
#include <stdlib.h>

static int handle_client(jg_stream *client, void *arg)
{
    unsigned *served = arg;
    char data[4096];
    ssize_t n;
    (*served)++;
    while ((n = jg_read(client, data, sizeof data)) > 0)
        jg_write(client, data, (size_t)n);
    return (int)n;
}

static int worker(void *arg)
{
    unsigned served = 0;
    jg_server *server = jg_start_server(handle_client, &served, "127.0.0.1", *(int *)arg, .reuse_port = true);
    if (!server)
        return -1;
    printf("Worker %d of %d listens on %s\n", jg_worker_index(), jg_worker_count(), jg_server_address(server, 0));
    int result = jg_serve_forever(server);
    printf("Worker %d has served %u connections\n", jg_worker_index(), served);
    return result;
}

int main(int argc, char **argv)
{
    int port = argc > 1 ? atoi(argv[1]) : 8888;
    unsigned workers = argc > 2 ? (unsigned)atoi(argv[2]) : 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (jg_run_workers(worker, &port, .workers = workers) < 0 && errno != EINTR) {
        fprintf(stderr, "workers: %s\n", jg_error_text());
        return 1;
    }
    return 0;
}
