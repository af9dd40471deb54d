/* The tree of the tasks, and single ones, as text. */
#include "debug/dump.h"

#include "debug/look.h"
#include "debug/output.h"

#include <juggle/debug.h>
#include <unistd.h>

enum { INDENT = 2, INDENT_MOST = 40 };

/* Large: on the loop's own stack. */
struct dump {
    const char *call; /* in which the running task is */
    struct jg__output output;
    struct jg__symbols symbols;
    struct jg__frames frames;
};

static void dump_task(struct dump *dump, const struct jg__task *task, int depth)
{
    struct jg__seen seen;
    char line[JG__LINE_SIZE];
    int indent = depth * INDENT < INDENT_MOST ? depth * INDENT : INDENT_MOST;
    jg__look(task, &seen);
    jg__print(&dump->output, "%*s%s\n", indent, "", jg__describe_task(line, &seen));
    jg__look_at_frames(task, seen.state == JG__RUNS ? dump->call : seen.call, &dump->symbols, &dump->frames);
    for (size_t i = dump->frames.first; i < dump->frames.end; i++)
        jg__print(&dump->output, "%*s    at %s\n", indent, "", dump->frames.names[i]);
}

/* How much deeper in the tree the next one stands. */
static int deeper(const struct jg__task *task, const struct jg__task *next)
{
    if (next->parent == task)
        return 1;
    int depth = 0;
    for (; task->parent != next->parent; task = task->parent)
        depth--;
    return depth;
}

static void dump_tree(struct dump *dump, struct jg__scheduler *scheduler)
{
    int depth = 0;
    jg__print(&dump->output, "thread %d of process %d, %s:\n", (int)scheduler->thread, (int)getpid(),
              jg_loop_poller(scheduler->loop));
    for (struct jg__task *task = jg__first_task(scheduler), *next; task; task = next) {
        dump_task(dump, task, depth);
        next = jg__next_task(scheduler, task);
        if (next)
            depth += deeper(task, next);
    }
}

struct request {
    const char *call;
    const struct jg__task *task; /* NULL: all */
    int fd;
};

static int serve(void *arg)
{
    const struct request *request = arg;
    struct dump dump;
    dump.call = request->call;
    dump.output.fd = request->fd;
    dump.output.error = 0;
    dump.output.used = 0;
    jg__symbols_open(&dump.symbols);
    if (request->task)
        dump_task(&dump, request->task, 0);
    else if (jg__here.scheduler)
        dump_tree(&dump, jg__here.scheduler);
    jg__symbols_close(&dump.symbols);
    return jg__print_end(&dump.output, request->call);
}

int jg__dump_tasks(const char *call, int fd)
{
    return jg_call_deep(serve, &(struct request){.call = call, .fd = fd});
}

int jg_dump_tasks(int fd)
{
    return jg__dump_tasks("jg_dump_tasks", fd);
}

int jg_print_stack(jg_task *task, int fd)
{
    struct request request = {.call = "jg_print_stack", .task = jg__task_of(task, "jg_print_stack"), .fd = fd};
    return jg_call_deep(serve, &request);
}

size_t jg_task_backtrace(jg_task *task, void **addresses, size_t capacity)
{
    return jg__look_at_stack(jg__task_of(task, "jg_task_backtrace"), addresses, capacity);
}

const char *jg_task_created_at(jg_task *task)
{
    return jg__task_created_at(jg__task_of(task, "jg_task_created_at"));
}
