/* Sleeping and yielding. */
#include "task/scheduler.h"

#include <math.h>

__attribute__((aligned(64))) int jg_yield(void)
{
    struct jg__task *task = jg__here.task;
    if (JG__UNLIKELY(!task || task->interrupted))
        return jg__refuse("jg_yield");
    return jg__yield(task);
}

static void wake_sleeper(void *arg)
{
    jg__wake(arg, 0);
}

static int sleep_until(const char *call, int64_t when)
{
    jg_loop *loop = jg__here.loop;
    struct jg__wait wait = {.call = call};
    jg_timer timer = {.handle = {.fn = wake_sleeper, .arg = &wait}};
    jg__call_at(loop, &timer, when);
    int result = jg__park(&wait);
    if (JG__LIKELY(result == 0))
        return 0;
    jg_timer_cancel(loop, &timer);
    return jg__fail_interrupted(call, -result);
}

double jg_time(void)
{
    return jg__seconds(jg__clock());
}

int jg_sleep(double seconds)
{
    if (seconds <= 0)
        return jg_yield();
    if (jg__enter_wait("jg_sleep") < 0)
        return -1;
    if (isnan(seconds))
        return jg_fail(EINVAL, "jg_sleep: the time is not a number");
    return sleep_until("jg_sleep", jg__later(jg__clock(), jg__nanoseconds(seconds)));
}

int jg_sleep_until(double when)
{
    if (jg__enter_wait("jg_sleep_until") < 0)
        return -1;
    if (isnan(when))
        return jg_fail(EINVAL, "jg_sleep_until: the time is not a number");
    int64_t time = jg__nanoseconds(when);
    return time <= jg__clock() ? jg__yield(jg__here.task) : sleep_until("jg_sleep_until", time);
}
