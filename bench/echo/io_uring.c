/* The floor on io_uring: an echo server without a library. Multishot accept and receive, a ring of buffers that are
 * sent straight from where they were received, one enter a turn.
 *
 * The sends of a turn must not block (MSG_DONTWAIT) and complete silently while the kernel takes them in, so that their
 * buffers are free again when the enter returns. Only one that the kernel could not take whole posts a completion,
 * ahead of all receives; the rest of that connection's data then leaves by waiting sends, one after the other.
 *
 * io_uring [--buffers N] [--buffer-bytes N]: a power of two, at most 4096 */
#include "common/measure.h"
#include "socket.h"

#include <errno.h>
#include <liburing.h>
#include <stdbool.h>
#include <unistd.h>

enum { ENTRIES = 1024, BUFFERS_MOST = 4096, NONE = BUFFERS_MOST };
enum kind { ACCEPT, RECEIVE, SEND_NOW, SEND_WAITING, KINDS };

struct connection {
    int fd;
    bool ended;                  /* nothing more is received */
    bool waiting;                /* a waiting send is under way */
    unsigned turn;               /* in which it last sent at once */
    unsigned first, last;        /* data not sent yet: a chain of buffers, NONE at its end */
    struct connection *starving; /* the next one whose receive ended for want of buffers */
};

/* What lies in a buffer, and the buffer that follows it in its connection's chain. */
struct data {
    unsigned start, end, next;
};

/* A send that does not wait. */
struct sending {
    struct connection *connection;
    unsigned buffer;
    bool short_of_all;
};

/* The sends of one turn: those that the kernel has seen, and those that it gets next. */
struct batch {
    struct sending sendings[BUFFERS_MOST];
    unsigned count;
};

static struct io_uring ring;
static struct io_uring_buf_ring *buffers;
static unsigned buffer_count, buffer_bytes;
static char *memory; /* buffer_count times buffer_bytes */
static struct data data[BUFFERS_MOST];
static struct batch batches[2];
static struct batch *next_batch = &batches[0];
static unsigned turn = 2;
static unsigned held, freed; /* buffers that the kernel has not got back; those that it gets when the turn ends */
static bool blocked;         /* data of this turn has to wait for the sends of this turn */
static struct connection *starving;

static struct io_uring_sqe *next_entry(void *pointer, enum kind kind)
{
    struct io_uring_sqe *entry = io_uring_get_sqe(&ring);
    if (!entry) {
        io_uring_submit(&ring);
        if (!(entry = io_uring_get_sqe(&ring)))
            die("io_uring_get_sqe");
    }
    entry->user_data = (uintptr_t)pointer | (uintptr_t)kind;
    return entry;
}

static void receive(struct connection *connection)
{
    struct io_uring_sqe *entry = next_entry(connection, RECEIVE);
    uint64_t user_data = entry->user_data;
    io_uring_prep_recv_multishot(entry, connection->fd, NULL, 0, 0);
    entry->flags |= IOSQE_BUFFER_SELECT;
    entry->user_data = user_data;
}

static void free_buffer(unsigned buffer)
{
    io_uring_buf_ring_add(buffers, memory + (size_t)buffer * buffer_bytes, buffer_bytes, (unsigned short)buffer,
                          (int)buffer_count - 1, (int)freed++);
}

/* In a batch of sends that the kernel has not seen, or whose buffers are not settled. */
static bool in_batch(const struct connection *connection)
{
    return connection->turn + 1 >= turn;
}

static void drop_if_done(struct connection *connection)
{
    if (!connection->ended || connection->waiting || connection->first != NONE)
        return;
    close(connection->fd);
    free(connection);
}

static void append(struct connection *connection, unsigned buffer)
{
    blocked = true;
    data[buffer].next = NONE;
    if (connection->first == NONE)
        connection->first = buffer;
    else
        data[connection->last].next = buffer;
    connection->last = buffer;
}

static void send_data(struct connection *connection, unsigned buffer, int flags, void *pointer, enum kind kind)
{
    struct io_uring_sqe *entry = next_entry(pointer, kind);
    uint64_t user_data = entry->user_data;
    const struct data *content = &data[buffer];
    io_uring_prep_send(entry, connection->fd, memory + (size_t)buffer * buffer_bytes + content->start,
                       content->end - content->start, MSG_NOSIGNAL | MSG_WAITALL | flags);
    if (kind == SEND_NOW)
        entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
    entry->user_data = user_data;
}

static void send_waiting(struct connection *connection)
{
    connection->waiting = true;
    send_data(connection, connection->first, 0, connection, SEND_WAITING);
}

static void send_now(struct connection *connection, unsigned buffer)
{
    struct sending *sending = &next_batch->sendings[next_batch->count++];
    *sending = (struct sending){connection, buffer, false};
    connection->turn = turn;
    send_data(connection, buffer, MSG_DONTWAIT, sending, SEND_NOW);
}

static void accepted(int fd, bool more)
{
    if (fd < 0 || !more)
        die("accept");
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection)
        die("calloc");
    connection->fd = fd;
    connection->first = NONE;
    send_at_once(fd);
    receive(connection);
}

static void received(struct connection *connection, const struct io_uring_cqe *completion)
{
    if (completion->res > 0) {
        unsigned buffer = completion->flags >> IORING_CQE_BUFFER_SHIFT;
        held++;
        data[buffer].start = 0;
        data[buffer].end = (unsigned)completion->res;
        if (__builtin_expect(connection->turn == turn || connection->first != NONE, 0))
            append(connection, buffer);
        else
            send_now(connection, buffer);
    }
    if (completion->flags & IORING_CQE_F_MORE)
        return;
    if (completion->res > 0) {
        receive(connection);
    } else if (completion->res == -ENOBUFS) {
        connection->starving = starving;
        starving = connection;
    } else {
        connection->ended = true;
        if (!in_batch(connection))
            drop_if_done(connection);
    }
}

static void not_taken_whole(struct sending *sending, int result)
{
    struct connection *connection = sending->connection;
    sending->short_of_all = true;
    data[sending->buffer].start = result > 0 ? (unsigned)result : 0;
    data[sending->buffer].next = connection->first;
    if (connection->first == NONE)
        connection->last = sending->buffer;
    connection->first = sending->buffer;
}

static void sent_after_waiting(struct connection *connection, int result)
{
    connection->waiting = false;
    do {
        unsigned buffer = connection->first;
        connection->first = data[buffer].next;
        free_buffer(buffer);
    } while (result < 0 && connection->first != NONE);
    if (connection->first != NONE)
        send_waiting(connection);
    else if (!in_batch(connection))
        drop_if_done(connection);
}

/* The kernel has seen these sends: frees their buffers, or goes on with what it did not take. */
static void settle(struct batch *batch)
{
    for (unsigned i = 0; i < batch->count; i++) {
        struct sending *sending = &batch->sendings[i];
        struct connection *connection = sending->connection;
        if (__builtin_expect(!sending->short_of_all, 1))
            free_buffer(sending->buffer);
        if (__builtin_expect(connection->first != NONE, 0) && !connection->waiting && connection->turn != turn)
            send_waiting(connection);
        if (__builtin_expect(connection->ended, 0) && connection->turn != turn)
            drop_if_done(connection);
    }
    batch->count = 0;
}

static void handle(const struct io_uring_cqe *completion)
{
    enum kind kind = completion->user_data & (KINDS - 1);
    void *pointer = (void *)(uintptr_t)(completion->user_data & ~(uint64_t)(KINDS - 1));
    if (kind == RECEIVE)
        received(pointer, completion);
    else if (kind == SEND_NOW)
        not_taken_whole(pointer, completion->res);
    else if (kind == SEND_WAITING)
        sent_after_waiting(pointer, completion->res);
    else
        accepted(completion->res, completion->flags & IORING_CQE_F_MORE);
}

static void hand_back_buffers(void)
{
    io_uring_buf_ring_advance(buffers, (int)freed);
    held -= freed;
    if (held < buffer_count)
        for (; starving; starving = starving->starving)
            receive(starving);
    freed = 0;
}

static void turn_once(void)
{
    bool follow_up = blocked || (starving && next_batch->count);
    int submitted = io_uring_submit_and_wait(&ring, !follow_up);
    blocked = false;
    if (submitted < 0 && submitted != -EINTR) {
        errno = -submitted;
        die("io_uring_enter");
    }
    struct batch *seen = next_batch;
    next_batch = seen == &batches[0] ? &batches[1] : &batches[0];
    turn++;
    struct io_uring_cqe *completion;
    unsigned head, count = 0;
    io_uring_for_each_cqe(&ring, head, completion)
    {
        handle(completion);
        count++;
    }
    io_uring_cq_advance(&ring, count);
    settle(seen);
    hand_back_buffers();
}

static void *aligned(size_t bytes)
{
    void *block;
    if (posix_memalign(&block, 4096, bytes))
        die("posix_memalign");
    return block;
}

static void set_up_ring(void)
{
    struct io_uring_params parameters = {
        .flags =
            IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL,
        .cq_entries = 4 * ENTRIES,
    };
    if ((errno = -io_uring_queue_init_params(ENTRIES, &ring, &parameters)))
        die("io_uring_setup");
    if (io_uring_register_ring_fd(&ring) < 0)
        die("io_uring_register_ring_fd");
}

static void set_up_buffers(void)
{
    memory = aligned((size_t)buffer_count * buffer_bytes);
    buffers = aligned(buffer_count * sizeof(struct io_uring_buf));
    struct io_uring_buf_reg registration = {.ring_addr = (uintptr_t)buffers, .ring_entries = buffer_count};
    if ((errno = -io_uring_register_buf_ring(&ring, &registration, 0)))
        die("io_uring_register_buf_ring");
    io_uring_buf_ring_init(buffers);
    for (unsigned i = 0; i < buffer_count; i++)
        free_buffer(i);
    held = buffer_count;
    hand_back_buffers();
}

int main(int argc, char **argv)
{
    buffer_count = (unsigned)measure_option(argc, argv, "--buffers", 256);
    buffer_bytes = (unsigned)measure_option(argc, argv, "--buffer-bytes", 4096);
    set_up_ring();
    set_up_buffers();
    int listener = listen_anywhere();
    struct io_uring_sqe *entry = next_entry(NULL, ACCEPT);
    io_uring_prep_multishot_accept(entry, listener, NULL, NULL, SOCK_CLOEXEC);
    entry->user_data = ACCEPT;
    for (;;)
        turn_once();
}
