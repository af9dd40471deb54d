/* The end of a process: waiting for it, and what it was. */
#include "os/process.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

void jg__process_exited(struct jg__child *child)
{
    struct jg_process *process = jg__container_of(child, struct jg_process, child);
    while (!jg__list_empty(&process->waiters)) {
        struct jg__process_waiter *waiter = jg__container_of(process->waiters.next, struct jg__process_waiter, node);
        jg__list_remove(&waiter->node);
        waiter->code = child->code;
        waiter->status = child->status;
        jg__wake(&waiter->wait, 0);
    }
}

void jg__process_use(struct jg_process *process)
{
    process->users++;
}

void jg__process_leave(struct jg_process *process)
{
    if (--process->users == 0 && process->closer)
        jg__wake(process->closer, 0);
}

/* The entry check may let others run, who may close the process. */
static int enter(jg_process *process, const char *call)
{
    jg__process_use(process);
    int result = jg__enter_wait(call);
    jg__process_leave(process);
    return result;
}

int jg__process_wait_for_end(struct jg_process *process, struct jg__process_waiter *waiter)
{
    jg__list_append(&process->waiters, &waiter->node);
    int result = jg__park(&waiter->wait);
    if (jg__listed(&waiter->node))
        jg__list_remove(&waiter->node);
    return result;
}

static int returncode_of(int code, int status)
{
    if (code == JG__STATUS_LOST)
        return 255;
    return code == CLD_EXITED ? status : -status;
}

int jg_process_wait(jg_process *process, int *returncode)
{
    static const char call[] = "jg_process_wait";
    jg__refuse_null(process, call, "process");
    if (enter(process, call) < 0)
        return -1;
    struct jg__process_waiter waiter = {
        .wait = {.call = call, .object = process}, .code = process->child.code, .status = process->child.status};
    int result = waiter.code ? 0 : jg__process_wait_for_end(process, &waiter);
    if (result < 0)
        return jg__fail_interrupted(call, -result);
    if (waiter.code == JG__STATUS_LOST)
        return jg_fail(ECHILD, "%s: SIGCHLD is ignored, or something else has waited for this process", call);
    if (returncode)
        *returncode = returncode_of(waiter.code, waiter.status);
    return 0;
}

bool jg_process_returncode(const jg_process *process, int *returncode)
{
    jg__refuse_null(process, "jg_process_returncode", "process");
    if (process->child.code && returncode)
        *returncode = returncode_of(process->child.code, process->child.status);
    return process->child.code != 0;
}

static void signal_name(int number, char *name, size_t size)
{
    const char *abbreviation = sigabbrev_np(number);
    if (abbreviation)
        snprintf(name, size, "SIG%s", abbreviation);
    else if (number >= SIGRTMIN && number <= SIGRTMAX)
        snprintf(name, size, "SIGRTMIN+%d", number - SIGRTMIN);
    else
        snprintf(name, size, "signal %d", number);
}

const char *jg_process_status_text(jg_process *process)
{
    jg__refuse_null(process, "jg_process_status_text", "process");
    const struct jg__child *child = &process->child;
    char name[32];
    if (!child->code)
        return "running";
    if (child->code == JG__STATUS_LOST)
        return "ended, its status is unknown";
    if (child->code == CLD_EXITED) {
        snprintf(process->text, sizeof process->text, "exited with %d", child->status);
        return process->text;
    }
    signal_name(child->status, name, sizeof name);
    snprintf(process->text, sizeof process->text, "killed by %s%s", name,
             child->code == CLD_DUMPED ? " (core dumped)" : "");
    return process->text;
}
