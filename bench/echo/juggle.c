/* The echo server as anybody would write it. */
#include <juggle.h>
#include <stdio.h>

static int handle_client(jg_stream *client, void *arg)
{
    char data[4096];
    ssize_t n;
    (void)arg;
    while ((n = jg_read(client, data, sizeof data)) > 0)
        jg_write(client, data, (size_t)n);
    return (int)n;
}

static int amain(void *arg)
{
    (void)arg;
    jg_server *server = jg_start_server(handle_client, NULL, "127.0.0.1", 0);
    if (!server)
        return -1;
    printf("port %d\n", jg_server_port(server));
    fflush(stdout);
    return jg_serve_forever(server);
}

int main(void)
{
    if (jg_run(amain, NULL) == 0)
        return 0;
    perror("echo");
    return 1;
}
