/* The record by which the command `juggle` finds its way through the tasks of another process: where the fields lie
 * that it reads. It is found by the ELF note "Juggle", also in stripped programs: its description is one 32-bit number,
 * the distance from itself to the record. */
#ifndef JUGGLE_TASK_LAYOUT_H
#define JUGGLE_TASK_LAYOUT_H

#include <stdint.h>

#define JG__LAYOUT_NOTE "Juggle"

/* The type of the note: whenever the record or the meaning of a field changes. */
#define JG__LAYOUT_VERSION 1

/* What jg__context_switch leaves at a context's stack pointer. */
enum jg__context_kind {
    JG__CONTEXT_OTHER, /* a ucontext_t */
    JG__CONTEXT_X86_64,
    JG__CONTEXT_AARCH64,
};

struct jg__layout {
    char library[16];                   /* jg_version() */
    uint32_t size;                      /* of this record */
    uint32_t context;                   /* enum jg__context_kind */
    const void *schedulers, *unstarted; /* jg__schedulers and jg__unstarted */
    struct {
        uint16_t node, roots, loop, here, thread;
    } scheduler;
    struct {
        uint16_t task;
    } here;
    struct {
        uint16_t poller, turns;
    } loop;
    struct {
        uint16_t name;
    } poller;
    struct {
        uint16_t size, stack_pointer, wait, siblings, children, parent, name, own_name, origin, ended, cancelled;
    } task;
    struct {
        uint16_t call, object, task, since;
    } wait;
};

#endif
