/* The tasks of another process, as they were at one moment. */
#ifndef JUGGLE_TOOL_TASKS_H
#define JUGGLE_TOOL_TASKS_H

#include "debug/describe.h"
#include "layout.h"
#include "threads.h"

struct task {
    uint64_t address;
    int depth;
    enum jg__state state;
    bool cancelled;
    char own_name[32];                   /* if it has one, else: */
    uint64_t name, origin, call, object; /* texts, and what it waits for */
    int64_t waiting;
    uint64_t stack_pointer; /* of its context */
};

/* One jg_run. */
struct run {
    const struct jg__layout *layout;
    uint64_t address; /* of its scheduler */
    pid_t thread;
    char poller[16];
    uint64_t running; /* the task that runs, or 0 */
    bool is_stopped;  /* the thread, while it was looked at */
    bool incomplete;  /* its tasks could not all be read, or it was not stopped */
    struct stopped stopped;
    struct registers registers;
    struct task *tasks; /* the tree, parents before their children */
    size_t count, room;
    size_t *slots; /* a hash table of twice as much room: where a task is in `tasks`, and 1; 0: free */
};

struct snapshot {
    struct process *process;
    struct layouts layouts;
    struct run *runs;
    size_t count;
    int64_t now;
};

/* Of so many tasks of a run the stacks are kept; the others go without frames. */
enum { STACKS_MOST = 50000 };

enum snapshot_flags {
    GO_ON = 1,       /* the threads are not stopped meanwhile */
    WITH_STACKS = 2, /* what backtraces need is kept too */
};

/* Looks at the process, or ends the command with the reason why there is nothing to be seen. */
void snapshot_take(struct snapshot *snapshot, struct process *process, int flags);

/* What is to be told of a task; the texts are valid until the next call. */
void snapshot_see(const struct snapshot *snapshot, const struct run *run, const struct task *task,
                  struct jg__seen *seen);

#endif
