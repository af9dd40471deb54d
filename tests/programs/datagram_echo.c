/* datagram_echo udp HOST PORT | unix PATH: sends every datagram back to its sender.
 * datagram_echo ask udp HOST PORT | ask unix PATH: sends the lines of its input, and prints the answers. */
#include <errno.h>
#include <juggle.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static char **words;
static char data[70000];

static int echo(jg_endpoint *endpoint)
{
    struct sockaddr_storage from;
    if (!endpoint)
        return -1;
    printf("At %s\n", jg_endpoint_sockname(endpoint));
    for (;;) {
        socklen_t length = sizeof from;
        ssize_t bytes = jg_recvfrom(endpoint, data, sizeof data, (struct sockaddr *)&from, &length);
        if (bytes < 0 || jg_sendto(endpoint, data, (size_t)bytes, (struct sockaddr *)&from, length) < 0)
            return -1;
    }
}

static int ask(jg_endpoint *endpoint)
{
    char line[2000];
    if (!endpoint)
        return -1;
    while (fgets(line, sizeof line, stdin)) {
        JG_TIMEOUT(limit, 10);
        if (jg_sendto(endpoint, line, strlen(line), NULL, 0) < 0)
            return -1;
        ssize_t bytes = jg_recvfrom(endpoint, data, sizeof data, NULL, NULL);
        if (bytes < 0)
            return -1;
        printf("%.*s", (int)bytes, data);
    }
    return 0;
}

static int amain(void *arg)
{
    (void)arg;
    bool asks = strcmp(words[1], "ask") == 0;
    char **where = words + 1 + asks;
    bool ip = strcmp(where[0], "udp") == 0;
    if (asks) {
        jg_autoptr(jg_endpoint) endpoint =
            ip ? jg_open_endpoint(NULL, 0, .remote_host = where[1], .remote_port = atoi(where[2]))
               : jg_open_endpoint(NULL, 0, .remote_path = where[1]);
        return ask(endpoint);
    }
    jg_autoptr(jg_endpoint) endpoint =
        ip ? jg_open_endpoint(where[1], atoi(where[2])) : jg_open_endpoint(NULL, 0, .path = where[1]);
    return echo(endpoint);
}

int main(int argc, char **argv)
{
    words = argv;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc < 3 || jg_run(amain, NULL) < 0) {
        fprintf(stderr, "%s: %s\n", argv[0], jg_error_text());
        return 1;
    }
    return 0;
}
