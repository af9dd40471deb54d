/* Batches: memory for the datagrams that one recvmmsg brings. A transport has one only while it holds datagrams that
 * were not delivered yet, so that an idle one holds none; spare ones are kept with the loop. */
#ifndef JUGGLE_TRANSPORT_DATAGRAM_BATCH_H
#define JUGGLE_TRANSPORT_DATAGRAM_BATCH_H

#include "transport/datagram.h"

enum {
    JG__BATCH = 64, /* datagrams at once: of those that IP can carry */
    JG__IP_SLOT = 65536,
    JG__UNIX_SLOT = 262144,
    /* Keeps the slots from falling on the same sets of the caches: a datagram rarely fills one. */
    JG__SLOT_STAGGER = 2112,
    JG__BATCH_BYTES = JG__BATCH * (JG__IP_SLOT + JG__SLOT_STAGGER),
};

struct jg__batch {
    struct jg__batch *next; /* while it is spare */
    size_t slot;            /* bytes of the largest datagram */
    unsigned slots;         /* how many of those there are */
    unsigned count, taken;  /* datagrams that came; of those, handed out */
    struct mmsghdr messages[JG__BATCH];
    struct iovec pieces[JG__BATCH];
    struct sockaddr_storage names[JG__BATCH];
    char data[JG__BATCH_BYTES]; /* the kernel gives memory to the pages that are used */
};

/* What a loop keeps for its datagram transports. */
struct jg__datagrams {
    struct jg__resident resident;
    jg_loop *loop;
    struct jg__batch *spare;
    unsigned spares;
    struct mmsghdr messages[JG__BATCH]; /* of the sendmmsg that is being made */
    struct iovec pieces[JG__BATCH];
};

/* Made when first asked for, with one spare batch; NULL with ENOMEM. */
struct jg__datagrams *jg__datagrams_of(jg_loop *loop);

/* An empty batch, ready for recvmmsg by a socket of this family; NULL with ENOMEM. */
struct jg__batch *jg__batch_new(jg_loop *loop, sa_family_t family);
void jg__batch_free(jg_loop *loop, struct jg__batch *batch);

#endif
