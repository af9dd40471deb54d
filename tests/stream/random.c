/* A random mix of every reading call, with deadlines that interrupt it, against a peer that sends in random pieces,
 * over every kind of stream: no byte is lost, doubled or moved. */
#include "support.h"

enum { BYTES = 400000, LARGEST = 9000 };

struct talk {
    int peer;
    jg_stream *writer; /* in the place of the peer, or NULL */
    unsigned seed;
    char *text;   /* random, with newlines here and there */
    size_t place; /* of the reader */
    char *buffer;
};

static size_t below(unsigned *seed, size_t limit)
{
    return (size_t)rand_r(seed) % limit;
}

static int send_in_pieces(void *arg)
{
    struct talk *talk = arg;
    unsigned seed = talk->seed * 31;
    for (size_t place = 0; place < BYTES;) {
        size_t piece = 1 + below(&seed, below(&seed, 3) ? 300 : LARGEST);
        if (piece > BYTES - place)
            piece = BYTES - place;
        if (talk->writer)
            ck_assert_int_eq(jg_write(talk->writer, talk->text + place, piece), 0);
        else
            peer_send(talk->peer, talk->text + place, piece);
        place += piece;
        for (size_t i = below(&seed, 4); i > 0; i--)
            jg_yield();
        if (below(&seed, 50) == 0)
            jg_sleep(0.001);
    }
    return talk->writer ? jg_write_eof(talk->writer) : shutdown(talk->peer, SHUT_WR);
}

static jg_stream *open_stream(struct talk *talk)
{
    int pair[2];
    jg_stream *stream = NULL;
    talk->peer = -1;
    switch (talk->seed % 4) {
    case 0:
        ck_assert_int_eq(jg_open_pipe(&stream, &talk->writer), 0);
        return stream;
    case 1:
        ck_assert_int_eq(jg_stream_pair(&stream, &talk->writer), 0);
        return stream;
    case 2:
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        talk->writer = jg_stream_from_fd(pair[0]);
        return jg_stream_from_fd(pair[1], .receive_fds = true);
    default:
        return stream_with_peer(&talk->peer);
    }
}

static void took(struct talk *talk, const char *data, size_t bytes)
{
    ck_assert_uint_le(talk->place + bytes, BYTES);
    ck_assert_msg(memcmp(data, talk->text + talk->place, bytes) == 0, "seed %u: wrong bytes at %zu", talk->seed,
                  talk->place);
    talk->place += bytes;
}

/* Where the next newline ends, counted from the reader's place; 0 if there is none. */
static size_t next_line(const struct talk *talk)
{
    const char *found = memchr(talk->text + talk->place, '\n', BYTES - talk->place);
    return found ? (size_t)(found - talk->text) + 1 - talk->place : 0;
}

static void read_a_line(struct talk *talk, jg_stream *stream, size_t size)
{
    bool line = below(&talk->seed, 2);
    ssize_t n =
        line ? jg_read_line(stream, talk->buffer, size + 1) : jg_read_until(stream, talk->buffer, size + 1, "\n");
    size_t expected = next_line(talk);
    if (n > 0) {
        ck_assert_uint_eq((size_t)n, expected ? expected : BYTES - talk->place);
        took(talk, talk->buffer, (size_t)n);
    } else if (n < 0 && errno == EMSGSIZE) {
        ck_assert(expected == 0 || expected > size);
    } else if (n < 0 && errno == ENODATA) {
        ck_assert_uint_eq(expected, 0);
    } else {
        ck_assert_msg(n == 0 || errno == ETIMEDOUT, "%s", jg_error_text());
    }
}

static void peek_and_consume(struct talk *talk, jg_stream *stream, size_t size)
{
    const void *data;
    ssize_t n = jg_peek(stream, &data, size);
    if (n < 0) {
        ck_assert_int_eq(errno, ETIMEDOUT);
        return;
    }
    size_t taken = below(&talk->seed, (size_t)n + 1);
    took(talk, data, taken);
    jg_consume(stream, taken);
}

static void read_some(struct talk *talk, jg_stream *stream, size_t size)
{
    bool exactly = below(&talk->seed, 2);
    ssize_t n = exactly ? jg_read_exactly(stream, talk->buffer, size) : jg_read(stream, talk->buffer, size);
    if (n > 0)
        took(talk, talk->buffer, (size_t)n);
    else if (n < 0)
        ck_assert_msg(errno == ETIMEDOUT || (exactly && errno == ENODATA), "%s", jg_error_text());
}

static void read_somehow(struct talk *talk, jg_stream *stream)
{
    static const double limits[] = {0, 0.0002, 0.001, 1000, 1000, 1000};
    size_t size = 1 + below(&talk->seed, below(&talk->seed, 4) ? 400 : LARGEST);
    JG_TIMEOUT(deadline, limits[below(&talk->seed, sizeof limits / sizeof *limits)]);
    switch (below(&talk->seed, 4)) {
    case 0:
        read_a_line(talk, stream, size);
        break;
    case 1:
        peek_and_consume(talk, stream, size);
        break;
    default:
        read_some(talk, stream, size);
    }
}

static int talk_at_random(void *arg)
{
    struct talk talk = {.seed = *(unsigned *)arg, .text = malloc(BYTES), .buffer = malloc(LARGEST + 1)};
    unsigned seed = talk.seed + 77;
    for (size_t i = 0; i < BYTES; i++)
        talk.text[i] = below(&seed, 200) ? (char)('a' + below(&seed, 26)) : '\n';
    jg_stream *stream = open_stream(&talk);
    jg_task *sender = jg_create_task(send_in_pieces, &talk);
    while (!jg_at_eof(stream))
        read_somehow(&talk, stream);
    ck_assert_uint_eq(talk.place, BYTES);
    ck_assert_int_eq(jg_await(sender), 0);
    free(talk.text);
    free(talk.buffer);
    if (talk.peer >= 0)
        close(talk.peer);
    jg_close(talk.writer);
    return jg_close(stream);
}

TEST(reading_at_random_loses_nothing)
{
    unsigned rounds = getenv("JUGGLE_LONG") ? 300 : 12;
    for (unsigned seed = 1; seed <= rounds; seed++)
        RUN(talk_at_random, &seed);
}
