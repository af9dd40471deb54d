#include "datagram_support.h"

#include <stddef.h>

static void note(struct post *post, char what)
{
    size_t length = strlen(post->order);
    if (length < sizeof post->order - 1)
        post->order[length] = what;
}

static void made(jg_datagram_transport *transport, void *arg)
{
    struct post *post = arg;
    post->transport = transport;
    post->made++;
    note(post, 'M');
}

static void datagram_received(jg_datagram_transport *transport, void *arg, const void *data, size_t bytes, size_t lost,
                              const struct sockaddr *from, socklen_t length)
{
    struct post *post = arg;
    unsigned number = 0;
    ck_assert_ptr_eq(transport, post->transport);
    post->datagrams++;
    post->bytes += bytes;
    post->truncated += lost;
    post->last_bytes = bytes;
    memset(post->last, 0, sizeof post->last);
    memcpy(post->last, data, bytes < sizeof post->last - 1 ? bytes : sizeof post->last - 1);
    memcpy(&post->from, from, length);
    post->from_length = length;
    if (bytes >= sizeof number)
        memcpy(&number, data, sizeof number);
    post->next = number == post->next ? number + 1 : UINT32_MAX;
    note(post, 'D');
    if (post->on_datagram)
        post->on_datagram(post);
}

static void error_received(jg_datagram_transport *transport, void *arg, int error)
{
    struct post *post = arg;
    (void)transport;
    post->errors++;
    post->last_error = error;
    note(post, 'E');
}

static void pause_writing(jg_datagram_transport *transport, void *arg)
{
    struct post *post = arg;
    (void)transport;
    post->pauses++;
    note(post, 'P');
}

static void resume_writing(jg_datagram_transport *transport, void *arg)
{
    struct post *post = arg;
    (void)transport;
    post->resumes++;
    note(post, 'R');
}

static void connection_lost(jg_datagram_transport *transport, void *arg, int error)
{
    struct post *post = arg;
    (void)transport;
    post->lost++;
    post->error = error;
    note(post, 'L');
}

const jg_datagram_protocol post_protocol = {
    .connection_made = made,
    .datagram_received = datagram_received,
    .error_received = error_received,
    .pause_writing = pause_writing,
    .resume_writing = resume_writing,
    .connection_lost = connection_lost,
};

void open_post(jg_loop *loop, struct post *post)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    post->transport = jg_datagram_open(loop, (struct sockaddr *)&any, sizeof any, &post_protocol, post);
    ck_assert_ptr_nonnull(post->transport);
}

struct sockaddr_in address_of(const jg_datagram_transport *transport)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    ck_assert_int_eq(getsockname(jg_datagram_fileno(transport), (struct sockaddr *)&address, &length), 0);
    return address;
}

socklen_t unix_address(const char *path, struct sockaddr_un *address)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    strcpy(address->sun_path, path);
    if (!*path)
        return sizeof(sa_family_t);
    if (*path == '@')
        address->sun_path[0] = '\0';
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + (*path != '@'));
}

jg_datagram_transport *open_unix(jg_loop *loop, struct post *post, const char *path)
{
    struct sockaddr_un address;
    socklen_t length = unix_address(path, &address);
    return post->transport = jg_datagram_open(loop, (struct sockaddr *)&address, length, &post_protocol, post);
}

int send_to(struct post *from, const struct post *to, const void *data, size_t bytes)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    ck_assert_int_eq(getsockname(jg_datagram_fileno(to->transport), (struct sockaddr *)&address, &length), 0);
    return jg_datagram_sendto(from->transport, data, bytes, (struct sockaddr *)&address, length);
}

int send_number(struct post *from, const struct post *to, unsigned number, size_t bytes)
{
    char *data = calloc(1, bytes);
    REQUIRE(data && bytes >= sizeof number);
    memcpy(data, &number, sizeof number);
    int result = send_to(from, to, data, bytes);
    free(data);
    return result;
}

void finish_post(jg_loop *loop, struct post *post)
{
    if (!post->lost)
        jg_datagram_close(post->transport);
    RUN_UNTIL(loop, post->lost);
    ck_assert_int_eq(post->lost, 1);
}

int bare_udp(struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    socklen_t length = sizeof *address;
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    ck_assert_int_eq(bind(fd, (struct sockaddr *)address, length), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)address, &length), 0);
    return fd;
}
