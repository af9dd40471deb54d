/* Between two records OpenSSL needs no buffers, and gives them back by itself but for one: the client's for writing,
 * when the server has sent it a ticket. Asking for that in the middle of a record would take away what has come of it,
 * which OpenSSL does not tell apart; so the records are counted here. */
#ifdef HAVE_OPENSSL

#include "transport/tls_openssl.h"

enum { LENGTH_HIGH = 4, LENGTH_LOW = 5 }; /* where they stand in the five bytes before a record */

void jg__tls_count_records(struct jg__tls_records *records, const unsigned char *data, size_t bytes)
{
    while (bytes) {
        size_t part = records->left < bytes ? records->left : bytes;
        if (part) {
            records->left -= part;
        } else {
            part = 1;
            records->header++;
            if (records->header == LENGTH_HIGH)
                records->length = (size_t)*data << 8;
            if (records->header == LENGTH_LOW) {
                records->left = records->length + *data;
                records->header = 0;
            }
        }
        data += part;
        bytes -= part;
    }
}

void jg__tls_give_back_buffers(struct jg__tls_connection *connection)
{
    bool idle = !connection->records.header && !connection->records.left && !connection->incoming_length;
    if (idle && (connection->state == JG__TLS_OPEN || connection->state == JG__TLS_HALF_OPEN))
        SSL_free_buffers(connection->ssl);
}

#endif
