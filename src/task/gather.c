/* Waiting for several tasks at once. */
#include "task/error_text.h"
#include "task/scheduler.h"

#include <juggle/gather.h>

struct gather {
    struct jg__wait wait;
    jg_task *const *tasks;
    size_t count;
    size_t running;
    struct jg__task *failed; /* the first in time */
    int creation_error;      /* of a NULL among them, which failed before all others */
    int reason;              /* the waiter was interrupted */
    bool all;
};

static void cancel_all(struct gather *gather)
{
    for (size_t i = 0; i < gather->count; i++)
        jg_cancel(gather->tasks[i]);
}

static void interrupt_gather(struct jg__wait *wait, int reason)
{
    struct gather *gather = jg__container_of(wait, struct gather, wait);
    gather->reason = -reason;
    cancel_all(gather);
}

static bool has_failed(const struct gather *gather)
{
    return gather->failed || gather->creation_error;
}

static void child_ended(void *joiner, struct jg__task *child)
{
    struct gather *gather = joiner;
    if (child->result < 0 && !has_failed(gather)) {
        gather->failed = child;
        if (!gather->all)
            cancel_all(gather);
    }
    if (--gather->running == 0)
        jg__wake(&gather->wait, 0);
}

/* Those that have ended already come before those that end later. */
static void join_child(struct gather *gather, const jg_task *handle)
{
    struct jg__task *child = jg__task_to_consume(jg__here.task, handle, "jg_gather");
    if (!child->ended)
        gather->running++;
    else if (child->result < 0 && (!gather->failed || child->failure_order < gather->failed->failure_order))
        gather->failed = child;
    jg__task_join(child, child_ended, gather);
}

static void join_children(struct gather *gather)
{
    for (size_t i = 0; i < gather->count; i++)
        if (gather->tasks[i])
            join_child(gather, gather->tasks[i]);
        else
            gather->creation_error = errno ? errno : EINVAL;
    if (has_failed(gather) && !gather->all)
        cancel_all(gather);
}

/* Consumes all but the one whose outcome is gather's own. */
static bool release_children(const struct gather *gather, int *results)
{
    bool cancelled = false;
    for (size_t i = 0; i < gather->count; i++) {
        struct jg__task *child = gather->tasks[i] ? jg__task_of(gather->tasks[i], "jg_gather") : NULL;
        if (results)
            results[i] = !child ? -gather->creation_error : child->result < 0 ? -child->error : child->result;
        if (!child)
            continue;
        cancelled |= child->result < 0 && child->error == ECANCELED;
        if (gather->all || child != gather->failed)
            jg__task_release(child);
    }
    return cancelled;
}

static int result_of_all(const struct gather *gather, bool cancelled)
{
    return gather->reason && cancelled ? jg__fail_interrupted("jg_gather", gather->reason) : 0;
}

int jg_gather_with(jg_task *const *tasks, size_t count, const jg_gather_options *options)
{
    jg_gather_options whole;
    options = jg__whole_options(options, &whole, sizeof whole);
    jg__running_to_wait("jg_gather");
    struct gather gather = {.wait = {.call = "jg_gather", .object = tasks, .interrupt = interrupt_gather},
                            .tasks = tasks,
                            .count = count,
                            .all = options->all};
    join_children(&gather);
    if (gather.running)
        jg__park(&gather.wait);
    bool cancelled = release_children(&gather, options->results);
    if (gather.all)
        return result_of_all(&gather, cancelled);
    if (gather.creation_error) {
        if (gather.failed)
            jg__task_release(gather.failed);
        errno = gather.creation_error;
        return -1;
    }
    return gather.failed ? jg__outcome("jg_gather", gather.failed, gather.reason) : 0;
}
