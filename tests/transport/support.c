#include "support.h"

/* ---- The callbacks ---- */

static void note(struct side *side, char letter)
{
    size_t length = strlen(side->order);
    if (side->lost)
        ck_abort_msg("%c was called after connection_lost", letter);
    bool repeated = length && side->order[length - 1] == letter;
    if (!repeated && length + 1 < sizeof side->order)
        side->order[length] = letter;
}

static void made(jg_transport *transport, void *arg)
{
    struct side *side = arg;
    note(side, 'M');
    side->made++;
    side->transport = transport;
    if (side->on_made)
        side->on_made(side);
}

static void take(struct side *side, const char *data, size_t bytes)
{
    REQUIRE(bytes > 0);
    if (side->kept)
        memcpy(side->kept + side->received, data, bytes);
    side->received += bytes;
    side->deliveries++;
    if (side->on_data)
        side->on_data(side, data, bytes);
}

static void data_received(jg_transport *transport, void *arg, const void *data, size_t bytes)
{
    (void)transport;
    note(arg, 'D');
    take(arg, data, bytes);
}

static void *get_buffer(jg_transport *transport, void *arg, size_t *size)
{
    (void)transport;
    struct side *side = arg;
    REQUIRE(!side->lost);
    *size = side->offer_size;
    return side->offer;
}

static void buffer_updated(jg_transport *transport, void *arg, size_t bytes)
{
    (void)transport;
    struct side *side = arg;
    note(side, 'B');
    REQUIRE(bytes <= side->offer_size);
    take(side, side->offer, bytes);
}

static void eof_received(jg_transport *transport, void *arg)
{
    (void)transport;
    struct side *side = arg;
    note(side, 'E');
    side->ends++;
    if (side->on_end)
        side->on_end(side);
}

static void pause_writing(jg_transport *transport, void *arg)
{
    (void)transport;
    struct side *side = arg;
    note(side, 'P');
    side->pauses++;
}

static void resume_writing(jg_transport *transport, void *arg)
{
    (void)transport;
    struct side *side = arg;
    note(side, 'R');
    side->resumes++;
    if (side->on_resume)
        side->on_resume(side);
}

static void connection_lost(jg_transport *transport, void *arg, int error)
{
    struct side *side = arg;
    note(side, 'L');
    ck_assert_int_eq(jg_transport_fileno(transport), -1);
    side->lost++;
    side->error = error;
    side->transport = NULL;
}

#define CALLBACKS                                                                          \
    .connection_made = made, .data_received = data_received, .eof_received = eof_received, \
    .pause_writing = pause_writing, .resume_writing = resume_writing, .connection_lost = connection_lost

const jg_protocol side_protocol = {CALLBACKS};
const jg_protocol side_protocol_with_buffer = {CALLBACKS, .get_buffer = get_buffer, .buffer_updated = buffer_updated};

/* ---- The loop ---- */

jg_loop *new_loop(void)
{
    jg_loop *loop = jg_loop_new();
    ck_assert_msg(loop != NULL, "jg_loop_new: %s", jg_error_text());
    return loop;
}

bool on_epoll(const jg_loop *loop)
{
    return !strcmp(jg_loop_poller(loop), "epoll");
}

void run_some(jg_loop *loop)
{
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(jg_loop_run_once(loop, 0.001), 0);
}

void finish_side(jg_loop *loop, struct side *side)
{
    if (side->transport)
        jg_transport_abort(side->transport);
    RUN_UNTIL(loop, side->lost);
    free(side->kept);
    free(side->offer);
}

/* ---- Bare sockets ---- */

int bare_listener(struct sockaddr_in *address, int backlog)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    ck_assert_int_eq(bind(fd, (struct sockaddr *)address, sizeof *address), 0);
    ck_assert_int_eq(listen(fd, backlog), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)address, &(socklen_t){sizeof *address}), 0);
    return fd;
}

static void connected_pair(int pair[2], int buffer)
{
    struct sockaddr_in address;
    int listener = bare_listener(&address, 1);
    pair[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (buffer) {
        setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
        setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
    }
    ck_assert_int_eq(connect(pair[0], (struct sockaddr *)&address, sizeof address), 0);
    pair[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    ck_assert_int_ge(pair[1], 0);
    close(listener);
    for (int i = 0; i < 2; i++) {
        fcntl(pair[i], F_SETFL, O_NONBLOCK);
        setsockopt(pair[i], IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    }
}

void tcp_pair(int pair[2])
{
    connected_pair(pair, 0);
}

void small_tcp_pair(int pair[2])
{
    connected_pair(pair, 16 * 1024);
}

void receive_exactly(jg_loop *loop, int fd, char *data, size_t bytes)
{
    size_t done = 0;
    for (int turns = 0; done < bytes; turns++) {
        REQUIRE(turns < 1000000);
        REQUIRE(jg_loop_run_once(loop, 0) == 0);
        ssize_t count = recv(fd, data + done, bytes - done, MSG_DONTWAIT);
        REQUIRE(count > 0 || (count < 0 && errno == EAGAIN));
        done += count > 0 ? (size_t)count : 0;
    }
}

int receive_end(jg_loop *loop, int fd, size_t *discarded)
{
    static char data[1 << 16];
    for (int turns = 0; turns < 1000000; turns++) {
        REQUIRE(jg_loop_run_once(loop, 0.0001) == 0);
        ssize_t count = recv(fd, data, sizeof data, MSG_DONTWAIT);
        if (count == 0)
            return 0;
        if (count < 0 && errno != EAGAIN)
            return errno;
        if (count > 0 && discarded)
            *discarded += (size_t)count;
    }
    ck_abort_msg("the peer has never seen an end");
    return 0;
}

void reset_fd(int fd)
{
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
    close(fd);
}

/* ---- Bytes ---- */

char *pattern(size_t bytes)
{
    char *data = malloc(bytes);
    for (size_t i = 0; i < bytes; i++)
        data[i] = byte_at(i);
    return data;
}

void check_pattern(const char *data, size_t from, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (data[i] != byte_at(from + i))
            ck_abort_msg("byte %zu is wrong", from + i);
}

/* ---- An allocator that fails ---- */

static int allocations_left = -1;
static bool fail_only_once;

static bool refuse(void)
{
    bool refused = allocations_left == 0;
    if (!refused || fail_only_once)
        allocations_left -= allocations_left >= 0;
    return refused;
}

static void *allocate(size_t bytes, void *arg)
{
    (void)arg;
    return refuse() ? NULL : malloc(bytes);
}

static void *reallocate(void *block, size_t bytes, void *arg)
{
    (void)arg;
    return refuse() ? NULL : realloc(block, bytes);
}

static void release(void *block, void *arg)
{
    (void)arg;
    free(block);
}

void fail_allocations_after(int count)
{
    static const jg_allocator failing = {allocate, reallocate, release, NULL};
    allocations_left = count;
    fail_only_once = false;
    if (jg_allocated_blocks() == 0)
        ck_assert_int_eq(jg_set_allocator(&failing), 0);
}

void fail_one_allocation_after(int count)
{
    fail_allocations_after(count);
    fail_only_once = true;
}

bool allocation_failed(void)
{
    return fail_only_once ? allocations_left < 0 : allocations_left == 0;
}
