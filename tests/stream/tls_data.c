/* Data over TLS: in pieces of any size, both ways at once, to slow peers, to the end and beyond it. */
#ifdef HAVE_OPENSSL
#include "tls_support.h"

enum { LARGE = 4 << 20 };

static void close_both(jg_stream *pair[2])
{
    ck_assert_int_eq(jg_close(pair[0]), 0);
    ck_assert_int_eq(jg_close(pair[1]), 0);
}

/* ---- Reading ---- */

TASK_TEST(a_reader_takes_one_byte_at_a_time)
{
    enum { COUNT = 40000 }; /* three records and more than fits the water marks of one delivery */
    jg_stream *pair[2];
    char *data = pattern(COUNT), byte;
    tls_pair(pair);
    ck_assert_int_eq(jg_write(pair[0], data, COUNT), 0);
    for (size_t i = 0; i < COUNT; i++) {
        ck_assert_msg(jg_read(pair[1], &byte, 1) == 1, "%s", jg_error_text());
        if (byte != data[i])
            ck_abort_msg("byte %zu differs", i);
    }
    close_both(pair);
    free(data);
    return 0;
}

TASK_TEST(a_record_is_delivered_to_its_last_byte_when_the_reader_comes_back)
{
    struct peer peer;
    char *data = pattern(16000), got[16000];
    jg_stream *stream = tls_stream_with_peer(&peer, 0);
    peer_write(&peer, data, 16000); /* one record */
    ck_assert_int_eq(jg_read(stream, got, 10), 10);
    jg_sleep(0.02); /* nothing more comes from the kernel: what is left was decrypted already */
    ck_assert_int_eq(jg_read_exactly(stream, got + 10, 15990), 15990);
    check_pattern(got, 0, 16000);
    peer_close(&peer, true);
    ck_assert_int_eq(jg_read(stream, got, 1), 0);
    ck_assert(jg_at_eof(stream));
    free(data);
    return jg_close(stream);
}

static int write_large(void *arg)
{
    char *data = pattern(LARGE);
    int result = jg_write(arg, data, LARGE);
    free(data);
    return result;
}

static int write_large_and_end(void *arg)
{
    return write_large(arg) == 0 ? jg_write_eof(arg) : -1;
}

static void read_large(jg_stream *stream, size_t step)
{
    char *data = malloc(step);
    for (size_t done = 0; done < LARGE;) {
        ssize_t count = jg_read(stream, data, step);
        ck_assert_msg(count > 0, "after %zu bytes: %zd, %s", done, count, jg_error_text());
        check_pattern(data, done, (size_t)count);
        done += (size_t)count;
    }
    free(data);
}

static int read_all_of_it(void *arg)
{
    read_large(arg, 100000);
    return 0;
}

TASK_TEST(large_transfers_both_ways_at_once)
{
    jg_stream *pair[2];
    tls_pair(pair);
    ck_assert_int_eq(jg_gather(jg_create_task(write_large, pair[0]), jg_create_task(write_large, pair[1]),
                               jg_create_task(read_all_of_it, pair[0]), jg_create_task(read_all_of_it, pair[1])),
                     0);
    close_both(pair);
    return 0;
}

TASK_TEST(a_reader_that_pauses_gets_everything)
{
    jg_stream *pair[2];
    tls_pair(pair);
    jg_task *writer = jg_create_task(write_large_and_end, pair[0]);
    jg_sleep(0.05); /* receiving has paused meanwhile */
    read_large(pair[1], 7777);
    ck_assert_int_eq(jg_await(writer), 0);
    close_both(pair);
    return 0;
}

TASK_TEST(the_other_ways_of_reading_work)
{
    jg_stream *pair[2];
    char line[64];
    const void *shown;
    tls_pair(pair);
    ck_assert_int_eq(jg_printf(pair[0], "one\ntwo;three"), 0);
    ck_assert_int_eq(jg_read_line(pair[1], line, sizeof line), 4);
    ck_assert_int_eq(jg_read_until(pair[1], line, sizeof line, ";"), 4);
    ck_assert_int_eq(jg_peek(pair[1], &shown, 5), 5);
    ck_assert_mem_eq(shown, "three", 5);
    jg_consume(pair[1], 5);
    ck_assert_int_eq(jg_write_eof(pair[0]), 0);
    FAILS(jg_read_exactly(pair[1], line, 1), ENODATA);
    close_both(pair);
    return 0;
}

/* ---- Writing ---- */

TASK_TEST(writes_of_nothing_and_of_pieces)
{
    jg_stream *pair[2];
    char got[3001];
    static struct iovec pieces[1002];
    tls_pair(pair);
    for (int i = 0; i < 1002; i++)
        pieces[i] = (struct iovec){(char *)(uintptr_t) "abc", i % 501 ? 3 : 0};
    ck_assert_int_eq(jg_write(pair[0], "", 0), 0);
    ck_assert_int_eq(jg_try_write(pair[0], "", 0), 0);
    ck_assert_uint_eq(jg_write_pending(pair[0]), 0);
    ck_assert_int_eq(jg_writev(pair[0], pieces, 1002), 0);
    ck_assert_int_eq(jg_read_exactly(pair[1], got, 3000), 3000);
    for (int i = 0; i < 3000; i++)
        ck_assert_int_eq(got[i], "abc"[i % 3]);
    close_both(pair);
    return 0;
}

static int write_many_pieces(void *arg)
{
    enum { PIECES = 3000, EACH = 100 };
    static struct iovec pieces[PIECES];
    char *data = pattern(PIECES * EACH);
    for (size_t i = 0; i < PIECES; i++)
        pieces[i] = (struct iovec){data + i * EACH, EACH};
    int result = jg_writev(arg, pieces, PIECES); /* straight from there, in records across the pieces */
    ck_assert_ptr_eq(pieces[0].iov_base, data);
    free(data);
    return result;
}

TASK_TEST(many_small_pieces_share_records)
{
    jg_stream *pair[2];
    static char got[300000];
    tls_pair(pair);
    jg_task *writer = jg_create_task(write_many_pieces, pair[0]);
    ck_assert_int_eq(jg_read_exactly(pair[1], got, sizeof got), sizeof got);
    check_pattern(got, 0, sizeof got);
    ck_assert_int_eq(jg_await(writer), 0);
    close_both(pair);
    return 0;
}

static int write_three(void *arg)
{
    char *data = pattern(300000);
    int result = jg_write(arg, data, 10);
    if (result == 0)
        result = jg_write(arg, data + 10, 299980);
    if (result == 0)
        result = jg_write(arg, data + 299990, 10);
    free(data);
    return result;
}

TASK_TEST(small_and_large_writes_keep_their_order)
{
    jg_stream *pair[2];
    static char got[300000];
    tls_pair(pair);
    jg_task *writer = jg_create_task(write_three, pair[0]);
    ck_assert_int_eq(jg_read_exactly(pair[1], got, sizeof got), sizeof got);
    check_pattern(got, 0, sizeof got);
    ck_assert_int_eq(jg_await(writer), 0);
    close_both(pair);
    return 0;
}

TASK_TEST(flush_and_drain_wait_until_it_has_left)
{
    struct peer peer;
    char got[5];
    jg_stream *stream = tls_stream_with_peer(&peer, 0);
    ck_assert_int_eq(jg_write(stream, "hello", 5), 0);
    ck_assert_uint_ge(jg_write_pending(stream), 5);
    ck_assert_int_eq(jg_flush(stream), 0);
    ck_assert_uint_eq(jg_write_pending(stream), 0);
    ck_assert_int_eq(jg_drain(stream), 0);
    peer_read_exactly(&peer, got, 5);
    peer_close(&peer, true);
    return jg_close(stream);
}

/* ---- Slow peers ---- */

static int write_to_slow(void *arg)
{
    static char data[100];
    for (int i = 0; i < 20000; i++) {
        ck_assert_int_eq(jg_write(arg, data, sizeof data), 0);
        ck_assert_uint_lt(jg_write_pending(arg), 20000 + 2 * 16384 + 1000);
        ck_assert_uint_lt(jg_allocated_blocks(), 60);
    }
    return 0;
}

TASK_TEST(a_slow_peer_slows_its_writer_and_memory_is_bounded)
{
    struct peer peer;
    static char got[2000000];
    jg_stream *stream = tls_stream_with_small_buffers(&peer, 20000);
    jg_task *writer = start(write_to_slow, stream);
    for (int i = 0; i < 20; i++)
        jg_yield();
    ck_assert(!jg_task_done(writer));
    ck_assert_uint_gt(jg_write_pending(stream), 0);
    peer_read_exactly(&peer, got, sizeof got);
    ck_assert_int_eq(jg_await(writer), 0);
    peer_close(&peer, true);
    return jg_close(stream);
}

static int write_large_to_slow(void *arg)
{
    char *data = pattern(1 << 20);
    int result = jg_write(arg, data, 1 << 20);
    memset(data, 'x', 1 << 20); /* nobody looks at it any more */
    free(data);
    return result;
}

TASK_TEST(a_large_write_waits_for_a_slow_peer)
{
    struct peer peer;
    static char got[1 << 20];
    jg_stream *stream = tls_stream_with_small_buffers(&peer, 20000);
    jg_task *writer = start(write_large_to_slow, stream);
    size_t blocks = jg_allocated_blocks();
    for (int i = 0; i < 200; i++)
        jg_yield();
    ck_assert(!jg_task_done(writer));
    ck_assert_uint_le(jg_allocated_blocks(), blocks + 4); /* it is not copied into the queue */
    peer_read_exactly(&peer, got, sizeof got);
    check_pattern(got, 0, sizeof got);
    ck_assert_int_eq(jg_await(writer), 0);
    peer_close(&peer, true);
    return jg_close(stream);
}

TASK_TEST(try_write_never_waits)
{
    struct peer peer;
    static char data[5000], got[5000];
    size_t written = 0;
    jg_stream *stream = tls_stream_with_small_buffers(&peer, 20000);
    while (jg_try_write(stream, data, sizeof data) == 0)
        written += sizeof data;
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_uint_ge(written, 15000);
    while (written) {
        peer_read_exactly(&peer, got, sizeof got);
        written -= sizeof got;
    }
    ck_assert_int_eq(jg_try_write(stream, data, sizeof data), 0);
    peer_close(&peer, true);
    jg_abort(stream);
    return 0;
}

TASK_TEST(try_write_takes_more_than_the_high_water_mark_in_a_turn_when_the_peer_is_fast)
{
    jg_stream *pair[2];
    static char data[1000];
    tls_pair(pair);
    for (int i = 0; i < 200; i++)
        ck_assert_msg(jg_try_write(pair[0], data, sizeof data) == 0, "write %d: %s", i, jg_error_text());
    for (int i = 0; i < 200; i++)
        ck_assert_int_eq(jg_read_exactly(pair[1], data, sizeof data), sizeof data);
    close_both(pair);
    return 0;
}

/* ---- The end ---- */

TASK_TEST(half_closing_sends_the_end_and_reading_goes_on)
{
    jg_stream *pair[2];
    char got[10];
    tls_pair(pair);
    ck_assert_int_eq(jg_write(pair[0], "question", 8), 0);
    ck_assert_int_eq(jg_write_eof(pair[0]), 0);
    FAILS(jg_write(pair[0], "x", 1), EPIPE);
    ck_assert_int_eq(jg_read_exactly(pair[1], got, 8), 8);
    ck_assert_int_eq(jg_read(pair[1], got, 1), 0);
    ck_assert_int_eq(jg_write(pair[1], "answer", 6), 0);
    ck_assert_int_eq(jg_read_exactly(pair[0], got, 6), 6);
    ck_assert_int_eq(jg_write_eof(pair[1]), 0);
    ck_assert_int_eq(jg_read(pair[0], got, 1), 0);
    close_both(pair);
    return 0;
}

TASK_TEST(closing_sends_everything_and_close_notify)
{
    struct peer peer;
    static char got[60000];
    char *data = pattern(60000);
    jg_stream *stream = tls_stream_with_small_buffers(&peer, 100000);
    ck_assert_int_eq(jg_write(stream, data, 30000), 0);
    ck_assert_int_eq(jg_write(stream, data + 30000, 30000), 0);
    jg_task *closer = jg_create_task((jg_coroutine)jg_close, stream);
    peer_read_exactly(&peer, got, sizeof got);
    check_pattern(got, 0, sizeof got);
    ck_assert_int_eq(peer_read(&peer, got, 1), 0); /* close_notify */
    ck_assert_int_eq(jg_await(closer), 0);
    peer_close(&peer, true);
    free(data);
    return 0;
}

static void is_cut(int version)
{
    struct peer peer;
    char got[10];
    jg_stream *stream = tls_stream_with_peer(&peer, version);
    peer_write(&peer, "half", 4);
    peer_close(&peer, false);
    ck_assert_int_eq(jg_read_exactly(stream, got, 4), 4);
    FAILS(jg_read(stream, got, 1), ECONNRESET);
    TEXT_HAS("close_notify is missing");
    ck_assert_int_eq(jg_read(stream, got, 1), 0); /* told once */
    FAILS(jg_write(stream, "x", 1), EPIPE);
    TEXT_HAS("close_notify is missing");
    jg_close(stream);
}

TASK_TEST(an_end_without_close_notify_is_no_end_of_file)
{
    is_cut(0);
    is_cut(TLS1_2_VERSION);
    return 0;
}

TASK_TEST(an_abort_is_seen_as_one)
{
    jg_stream *pair[2];
    char byte;
    tls_pair(pair);
    jg_abort(pair[0]);
    FAILS(jg_read(pair[1], &byte, 1), ECONNRESET);
    jg_close(pair[1]);
    return 0;
}

TASK_TEST(what_follows_close_notify_is_ignored)
{
    struct peer peer;
    char byte;
    jg_stream *stream = tls_stream_with_peer(&peer, 0);
    SSL_shutdown(peer.ssl);
    ck_assert_int_eq(jg_read(stream, &byte, 1), 0);
    peer_send(peer.fd, "garbage", 7);
    jg_sleep(0.02);
    ck_assert_int_eq(jg_write(stream, "y", 1), 0);
    ck_assert_int_eq(peer_read(&peer, &byte, 1), 1); /* the other direction still works */
    peer_close(&peer, false);
    ck_assert_int_eq(jg_read(stream, &byte, 1), 0);
    return jg_close(stream);
}

TASK_TEST(a_broken_record_is_EPROTO)
{
    struct peer peer;
    char byte;
    jg_stream *stream = tls_stream_with_peer(&peer, 0);
    peer_write(&peer, "ok", 2);
    peer_send(peer.fd, "\x17\x03\x03\x00\x20________________________________", 37);
    ck_assert_int_eq(jg_read(stream, (char[2]){0}, 2), 2);
    FAILS(jg_read(stream, &byte, 1), EPROTO);
    TEXT_HAS("TLS:");
    FAILS(jg_write(stream, "x", 1), EPIPE);
    ck_assert_int_eq(peer_read(&peer, &byte, 1), -1); /* an alert */
    ck_assert_ptr_nonnull(strstr(ERR_reason_error_string(ERR_peek_error()), "alert"));
    peer_close(&peer, false);
    jg_close(stream);
    return 0;
}

/* ---- Keys ---- */

TASK_TEST(keys_are_updated_on_the_way)
{
    struct peer peer;
    char got[3];
    jg_stream *stream = tls_stream_with_peer(&peer, TLS1_3_VERSION);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(SSL_key_update(peer.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        peer_write(&peer, "one", 3);
        ck_assert_int_eq(jg_read_exactly(stream, got, 3), 3);
        ck_assert_int_eq(jg_write(stream, "two", 3), 0);
        peer_read_exactly(&peer, got, 3);
        ck_assert_mem_eq(got, "two", 3);
    }
    peer_close(&peer, true);
    return jg_close(stream);
}

/* A client that asks to renegotiate is told that there is no such thing, and goes on or not, as it likes. */
TASK_TEST(renegotiation_is_refused)
{
    struct peer peer;
    int fd;
    char got[3];
    jg_autoptr(jg_tls) tls = server_tls();
    jg_stream *stream = stream_with_peer(&fd);
    peer_new(&peer, fd, false, TLS1_2_VERSION);
    jg_task *task = jg_create_task(peer_shake_hands, &peer);
    ck_assert_int_eq(jg_start_tls(stream, tls), 0);
    ck_assert_int_eq(jg_await(task), 0);
    SSL_renegotiate(peer.ssl);
    int result = SSL_do_handshake(peer.ssl); /* sends its ClientHello */
    ck_assert_int_eq(SSL_get_error(peer.ssl, result), SSL_ERROR_WANT_READ);
    jg_task *writer = start((jg_coroutine)jg_flush, stream);
    ck_assert_int_eq(jg_await(writer), 0);
    ck_assert_int_eq(jg_write(stream, "one", 3), 0); /* the stream has not noticed anything */
    ck_assert_int_eq(jg_flush(stream), 0);
    ck_assert_int_eq(peer_read(&peer, got, 3), -1);
    peer_close(&peer, false);
    jg_abort(stream);
    return 0;
}

TASK_TEST(a_peer_that_asks_to_renegotiate_for_ever_is_sent_away)
{
    struct peer peer;
    char byte;
    jg_stream *stream = tls_stream_with_peer(&peer, TLS1_2_VERSION);
    for (int i = 0; i < 100; i++) {
        SSL_renegotiate(peer.ssl);
        ck_assert_int_eq(SSL_do_handshake(peer.ssl), 1); /* sends a HelloRequest, that is all */
    }
    ck_assert_uint_lt(jg_write_pending(stream), 10000);
    FAILS(jg_read(stream, &byte, 1), EPROTO);
    TEXT_HAS("again and again");
    peer_close(&peer, false);
    jg_close(stream);
    return 0;
}

/* ---- TLS inside of TLS ---- */

TASK_TEST(tls_inside_of_tls)
{
    jg_stream *pair[2];
    char got[6];
    stream_pair(pair);
    secure_pair(pair, client_tls(.maximum_version = "TLSv1.2"), server_tls());
    ck_assert_str_eq(jg_tls_protocol(pair[0]), "TLSv1.2");
    secure_pair(pair, client_tls(), server_tls());
    ck_assert_str_eq(jg_tls_protocol(pair[0]), "TLSv1.3");
    ck_assert_int_eq(jg_write(pair[0], "inside", 6), 0);
    ck_assert_int_eq(jg_read_exactly(pair[1], got, 6), 6);
    ck_assert_int_eq(jg_gather(jg_create_task(write_large, pair[0]), jg_create_task(write_large_and_end, pair[1]),
                               jg_create_task(read_all_of_it, pair[0]), jg_create_task(read_all_of_it, pair[1])),
                     0);
    ck_assert_int_eq(jg_read(pair[0], got, 1), 0);
    ck_assert_int_eq(jg_write(pair[0], "more", 4), 0);
    ck_assert_int_eq(jg_close(pair[0]), 0);
    ck_assert_int_eq(jg_read_exactly(pair[1], got, 4), 4);
    ck_assert_int_eq(jg_read(pair[1], got, 1), 0);
    return jg_close(pair[1]);
}

TASK_TEST(tls_over_a_pair_in_memory)
{
    jg_stream *pair[2];
    char byte;
    ck_assert_int_eq(jg_stream_pair(&pair[0], &pair[1]), 0);
    secure_pair(pair, client_tls(), server_tls());
    ck_assert_int_eq(jg_gather(jg_create_task(write_large, pair[0]), jg_create_task(write_large_and_end, pair[1]),
                               jg_create_task(read_all_of_it, pair[0]), jg_create_task(read_all_of_it, pair[1])),
                     0);
    ck_assert_int_eq(jg_read(pair[0], &byte, 1), 0);
    close_both(pair);
    return 0;
}

TASK_TEST(a_file_is_sent_encrypted)
{
    jg_stream *pair[2];
    char got[3000];
    FILE *file = tmpfile();
    char *data = pattern(sizeof got);
    ck_assert_uint_eq(fwrite(data, 1, sizeof got, file), sizeof got);
    fflush(file);
    tls_pair(pair);
    ck_assert_int_eq(jg_sendfile(pair[0], fileno(file), 0, 0), sizeof got);
    ck_assert_int_eq(jg_read_exactly(pair[1], got, sizeof got), sizeof got);
    check_pattern(got, 0, sizeof got);
    fclose(file);
    free(data);
    close_both(pair);
    return 0;
}
#else
typedef int nothing_to_test;
#endif
