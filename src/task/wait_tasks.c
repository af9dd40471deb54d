/* jg_wait: waits for the ends of tasks that it neither consumes nor cancels. */
#include "task/scheduler.h"

#include <juggle/gather.h>

#include "base/memory.h"

enum { WATCHERS_ON_STACK = 16 };

/* ---- Watchers ---- */

void jg__watchers_tell(struct jg__task *task)
{
    struct jg__watcher *watcher;
    while ((watcher = task->watchers)) {
        jg__unwatch_task(watcher);
        watcher->ended(watcher, task);
    }
}

void jg__watch_task(struct jg__task *task, struct jg__watcher *watcher)
{
    watcher->link = &task->watchers;
    watcher->next = task->watchers;
    if (watcher->next)
        watcher->next->link = &watcher->next;
    task->watchers = watcher;
}

void jg__unwatch_task(struct jg__watcher *watcher)
{
    if (!watcher->link)
        return;
    *watcher->link = watcher->next;
    if (watcher->next)
        watcher->next->link = watcher->link;
    watcher->link = NULL;
}

/* ---- jg_wait ---- */

struct watch {
    struct jg__wait wait;
    size_t ended, wanted; /* how many have ended, and how many must have */
    bool until_failure;
};

struct watcher {
    struct jg__watcher watcher;
    struct watch *watch;
};

static void count_end(struct watch *watch, const struct jg__task *task)
{
    watch->ended++;
    if (watch->until_failure && task->result < 0)
        watch->wanted = 0;
}

static void note_end(struct jg__watcher *watcher, const struct jg__task *task)
{
    struct watch *watch = jg__container_of(watcher, struct watcher, watcher)->watch;
    count_end(watch, task);
    if (watch->ended >= watch->wanted)
        jg__wake(&watch->wait, 0);
}

static void watch_task(struct watch *watch, struct watcher *watcher, struct jg__task *task)
{
    *watcher = (struct watcher){.watcher.ended = note_end, .watch = watch};
    if (task->ended)
        count_end(watch, task);
    else
        jg__watch_task(task, &watcher->watcher);
}

static int wait_watching(jg_task *const *tasks, size_t count, struct watch *watch, struct watcher *watchers)
{
    for (size_t i = 0; i < count; i++)
        watch_task(watch, &watchers[i], jg__task_of(tasks[i], "jg_wait"));
    int result = watch->ended >= watch->wanted ? 0 : jg__park(&watch->wait);
    for (size_t i = 0; i < count; i++)
        jg__unwatch_task(&watchers[i].watcher);
    return result < 0 ? jg__fail_interrupted("jg_wait", -result) : (int)watch->ended;
}

static bool any_null(jg_task *const *tasks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!tasks[i])
            return true;
    return false;
}

int jg_wait(jg_task *const *tasks, size_t count, jg_wait_until until)
{
    struct watcher few[WATCHERS_ON_STACK];
    if (jg__enter_wait("jg_wait") < 0)
        return -1;
    if (count == 0 || any_null(tasks, count))
        return jg_fail(EINVAL, count ? "jg_wait: one of the tasks is NULL" : "jg_wait: there are no tasks");
    struct watch watch = {.wait = {.call = "jg_wait", .object = tasks},
                          .wanted = until == JG_FIRST_COMPLETED ? 1 : count,
                          .until_failure = until == JG_FIRST_FAILURE};
    struct watcher *watchers = count <= WATCHERS_ON_STACK ? few : jg__allocate(count * sizeof *watchers);
    if (!watchers)
        return jg_fail(ENOMEM, "jg_wait: out of memory for %zu tasks", count);
    int result = wait_watching(tasks, count, &watch, watchers);
    if (watchers != few)
        jg__release(watchers);
    return result;
}
