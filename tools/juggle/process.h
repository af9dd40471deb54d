/* Another process, looked at from outside: its memory, its modules, and its threads, which may be stopped meanwhile. */
#ifndef JUGGLE_TOOL_PROCESS_H
#define JUGGLE_TOOL_PROCESS_H

#include "base/elf.h"

#include <stdint.h>
#include <sys/types.h>

struct module {
    uint64_t start, end; /* in memory */
    uint64_t base;       /* what is added to the addresses of the file */
    char *path;
    bool asked; /* its file for symbols */
    struct jg__elf elf;
};

struct process {
    pid_t pid;
    struct module *modules;
    size_t module_count;
    struct page *pages; /* what was read by process_read_kept: a hash table */
    size_t page_count, page_room;
};

/* Ends the command with "juggle: " and these words. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* malloc and realloc that do not fail. */
void *allocate(void *block, size_t bytes);

/* Opens it, or ends the command with the reason why not. */
void process_open(struct process *process, pid_t pid);

/* The id by which this command knows a thread that the process, perhaps in a container with ids of its own, knows by
 * that one; 0 when there is none. */
pid_t process_thread(const struct process *process, pid_t inside);

/* Reads memory: now, or what it was when its page was first read. */
bool process_read(const struct process *process, uint64_t address, void *buffer, size_t size);
bool process_read_kept(struct process *process, uint64_t address, void *buffer, size_t size);

/* Text that ends with NUL, cut where the buffer ends; "?" where it cannot be read. Kept pages. */
void process_read_text(struct process *process, uint64_t address, char *buffer, size_t size);

/* The name of the function to which a return address leads, or NULL. */
const char *process_function(struct process *process, uint64_t address);

/* The module around an address, or NULL. */
struct module *process_module(struct process *process, uint64_t address);

#endif
