/* Deadlines and shields: the scopes of a task, innermost first. */
#include "task/scheduler.h"
#include "task/scope.h"

#include <math.h>

static void expire(void *arg)
{
    jg_timeout *scope = arg;
    scope->expired = true;
    jg__interruption_changed(scope->task);
}

/* Deadlines expire in the loop's timer phase; only those that are over from the start do so at once. */
static void set_time(jg_timeout *scope, int64_t when, bool over)
{
    scope->expired = over;
    scope->timer.when = when;
    if (!over && when != JG__NEVER)
        jg__call_at(jg__here.loop, &scope->timer, when);
}

static void enter(const char *call, jg_timeout *scope, int kind, int64_t when, bool over)
{
    struct jg__task *task = jg__running(call);
    *scope =
        (jg_timeout){.timer.handle = {.fn = expire, .arg = scope}, .task = task, .outer = task->scopes, .kind = kind};
    task->scopes = scope;
    set_time(scope, when, over);
    if (over || kind == JG__SHIELD)
        jg__interruption_changed(task);
}

static int64_t from_now(double seconds)
{
    return jg__later(jg__clock(), jg__nanoseconds(seconds));
}

void jg_timeout_enter(jg_timeout *timeout, double seconds)
{
    enter("JG_TIMEOUT", timeout, JG__DEADLINE, from_now(seconds), seconds <= 0);
}

void jg_timeout_enter_at(jg_timeout *timeout, double when)
{
    int64_t time = jg__nanoseconds(when);
    enter("JG_TIMEOUT_AT", timeout, JG__DEADLINE, time, time <= jg__clock());
}

void jg_shield_enter(jg_timeout *shield, double seconds)
{
    enter("JG_SHIELD", shield, JG__SHIELD, from_now(seconds), seconds <= 0);
}

void jg_timeout_leave(jg_timeout *timeout)
{
    struct jg__task *task = jg__running("jg_timeout_leave");
    if (task->scopes != timeout)
        jg__die("jg_timeout_leave: task \"%s\" leaves a scope that is not its innermost", task->name);
    jg_timer_cancel(jg__here.loop, &timeout->timer);
    task->scopes = timeout->outer;
    if (timeout->expired || timeout->kind == JG__SHIELD)
        jg__interruption_changed(task);
}

bool jg_timeout_expired(const jg_timeout *timeout)
{
    return timeout->expired;
}

void jg_timeout_reschedule(jg_timeout *timeout, double when)
{
    int64_t time = jg__nanoseconds(when);
    jg_timer_cancel(jg__here.loop, &timeout->timer);
    set_time(timeout, time, time <= jg__clock());
    jg__interruption_changed(timeout->task);
}

double jg_timeout_when(const jg_timeout *timeout)
{
    return timeout->timer.when == JG__NEVER ? INFINITY : jg__seconds(timeout->timer.when);
}
