/* An echo server that says which poller it runs on, and after Ctrl-C what its loop has counted. */
#include <inttypes.h>
#include <juggle.h>
#include <stdio.h>
#include <unistd.h>

static int echo(jg_stream *client, void *arg)
{
    (void)arg;
    char data[4096];
    ssize_t n;
    while ((n = jg_read(client, data, sizeof data)) > 0)
        jg_write(client, data, (size_t)n);
    return (int)n;
}

static int amain(void *arg)
{
    (void)arg;
    jg_server *server = jg_start_server(echo, NULL, "127.0.0.1", 0);
    if (!server)
        return -1;
    jg_loop *loop = jg_task_loop();
    printf("Listening on %s with %s as %d\n", jg_server_address(server, 0), jg_loop_poller(loop), (int)getpid());
    fflush(stdout);
    int result = jg_serve_forever(server);
    jg_loop_statistics counted;
    jg_loop_get_statistics(loop, &counted);
    printf("turns=%" PRIu64 " multishots_armed=%" PRIu64 " buffers_received=%" PRIu64 " registrations=%" PRIu64 "\n",
           counted.turns, counted.multishots_armed, counted.buffers_received, counted.registrations);
    fflush(stdout);
    return result;
}

int main(void)
{
    if (jg_run(amain, NULL) < 0) {
        perror("counting_server");
        return 1;
    }
    return 0;
}
