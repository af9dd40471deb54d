/* What the files that know OpenSSL share. */
#ifndef JUGGLE_TRANSPORT_TLS_OPENSSL_H
#define JUGGLE_TRANSPORT_TLS_OPENSSL_H

#include "transport/internal.h"
#include "transport/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>

enum { JG__TLS_RECORD = 16 * 1024, JG__TLS_SESSIONS = 64 };

/* A certificate for one name; the one without a name is for all others. */
struct jg__tls_identity {
    struct jg__tls_identity *next;
    char *name, *certificate, *key;
    SSL_CTX *context;
};

/* The last session with a server. */
struct jg__tls_session {
    char *name; /* NULL: a free place */
    SSL_SESSION *session;
    uint64_t used; /* when, by the cache's count */
};

struct jg__tls {
    jg_tls shared;
    jg_tls_options options; /* a copy */
    unsigned char *alpn;    /* as on the wire: each with its length before it */
    size_t alpn_length;
    BIO_METHOD *method;
    pthread_mutex_t lock; /* for what follows */
    struct jg__tls_identity identity;
    struct jg__tls_session sessions[JG__TLS_SESSIONS];
    uint64_t uses;
};

enum jg__tls_state {
    JG__TLS_BEGINNING,
    JG__TLS_HANDSHAKE,
    JG__TLS_OPEN,
    JG__TLS_HALF_OPEN, /* the peer's close_notify came */
    JG__TLS_FAILED,
};

/* How far the record that is coming in has come. */
struct jg__tls_records {
    unsigned header; /* bytes of what stands before it */
    size_t length, left;
};

struct jg__tls_connection {
    struct jg__layer layer;
    struct jg__tls *tls;
    SSL *ssl;
    enum jg__tls_state state;
    jg_tls_done_fn done;
    void *done_arg;
    jg_timer timer; /* the beginning, or its end: the time limit or a failure */
    double time_limit;
    const char *incoming; /* what came from below and OpenSSL has not read yet */
    size_t incoming_length;
    bool reading;     /* in SSL_read */
    unsigned answers; /* of TLS's own */
    struct jg__tls_records records;
    bool out_of_memory; /* output was lost */
    char *name;         /* of the server, or "" */
    char *certificate, *subject;
    char alpn[256];
};

/* tls_options.c: copies. Returns 0, or -1 with errno. */
int jg__tls_copy_options(struct jg__tls *tls, const jg_tls_options *options, const char *call);
void jg__tls_free_options(struct jg__tls *tls);

/* tls_context.c: what OpenSSL needs to know for all connections with this certificate; NULL with errno. */
SSL_CTX *jg__tls_context_new(struct jg__tls *tls, const char *certificate, const char *key, const char *call);

void jg__tls_free(jg_tls *tls);

/* tls_identity.c: the context for connections that begin now. One reference is the caller's. */
SSL_CTX *jg__tls_context(struct jg__tls *tls);
int jg__tls_add_server_name(jg_tls *tls, const char *name, const char *certificate, const char *key);
int jg__tls_reload(jg_tls *tls);
void jg__tls_free_identities(struct jg__tls *tls);
int jg__tls_choose_identity(SSL *ssl, int *alert, void *tls);

/* tls_session.c: clients resume sessions. */
void jg__tls_resume_session(struct jg__tls_connection *connection);
int jg__tls_keep_session(SSL *ssl, SSL_SESSION *session);
void jg__tls_forget_sessions(struct jg__tls *tls);

/* tls_bio.c: how OpenSSL reads and writes. */
BIO_METHOD *jg__tls_method_new(void);
int jg__tls_set_bio(struct jg__tls_connection *connection);

/* tls_layer.c */
extern const struct jg__tls_kind jg__tls_kind;

static inline struct jg__tls_connection *jg__tls_connection_of(const SSL *ssl)
{
    return SSL_get_app_data(ssl);
}

/* tls_buffers.c: what has come; and a good moment to ask OpenSSL for its buffers. */
void jg__tls_count_records(struct jg__tls_records *records, const unsigned char *data, size_t bytes);
void jg__tls_give_back_buffers(struct jg__tls_connection *connection);

/* tls_info.c */
const char *jg__tls_info(struct jg__layer *layer, jg_tls_field field);

/* tls_error.c: notes in the layer why the handshake or the connection failed, by OpenSSL's queue of errors. */
void jg__tls_note_error(struct jg__tls_connection *connection);
void jg__tls_note(struct jg__tls_connection *connection, int error, const char *words);

/* tls_verify.c: the callback that describes what is wrong with a certificate. */
int jg__tls_verify(int valid, X509_STORE_CTX *store);

#endif
