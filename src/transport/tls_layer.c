/* TLS on one connection: the handshake, what comes in, what goes out, and their ends. What came from below is decrypted
 * at once, all of it, and handed on: nothing stays inside but the beginning of a record. */
#ifdef HAVE_OPENSSL

#include "transport/layer.h"
#include "transport/tls_openssl.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>
#include <string.h>

enum {
    OVERHEAD = 512, /* of a record, and of a message of TLS's own before it */
    ANSWERS_MOST = 32,
};
static const double HANDSHAKE_SECONDS = 60;

static struct jg__tls_connection *connection_of(struct jg__layer *layer)
{
    return jg__container_of(layer, struct jg__tls_connection, layer);
}

/* ---- The end of the handshake, and failures ---- */

static void tell_done(struct jg__tls_connection *connection, int error)
{
    jg_tls_done_fn done = connection->done;
    connection->done = NULL;
    if (!done)
        return;
    if (error)
        jg_fail(error, "%s", jg__transport_words(connection->layer.transport, error));
    done(connection->layer.transport, connection->done_arg, error);
}

/* The owner is told from a turn of its own, for this may be inside a call of its own. What OpenSSL has to say to the
 * peer is queued. */
static void fail(struct jg__tls_connection *connection)
{
    if (connection->state == JG__TLS_FAILED)
        return;
    connection->state = JG__TLS_FAILED;
    connection->layer.ended = true;
    jg_timer_cancel(connection->layer.transport->loop, &connection->timer);
    jg_call_soon(connection->layer.transport->loop, &connection->timer.handle);
}

static void failed(struct jg__tls_connection *connection)
{
    jg_transport *transport = connection->layer.transport;
    jg__layer_drop_queue(&connection->layer, EPIPE);
    tell_done(connection, connection->layer.error);
    jg_transport_close(transport);
}

static void established(struct jg__tls_connection *connection)
{
    jg_transport *transport = connection->layer.transport;
    connection->state = JG__TLS_OPEN;
    jg_timer_cancel(transport->loop, &connection->timer);
    jg__transport_at_turn_end(transport); /* for what was written meanwhile */
    tell_done(connection, 0);
}

static void shake_hands(struct jg__tls_connection *connection)
{
    ERR_clear_error();
    int result = SSL_do_handshake(connection->ssl);
    if (result == 1) {
        established(connection);
    } else if (SSL_get_error(connection->ssl, result) != SSL_ERROR_WANT_READ) {
        jg__tls_note_error(connection);
        fail(connection);
    }
}

static void begin(struct jg__tls_connection *connection)
{
    connection->state = JG__TLS_HANDSHAKE;
    jg_call_later(connection->layer.transport->loop, &connection->timer, connection->time_limit);
    shake_hands(connection);
}

/* The timer's. */
static void on_time(void *arg)
{
    struct jg__tls_connection *connection = arg;
    if (connection->layer.transport->phase != JG__TRANSPORT_OPEN)
        return; /* connection_lost follows */
    if (connection->state == JG__TLS_BEGINNING) {
        begin(connection);
    } else if (connection->state == JG__TLS_FAILED) {
        failed(connection);
    } else {
        jg__tls_note(connection, ETIMEDOUT, "the handshake took too long");
        fail(connection);
    }
}

/* ---- What comes in ---- */

static void peer_has_ended(struct jg__tls_connection *connection)
{
    struct jg__layer *layer = &connection->layer;
    connection->state = JG__TLS_HALF_OPEN;
    if (layer->protocol->eof_received)
        layer->protocol->eof_received(layer->transport, layer->arg);
}

static void reading_stopped(struct jg__tls_connection *connection)
{
    int error = SSL_get_error(connection->ssl, 0);
    if (error == SSL_ERROR_ZERO_RETURN) {
        peer_has_ended(connection);
    } else if (error != SSL_ERROR_WANT_READ) {
        jg__tls_note_error(connection);
        fail(connection);
    }
}

/* Reads one record, or what is left of it, into the owner's memory if it offers any. */
static bool receive_some(struct jg__tls_connection *connection, char *scratch)
{
    struct jg__layer *layer = &connection->layer;
    const jg_protocol *protocol = layer->protocol;
    size_t size = 0, count;
    char *memory = protocol->get_buffer ? protocol->get_buffer(layer->transport, layer->arg, &size) : NULL;
    bool offered = memory && size;
    ERR_clear_error();
    connection->reading = true;
    bool came = SSL_read_ex(connection->ssl, offered ? memory : scratch, offered ? size : JG__TLS_RECORD, &count);
    connection->reading = false;
    if (!came) {
        reading_stopped(connection);
        return false;
    }
    if (offered)
        protocol->buffer_updated(layer->transport, layer->arg, count);
    else if (protocol->data_received)
        protocol->data_received(layer->transport, layer->arg, scratch, count);
    return true;
}

/* What TLS itself answers to what comes after the handshake is refusals. A peer that wants ever more of them, and does
 * not read them, would fill the memory. */
static void check_answers(struct jg__tls_connection *connection)
{
    if (connection->answers <= ANSWERS_MOST || connection->state == JG__TLS_FAILED)
        return;
    jg__tls_note(connection, EPROTO, "the peer asks for the impossible again and again");
    fail(connection);
}

static void receive(struct jg__tls_connection *connection)
{
    char scratch[JG__TLS_RECORD];
    while (connection->state == JG__TLS_OPEN && connection->layer.transport->phase == JG__TRANSPORT_OPEN &&
           receive_some(connection, scratch))
        continue;
}

static void data_received(jg_transport *transport, void *arg, const void *data, size_t bytes)
{
    struct jg__tls_connection *connection = arg;
    connection->layer.heard = true;
    jg__tls_count_records(&connection->records, data, bytes);
    connection->incoming = data;
    connection->incoming_length = bytes;
    if (connection->state == JG__TLS_BEGINNING)
        begin(connection);
    else if (connection->state == JG__TLS_HANDSHAKE)
        shake_hands(connection);
    receive(connection);
    check_answers(connection);
    jg__tls_give_back_buffers(connection);
    connection->incoming_length = 0;
    if (connection->layer.first) /* it may have waited for this */
        jg__transport_at_turn_end(transport);
}

/* The end of the connection below: only close_notify is the end of what is inside. */
static void eof_received(jg_transport *transport, void *arg)
{
    struct jg__tls_connection *connection = arg;
    if (connection->state >= JG__TLS_HALF_OPEN)
        return;
    jg__tls_note(connection, ECONNRESET,
                 connection->state == JG__TLS_OPEN ? "the connection was cut: the peer's close_notify is missing"
                                                   : "the peer closed the connection during the handshake");
    jg__transport_end(transport, ECONNRESET);
}

/* ---- What goes out ---- */

/* Encrypts one record. Returns false when it has to wait, or has failed. */
static bool send_record(struct jg__tls_connection *connection, char *scratch)
{
    struct jg__layer *layer = &connection->layer;
    const char *data;
    size_t size = jg__layer_next(layer, scratch, JG__TLS_RECORD, &data), count;
    connection->out_of_memory |= !jg__layer_reserve(layer, size + OVERHEAD);
    ERR_clear_error();
    if (!connection->out_of_memory && SSL_write_ex(connection->ssl, data, size, &count)) {
        jg__layer_took(layer, count);
        return true;
    }
    /* It wants to read when the peer's message has come in part. */
    if (connection->out_of_memory || SSL_get_error(connection->ssl, 0) != SSL_ERROR_WANT_READ) {
        jg__tls_note_error(connection);
        fail(connection);
    }
    return false;
}

static void fill(struct jg__layer *layer)
{
    struct jg__tls_connection *connection = connection_of(layer);
    char scratch[JG__TLS_RECORD];
    if (connection->state != JG__TLS_OPEN && connection->state != JG__TLS_HALF_OPEN)
        return;
    while (jg__layer_may_fill(layer) && send_record(connection, scratch))
        continue;
    if (jg__layer_shall_end(layer)) {
        SSL_shutdown(connection->ssl);
        ERR_clear_error();
        layer->ended = true;
    }
}

/* ---- What is handed on as it is ---- */

static void pause_writing(jg_transport *transport, void *arg)
{
    const struct jg__layer *layer = &((struct jg__tls_connection *)arg)->layer;
    if (layer->protocol->pause_writing)
        layer->protocol->pause_writing(transport, layer->arg);
}

static void resume_writing(jg_transport *transport, void *arg)
{
    const struct jg__layer *layer = &((struct jg__tls_connection *)arg)->layer;
    if (layer->protocol->resume_writing)
        layer->protocol->resume_writing(transport, layer->arg);
}

static void connection_lost(jg_transport *transport, void *arg, int error)
{
    struct jg__tls_connection *connection = arg;
    const struct jg__layer *layer = &connection->layer;
    if (!error)
        error = layer->error;
    jg_timer_cancel(transport->loop, &connection->timer);
    tell_done(connection, error ? error : ECANCELED);
    if (layer->protocol->connection_lost)
        layer->protocol->connection_lost(transport, layer->arg, error);
}

static const jg_protocol tls_protocol = {
    .data_received = data_received,
    .eof_received = eof_received,
    .pause_writing = pause_writing,
    .resume_writing = resume_writing,
    .connection_lost = connection_lost,
};

/* ---- Life ---- */

static void free_connection(struct jg__layer *layer)
{
    struct jg__tls_connection *connection = connection_of(layer);
    SSL_free(connection->ssl);
    jg_tls_free(&connection->tls->shared);
    jg__release(connection->name);
    jg__release(connection->certificate);
    jg__release(connection->subject);
    jg__release(connection);
}

static const struct jg__layer_kind layer_kind = {.fill = fill, .info = jg__tls_info, .free = free_connection};

/* The name that the server is told, and has to prove. */
static bool set_name(const struct jg__tls_connection *connection)
{
    const char *name = connection->name;
    X509_VERIFY_PARAM *parameters = SSL_get0_param(connection->ssl);
    unsigned char address[sizeof(struct in6_addr)];
    if (!*name)
        return true;
    if (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(parameters, name);
    X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set_tlsext_host_name(connection->ssl, name) && X509_VERIFY_PARAM_set1_host(parameters, name, 0);
}

static bool make_ssl(struct jg__tls_connection *connection)
{
    SSL_CTX *context = jg__tls_context(connection->tls);
    connection->ssl = SSL_new(context);
    SSL_CTX_free(context); /* the connection has a reference */
    if (!connection->ssl || jg__tls_set_bio(connection) < 0)
        return false;
    SSL_set_app_data(connection->ssl, connection);
    if (connection->tls->shared.server) {
        SSL_set_accept_state(connection->ssl);
        return true;
    }
    SSL_set_connect_state(connection->ssl);
    jg__tls_resume_session(connection);
    return set_name(connection);
}

static struct jg__tls_connection *new_connection(jg_tls *tls, const char *name)
{
    struct jg__tls_connection *connection = jg__allocate_zeroed(sizeof *connection);
    size_t size = strlen(name) + 1;
    if (!connection)
        return NULL;
    connection->layer.kind = &layer_kind;
    connection->tls = (struct jg__tls *)jg__tls_hold(tls);
    connection->name = jg__allocate(size);
    if (connection->name && memcpy(connection->name, name, size) && make_ssl(connection))
        return connection;
    free_connection(&connection->layer);
    return NULL;
}

static int start(jg_transport *transport, jg_tls *tls, jg_tls_done_fn done, void *arg,
                 const jg_start_tls_options *options, const char *call)
{
    const char *name = tls->server ? "" : options->server_hostname;
    if (!name && !((struct jg__tls *)tls)->options.insecure)
        return jg_fail(EINVAL, "%s: no server_hostname to check the certificate for", call);
    struct jg__tls_connection *connection = new_connection(tls, name ? name : "");
    if (!connection)
        return jg_fail(ENOMEM, "%s: out of memory", call);
    connection->done = done;
    connection->done_arg = arg;
    connection->time_limit = options->handshake_timeout > 0 ? options->handshake_timeout : HANDSHAKE_SECONDS;
    connection->timer.handle = (jg_handle){.fn = on_time, .arg = connection};
    jg__layer_push(transport, &connection->layer, &tls_protocol);
    jg__call_before_poll(transport->loop, &connection->timer.handle);
    return 0;
}

const struct jg__tls_kind jg__tls_kind = {
    .start = start,
    .add_server_name = jg__tls_add_server_name,
    .reload = jg__tls_reload,
    .free = jg__tls_free,
};

#endif
