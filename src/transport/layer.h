/* What stands between the socket of a transport and its owner and changes the bytes on their way, such as TLS. Layers
 * stack: the transport knows the uppermost one.
 *
 * What comes in: the layer takes the owner's place, with a protocol of its own, and calls the owner's. What goes out: a
 * layer's queue takes the owner's writes in the place of the transport's; `fill` turns them into output for below, no
 * more than the high-water mark allows, whenever the transport sends. transport->pending counts the bytes of all
 * queues.
 */
#ifndef JUGGLE_TRANSPORT_LAYER_H
#define JUGGLE_TRANSPORT_LAYER_H

#include "transport/transport.h"

#include <juggle/tls.h>

struct jg__layer_kind {
    /* Turns what waits into output, as long as jg__layer_may_fill says so; and its own last words, once
     * jg__layer_shall_end. Runs on the loop's own stack. */
    void (*fill)(struct jg__layer *layer);
    const char *(*info)(struct jg__layer *layer, jg_tls_field field);
    void (*free)(struct jg__layer *layer);
};

struct jg__layer {
    const struct jg__layer_kind *kind;
    jg_transport *transport;
    struct jg__layer *below;     /* NULL: the socket */
    const jg_protocol *protocol; /* of who is above */
    void *arg;
    struct jg__write *first, *last; /* what waits for `fill` */
    size_t waiting;                 /* bytes of that */
    bool heard;                     /* the peer has sent something */
    bool ended;                     /* it has said its last words, or will not any more */
    int error;                      /* why it has failed, or 0; for connection_lost */
    char words[256];                /* the same in words */
};

/* Puts a layer whose kind is set above the others. */
void jg__layer_push(jg_transport *transport, struct jg__layer *layer, const jg_protocol *protocol);

/* The owner's protocol and its argument, above all layers. */
const jg_protocol **jg__transport_protocol(jg_transport *transport, void ***arg);

/* For the calls that write: copies, or queues a direct write, which is started by jg__transport_send. */
int jg__layer_append(struct jg__layer *layer, const struct iovec *vector, int count, size_t bytes);
void jg__layer_enqueue(struct jg__layer *layer, struct jg__write *write);
void jg__layer_dequeue(struct jg__layer *layer, struct jg__write *write);

/* As jg__transport_cancel_direct, for a write that waits in this one. */
bool jg__layer_has(const struct jg__layer *layer, const struct jg__write *write);
bool jg__layer_cancel_direct(struct jg__layer *layer, struct jg__direct_write *direct);

/* Drops what waits, as jg__transport_drop_queue does. */
void jg__layer_drop_queue(struct jg__layer *layer, int error);

/* Have all of them said their last words? True when there are none. */
bool jg__layers_have_ended(const jg_transport *transport);

/* Calls `fill` of all layers, from above, on the loop's own stack, if anything waits and can still be sent. */
void jg__layers_fill(jg_transport *transport);

void jg__layers_free(jg_transport *transport);

/* ---- For the layers ---- */

/* May more be turned into output? */
bool jg__layer_may_fill(const struct jg__layer *layer);

/* Writing ends, and everybody above has said everything. */
bool jg__layer_shall_end(const struct jg__layer *layer);

/* The next bytes that wait, at most `size`: where they lie, if they lie together, else copied to `scratch`. Returns how
 * many. */
size_t jg__layer_next(const struct jg__layer *layer, char *scratch, size_t size, const char **data);

/* So many of them were turned into output. */
void jg__layer_took(struct jg__layer *layer, size_t bytes);

/* Makes room for so many bytes of output, so that they can't fail; and puts them out. False when out of memory. */
bool jg__layer_reserve(struct jg__layer *layer, size_t bytes);
bool jg__layer_put(struct jg__layer *layer, const void *data, size_t bytes);

#endif
