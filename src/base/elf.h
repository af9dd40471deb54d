/* The names of the functions in an ELF file: from .symtab, which has those of static functions too, or from .dynsym in
 * a stripped one. Nothing is allocated: the file is mapped. */
#ifndef JUGGLE_BASE_ELF_H
#define JUGGLE_BASE_ELF_H

#include <link.h>
#include <stdbool.h>
#include <stddef.h>

struct jg__elf {
    const char *image; /* NULL: not open */
    size_t size;
    const ElfW(Sym) * symbols;
    size_t count;
    const char *names;
    size_t names_size;
    bool stripped; /* it has no .symtab */
};

/* Maps the file and finds its symbols. False, with errno unspecified, when that is no ELF file of this processor's word
 * size, or has no symbols. */
bool jg__elf_open(struct jg__elf *elf, const char *path);
void jg__elf_close(struct jg__elf *elf);

/* The function at this address, as the file counts them, or NULL. Valid until the file is closed. */
const char *jg__elf_function(const struct jg__elf *elf, uintptr_t address);

#endif
