/* Stopping threads of another process for as long as it takes to look at what they are doing. */
#ifndef JUGGLE_TOOL_THREADS_H
#define JUGGLE_TOOL_THREADS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* DWARF's numbers; the program counter is last. */
#if defined(__aarch64__)
enum { REGISTERS = 33, STACK_POINTER = 31, PROGRAM_COUNTER = 32 };
#else
enum { REGISTERS = 17, STACK_POINTER = 7, PROGRAM_COUNTER = 16 };
#endif

struct registers {
    uint64_t value[REGISTERS];
};

struct stopped {
    pid_t thread;
    int signal; /* that it was about to receive */
};

/* Stops a thread. False, with errno: EPERM when that is not permitted, or another debugger is there; ETIMEDOUT when it
 * does not stop, being deep in the kernel. */
bool thread_stop(struct stopped *stopped, pid_t thread);
void thread_continue(const struct stopped *stopped);

/* The registers of a thread that is stopped. */
bool thread_registers(const struct stopped *stopped, struct registers *registers);

#endif
