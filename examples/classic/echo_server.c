/* An echo server, and a client that says two things to it. */
#include <juggle.h>
#include <stdio.h>
#include <string.h>

static int handle_echo(jg_stream *client, void *arg)
{
    (void)arg;
    char data[100];
    ssize_t n;
    while ((n = jg_read(client, data, sizeof data)) > 0) {
        printf("Received: '%.*s'\n", (int)n, data);
        jg_write(client, data, (size_t)n);
    }
    printf("The client has left\n");
    return (int)n;
}

static int tcp_echo_client(int port)
{
    static const char *const messages[] = {"Hello World!", "Good bye!"};
    jg_autoptr(jg_stream) stream = jg_open_connection("127.0.0.1", port);
    if (!stream)
        return -1;
    for (int i = 0; i < 2; i++) {
        char data[100];
        printf("Send: '%s'\n", messages[i]);
        jg_write(stream, messages[i], strlen(messages[i]));
        if (jg_read_exactly(stream, data, strlen(messages[i])) < 0)
            return -1;
        printf("Echoed: '%.*s'\n", (int)strlen(messages[i]), data);
    }
    return 0;
}

static int amain(void *arg)
{
    (void)arg;
    {
        jg_autoptr(jg_server) server = jg_start_server(handle_echo, NULL, "127.0.0.1", 0);
        if (!server || tcp_echo_client(jg_server_port(server)) < 0)
            return -1;
        jg_sleep(0.1);
    }
    printf("Closed\n");
    return 0;
}

int main(void)
{
    return jg_run(amain, NULL) < 0;
}
