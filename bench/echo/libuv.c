/* libuv used well: one read buffer for all connections, uv_try_write first, a queued write only for what is left. */
#include "socket.h"

#include <string.h>
#include <uv.h>

static char buffer[64 * 1024];

struct rest {
    uv_write_t request;
    char data[];
};

static void check(int status, const char *what)
{
    if (status >= 0)
        return;
    fprintf(stderr, "%s: %s\n", what, uv_strerror(status));
    exit(1);
}

static void closed(uv_handle_t *handle)
{
    free(handle);
}

static void offer(uv_handle_t *handle, size_t suggested, uv_buf_t *offered)
{
    (void)handle;
    (void)suggested;
    *offered = uv_buf_init(buffer, sizeof buffer);
}

static void rest_written(uv_write_t *request, int status)
{
    (void)status;
    free(request->data);
}

static void write_rest(uv_stream_t *stream, const char *data, size_t bytes)
{
    struct rest *rest = malloc(sizeof *rest + bytes);
    if (!rest)
        die("malloc");
    memcpy(rest->data, data, bytes);
    rest->request.data = rest;
    uv_buf_t piece = uv_buf_init(rest->data, (unsigned)bytes);
    check(uv_write(&rest->request, stream, &piece, 1, rest_written), "uv_write");
}

static void received(uv_stream_t *stream, ssize_t bytes, const uv_buf_t *filled)
{
    if (bytes < 0) {
        uv_close((uv_handle_t *)stream, closed);
        return;
    }
    if (bytes == 0)
        return;
    uv_buf_t piece = uv_buf_init(filled->base, (unsigned)bytes);
    int written = uv_try_write(stream, &piece, 1);
    if (written < bytes && (written >= 0 || written == UV_EAGAIN))
        write_rest(stream, filled->base + (written > 0 ? written : 0), (size_t)(bytes - (written > 0 ? written : 0)));
}

static void connected(uv_stream_t *listener, int status)
{
    check(status, "accept");
    uv_tcp_t *client = malloc(sizeof *client);
    if (!client)
        die("malloc");
    check(uv_tcp_init(listener->loop, client), "uv_tcp_init");
    check(uv_accept(listener, (uv_stream_t *)client), "uv_accept");
    check(uv_tcp_nodelay(client, 1), "uv_tcp_nodelay");
    check(uv_read_start((uv_stream_t *)client, offer, received), "uv_read_start");
}

int main(void)
{
    uv_tcp_t listener;
    struct sockaddr_in address;
    int length = sizeof address;
    check(uv_tcp_init(uv_default_loop(), &listener), "uv_tcp_init");
    check(uv_ip4_addr("127.0.0.1", 0, &address), "uv_ip4_addr");
    check(uv_tcp_bind(&listener, (const struct sockaddr *)&address, 0), "uv_tcp_bind");
    check(uv_listen((uv_stream_t *)&listener, SOMAXCONN, connected), "uv_listen");
    check(uv_tcp_getsockname(&listener, (struct sockaddr *)&address, &length), "uv_tcp_getsockname");
    announce(ntohs(address.sin_port));
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
