/* TLS on transports: the order of the callbacks, and what the owner may do in them. */
#ifdef HAVE_OPENSSL
#include "support.h"

#include "certificates.h"

/* A side that goes over to TLS; `extra` of its side points here. */
struct secure_side {
    struct side side;
    jg_tls *tls;
    const char *name;
    int done, error;
    char text[200];
    bool aborts_when_done;
};

static void handshake_done(jg_transport *transport, void *arg, int error)
{
    struct secure_side *secure = arg;
    REQUIRE(transport == secure->side.transport);
    REQUIRE(error == 0 || errno == error);
    secure->done++;
    secure->error = error;
    snprintf(secure->text, sizeof secure->text, "%s", error ? jg_error_text() : "");
    if (secure->aborts_when_done)
        jg_transport_abort(transport);
}

static int begin(struct secure_side *secure)
{
    return jg_transport_start_tls(secure->side.transport, secure->tls, handshake_done, secure,
                                  .server_hostname = secure->name, .handshake_timeout = 10);
}

static void begin_when_made(struct side *side)
{
    struct secure_side *secure = side->extra;
    ck_assert_msg(begin(secure) == 0, "%s", jg_error_text());
}

static jg_tls *client_tls(void)
{
    make_certificates();
    jg_tls *tls = jg_tls_client(.ca_file = certificate_path("ca"));
    ck_assert_msg(tls, "%s", jg_error_text());
    return tls;
}

static jg_tls *server_tls(void)
{
    make_certificates();
    jg_tls *tls = jg_tls_server(certificate_path("localhost"), NULL);
    ck_assert_msg(tls, "%s", jg_error_text());
    return tls;
}

struct both {
    jg_loop *loop;
    struct secure_side client, server;
};

static void open_both_on(struct both *both, const jg_protocol *protocol, int fds[2])
{
    both->loop = new_loop();
    both->client.tls = client_tls();
    both->server.tls = server_tls();
    both->client.name = "localhost";
    struct secure_side *const sides[] = {&both->client, &both->server};
    for (int i = 0; i < 2; i++) {
        struct side *side = &sides[i]->side;
        side->extra = sides[i];
        side->on_made = begin_when_made;
        side->transport = jg_transport_from_fd(both->loop, fds[i], protocol, side);
        ck_assert_ptr_nonnull(side->transport);
    }
}

static void open_both(struct both *both, const jg_protocol *protocol)
{
    int fds[2];
    tcp_pair(fds);
    open_both_on(both, protocol, fds);
}

static void close_both(struct both *both)
{
    finish_side(both->loop, &both->client.side);
    finish_side(both->loop, &both->server.side);
    jg_loop_close(both->loop);
    jg_tls_free(both->client.tls);
    jg_tls_free(both->server.tls);
}

static void shake_hands(struct both *both)
{
    RUN_UNTIL(both->loop, both->client.done && both->server.done);
    ck_assert_msg(!both->client.error && !both->server.error, "%s %s", both->client.text, both->server.text);
}

TEST(tls_tells_the_owner_when_the_handshake_is_over_and_then_what_comes)
{
    struct both both = {0};
    open_both(&both, &side_protocol);
    ck_assert_ptr_null(jg_transport_tls_info(both.client.side.transport, JG_TLS_PROTOCOL));
    shake_hands(&both);
    ck_assert_str_eq(jg_transport_tls_info(both.client.side.transport, JG_TLS_PROTOCOL), "TLSv1.3");
    ck_assert_str_eq(jg_transport_tls_info(both.server.side.transport, JG_TLS_SERVER_NAME), "localhost");
    ck_assert_str_eq(jg_transport_tls_info(both.client.side.transport, JG_TLS_PEER_NAME), "CN=localhost");
    ck_assert_ptr_null(jg_transport_tls_info(both.client.side.transport, JG_TLS_RESUMED));
    both.server.side.kept = calloc(1, 100);
    ck_assert_int_eq(jg_transport_write(both.client.side.transport, "hello", 5), 0);
    ck_assert_uint_eq(jg_transport_pending(both.client.side.transport), 5); /* it leaves when the turn ends */
    RUN_UNTIL(both.loop, both.server.side.received == 5);
    ck_assert_mem_eq(both.server.side.kept, "hello", 5);
    ck_assert_int_eq(jg_transport_write_eof(both.client.side.transport), 0);
    RUN_UNTIL(both.loop, both.server.side.ends);
    jg_transport_close(both.server.side.transport);
    RUN_UNTIL(both.loop, both.server.side.lost && both.client.side.ends);
    jg_transport_close(both.client.side.transport);
    RUN_UNTIL(both.loop, both.client.side.lost);
    ck_assert_str_eq(both.server.side.order, "MDEL");
    ck_assert_str_eq(both.client.side.order, "MEL");
    ck_assert_int_eq(both.client.side.error + both.server.side.error, 0);
    ck_assert_int_eq(both.client.done + both.server.done, 2);
    close_both(&both);
}

TEST(tls_keeps_what_is_written_before_the_handshake_is_over)
{
    struct both both = {0};
    open_both(&both, &side_protocol);
    RUN_UNTIL(both.loop, both.client.side.made);
    both.server.side.kept = malloc(100000);
    char *data = pattern(100000);
    ck_assert_int_eq(jg_transport_write(both.client.side.transport, data, 50000), 0);
    ck_assert_int_eq(jg_transport_write(both.client.side.transport, data + 50000, 50000), 0);
    ck_assert_uint_ge(jg_transport_pending(both.client.side.transport), 100000);
    ck_assert_int_eq(jg_transport_write_eof(both.client.side.transport), 0);
    RUN_UNTIL(both.loop, both.server.side.ends);
    check_pattern(both.server.side.kept, 0, 100000);
    ck_assert_uint_eq(both.server.side.received, 100000);
    free(data);
    close_both(&both);
}

TEST(tls_receives_into_the_memory_of_the_owner)
{
    struct both both = {0};
    enum { OFFER = 700 };
    open_both(&both, &side_protocol_with_buffer);
    both.server.side.kept = malloc(100000);
    both.server.side.offer = malloc(OFFER);
    both.server.side.offer_size = OFFER;
    shake_hands(&both);
    char *data = pattern(100000);
    ck_assert_int_eq(jg_transport_write(both.client.side.transport, data, 100000), 0);
    RUN_UNTIL(both.loop, both.server.side.received == 100000);
    check_pattern(both.server.side.kept, 0, 100000);
    ck_assert_str_eq(both.server.side.order, "MB");
    free(data);
    close_both(&both);
}

static void pause_once(struct side *side, const char *data, size_t bytes)
{
    (void)data;
    (void)bytes;
    side->on_data = NULL;
    jg_transport_pause_reading(side->transport);
}

TEST(tls_pauses_and_resumes_without_losing_what_was_decrypted)
{
    struct both both = {0};
    open_both(&both, &side_protocol);
    both.server.side.kept = malloc(400000);
    both.server.side.on_data = pause_once;
    shake_hands(&both);
    char *data = pattern(400000);
    ck_assert_int_eq(jg_transport_write(both.client.side.transport, data, 400000), 0);
    RUN_UNTIL(both.loop, both.server.side.received);
    run_some(both.loop);
    size_t received = both.server.side.received;
    run_some(both.loop);
    ck_assert_uint_eq(both.server.side.received, received);
    ck_assert_uint_lt(received, 400000);
    jg_transport_resume_reading(both.server.side.transport);
    RUN_UNTIL(both.loop, both.server.side.received == 400000);
    check_pattern(both.server.side.kept, 0, 400000);
    free(data);
    close_both(&both);
}

TEST(tls_keeps_the_water_marks)
{
    struct both both = {0};
    int fds[2];
    small_tcp_pair(fds);
    open_both_on(&both, &side_protocol, fds);
    shake_hands(&both);
    jg_transport_pause_reading(both.server.side.transport);
    char *data = pattern(400000);
    ck_assert_int_eq(jg_transport_write(both.client.side.transport, data, 400000), 0);
    run_some(both.loop);
    ck_assert_int_eq(both.client.side.pauses, 1);
    ck_assert_int_eq(jg_transport_try_write(both.client.side.transport, data, 1), -1);
    ck_assert_int_eq(errno, EAGAIN);
    jg_transport_resume_reading(both.server.side.transport);
    RUN_UNTIL(both.loop, both.server.side.received == 400000 && both.client.side.resumes == 1);
    ck_assert_uint_eq(jg_transport_pending(both.client.side.transport), 0);
    free(data);
    close_both(&both);
}

/* ---- Ends ---- */

TEST(tls_on_a_transport_that_does_not_stand_or_not_any_more)
{
    struct both both = {0};
    open_both(&both, &side_protocol);
    ck_assert_int_eq(begin(&both.client), -1);
    ck_assert_int_eq(errno, ENOTCONN);
    shake_hands(&both);
    jg_transport_close(both.client.side.transport);
    ck_assert_int_eq(begin(&both.client), -1);
    ck_assert_int_eq(errno, EPIPE);
    both.client.name = NULL;
    ck_assert_int_eq(begin(&both.client), -1);
    close_both(&both);
}

static void ends_early(void (*end)(jg_transport *transport))
{
    struct both both = {0};
    open_both(&both, &side_protocol);
    RUN_UNTIL(both.loop, both.client.side.made && both.server.side.made);
    end(both.client.side.transport);
    ck_assert_int_eq(both.client.done, 0); /* from a turn only */
    RUN_UNTIL(both.loop, both.client.side.lost && both.server.side.lost);
    ck_assert_int_eq(both.client.done, 1);
    ck_assert_int_eq(both.client.error, ECANCELED);
    ck_assert_int_eq(both.client.side.error, 0);
    ck_assert_int_eq(both.server.done, 1);
    ck_assert_int_eq(both.server.error, ECONNRESET);
    ck_assert_int_eq(both.server.side.error, ECONNRESET);
    ck_assert_str_eq(both.client.side.order, "ML");
    close_both(&both);
}

TEST(tls_handshakes_end_with_the_transport)
{
    ends_early(jg_transport_close);
    ends_early(jg_transport_abort);
}

TEST(tls_that_fails_ends_the_transport_with_the_same_error)
{
    struct both both = {0};
    open_both(&both, &side_protocol);
    both.client.name = "other.test";
    RUN_UNTIL(both.loop, both.client.side.lost && both.server.side.lost);
    ck_assert_int_eq(both.client.error, EKEYREJECTED);
    ck_assert_int_eq(both.client.side.error, EKEYREJECTED);
    ck_assert_ptr_nonnull(strstr(both.client.text, "wrong name"));
    ck_assert_int_eq(both.server.side.error, EPROTO); /* the alert reached it */
    close_both(&both);
}

TEST(tls_allows_the_owner_to_abort_when_the_handshake_is_over)
{
    struct both both = {0};
    open_both(&both, &side_protocol);
    both.client.aborts_when_done = both.server.aborts_when_done = true;
    RUN_UNTIL(both.loop, both.client.side.lost && both.server.side.lost);
    ck_assert_int_eq(both.client.done, 1);
    ck_assert_int_eq(both.server.done, 1);
    close_both(&both);
}

static void close_loop_after(int turns)
{
    struct both both = {0};
    open_both(&both, &side_protocol);
    for (int i = 0; i < turns; i++)
        REQUIRE(jg_loop_run_once(both.loop, 0.1) == 0);
    if (both.client.side.transport && both.client.side.made)
        ck_assert_int_eq(jg_transport_write(both.client.side.transport, "unsent", 6), 0);
    jg_loop_close(both.loop);
    jg_tls_free(both.client.tls);
    jg_tls_free(both.server.tls);
}

TEST(tls_is_freed_with_the_loop_at_any_moment)
{
    for (int turns = 0; turns < 12; turns++)
        close_loop_after(turns);
}

/* ---- TLS in callbacks ---- */

static void echo_at_once(struct side *side, const char *data, size_t bytes)
{
    ck_assert_int_eq(jg_transport_write(side->transport, data, bytes), 0);
    jg_transport_flush(side->transport);
}

TEST(tls_lets_the_owner_write_and_flush_in_callbacks)
{
    enum { COUNT = 100 * 20000 };
    struct both both = {0};
    open_both(&both, &side_protocol);
    both.server.side.on_data = echo_at_once;
    both.client.side.kept = malloc(COUNT);
    shake_hands(&both);
    char *data = pattern(COUNT);
    for (size_t i = 0; i < 100; i++) {
        ck_assert_int_eq(jg_transport_write(both.client.side.transport, data + i * 20000, 20000), 0);
        jg_transport_flush(both.client.side.transport);
    }
    RUN_UNTIL(both.loop, both.client.side.received == COUNT);
    check_pattern(both.client.side.kept, 0, COUNT);
    free(data);
    close_both(&both);
}

static void begin_on_data(struct side *side, const char *data, size_t bytes)
{
    (void)data;
    (void)bytes;
    struct secure_side *secure = side->extra;
    side->on_data = NULL;
    secure->done = 0;
    ck_assert_int_eq(begin(secure), 0);
}

TEST(tls_inside_of_tls_begins_in_callbacks)
{
    struct both both = {0};
    open_both(&both, &side_protocol);
    shake_hands(&both);
    both.server.side.on_data = both.client.side.on_data = begin_on_data;
    ck_assert_int_eq(jg_transport_write(both.client.side.transport, "go", 2), 0);
    ck_assert_int_eq(jg_transport_write(both.server.side.transport, "go", 2), 0);
    RUN_UNTIL(both.loop, both.client.side.received == 2 && both.server.side.received == 2);
    shake_hands(&both);
    ck_assert_int_eq(jg_transport_write(both.client.side.transport, "inside", 6), 0);
    RUN_UNTIL(both.loop, both.server.side.received == 8);
    jg_transport_close(both.client.side.transport);
    RUN_UNTIL(both.loop, both.server.side.ends);
    close_both(&both);
}

static void write_and_abort(struct side *side, const char *data, size_t bytes)
{
    (void)data;
    (void)bytes;
    ck_assert_int_eq(jg_transport_write(side->transport, "answer", 6), 0);
    jg_transport_abort(side->transport);
}

/* The write leaves something in the layer; the receive has still to leave the kernel. */
TEST(tls_allows_the_owner_to_write_and_abort_when_data_come)
{
    struct both both = {0};
    open_both(&both, &side_protocol);
    shake_hands(&both);
    both.server.side.on_data = write_and_abort;
    ck_assert_int_eq(jg_transport_write(both.client.side.transport, "go", 2), 0);
    RUN_UNTIL(both.loop, both.server.side.lost);
    run_some(both.loop);
    ck_assert_int_eq(both.server.side.error, 0);
    close_both(&both);
}
#else
typedef int nothing_to_test;
#endif
