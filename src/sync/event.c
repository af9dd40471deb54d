/* Events: flags that tasks wait for. */
#include "sync/line.h"

#include <juggle/sync.h>

void jg_event_set(jg_event *event)
{
    event->set = true;
    jg__line_wake_all(event->waiters, 0);
}

void jg_event_clear(jg_event *event)
{
    event->set = false;
}

bool jg_event_is_set(const jg_event *event)
{
    return event->set;
}

int jg_event_wait(jg_event *event)
{
    if (jg__enter("jg_event_wait") < 0)
        return -1;
    return event->set ? 0 : jg__line_wait("jg_event_wait", event, event->waiters);
}
