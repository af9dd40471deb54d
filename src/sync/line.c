#include "sync/line.h"

void jg__line_leave(struct jg__wait *wait, int reason)
{
    struct jg__place *place = jg__container_of(wait, struct jg__place, wait);
    jg__list_remove(&place->node);
    jg__wake(wait, reason);
}

void jg__refuse_to_wake(const struct jg__place *place)
{
    jg__die("%s: another thread would wake the task that waits in it: see jg_channel and jg_future", place->wait.call);
}

int jg__fail_again(const char *call)
{
    if (jg__here.task)
        return jg__fail_interrupted(call, EAGAIN);
    return jg_fail(EAGAIN, "%s: it would have to wait", call);
}
