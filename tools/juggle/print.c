#include "print.h"

#include "unwind.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { INDENT = 2, INDENT_MOST = 40 };

/* ---- Frames ---- */

static void name_frames(struct process *process, struct jg__frames *frames, const uint64_t *addresses, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *name = process_function(process, addresses[i]);
        if (name)
            snprintf(frames->names[i], JG__FRAME_SIZE, "%.*s", (int)strcspn(name, "."), name);
        else
            snprintf(frames->names[i], JG__FRAME_SIZE, "%#" PRIx64, addresses[i]);
    }
}

static void print_frames(const struct snapshot *snapshot, const struct run *run, const struct task *task,
                         const char *call, int indent)
{
    struct jg__frames frames;
    uint64_t addresses[JG__FRAMES_MOST];
    if (task >= run->tasks + STACKS_MOST)
        return;
    size_t count = unwind_task(snapshot->process, run, task, addresses, JG__FRAMES_MOST);
    name_frames(snapshot->process, &frames, addresses, count);
    jg__trim_frames(&frames, count, task->state == JG__WAITS ? call : NULL);
    for (size_t i = frames.first; i < frames.end; i++)
        printf("%*s    at %s\n", indent, "", frames.names[i]);
}

/* ---- What should be known of what is shown ---- */

static void explain_run(const struct run *run, bool backtrace)
{
    if (run->incomplete)
        fprintf(stderr, "juggle: thread %d was not stopped while its tasks were looked at: they may not fit together\n",
                (int)run->thread);
    if (backtrace && run->count > STACKS_MOST)
        fprintf(stderr, "juggle: thread %d has %zu tasks; the functions of the first %d are shown\n", (int)run->thread,
                run->count, STACKS_MOST);
}

static void explain(const struct snapshot *snapshot, bool backtrace)
{
    const struct process *process = snapshot->process;
    for (size_t i = 0; i < snapshot->count; i++)
        explain_run(&snapshot->runs[i], backtrace);
    if (snapshot->count == 0)
        fprintf(stderr, "juggle: process %d is a Juggle program, but no jg_run is under way in it\n",
                (int)process->pid);
    if (backtrace && !unwind_available())
        fprintf(stderr,
                "juggle: this command was built without libdw: it cannot see the functions that tasks are in\n");
    for (size_t i = 0; i < process->module_count; i++)
        if (process->modules[i].asked && (!process->modules[i].elf.image || process->modules[i].elf.stripped))
            fprintf(stderr, "juggle: %s is stripped: not all of its functions have names\n", process->modules[i].path);
}

/* ---- The tree ---- */

static void print_run(const struct snapshot *snapshot, const struct run *run, bool backtrace)
{
    printf("thread %d of process %d, %s, %zu task%s:\n", (int)run->thread, (int)snapshot->process->pid, run->poller,
           run->count, run->count == 1 ? "" : "s");
    for (size_t i = 0; i < run->count; i++) {
        const struct task *task = &run->tasks[i];
        int indent = task->depth * INDENT < INDENT_MOST ? task->depth * INDENT : INDENT_MOST;
        struct jg__seen seen;
        char line[JG__LINE_SIZE];
        snapshot_see(snapshot, run, task, &seen);
        printf("%*s%s\n", indent, "", jg__describe_task(line, &seen));
        if (backtrace)
            print_frames(snapshot, run, task, seen.call, indent);
    }
}

void print_tree(const struct snapshot *snapshot, bool backtrace)
{
    for (size_t i = 0; i < snapshot->count; i++)
        print_run(snapshot, &snapshot->runs[i], backtrace);
    explain(snapshot, backtrace);
}

/* ---- The table ---- */

void print_table(const struct snapshot *snapshot, bool backtrace)
{
    printf("%8s  %-31s  %-48s  %s\n", "THREAD", "TASK", "STATE", "CREATED AT");
    for (size_t i = 0; i < snapshot->count; i++) {
        const struct run *run = &snapshot->runs[i];
        for (size_t n = 0; n < run->count; n++) {
            struct jg__seen seen;
            char state[JG__LINE_SIZE];
            snapshot_see(snapshot, run, &run->tasks[n], &seen);
            printf("%8d  %-31.31s  %-48s  %s\n", (int)run->thread, seen.name, jg__describe_state(state, &seen),
                   *seen.created_at ? seen.created_at : "-");
            if (backtrace)
                print_frames(snapshot, run, &run->tasks[n], seen.call, 8);
        }
    }
    explain(snapshot, backtrace);
}
