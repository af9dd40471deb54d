/* What nobody waits for is told to the error handler, on the loop's own stack: a handler that prints may need more than
 * a task has, and it must not wait. */
#include "task/scheduler.h"

#include <string.h>

struct report {
    const struct jg__task *task;
    int error;
    const char *what, *detail, *text; /* "WHAT DETAIL (TEXT)" */
    const char *place;                /* ", created at PLACE", where that is known */
};

static int tell(void *arg)
{
    const struct report *report = arg;
    const char *text = report->text ? report->text : "";
    const char *place = report->place ? report->place : "";
    jg__report(report->task->name, report->error, "%s%s%s%s%s%s%s", report->what, report->detail, *text ? " (" : "",
               text, *text ? ")" : "", *place ? ", created at " : "", place);
    return 0;
}

void jg__report_failure(const struct jg__task *task, const char *what)
{
    const struct jg__error_text *text = task->refused_call ? NULL : task->error_text;
    struct report report = {
        task, task->error, what, strerror(task->error), text && text->error == task->error ? text->words : NULL, NULL};
    jg_call_deep(tell, &report);
}

void jg__report_abandoned(const struct jg__task *task, const struct jg__task *creator)
{
    bool failed = task->result < 0 && task->error != ECANCELED;
    struct report report = {task,
                            0,
                            "never awaited by its creator, which has ended: ",
                            creator->name,
                            failed ? strerror(task->error) : NULL,
                            jg__task_created_at(task)};
    jg_call_deep(tell, &report);
}

void jg__report_deaf(const struct jg__task *task, const char *call)
{
    struct report report = {
        task,
        0,
        "goes on although it was asked to end, and is slowed down: a thousand waits in a row have failed, the last in ",
        call,
        NULL,
        NULL};
    jg_call_deep(tell, &report);
}
