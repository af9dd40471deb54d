#include "unwind.h"

#ifdef HAVE_LIBDW

#include <elfutils/libdwfl.h>
#include <stdio.h>
#include <string.h>

/* ---- What libdw asks for ---- */

struct frames {
    struct process *process;
    struct registers registers; /* of the innermost */
    uint64_t *addresses;
    size_t capacity, count;
    bool running; /* the innermost address is that of an instruction, not one to return to */
};

static pid_t next_thread(Dwfl *dwfl, void *arg, void **thread_arg)
{
    (void)dwfl;
    (void)arg;
    (void)thread_arg;
    return 0;
}

static bool get_thread(Dwfl *dwfl, pid_t thread, void *arg, void **thread_arg)
{
    (void)dwfl;
    (void)thread;
    *thread_arg = arg;
    return true;
}

static bool read_memory(Dwfl *dwfl, Dwarf_Addr address, Dwarf_Word *result, void *arg)
{
    (void)dwfl;
    const struct frames *frames = arg;
    return process_read_kept(frames->process, address, result, sizeof *result);
}

static bool set_registers(Dwfl_Thread *thread, void *arg)
{
    const struct frames *frames = arg;
    Dwarf_Word value[REGISTERS];
    for (int i = 0; i < REGISTERS; i++)
        value[i] = frames->registers.value[i];
    dwfl_thread_state_register_pc(thread, value[PROGRAM_COUNTER]);
#if defined(__aarch64__)
    return dwfl_thread_state_registers(thread, 0, PROGRAM_COUNTER, value);
#else
    return dwfl_thread_state_registers(thread, 0, REGISTERS, value);
#endif
}

static const Dwfl_Thread_Callbacks thread_callbacks = {
    .next_thread = next_thread,
    .get_thread = get_thread,
    .memory_read = read_memory,
    .set_initial_registers = set_registers,
};

/* Unwinding needs none, and looking for it may take a while. */
static int no_debuginfo(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base, const char *file,
                        const char *link, GElf_Word sum, char **found)
{
    (void)module;
    (void)data;
    (void)name;
    (void)base;
    (void)file;
    (void)link;
    (void)sum;
    (void)found;
    return -1;
}

static const Dwfl_Callbacks callbacks = {.find_elf = dwfl_linux_proc_find_elf, .find_debuginfo = no_debuginfo};

static int note_frame(Dwfl_Frame *frame, void *arg)
{
    struct frames *frames = arg;
    Dwarf_Addr address;
    bool exact = false;
    if (!dwfl_frame_pc(frame, &address, &exact) || frames->count == frames->capacity)
        return DWARF_CB_ABORT;
    if (frames->count == 0)
        exact = frames->running;
    frames->addresses[frames->count++] = address + exact; /* as if it were one to return to */
    return DWARF_CB_OK;
}

/* ---- Unwinding ---- */

static Dwfl *attached(struct frames *frames)
{
    static Dwfl *dwfl;
    if (dwfl)
        return dwfl;
    dwfl = dwfl_begin(&callbacks);
    pid_t pid = frames->process->pid;
    if (!dwfl || dwfl_linux_proc_report(dwfl, pid) != 0 || dwfl_report_end(dwfl, NULL, NULL) != 0 ||
        !dwfl_attach_state(dwfl, NULL, pid, &thread_callbacks, frames))
        fail("process %d: libdw: %s", (int)pid, dwfl_errmsg(-1));
    return dwfl;
}

static bool take_word(struct frames *frames, int number, uint64_t address)
{
    return process_read_kept(frames->process, address, &frames->registers.value[number], sizeof(uint64_t));
}

/* What jg__context_switch has left there: see context_x86_64.S and context_aarch64.S. */
static bool take_context(struct frames *frames, uint32_t kind, uint64_t at)
{
    static const int x86_64[] = {15, 14, 13, 12, 3, 6, 16}; /* r15 to r12, rbx, rbp, rip */
    bool complete = true;
    frames->registers = (struct registers){0};
    if (kind == JG__CONTEXT_X86_64 && PROGRAM_COUNTER == 16) {
        for (size_t i = 0; i < 7; i++)
            complete &= take_word(frames, x86_64[i], at + 8 * i);
        frames->registers.value[STACK_POINTER] = at + 56;
        return complete;
    }
    if (kind == JG__CONTEXT_AARCH64 && PROGRAM_COUNTER == 32) {
        for (int i = 0; i < 12; i++)
            complete &= take_word(frames, 19 + i, at + 64 + 8 * (uint64_t)i);
        frames->registers.value[STACK_POINTER] = at + 160;
        frames->registers.value[PROGRAM_COUNTER] = frames->registers.value[30];
        return complete;
    }
    return false;
}

static bool first_frame(struct frames *frames, const struct run *run, const struct task *task)
{
    frames->running = task->state == JG__RUNS;
    frames->registers = run->registers;
    if (frames->running)
        return run->is_stopped && run->registers.value[PROGRAM_COUNTER];
    return (task->state == JG__WAITS || task->state == JG__READY) &&
           take_context(frames, run->layout->context, task->stack_pointer);
}

bool unwind_available(void)
{
    return true;
}

size_t unwind_task(struct process *process, const struct run *run, const struct task *task, uint64_t *addresses,
                   size_t capacity)
{
    static struct frames frames; /* known to libdw from the first call on */
    frames = (struct frames){.process = process, .addresses = addresses, .capacity = capacity};
    if (first_frame(&frames, run, task))
        dwfl_getthread_frames(attached(&frames), process->pid, note_frame, &frames);
    return frames.count;
}

#else

bool unwind_available(void)
{
    return false;
}

size_t unwind_task(struct process *process, const struct run *run, const struct task *task, uint64_t *addresses,
                   size_t capacity)
{
    (void)process;
    (void)run;
    (void)task;
    (void)addresses;
    (void)capacity;
    return 0;
}

#endif
