/* Many clients of an echo server at once, in one thread: each sends messages of 1 byte to 64 KiB, waits for each to
 * come back, and compares every byte.
 *
 *     build/release/examples/echo_client [port [clients [messages]]]
 *
 * Start an echo_server first. */
#include <errno.h>
#include <juggle.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LARGEST = 64 * 1024 };

static int port = 8888, clients = 10, messages = 100;
static unsigned char noise[2 * LARGEST]; /* a message is a piece of this */
static size_t bytes_compared;

/* Small sizes as often as large ones: the number of bits is drawn first. */
static size_t draw_size(unsigned *seed)
{
    size_t limit = (size_t)2 << rand_r(seed) % 16;
    return 1 + (size_t)rand_r(seed) % limit;
}

/* Waits for the answer, and compares it where it was received, without a copy. */
static int expect(jg_stream *server, const unsigned char *message, size_t size)
{
    while (size > 0) {
        const void *data;
        ssize_t there = jg_peek(server, &data, 1);
        if (there < 0)
            return -1;
        size_t n = (size_t)there < size ? (size_t)there : size;
        if (n == 0 || memcmp(data, message, n) != 0) { /* the server has left, or sent something else */
            errno = EBADMSG;
            return -1;
        }
        jg_consume(server, n);
        bytes_compared += n;
        message += n;
        size -= n;
    }
    return 0;
}

static int client(void *arg)
{
    unsigned seed = *(unsigned *)arg;
    jg_autoptr(jg_stream) server = jg_open_connection("127.0.0.1", port);
    if (!server)
        return -1;
    for (int i = 0; i < messages; i++) {
        size_t size = draw_size(&seed);
        const unsigned char *message = noise + (size_t)rand_r(&seed) % LARGEST;
        if (jg_write(server, message, size) < 0 || expect(server, message, size) < 0)
            return -1;
    }
    return 0;
}

static int amain(void *arg)
{
    (void)arg;
    jg_autogroup group = {0};
    for (unsigned i = 0; i < (unsigned)clients; i++)
        jg_group_start(&group, client, &i, .copy = sizeof i); /* each child gets its own copy of i */
    return jg_group_wait(&group);
}

int main(int argc, char **argv)
{
    unsigned seed = 1;
    port = argc > 1 ? atoi(argv[1]) : port;
    clients = argc > 2 ? atoi(argv[2]) : clients;
    messages = argc > 3 ? atoi(argv[3]) : messages;
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (unsigned char)rand_r(&seed);
    if (jg_run(amain, NULL) < 0) {
        perror("echo_client");
        return 1;
    }
    printf("%d clients sent %d messages each: %zu bytes came back, all as they were sent\n", clients, messages,
           bytes_compared);
    return 0;
}
