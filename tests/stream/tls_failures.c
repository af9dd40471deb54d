/* Bad days of TLS: interruptions, peers that die, cheat, are silent or talk nonsense. */
#ifdef HAVE_OPENSSL
#include "tls_support.h"

#include <sys/mman.h>

static char small[64];

/* ---- Interrupted ---- */

struct starting {
    jg_stream *stream;
    jg_tls *tls;
    double timeout;
    int error;
    char text[200];
};

static int start_client(void *arg)
{
    struct starting *starting = arg;
    int result = jg_start_tls(starting->stream, starting->tls, .server_hostname = "localhost",
                              .handshake_timeout = starting->timeout);
    starting->error = result < 0 ? errno : 0;
    snprintf(starting->text, sizeof starting->text, "%s", result < 0 ? jg_error_text() : "");
    return 0;
}

TASK_TEST(a_handshake_is_cancelled)
{
    int peer;
    struct starting starting = {stream_with_peer(&peer), client_tls(), 0, 0, ""};
    jg_task *task = start(start_client, &starting);
    jg_cancel(task);
    ck_assert_int_eq(jg_await(task), 0);
    ck_assert_int_eq(starting.error, ECANCELED);
    FAILS(jg_write(starting.stream, "x", 1), EPIPE);
    FAILS(jg_read(starting.stream, small, 1), ECONNRESET);
    jg_close(starting.stream);
    jg_tls_free(starting.tls);
    char hello[1000];
    do
        ck_assert_int_gt(jg_wait_fd(peer, POLLIN), 0);
    while (recv(peer, hello, sizeof hello, 0) > 0);
    ck_assert_int_eq(errno, ECONNRESET);
    close(peer);
    return 0;
}

TASK_TEST(a_deadline_ends_a_handshake)
{
    int peer;
    jg_stream *stream = stream_with_peer(&peer);
    jg_autoptr(jg_tls) tls = client_tls();
    {
        JG_TIMEOUT(limit, 0.02);
        FAILS(jg_start_tls(stream, tls, .server_hostname = "localhost"), ETIMEDOUT);
        ck_assert(jg_timeout_expired(&limit));
    }
    close(peer);
    jg_close(stream);
    return 0;
}

TASK_TEST(a_handshake_has_a_time_limit_of_its_own)
{
    int peer;
    struct starting starting = {stream_with_peer(&peer), client_tls(), 0.02, 0, ""};
    start_client(&starting);
    ck_assert_int_eq(starting.error, ETIMEDOUT);
    ck_assert_str_eq(starting.text, "jg_start_tls: TLS: the handshake took too long");
    FAILS(jg_write(starting.stream, "x", 1), EPIPE);
    close(peer);
    FAILS(jg_read(starting.stream, small, 1), ETIMEDOUT);
    jg_close(starting.stream);
    jg_tls_free(starting.tls);
    return 0;
}

TASK_TEST(closing_by_another_task_ends_a_handshake)
{
    int peer;
    struct starting starting = {stream_with_peer(&peer), client_tls(), 0, 0, ""};
    jg_task *task = start(start_client, &starting);
    jg_close(starting.stream);
    ck_assert_int_eq(jg_await(task), 0);
    ck_assert_int_eq(starting.error, EBADF);
    jg_tls_free(starting.tls);
    close(peer);
    return 0;
}

TASK_TEST(an_interrupted_task_does_not_begin)
{
    int peer;
    jg_stream *stream = stream_with_peer(&peer);
    jg_autoptr(jg_tls) tls = client_tls();
    {
        JG_TIMEOUT(limit, 0);
        FAILS(jg_start_tls(stream, tls, .server_hostname = "localhost"), ETIMEDOUT);
    }
    ck_assert_int_eq(jg_write(stream, "plain", 5), 0);
    peer_receive(peer, small, 5);
    close(peer);
    return jg_close(stream);
}

static int read_in_vain(void *arg)
{
    FAILS(jg_read(arg, small, sizeof small), ECANCELED);
    return 0;
}

TASK_TEST(a_read_is_cancelled_and_nothing_is_lost)
{
    struct peer peer;
    jg_stream *stream = tls_stream_with_peer(&peer, 0);
    jg_task *reader = start(read_in_vain, stream);
    peer_write(&peer, "first", 5);
    jg_cancel(reader);
    ck_assert_int_eq(jg_await(reader), 0);
    ck_assert_int_eq(jg_read_exactly(stream, small, 5), 5);
    peer_close(&peer, true);
    return jg_close(stream);
}

/* Memory that is gone when the write is over: who still looks at it dies. */
struct vanishing {
    jg_stream *stream;
    char *data;
    size_t bytes;
};

static int write_and_vanish(void *arg)
{
    struct vanishing *vanishing = arg;
    int result = jg_write(vanishing->stream, vanishing->data, vanishing->bytes), error = errno;
    ck_assert_int_eq(munmap(vanishing->data, vanishing->bytes), 0);
    errno = error;
    return result;
}

static struct vanishing vanishing_data(jg_stream *stream, size_t bytes)
{
    void *data = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(data, MAP_FAILED);
    return (struct vanishing){stream, data, bytes};
}

TASK_TEST(a_cancelled_write_leaves_no_pointer_behind)
{
    struct peer peer;
    jg_stream *stream = tls_stream_with_small_buffers(&peer, 20000);
    struct vanishing vanishing = vanishing_data(stream, 1 << 20);
    jg_task *writer = start(write_and_vanish, &vanishing);
    ck_assert(!jg_task_done(writer));
    jg_cancel(writer);
    FAILS(jg_await(writer), ECANCELED);
    FAILS(jg_write(stream, "x", 1), EPIPE); /* a part was encrypted: there is no continuing */
    TEXT_HAS("interrupted halfway");
    jg_sleep(0.01);
    FAILS(jg_close(stream), EPIPE);
    while (peer_read(&peer, small, sizeof small) > 0)
        continue;
    peer_close(&peer, false);
    return 0;
}

TASK_TEST(a_cancelled_write_of_which_nothing_was_encrypted_never_was)
{
    struct peer peer;
    static char got[1 << 20];
    jg_stream *stream = tls_stream_with_small_buffers(&peer, 20000);
    struct vanishing first = vanishing_data(stream, 1 << 20), second = vanishing_data(stream, 1 << 20);
    jg_task *writer = start(write_and_vanish, &first), *other = start(write_and_vanish, &second);
    jg_cancel(other);
    FAILS(jg_await(other), ECANCELED);
    peer_read_exactly(&peer, got, sizeof got);
    ck_assert_int_eq(jg_await(writer), 0);
    ck_assert_int_eq(jg_write(stream, "after", 5), 0);
    peer_read_exactly(&peer, got, 5);
    ck_assert_mem_eq(got, "after", 5);
    peer_close(&peer, true);
    return jg_close(stream);
}

TASK_TEST(flush_drain_and_close_are_interrupted)
{
    struct peer peer;
    static char data[30000];
    jg_stream *stream = tls_stream_with_small_buffers(&peer, 100000);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(jg_write(stream, data, sizeof data), 0);
    jg_set_write_limits(stream, 100000, 10);
    {
        JG_TIMEOUT(limit, 0.01);
        FAILS(jg_flush(stream), ETIMEDOUT);
        FAILS(jg_drain(stream), ETIMEDOUT);
        FAILS(jg_close(stream), ETIMEDOUT);
    }
    while (peer_read(&peer, data, sizeof data) > 0)
        continue;
    peer_close(&peer, false);
    return 0;
}

static int write_in_vain(void *arg)
{
    const struct vanishing *vanishing = arg;
    FAILS(jg_write(vanishing->stream, vanishing->data, vanishing->bytes), EBADF);
    ck_assert_int_eq(munmap(vanishing->data, vanishing->bytes), 0);
    return 0;
}

TASK_TEST(aborting_under_a_writer_and_a_reader)
{
    struct peer peer;
    jg_stream *stream = tls_stream_with_small_buffers(&peer, 20000);
    struct vanishing vanishing = vanishing_data(stream, 1 << 20);
    jg_task *writer = start(write_in_vain, &vanishing);
    jg_abort(stream);
    ck_assert_int_eq(jg_await(writer), 0);
    peer_close(&peer, false);
    return 0;
}

static int write_to_dead(void *arg)
{
    const struct vanishing *vanishing = arg;
    FAILS(jg_write(vanishing->stream, vanishing->data, vanishing->bytes), EPIPE);
    ck_assert_int_eq(munmap(vanishing->data, vanishing->bytes), 0);
    return 0;
}

TASK_TEST(a_peer_dies_under_a_writer)
{
    struct peer peer;
    jg_stream *stream = tls_stream_with_small_buffers(&peer, 20000);
    struct vanishing vanishing = vanishing_data(stream, 1 << 20);
    jg_task *writer = start(write_to_dead, &vanishing);
    SSL_free(peer.ssl);
    SSL_CTX_free(peer.context);
    reset_peer(peer.fd);
    ck_assert_int_eq(jg_await(writer), 0);
    jg_close(stream);
    return 0;
}

/* ---- Peers that die in the middle of the handshake ---- */

static void receive_hello(int peer, char *hello, size_t *count)
{
    *count = 0;
    while (*count < 5 || *count < 5 + (size_t)(unsigned char)hello[3] * 256 + (unsigned char)hello[4]) {
        ck_assert_int_gt(jg_wait_fd(peer, POLLIN), 0);
        ssize_t n = recv(peer, hello + *count, 4096 - *count, MSG_DONTWAIT);
        ck_assert_int_gt(n, 0);
        *count += (size_t)n;
    }
}

/* What a server would answer; of that, the first bytes. */
static size_t answer_to(const char *hello, size_t count, char *answer, size_t size)
{
    struct peer peer;
    peer_new(&peer, dup(0), true, 0);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    SSL_set_bio(peer.ssl, in, out);
    BIO_write(in, hello, (int)count);
    ck_assert_int_eq(SSL_do_handshake(peer.ssl), -1);
    int length = BIO_read(out, answer, (int)size);
    ck_assert_int_gt(length, 500);
    peer_close(&peer, false);
    return (size_t)length;
}

/* Returns whether there would have been more to say. */
static bool dies_after(jg_tls *tls, size_t part)
{
    int fd;
    char hello[4096], answer[8192];
    size_t count;
    struct starting starting = {stream_with_peer(&fd), tls, 0, 0, ""};
    jg_task *task = jg_create_task(start_client, &starting);
    receive_hello(fd, hello, &count);
    size_t length = answer_to(hello, count, answer, sizeof answer);
    peer_send(fd, answer, part < length ? part : length);
    jg_sleep(0.001);
    close(fd);
    ck_assert_int_eq(jg_await(task), 0);
    if (part < length) {
        ck_assert_msg(starting.error == ECONNRESET, "after %zu bytes: %s", part, starting.text);
    }
    jg_close(starting.stream);
    return part < length;
}

TASK_TEST(a_server_dies_in_the_middle_of_the_handshake)
{
    jg_autoptr(jg_tls) tls = client_tls();
    size_t part = 0;
    while (dies_after(tls, part))
        part += part < 10 ? 1 : 97;
    return 0;
}

static int do_nothing(jg_stream *client, void *arg)
{
    (void)client;
    ++*(int *)arg;
    return 0;
}

static int served;

static jg_server *start_idle_server(jg_tls *tls, double timeout, size_t connections)
{
    jg_server *server = jg_start_server(do_nothing, &served, "127.0.0.1", 0, .tls = tls, .handshake_timeout = timeout,
                                        .max_connections = connections);
    ck_assert_ptr_nonnull(server);
    served = 0;
    keep_reports();
    return server;
}

static jg_stream *plain_to(jg_server *server)
{
    jg_stream *stream = jg_open_connection("127.0.0.1", jg_server_port(server));
    ck_assert_ptr_nonnull(stream);
    return stream;
}

TASK_TEST(a_client_dies_in_the_middle_of_the_handshake)
{
    jg_autoptr(jg_tls) tls = server_tls();
    jg_autoptr(jg_server) server = start_idle_server(tls, 0, 0);
    jg_stream *client = plain_to(server);
    ck_assert_int_eq(jg_write(client, "\x16\x03\x01\x02\x00\x01", 6), 0);
    jg_close(client);
    YIELD_UNTIL(jg_server_connections(server) == 0 && reports);
    ck_assert_int_eq(last_report_error, ECONNRESET);
    ck_assert_ptr_nonnull(strstr(last_report, "closed the connection during the handshake"));
    client = plain_to(server);
    ck_assert_int_eq(jg_write(client, "\x16\x03\x01\x02\x00\x01", 6), 0);
    ck_assert_int_eq(jg_flush(client), 0);
    jg_abort(client);
    YIELD_UNTIL(jg_server_connections(server) == 0);
    ck_assert_int_eq(reports, 1);
    ck_assert_int_eq(served, 0);
    return 0;
}

/* ---- Nonsense and silence ---- */

static void sends_nonsense(jg_server *server, const char *nonsense, const char *word)
{
    char answer[100];
    keep_reports();
    jg_stream *client = plain_to(server);
    ck_assert_int_eq(jg_write(client, nonsense, strlen(nonsense)), 0);
    ssize_t count;
    do
        count = jg_read(client, answer, sizeof answer); /* perhaps an alert */
    while (count > 0);
    ck_assert_int_eq(count, 0);
    jg_close(client);
    ck_assert_int_eq(reports, 1);
    ck_assert_int_eq(last_report_error, EPROTO);
    ck_assert_msg(strstr(last_report, word), "\"%s\" is not in \"%s\"", word, last_report);
    ck_assert_int_eq(served, 0);
}

TASK_TEST(garbage_instead_of_a_ClientHello)
{
    static const char *const nonsense[] = {"GET / HTTP/1.0\r\n\r\n", "EHLO somebody.test\r\n",
                                           "\x16\x03\x01zzzzzzzzzzzzz"};
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
        jg_autoptr(jg_tls) tls = server_tls();
        jg_autoptr(jg_server) server = start_idle_server(tls, 0, 0);
        sends_nonsense(server, nonsense[i], "the peer does not speak TLS");
    }
    return 0;
}

TASK_TEST(garbage_instead_of_a_ServerHello)
{
    int peer;
    struct starting starting = {stream_with_peer(&peer), client_tls(), 0, 0, ""};
    jg_task *task = jg_create_task(start_client, &starting);
    peer_send(peer, "220 mail.example.com ESMTP\r\n", 28);
    ck_assert_int_eq(jg_await(task), 0);
    ck_assert_int_eq(starting.error, EPROTO);
    ck_assert_ptr_nonnull(strstr(starting.text, "the peer does not speak TLS"));
    close(peer);
    jg_close(starting.stream);
    jg_tls_free(starting.tls);
    return 0;
}

TASK_TEST(peers_that_say_nothing_are_not_reported)
{
    jg_autoptr(jg_tls) tls = server_tls();
    jg_autoptr(jg_server) server = start_idle_server(tls, 0.05, 0);
    jg_close(plain_to(server)); /* a port scan */
    jg_abort(plain_to(server));
    jg_stream *silent = plain_to(server);
    ck_assert_int_eq(jg_read(silent, small, sizeof small), 0); /* it is sent away after the time limit */
    jg_close(silent);
    YIELD_UNTIL(jg_server_connections(server) == 0);
    ck_assert_int_eq(reports, 0);
    ck_assert_int_eq(served, 0);
    return 0;
}

TASK_TEST(handshakes_count_as_connections_and_end_with_the_server)
{
    jg_tls *tls = server_tls();
    jg_server *server = start_idle_server(tls, 0, 1);
    jg_stream *silent = plain_to(server), *second = plain_to(server);
    YIELD_UNTIL(jg_server_connections(server) == 1);
    jg_server_close(server);
    ck_assert_int_eq(reports, 0);
    jg_abort(silent);
    jg_abort(second);
    jg_tls_free(tls);
    return 0;
}

/* ---- start_tls ---- */

TASK_TEST(plaintext_that_was_not_read_is_EPROTO)
{
    int peer;
    jg_autoptr(jg_tls) tls = client_tls();
    jg_stream *stream = stream_with_peer(&peer);
    peer_send(peer, "220 go\r\ninjected", 16);
    ck_assert_int_eq(jg_read_line(stream, small, sizeof small), 8);
    FAILS(jg_start_tls(stream, tls, .server_hostname = "localhost"), EPROTO);
    TEXT_HAS("8 bytes that came before it were not read");
    ck_assert_int_eq(jg_read_exactly(stream, small, 8), 8); /* nothing has happened */
    ck_assert_int_eq(jg_write(stream, "plain", 5), 0);
    peer_receive(peer, small, 5);
    close(peer);
    return jg_close(stream);
}

TASK_TEST(start_tls_needs_what_it_needs)
{
    int peer;
    jg_autoptr(jg_tls) tls = client_tls();
    jg_stream *stream = stream_with_peer(&peer);
    FAILS(jg_start_tls(stream, tls), EINVAL);
    TEXT_HAS("server_hostname");
    FAILS(jg_start_tls(stream, NULL), EINVAL);
    ck_assert_int_eq(jg_write_eof(stream), 0);
    FAILS(jg_start_tls(stream, tls, .server_hostname = "localhost"), EPIPE);
    close(peer);
    jg_close(stream);
    stream = stream_with_peer(&peer);
    close(peer);
    ck_assert_int_eq(jg_read(stream, small, 1), 0);
    FAILS(jg_start_tls(stream, tls, .server_hostname = "localhost"), EPIPE);
    jg_close(stream);
    return 0;
}

static int read_for_ever(void *arg)
{
    return (int)jg_read(arg, small, sizeof small);
}

TASK_TEST_ABORTS(start_tls_under_a_reader_aborts, "jg_start_tls: another task waits in jg_read on this stream")
{
    int peer;
    jg_stream *stream = stream_with_peer(&peer);
    start(read_for_ever, stream);
    return jg_start_tls(stream, client_tls(), .server_hostname = "localhost");
}

static int write_meanwhile(void *arg)
{
    ck_assert_int_eq(jg_write(arg, "meanwhile", 9), 0);
    ck_assert_uint_ge(jg_write_pending(arg), 9);
    return jg_flush(arg);
}

/* As a mail server and its client do it. */
static int upgrade_server(void *arg)
{
    jg_stream *stream = arg;
    jg_autoptr(jg_tls) tls = server_tls();
    ck_assert_int_eq(jg_read_line(stream, small, sizeof small), 10);
    ck_assert_int_eq(jg_write(stream, "220 go\r\n", 8), 0); /* not flushed */
    ck_assert_int_eq(jg_start_tls(stream, tls), 0);
    ck_assert_int_eq(jg_read_exactly(stream, small, 9), 9);
    return jg_write(stream, "secret", 6);
}

TASK_TEST(a_stream_in_use_goes_over_to_tls)
{
    jg_stream *pair[2];
    jg_autoptr(jg_tls) tls = client_tls();
    stream_pair(pair);
    jg_task *server = jg_create_task(upgrade_server, pair[1]);
    ck_assert_int_eq(jg_write(pair[0], "STARTTLS\r\n", 10), 0);
    ck_assert_int_eq(jg_read_line(pair[0], small, sizeof small), 8);
    struct starting starting = {pair[0], tls, 0, 0, ""};
    jg_task *starter = start(start_client, &starting);
    jg_task *writer = jg_create_task(write_meanwhile, pair[0]);
    ck_assert_int_eq(jg_gather(starter, writer), 0);
    ck_assert_int_eq(starting.error, 0);
    ck_assert_int_eq(jg_read_exactly(pair[0], small, 6), 6);
    ck_assert_mem_eq(small, "secret", 6);
    ck_assert_int_eq(jg_await(server), 0);
    jg_close(pair[0]);
    jg_close(pair[1]);
    return 0;
}

TASK_TEST(a_large_write_from_before_stays_plain)
{
    enum { COUNT = 300000 };
    int fd;
    struct peer peer;
    static char got[COUNT];
    jg_stream *stream = stream_with_small_buffers(&fd, 20000);
    struct vanishing vanishing = vanishing_data(stream, COUNT);
    fill_pattern(vanishing.data, 0, COUNT);
    jg_task *writer = start(write_and_vanish, &vanishing);
    struct starting starting = {stream, client_tls(), 0, 0, ""};
    jg_task *starter = start(start_client, &starting);
    peer_receive(fd, got, COUNT);
    check_pattern(got, 0, COUNT);
    peer_new(&peer, fd, true, 0);
    ck_assert_int_eq(peer_shake_hands(&peer), 0);
    ck_assert_int_eq(jg_gather(writer, starter), 0);
    ck_assert_int_eq(starting.error, 0);
    peer_close(&peer, true);
    jg_close(stream);
    jg_tls_free(starting.tls);
    return 0;
}
#else
typedef int nothing_to_test;
#endif
