/* Walks the tree of the tasks: the roots, and under each the children that it has not consumed. */
#include "task/scheduler.h"

static struct jg__task *first_of(const struct jg__list *list)
{
    return jg__list_empty(list) ? NULL : jg__container_of(list->next, struct jg__task, siblings);
}

struct jg__task *jg__first_task(struct jg__scheduler *scheduler)
{
    return first_of(&scheduler->roots);
}

struct jg__task *jg__next_task(struct jg__scheduler *scheduler, struct jg__task *task)
{
    struct jg__task *child = first_of(&task->children);
    if (child)
        return child;
    for (; task; task = task->parent) {
        struct jg__list *list = task->parent ? &task->parent->children : &scheduler->roots;
        if (task->siblings.next != list)
            return jg__container_of(task->siblings.next, struct jg__task, siblings);
    }
    return NULL;
}

size_t jg_all_tasks(jg_task **tasks, size_t capacity)
{
    struct jg__scheduler *scheduler = jg__here.scheduler;
    size_t count = 0;
    if (!scheduler)
        jg__die("jg_all_tasks: called outside jg_run");
    for (struct jg__task *task = jg__first_task(scheduler); task; task = jg__next_task(scheduler, task)) {
        if (task->ended)
            continue;
        if (count < capacity)
            tasks[count] = jg__task_handle(task);
        count++;
    }
    return count;
}
