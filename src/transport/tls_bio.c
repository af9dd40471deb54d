/* How OpenSSL reads what came, where it lies, and writes to the queue below: no buffer stands between. */
#ifdef HAVE_OPENSSL

#include "transport/tls_openssl.h"

#include <string.h>

static int read_incoming(BIO *bio, char *buffer, size_t size, size_t *count)
{
    struct jg__tls_connection *connection = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    size_t part = connection->incoming_length < size ? connection->incoming_length : size;
    if (!part) {
        BIO_set_retry_read(bio);
        return 0;
    }
    memcpy(buffer, connection->incoming, part);
    connection->incoming += part;
    connection->incoming_length -= part;
    *count = part;
    return 1;
}

static int write_output(BIO *bio, const char *data, size_t bytes, size_t *count)
{
    struct jg__tls_connection *connection = BIO_get_data(bio);
    struct jg__layer *layer = &connection->layer;
    BIO_clear_retry_flags(bio);
    *count = bytes;
    connection->answers += connection->reading;
    if (layer->ended) /* nothing may follow close_notify */
        return 1;
    connection->out_of_memory |= !jg__layer_put(layer, data, bytes);
    return !connection->out_of_memory;
}

static long control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

BIO_METHOD *jg__tls_method_new(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "juggle");
    if (!method)
        return NULL;
    BIO_meth_set_read_ex(method, read_incoming);
    BIO_meth_set_write_ex(method, write_output);
    BIO_meth_set_ctrl(method, control);
    return method;
}

int jg__tls_set_bio(struct jg__tls_connection *connection)
{
    BIO *bio = BIO_new(connection->tls->method);
    if (!bio)
        return -1;
    BIO_set_data(bio, connection);
    BIO_set_init(bio, 1);
    SSL_set_bio(connection->ssl, bio, bio);
    return 0;
}

#endif
