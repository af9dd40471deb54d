#include "tasks.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TEXT_MOST = 256,
    STACK_KEPT_MOST = 64 * 1024, /* of each task */
    TASKS_MOST = 1 << 24,        /* more than that is a list that changes while it is read */
    RUNS_MOST = 1 << 16,         /* the same */
    BELOW = 1024,                /* where the records of waits lie, most often */
    TRIES = 100,
};

/* A record, and what lies below it in the same page: read at once, since each read is a system call. */
struct record {
    uint64_t start, address;
    char bytes[BELOW + TASK_SIZE_MOST];
};

static uint64_t word_at(const void *record, size_t offset)
{
    uint64_t word;
    memcpy(&word, (const char *)record + offset, sizeof word);
    return word;
}

static uint64_t read_word(const struct process *process, uint64_t address)
{
    uint64_t word = 0;
    process_read(process, address, &word, sizeof word);
    return word;
}

/* ---- Runs ---- */

static void note_run(struct snapshot *snapshot, const struct jg__layout *layout, uint64_t scheduler)
{
    struct process *process = snapshot->process;
    uint64_t loop = read_word(process, scheduler + layout->scheduler.loop);
    uint64_t poller = read_word(process, loop + layout->loop.poller);
    int thread = 0;
    process_read(process, scheduler + layout->scheduler.thread, &thread, sizeof thread);
    snapshot->runs = allocate(snapshot->runs, (snapshot->count + 1) * sizeof *snapshot->runs);
    struct run *run = &snapshot->runs[snapshot->count++];
    *run = (struct run){.layout = layout, .address = scheduler, .thread = process_thread(process, thread)};
    process_read_text(process, read_word(process, poller + layout->poller.name), run->poller, sizeof run->poller);
}

/* Returns false when the list has changed meanwhile: the threads are not stopped yet. */
static bool find_runs_of(struct snapshot *snapshot, const struct jg__layout *layout)
{
    uint64_t head = (uint64_t)(uintptr_t)layout->schedulers, node = read_word(snapshot->process, head);
    for (size_t n = 0; node && node != head && n < RUNS_MOST; n++) {
        note_run(snapshot, layout, node - layout->scheduler.node);
        node = read_word(snapshot->process, node);
    }
    return node == head;
}

static void find_runs(struct snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->layouts.count; i++) {
        size_t before = snapshot->count;
        for (int tries = TRIES; !find_runs_of(snapshot, &snapshot->layouts.all[i]) && --tries > 0;)
            snapshot->count = before;
    }
}

static void stop(struct run *run)
{
    run->is_stopped = thread_stop(&run->stopped, run->thread);
    if (run->is_stopped && !thread_registers(&run->stopped, &run->registers))
        run->registers = (struct registers){0};
}

/* ---- Tasks ---- */

static bool read_record(const struct process *process, struct record *record, uint64_t address, size_t size)
{
    uint64_t page = address & ~UINT64_C(4095);
    record->address = address;
    record->start = address - page < BELOW ? page : address - BELOW;
    return process_read(process, record->start, record->bytes, address - record->start + size);
}

static const char *bytes_of(const struct record *record)
{
    return record->bytes + (record->address - record->start);
}

/* A list on the way down the tree: where it begins, and the next one in it. */
struct level {
    uint64_t head, node;
};

/* The record of a wait, from what was read already if that has it. */
static bool read_wait(const struct process *process, const struct record *record, uint64_t address, char *wait,
                      size_t size)
{
    if (address < record->start || address + size > record->address)
        return process_read(process, address, wait, size);
    memcpy(wait, record->bytes + (address - record->start), size);
    return true;
}

static void see_wait(const struct snapshot *snapshot, const struct run *run, struct task *task,
                     const struct record *record)
{
    const struct jg__layout *layout = run->layout;
    uint64_t address = word_at(bytes_of(record), layout->task.wait);
    size_t size = layout->wait.since + sizeof(int64_t);
    char wait[WAIT_SIZE_MOST];
    task->state = JG__READY;
    if (address == (uint64_t)(uintptr_t)layout->unstarted)
        task->state = JG__NOT_BEGUN;
    else if (address && read_wait(snapshot->process, record, address, wait, size) && word_at(wait, layout->wait.task)) {
        task->state = JG__WAITS;
        task->call = word_at(wait, layout->wait.call);
        task->object = word_at(wait, layout->wait.object);
        task->waiting = snapshot->now - (int64_t)word_at(wait, layout->wait.since);
    }
}

static size_t *slot_for(const struct run *run, uint64_t address)
{
    size_t room = run->room * 2, slot = (size_t)((address >> 6) * UINT64_C(0x9e3779b97f4a7c15) >> 20) % room;
    while (run->slots[slot] && run->tasks[run->slots[slot] - 1].address != address)
        slot = (slot + 1) % room;
    return &run->slots[slot];
}

static const struct task *task_at(const struct run *run, uint64_t address)
{
    size_t place = run->room ? *slot_for(run, address) : 0;
    return place ? &run->tasks[place - 1] : NULL;
}

static void grow(struct run *run)
{
    run->room = run->room ? run->room * 2 : 64;
    run->tasks = allocate(run->tasks, run->room * sizeof *run->tasks);
    run->slots = allocate(run->slots, run->room * 2 * sizeof *run->slots);
    memset(run->slots, 0, run->room * 2 * sizeof *run->slots);
    for (size_t i = 0; i < run->count; i++)
        *slot_for(run, run->tasks[i].address) = i + 1;
}

static struct task *add_task(struct run *run, uint64_t address)
{
    if (run->count == run->room)
        grow(run);
    *slot_for(run, address) = run->count + 1;
    struct task *task = &run->tasks[run->count++];
    *task = (struct task){.address = address};
    return task;
}

static void note_task(const struct snapshot *snapshot, struct run *run, const struct record *whole, int depth)
{
    const struct jg__layout *layout = run->layout;
    const char *record = bytes_of(whole);
    uint64_t address = whole->address;
    struct task *task = add_task(run, address);
    task->depth = depth;
    task->cancelled = record[layout->task.cancelled];
    task->stack_pointer = word_at(record, layout->task.stack_pointer);
    task->name = task->origin = word_at(record, layout->task.name);
    if (task->name == address + layout->task.own_name) {
        task->name = 0;
        task->origin = word_at(record, layout->task.origin);
        memcpy(task->own_name, record + layout->task.own_name, sizeof task->own_name - 1);
    }
    if (record[layout->task.ended])
        task->state = JG__ENDED;
    else if (address == run->running)
        task->state = JG__RUNS;
    else
        see_wait(snapshot, run, task, whole);
}

/* A task that was there before has moved meanwhile, in a program that is not stopped: the list may have no end. */
static bool read_next(const struct process *process, const struct run *run, struct record *record, uint64_t address)
{
    return run->count < TASKS_MOST && !task_at(run, address) &&
           read_record(process, record, address, run->layout->task.size);
}

static void walk_tree(const struct snapshot *snapshot, struct run *run)
{
    const struct jg__layout *layout = run->layout;
    uint64_t roots = run->address + layout->scheduler.roots;
    struct level *levels = allocate(NULL, sizeof *levels);
    struct record record;
    levels[0] = (struct level){roots, read_word(snapshot->process, roots)};
    for (size_t depth = 1, room = 1; depth > 0;) {
        struct level *level = &levels[depth - 1];
        if (level->node == level->head) {
            depth--;
            continue;
        }
        uint64_t address = level->node - layout->task.siblings;
        if (!read_next(snapshot->process, run, &record, address)) {
            run->incomplete = true;
            depth--;
            continue;
        }
        note_task(snapshot, run, &record, (int)depth - 1);
        level->node = word_at(bytes_of(&record), layout->task.siblings);
        if (depth++ == room)
            levels = allocate(levels, (room *= 2) * sizeof *levels);
        levels[depth - 1] =
            (struct level){address + layout->task.children, word_at(bytes_of(&record), layout->task.children)};
    }
    free(levels);
}

/* What unwinding will read later: from the stack pointer up to the record, which lies at the top. */
static void keep_stack(struct process *process, uint64_t from, uint64_t to)
{
    char byte;
    if (to - from > STACK_KEPT_MOST) /* also where it is no address of this stack */
        to = from + STACK_KEPT_MOST;
    for (uint64_t page = from & ~UINT64_C(4095); page < to; page += 4096)
        if (!process_read_kept(process, page, &byte, 1))
            return;
}

static void keep_stacks(struct process *process, const struct run *run)
{
    if (run->running && run->is_stopped)
        keep_stack(process, run->registers.value[STACK_POINTER], UINT64_MAX);
    for (size_t i = 0; i < run->count && i < STACKS_MOST; i++)
        if (run->tasks[i].state == JG__WAITS || run->tasks[i].state == JG__READY)
            keep_stack(process, run->tasks[i].stack_pointer, run->tasks[i].address);
}

static void look_at_run(struct snapshot *snapshot, struct run *run, int flags)
{
    uint64_t here = read_word(snapshot->process, run->address + run->layout->scheduler.here);
    run->running = here ? read_word(snapshot->process, here + run->layout->here.task) : 0;
    run->incomplete = !run->is_stopped;
    walk_tree(snapshot, run);
    if (flags & WITH_STACKS)
        keep_stacks(snapshot->process, run);
}

void snapshot_take(struct snapshot *snapshot, struct process *process, int flags)
{
    *snapshot = (struct snapshot){.process = process};
    layouts_find(&snapshot->layouts, process);
    find_runs(snapshot);
    for (size_t i = 0; i < snapshot->count && !(flags & GO_ON); i++)
        stop(&snapshot->runs[i]);
    snapshot->now = jg__clock();
    for (size_t i = 0; i < snapshot->count; i++)
        look_at_run(snapshot, &snapshot->runs[i], flags);
    for (size_t i = 0; i < snapshot->count; i++)
        if (snapshot->runs[i].is_stopped)
            thread_continue(&snapshot->runs[i].stopped);
}

/* ---- Texts ---- */

static const char *name_of(struct process *process, const struct task *task, char text[TEXT_MOST])
{
    if (!task->name)
        return task->own_name;
    process_read_text(process, task->name, text, TEXT_MOST);
    return text;
}

void snapshot_see(const struct snapshot *snapshot, const struct run *run, const struct task *task,
                  struct jg__seen *seen)
{
    static char name[TEXT_MOST], origin[TEXT_MOST], place[TEXT_MOST], call[TEXT_MOST], awaited[TEXT_MOST];
    struct process *process = snapshot->process;
    process_read_text(process, task->origin, origin, sizeof origin);
    process_read_text(process, task->origin + strlen(origin) + 1, place, sizeof place);
    process_read_text(process, task->call, call, sizeof call);
    const struct task *child = task_at(run, task->object);
    *seen = (struct jg__seen){
        .name = name_of(process, task, name),
        .created_at = place,
        .state = task->state,
        .call = call,
        .object = task->object,
        .awaits = child ? name_of(process, child, awaited) : NULL,
        .waiting = task->waiting,
        .cancelled = task->cancelled,
    };
}
