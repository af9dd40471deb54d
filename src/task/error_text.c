/* The error text of each task. An interrupted wait makes none, since a million tasks may be cancelled at once: it
 * leaves the name of the call behind, and the words are found when somebody asks for them. */
#include "task/error_text.h"

#include "base/memory.h"
#include "task/scheduler.h"

#include <string.h>

int jg__fail_interrupted(const char *call, int reason)
{
    struct jg__task *task = jg__here.task;
    task->refused_call = call;
    task->refused_error = reason;
    errno = reason;
    return -1;
}

static void put_into_words(const char *call, int error)
{
    jg_fail(error, "%s: %s", call, strerror(error));
}

/* Where diagnostics.c keeps the text of whoever runs. */
static struct jg__error_text **slot_of_the_running(void)
{
    struct jg__task *task = jg__here.task;
    if (!task)
        return NULL;
    const char *call = task->refused_call;
    task->refused_call = NULL;
    if (call)
        put_into_words(call, task->refused_error);
    return &task->error_text;
}

void jg__error_text_setup(void)
{
    jg__error_text_slot = slot_of_the_running;
}

/* ---- Keeping it ---- */

void jg__reason_keep(struct jg__reason *reason)
{
    struct jg__task *task = jg__here.task;
    *reason = (struct jg__reason){.error = errno, .task = task};
    if (!task)
        return;
    reason->text = task->error_text;
    reason->refused_call = task->refused_call;
    reason->refused_error = task->refused_error;
    task->error_text = NULL;
    task->refused_call = NULL;
}

void jg__reason_restore(struct jg__reason *reason)
{
    struct jg__task *task = reason->task;
    if (task) {
        jg__release(task->error_text);
        task->error_text = reason->text;
        task->refused_call = reason->refused_call;
        task->refused_error = reason->refused_error;
    }
    errno = reason->error;
}

/* ---- Handing it up ---- */

static void hand_to_thread(const struct jg__task *from)
{
    const struct jg__error_text *text = from->error_text;
    if (from->refused_call)
        put_into_words(from->refused_call, from->refused_error);
    else
        jg_fail(text ? text->error : 0, "%s", text ? text->words : ""); /* even none: older words must not show */
}

void jg__error_text_hand_up(struct jg__task *from)
{
    struct jg__task *to = jg__here.task;
    if (!to) {
        hand_to_thread(from);
        return;
    }
    jg__release(to->error_text);
    to->error_text = from->error_text;
    to->refused_call = from->refused_call;
    to->refused_error = from->refused_error;
    from->error_text = NULL;
}
