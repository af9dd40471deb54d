/* An echo server of callbacks alone, linked from base, loop and transport, and a thousand clients. */
#include "harness.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { CLIENTS = 1000, ROUNDS = 5 };

struct connection {
    jg_transport *transport;
    int rounds;
    size_t expected, received;
    unsigned seed;
    bool over;
};

static int open_clients, served, gone;

/* ---- The server ---- */

static void echo(jg_transport *transport, void *arg, const void *data, size_t bytes)
{
    (void)arg;
    ck_assert_int_eq(jg_transport_write(transport, data, bytes), 0);
}

static void end_of_client(jg_transport *transport, void *arg)
{
    (void)arg;
    jg_transport_close(transport);
}

static void client_gone(jg_transport *transport, void *arg, int error)
{
    (void)transport;
    (void)arg;
    ck_assert_int_eq(error, 0);
    gone++;
}

static const jg_protocol server_protocol = {
    .data_received = echo, .eof_received = end_of_client, .connection_lost = client_gone};

static void serve(jg_listener *listener, int fd, void *arg)
{
    (void)listener;
    ck_assert_ptr_nonnull(jg_transport_from_fd(arg, fd, &server_protocol, NULL));
    served++;
}

/* ---- The clients ---- */

static char byte_of(const struct connection *client, size_t place)
{
    return (char)(client->seed * 31 + place * 7 + (size_t)client->rounds);
}

static void send_message(struct connection *client)
{
    char message[4096];
    client->expected = (size_t)rand_r(&client->seed) % sizeof message + 1;
    client->received = 0;
    for (size_t i = 0; i < client->expected; i++)
        message[i] = byte_of(client, i);
    ck_assert_int_eq(jg_transport_write(client->transport, message, client->expected), 0);
}

static void connected(jg_transport *transport, void *arg)
{
    struct connection *client = arg;
    client->transport = transport;
    send_message(client);
}

static void answered(jg_transport *transport, void *arg, const void *data, size_t bytes)
{
    struct connection *client = arg;
    size_t right = 0;
    while (right < bytes && ((const char *)data)[right] == byte_of(client, client->received + right))
        right++;
    ck_assert_uint_eq(right, bytes);
    client->received += bytes;
    if (client->received < client->expected)
        return;
    if (++client->rounds < ROUNDS)
        send_message(client);
    else
        jg_transport_close(transport);
}

static void client_over(jg_transport *transport, void *arg, int error)
{
    struct connection *client = arg;
    (void)transport;
    ck_assert_int_eq(error, 0);
    ck_assert_int_eq(client->rounds, ROUNDS);
    client->over = true;
    open_clients--;
}

static const jg_protocol client_protocol = {
    .connection_made = connected, .data_received = answered, .connection_lost = client_over};

static bool all_over(void *arg)
{
    (void)arg;
    return open_clients == 0 && gone == CLIENTS;
}

TEST(an_echo_server_of_callbacks_serves_a_thousand_clients)
{
    static struct connection clients[CLIENTS];
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_max < 2 * CLIENTS + 100)
        SKIP("not enough file descriptors allowed");
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);

    jg_loop *loop = jg_loop_new();
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    jg_listener *listener = jg_listen(loop, (struct sockaddr *)&address, sizeof address, serve, loop);
    ck_assert_ptr_nonnull(listener);
    address.sin_port = htons((uint16_t)jg_listener_port(listener));
    for (int i = 0; i < CLIENTS; i++) {
        clients[i].seed = (unsigned)i;
        ck_assert_ptr_nonnull(
            jg_transport_connect(loop, (struct sockaddr *)&address, sizeof address, &client_protocol, &clients[i]));
        open_clients++;
    }
    ck_assert_int_eq(jg_loop_run_until(loop, all_over, NULL), 0);
    ck_assert_int_eq(served, CLIENTS);
    jg_listener_close(listener);
    jg_loop_close(loop);
}
