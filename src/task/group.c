/* Groups: children that end together. What has ended stays, record and all, until it is handed out or the group is
 * waited for. */
#include "task/error_text.h"
#include "task/scheduler.h"

#include <math.h>
#include <string.h>

enum {
    CANCELLED = 1,  /* so are children to come */
    HANDED_OUT = 2, /* jg_group_next was called: failures are the caller's business */
    ONE_WANTED = 4, /* the waiter is in jg_group_next */
};

/* The lists of a group that is not in use are zero. */
static struct jg__list *running_children(jg_group *group)
{
    return (struct jg__list *)(void *)group->children;
}

static struct jg__list *finished_children(jg_group *group)
{
    return (struct jg__list *)(void *)group->finished;
}

static struct jg__task *child_at(struct jg__list *node)
{
    return jg__container_of(node, struct jg__task, in_group);
}

static void cancel_children(jg_group *group)
{
    group->flags |= CANCELLED;
    struct jg__list *children = running_children(group);
    for (struct jg__list *node = children->next; node && node != children; node = node->next)
        jg__cancel(child_at(node));
}

static void child_ended(void *joiner, struct jg__task *child)
{
    jg_group *group = joiner;
    child->counts = child->result < 0 && !(child->error == ECANCELED && (group->flags & CANCELLED));
    jg__list_remove(&child->in_group);
    jg__list_append(finished_children(group), &child->in_group);
    group->running--;
    if (child->counts && !(group->flags & (HANDED_OUT | CANCELLED)))
        cancel_children(group);
    if (group->waiter && (group->running == 0 || (group->flags & ONE_WANTED)))
        jg__wake(group->waiter, 0);
}

/* ---- Starting ---- */

/* A group may live longer than its owner: then it still lists children that are gone. */
static struct jg__task *owner_of(const jg_group *group, const char *call)
{
    struct jg__task *owner = jg__task_of(group->owner, call);
    if (owner->ended || owner->ending)
        jg__die("%s: task \"%s\", to which the group belongs, has ended", call, owner->name);
    return owner;
}

static struct jg__task *take_possession(jg_group *group)
{
    struct jg__task *task = jg__running("jg_group_start");
    group->owner = jg__task_handle(task);
    jg__list_init(running_children(group));
    jg__list_init(finished_children(group));
    return task;
}

int jg_group_start_with(jg_group *group, jg_coroutine fn, void *arg, const jg_task_options *options)
{
    jg__running("jg_group_start");
    struct jg__task *owner = group->owner ? owner_of(group, "jg_group_start") : take_possession(group);
    jg_task_options whole;
    options = jg__options_by_factory(fn, arg, options, &whole);
    struct jg__task *child = options ? jg__task_make("jg_group_start", owner, fn, arg, options) : NULL;
    if (!child) {
        int error = errno;
        if (!group->error)
            group->error = error;
        cancel_children(group);
        errno = error;
        return -1;
    }
    jg__task_join(child, child_ended, group);
    jg__list_append(running_children(group), &child->in_group);
    group->running++;
    if (group->flags & CANCELLED)
        jg__cancel(child);
    jg__task_begin(child, options->eager);
    return 0;
}

/* ---- Waiting ---- */

struct group_wait {
    struct jg__wait wait;
    jg_group *group;
    int reason;
};

static void interrupt_group_wait(struct jg__wait *wait, int reason)
{
    struct group_wait *waiting = jg__container_of(wait, struct group_wait, wait);
    waiting->reason = -reason;
    cancel_children(waiting->group);
}

static void check_owner(jg_group *group, const char *call)
{
    struct jg__task *task = jg__running_to_wait(call);
    if (group->owner && group->owner != jg__task_handle(task))
        jg__die("%s: the group belongs to another task: \"%s\"", call, owner_of(group, call)->name);
}

/* Waits until all children have ended; returns the reason of an interruption, or 0. */
static int wait_for_children(jg_group *group, const char *call)
{
    struct group_wait waiting = {.wait = {.call = call, .object = group, .interrupt = interrupt_group_wait},
                                 .group = group};
    group->waiter = &waiting.wait;
    if (group->running)
        jg__park(&waiting.wait);
    group->waiter = NULL;
    return waiting.reason;
}

struct group_outcome {
    struct jg__task *failed; /* the first in time whose failure counts; not released */
    bool cancelled;          /* one or more ended with ECANCELED */
};

static struct group_outcome release_children(jg_group *group)
{
    struct group_outcome outcome = {0};
    struct jg__list *finished = finished_children(group);
    for (struct jg__list *node = finished->next, *next; node != finished; node = next) {
        struct jg__task *child = child_at(node);
        next = node->next;
        outcome.cancelled |= child->result < 0 && child->error == ECANCELED;
        if (child->counts && !outcome.failed)
            outcome.failed = child;
        else
            jg__task_release(child);
    }
    return outcome;
}

int jg_group_wait(jg_group *group)
{
    check_owner(group, "jg_group_wait");
    if (!group->owner) {
        group->flags = 0;
        return 0;
    }
    int reason = wait_for_children(group, "jg_group_wait");
    struct group_outcome outcome = release_children(group);
    int start_error = group->error;
    memset(group, 0, sizeof *group);
    if (start_error) {
        if (outcome.failed)
            jg__task_release(outcome.failed);
        errno = start_error;
        return -1;
    }
    if (outcome.failed)
        return jg__outcome("jg_group_wait", outcome.failed, reason);
    return reason && outcome.cancelled ? jg__fail_interrupted("jg_group_wait", reason) : 0;
}

/* Waits until one has ended. */
static int wait_for_one(jg_group *group)
{
    struct jg__wait wait = {.call = "jg_group_next", .object = group};
    group->waiter = &wait;
    group->flags |= ONE_WANTED;
    int result = jg__park(&wait);
    group->flags &= ~ONE_WANTED;
    group->waiter = NULL;
    return result < 0 ? jg__fail_interrupted("jg_group_next", -result) : 0;
}

int jg_group_next(jg_group *group, int *result, void **arg)
{
    check_owner(group, "jg_group_next");
    if (jg__enter_wait("jg_group_next") < 0)
        return -1;
    group->flags |= HANDED_OUT;
    if (!group->owner)
        return 0;
    struct jg__list *finished = finished_children(group);
    if (jg__list_empty(finished)) {
        if (group->running == 0)
            return 0;
        if (wait_for_one(group) < 0)
            return -1;
    }
    struct jg__task *child = child_at(finished->next);
    jg__list_remove(&child->in_group);
    if (result)
        *result = child->result < 0 ? -child->error : child->result;
    if (arg)
        *arg = child->arg;
    if (child->result < 0)
        jg__error_text_hand_up(child);
    jg__task_release(child);
    return 1;
}

/* ---- Ending it, and looking ---- */

void jg_group_cancel(jg_group *group)
{
    if (group->owner)
        owner_of(group, "jg_group_cancel");
    cancel_children(group);
}

size_t jg_group_running(const jg_group *group)
{
    return group->running;
}

void jg_group_autoptr(jg_group *group)
{
    jg_timeout shield;
    if (!group->owner)
        return;
    check_owner(group, "jg_autogroup");
    JG__KEEP_REASON(reason);
    bool unheard = !(group->flags & HANDED_OUT);
    cancel_children(group);
    jg_shield_enter(&shield, INFINITY);
    wait_for_children(group, "jg_autogroup");
    jg_timeout_leave(&shield);
    struct jg__task *failed = release_children(group).failed;
    if (failed) {
        if (unheard)
            jg__report_failure(failed, "failed in a group that was left without jg_group_wait: ");
        jg__task_release(failed);
    }
    memset(group, 0, sizeof *group);
}
