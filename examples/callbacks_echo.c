/* The echo server on the lower half of the library: an event loop and callbacks, no coroutine, one callback for each
 * thing that can happen to a connection.
 *
 *     build/release/examples/callbacks_echo [port]        then, elsewhere: nc 127.0.0.1 8889
 *
 * Compare it with echo_server.c, where the same is a loop that reads and writes. */
#include <arpa/inet.h>
#include <juggle.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void data_received(jg_transport *client, void *arg, const void *data, size_t bytes)
{
    (void)arg;
    if (jg_transport_write(client, data, bytes) < 0) /* out of memory */
        jg_transport_abort(client);
}

/* Too much is queued for a slow peer: take nothing more from it until it has caught up. */
static void pause_writing(jg_transport *client, void *arg)
{
    (void)arg;
    jg_transport_pause_reading(client);
}

static void resume_writing(jg_transport *client, void *arg)
{
    (void)arg;
    jg_transport_resume_reading(client);
}

static void eof_received(jg_transport *client, void *arg)
{
    (void)arg;
    jg_transport_close(client); /* after what is queued */
}

static const jg_protocol echo = {
    .data_received = data_received,
    .pause_writing = pause_writing,
    .resume_writing = resume_writing,
    .eof_received = eof_received,
};

static void accepted(jg_listener *listener, int fd, void *loop)
{
    (void)listener;
    if (!jg_transport_from_fd(loop, fd, &echo, NULL)) {
        perror("callbacks_echo: a connection is refused");
        close(fd);
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
        .sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 8889)),
    };
    jg_autoptr(jg_loop) loop = jg_loop_new();
    if (!loop) {
        perror("callbacks_echo: no loop");
        return 1;
    }
    jg_autoptr(jg_listener) listener = jg_listen(loop, (struct sockaddr *)&address, sizeof address, accepted, loop);
    if (!listener) {
        fprintf(stderr, "callbacks_echo: %s\n", jg_error_text());
        return 1;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("Listening on 127.0.0.1:%d\n", jg_listener_port(listener));
    return jg_loop_run_forever(loop) < 0;
}
