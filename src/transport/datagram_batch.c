#include "transport/datagram_batch.h"

#include "base/memory.h"

#include <errno.h>

enum { SPARE_MOST = 4 };

static void keep(struct jg__datagrams *datagrams, struct jg__batch *batch)
{
    batch->next = datagrams->spare;
    datagrams->spare = batch;
    datagrams->spares++;
}

static struct jg__batch *take_spare(struct jg__datagrams *datagrams)
{
    struct jg__batch *batch = datagrams->spare;
    datagrams->spare = batch->next;
    datagrams->spares--;
    return batch;
}

/* Its data is not touched. */
static struct jg__batch *allocate(void)
{
    struct jg__batch *batch = jg__allocate(sizeof *batch);
    if (batch)
        batch->slot = 0;
    return batch;
}

static void evict(struct jg__resident *resident)
{
    struct jg__datagrams *datagrams = jg__container_of(resident, struct jg__datagrams, resident);
    while (datagrams->spare)
        jg__release(take_spare(datagrams));
    datagrams->loop->datagrams = NULL;
    jg__release(datagrams);
}

struct jg__datagrams *jg__datagrams_of(jg_loop *loop)
{
    if (loop->datagrams)
        return loop->datagrams;
    struct jg__datagrams *datagrams = jg__allocate_zeroed(sizeof *datagrams);
    struct jg__batch *batch = datagrams ? allocate() : NULL;
    if (!batch) {
        jg__release(datagrams);
        return NULL;
    }
    keep(datagrams, batch);
    datagrams->loop = loop;
    datagrams->resident.evict = evict;
    jg__list_append(&loop->residents, &datagrams->resident.node);
    return loop->datagrams = datagrams;
}

static void lay_out(struct jg__batch *batch, size_t slot)
{
    if (batch->slot == slot)
        return;
    batch->slot = slot;
    batch->slots = (unsigned)(JG__BATCH_BYTES / (slot + JG__SLOT_STAGGER));
    batch->count = batch->slots; /* below, each gets back what a receive has changed */
    for (unsigned i = 0; i < batch->slots; i++) {
        batch->pieces[i] = (struct iovec){batch->data + i * (slot + JG__SLOT_STAGGER), slot};
        batch->messages[i].msg_hdr =
            (struct msghdr){.msg_name = &batch->names[i], .msg_iov = &batch->pieces[i], .msg_iovlen = 1};
    }
}

struct jg__batch *jg__batch_new(jg_loop *loop, sa_family_t family)
{
    struct jg__datagrams *datagrams = loop->datagrams;
    struct jg__batch *batch = datagrams->spare ? take_spare(datagrams) : allocate();
    if (!batch)
        return NULL;
    lay_out(batch, family == AF_UNIX ? JG__UNIX_SLOT : JG__IP_SLOT);
    for (unsigned i = 0; i < batch->count; i++)
        batch->messages[i].msg_hdr.msg_namelen = sizeof batch->names[i];
    batch->count = batch->taken = 0;
    return batch;
}

void jg__batch_free(jg_loop *loop, struct jg__batch *batch)
{
    struct jg__datagrams *datagrams = loop->datagrams;
    if (datagrams && datagrams->spares < SPARE_MOST) /* there are none any more while the loop closes */
        keep(datagrams, batch);
    else
        jg__release(batch);
}
