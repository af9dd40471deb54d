/* Names for the addresses of this process. */
#ifndef JUGGLE_BASE_SYMBOLS_H
#define JUGGLE_BASE_SYMBOLS_H

#include "base/elf.h"

enum { JG__MODULES_MOST = 32, JG__SYMBOLS_CACHED = 256, JG__FUNCTION_SIZE = 96 };

/* The program and its libraries, in whose files names are looked up while this is open: some KiB, on a large stack. */
struct jg__symbols {
    struct jg__module {
        uintptr_t base, end; /* what is added to the file's addresses; behind its last byte in memory */
        const char *path;
        bool asked;
        struct jg__elf elf;
    } modules[JG__MODULES_MOST];
    size_t count;
    struct {
        uintptr_t address;
        const char *name;
    } cache[JG__SYMBOLS_CACHED];
};

void jg__symbols_open(struct jg__symbols *symbols);
void jg__symbols_close(struct jg__symbols *symbols);

/* The name of the function to which a return address leads, in `name`, without what the compiler has added to it; or
 * the address in hexadecimal. Returns `name`. */
const char *jg__function_name(struct jg__symbols *symbols, const void *return_address, char name[JG__FUNCTION_SIZE]);

#endif
