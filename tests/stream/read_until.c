/* jg_read_until, jg_read_line, jg_peek and jg_consume. */
#include "support.h"

TASK_TEST(read_until_returns_with_its_separator_and_a_NUL)
{
    int peer;
    char line[32];
    jg_stream *stream = stream_with_peer(&peer);
    peer_send(peer, "one;two;rest", 12);
    memset(line, 'x', sizeof line);
    ck_assert_int_eq(jg_read_until(stream, line, sizeof line, ";"), 4);
    ck_assert_str_eq(line, "one;");
    ck_assert_int_eq(jg_read_until(stream, line, sizeof line, ";"), 4);
    ck_assert_str_eq(line, "two;");
    ck_assert_int_eq(jg_read(stream, line, sizeof line), 4);
    ck_assert_mem_eq(line, "rest", 4);
    close(peer);
    return jg_close(stream);
}

TASK_TEST(read_until_takes_the_separator_that_ends_first)
{
    int peer;
    char line[32];
    jg_stream *stream = stream_with_peer(&peer);
    peer_send(peer, "a\nb\r\nc--d\n", 11);
    ck_assert_int_eq(jg_read_until(stream, line, sizeof line, "\r\n", "\n", "--"), 2);
    ck_assert_str_eq(line, "a\n");
    ck_assert_int_eq(jg_read_until(stream, line, sizeof line, "\r\n", "\n", "--"), 3);
    ck_assert_str_eq(line, "b\r\n");
    ck_assert_int_eq(jg_read_until(stream, line, sizeof line, "\r\n", "\n", "--"), 3);
    ck_assert_str_eq(line, "c--");
    ck_assert_int_eq(jg_read_until(stream, line, sizeof line, "\r\n", "\n", "--"), 2);
    ck_assert_str_eq(line, "d\n");
    close(peer);
    return jg_close(stream);
}

static int send_byte_by_byte(void *arg)
{
    static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\nbody\r";
    for (size_t i = 0; i < sizeof text - 1; i++) {
        peer_send(*(int *)arg, &text[i], 1);
        for (int k = 0; k < 3; k++)
            jg_yield();
    }
    return 0;
}

TASK_TEST(read_until_finds_separators_that_come_in_pieces)
{
    int peer;
    char head[64];
    jg_stream *stream = stream_with_peer(&peer);
    jg_task *sender = jg_create_task(send_byte_by_byte, &peer);
    ck_assert_int_eq(jg_read_until(stream, head, sizeof head, "\r\n\r\n"), 27);
    ck_assert_str_eq(head, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_int_eq(jg_read_until(stream, head, sizeof head, "\r"), 5);
    ck_assert_int_eq(jg_await(sender), 0);
    close(peer);
    return jg_close(stream);
}

TASK_TEST(read_until_over_its_limit_fails_with_EMSGSIZE_and_the_data_stays)
{
    int peer;
    char line[8];
    jg_stream *stream = stream_with_peer(&peer);
    peer_send(peer, "12345678\n", 9);
    FAILS(jg_read_until(stream, line, sizeof line, "\n"), EMSGSIZE);
    TEXT_HAS("7 bytes");
    char whole[10];
    ck_assert_int_eq(jg_read_until(stream, whole, sizeof whole, "\n"), 9);
    ck_assert_str_eq(whole, "12345678\n");
    close(peer);
    return jg_close(stream);
}

TASK_TEST(read_until_takes_a_line_that_just_fits)
{
    int peer;
    char line[5];
    jg_stream *stream = stream_with_peer(&peer);
    peer_send(peer, "abc\nabcd\n\n", 10);
    ck_assert_int_eq(jg_read_until(stream, line, sizeof line, "\n"), 4);
    ck_assert_str_eq(line, "abc\n");
    FAILS(jg_read_until(stream, line, sizeof line, "\n"), EMSGSIZE);
    ck_assert_int_eq(jg_read_exactly(stream, line, 5), 5);
    ck_assert_int_eq(jg_read_until(stream, line, 2, "\n"), 1);
    ck_assert_str_eq(line, "\n");
    close(peer);
    return jg_close(stream);
}

TASK_TEST(read_until_at_the_end_fails_with_ENODATA_and_the_data_stays)
{
    int peer;
    char line[32];
    jg_stream *stream = stream_with_peer(&peer);
    peer_send(peer, "no newline", 10);
    close(peer);
    FAILS(jg_read_until(stream, line, sizeof line, "\n"), ENODATA);
    ck_assert_int_eq(jg_read(stream, line, sizeof line), 10);
    FAILS(jg_read_until(stream, line, sizeof line, "\n"), ENODATA);
    return jg_close(stream);
}

TASK_TEST(read_until_checks_its_arguments)
{
    int peer;
    char line[8];
    jg_stream *stream = stream_with_peer(&peer);
    FAILS(jg_read_until(stream, line, sizeof line, ""), EINVAL);
    FAILS(jg_read_until_any(stream, line, sizeof line, (const char *const[]){NULL}), EINVAL);
    FAILS(jg_read_until_any(stream, line, sizeof line, NULL), EINVAL);
    FAILS(jg_read_until(stream, line, 0, "\n"), EINVAL);
    FAILS(jg_read_until(stream, NULL, 10, "\n"), EINVAL);
    close(peer);
    return jg_close(stream);
}

TASK_TEST(read_until_interrupted_keeps_what_came)
{
    int peer;
    char line[32];
    jg_stream *stream = stream_with_peer(&peer);
    peer_send(peer, "half ", 5);
    {
        JG_TIMEOUT(deadline, 0.02);
        FAILS(jg_read_until(stream, line, sizeof line, "\n"), ETIMEDOUT);
    }
    peer_send(peer, "a line\n", 7);
    ck_assert_int_eq(jg_read_until(stream, line, sizeof line, "\n"), 12);
    ck_assert_str_eq(line, "half a line\n");
    close(peer);
    return jg_close(stream);
}

static int send_long_line(void *arg)
{
    enum { SIZE = 1 << 20 };
    char *line = malloc(SIZE);
    memset(line, 'x', SIZE - 1);
    line[SIZE - 1] = '\n';
    peer_send(*(int *)arg, line, SIZE);
    free(line);
    return 0;
}

TASK_TEST(a_line_may_be_longer_than_the_buffer_limit)
{
    enum { SIZE = 1 << 20 };
    int peer;
    jg_stream *stream = stream_with_peer(&peer);
    char *line = malloc(SIZE + 1);
    jg_task *sender = jg_create_task(send_long_line, &peer);
    ck_assert_int_eq(jg_read_line(stream, line, SIZE + 1), SIZE);
    ck_assert_int_eq(line[SIZE - 1], '\n');
    ck_assert_int_eq(jg_await(sender), 0);
    free(line);
    close(peer);
    return jg_close(stream);
}

TASK_TEST(read_line_reads_lines_and_a_last_one_without_newline)
{
    int peer;
    char line[32];
    jg_stream *stream = stream_with_peer(&peer);
    peer_send(peer, "first\n\nlast", 11);
    close(peer);
    ck_assert_int_eq(jg_read_line(stream, line, sizeof line), 6);
    ck_assert_str_eq(line, "first\n");
    ck_assert_int_eq(jg_read_line(stream, line, sizeof line), 1);
    ck_assert_str_eq(line, "\n");
    ck_assert_int_eq(jg_read_line(stream, line, sizeof line), 4);
    ck_assert_str_eq(line, "last");
    ck_assert_int_eq(jg_read_line(stream, line, sizeof line), 0);
    ck_assert_str_eq(line, "");
    ck_assert_int_eq(jg_read_line(stream, line, sizeof line), 0);
    return jg_close(stream);
}

TASK_TEST(read_line_takes_a_last_line_that_just_fits)
{
    int peer;
    char line[5];
    jg_stream *stream = stream_with_peer(&peer);
    peer_send(peer, "abcd", 4);
    close(peer);
    ck_assert_int_eq(jg_read_line(stream, line, sizeof line), 4);
    ck_assert_str_eq(line, "abcd");
    return jg_close(stream);
}

TASK_TEST(read_line_over_its_limit_fails_with_EMSGSIZE)
{
    int peer;
    char line[5], rest[16];
    jg_stream *stream = stream_with_peer(&peer);
    peer_send(peer, "abcde\n", 6);
    FAILS(jg_read_line(stream, line, sizeof line), EMSGSIZE);
    TEXT_HAS("jg_read_line");
    ck_assert_int_eq(jg_read_line(stream, rest, sizeof rest), 6);
    close(peer);
    return jg_close(stream);
}

TASK_TEST(peek_shows_without_taking)
{
    int peer;
    const void *data;
    char copy[8];
    jg_stream *stream = stream_with_peer(&peer);
    peer_send(peer, "abcdef", 6);
    ck_assert_int_eq(jg_peek(stream, &data, 6), 6);
    ck_assert_mem_eq(data, "abcdef", 6);
    ck_assert_int_eq(jg_peek(stream, &data, 1), 6);
    jg_consume(stream, 2);
    ck_assert_int_eq(jg_peek(stream, &data, 0), 4);
    ck_assert_mem_eq(data, "cdef", 4);
    jg_consume(stream, 0);
    ck_assert_int_eq(jg_read(stream, copy, sizeof copy), 4);
    ck_assert_mem_eq(copy, "cdef", 4);
    ck_assert_int_eq(jg_peek(stream, &data, 0), 0);
    close(peer);
    return jg_close(stream);
}

TASK_TEST(peek_waits_for_as_much_as_asked_even_beyond_the_buffer_limit)
{
    enum { SIZE = 1 << 20 };
    int peer;
    const void *data;
    jg_stream *stream = stream_with_peer(&peer);
    jg_task *sender = jg_create_task(send_long_line, &peer);
    ck_assert_int_eq(jg_peek(stream, &data, SIZE), SIZE);
    ck_assert_int_eq(((const char *)data)[SIZE - 1], '\n');
    jg_consume(stream, SIZE);
    ck_assert_int_eq(jg_await(sender), 0);
    close(peer);
    return jg_close(stream);
}

TASK_TEST(peek_at_the_end_shows_fewer)
{
    int peer;
    const void *data;
    jg_stream *stream = stream_with_peer(&peer);
    peer_send(peer, "abc", 3);
    close(peer);
    ck_assert_int_eq(jg_peek(stream, &data, 100), 3);
    ck_assert_mem_eq(data, "abc", 3);
    jg_consume(stream, 3);
    ck_assert_int_eq(jg_peek(stream, &data, 1), 0);
    ck_assert_ptr_nonnull(data);
    ck_assert(jg_at_eof(stream));
    return jg_close(stream);
}

/* What was shown stays where it is until the next read, whatever comes meanwhile. */
TASK_TEST(peeked_data_stays_while_more_comes)
{
    int peer;
    const void *shown, *more;
    jg_stream *stream = stream_with_peer(&peer);
    peer_send(peer, "keep me", 7);
    ck_assert_int_eq(jg_peek(stream, &shown, 7), 7);
    jg_consume(stream, 5);
    char *bytes = pattern(60000);
    for (int i = 0; i < 60; i++) {
        peer_send(peer, bytes + (size_t)i * 1000, 1000);
        for (int k = 0; k < 5; k++)
            jg_yield();
    }
    ck_assert_mem_eq(shown, "keep me", 7);
    ck_assert_int_eq(jg_peek(stream, &more, 60002), 60002);
    ck_assert_mem_eq(more, "me", 2);
    check_pattern((const char *)more + 2, 0, 60000);
    jg_consume(stream, 60002);
    ck_assert_mem_eq(more, "me", 2);
    free(bytes);
    close(peer);
    return jg_close(stream);
}

TASK_TEST(peek_checks_its_arguments)
{
    int peer;
    const void *data;
    jg_stream *stream = stream_with_peer(&peer);
    FAILS(jg_peek(stream, NULL, 1), EINVAL);
    FAILS(jg_peek(stream, &data, SIZE_MAX), EINVAL);
    close(peer);
    return jg_close(stream);
}

TASK_TEST_ABORTS(consuming_more_than_there_is_aborts, "jg_consume: 4 bytes are more than the 3")
{
    int peer;
    const void *data;
    jg_stream *stream = stream_with_peer(&peer);
    peer_send(peer, "abc", 3);
    ck_assert_int_eq(jg_peek(stream, &data, 3), 3);
    jg_consume(stream, 4);
    return 0;
}
