#include "base/elf.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define OWN_CLASS (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32)

static bool map_file(struct jg__elf *elf, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (fd < 0)
        return false;
    elf->image = NULL;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && (size_t)status.st_size > sizeof(ElfW(Ehdr))) {
        elf->size = (size_t)status.st_size;
        void *image = mmap(NULL, elf->size, PROT_READ, MAP_PRIVATE, fd, 0);
        elf->image = image == MAP_FAILED ? NULL : image;
    }
    close(fd);
    return elf->image != NULL;
}

/* What a file says of itself is not believed: so many bytes from there on, or NULL. */
static const void *part(const struct jg__elf *elf, uint64_t offset, uint64_t bytes)
{
    return offset <= elf->size && bytes <= elf->size - offset ? elf->image + offset : NULL;
}

static const ElfW(Shdr) * section_table(const struct jg__elf *elf, size_t *count)
{
    const ElfW(Ehdr) *header = (const void *)elf->image;
    if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != OWN_CLASS ||
        header->e_shentsize != sizeof(ElfW(Shdr)) || header->e_shoff % _Alignof(ElfW(Shdr)) != 0)
        return NULL;
    *count = header->e_shnum;
    return part(elf, header->e_shoff, *count * sizeof(ElfW(Shdr)));
}

static bool take_symbols(struct jg__elf *elf, const ElfW(Shdr) * table, const ElfW(Shdr) * names)
{
    elf->symbols = part(elf, table->sh_offset, table->sh_size);
    elf->count = table->sh_size / sizeof *elf->symbols;
    elf->names = part(elf, names->sh_offset, names->sh_size);
    elf->names_size = names->sh_size;
    return elf->symbols && table->sh_offset % _Alignof(ElfW(Sym)) == 0 && elf->names && elf->names_size > 0 &&
           elf->names[elf->names_size - 1] == '\0';
}

static bool find_symbols(struct jg__elf *elf, ElfW(Word) type)
{
    size_t count = 0;
    const ElfW(Shdr) *sections = section_table(elf, &count);
    for (size_t i = 0; sections && i < count; i++)
        if (sections[i].sh_type == type && sections[i].sh_link < count)
            return take_symbols(elf, &sections[i], &sections[sections[i].sh_link]);
    return false;
}

bool jg__elf_open(struct jg__elf *elf, const char *path)
{
    *elf = (struct jg__elf){0};
    if (!map_file(elf, path))
        return false;
    if (find_symbols(elf, SHT_SYMTAB))
        return true;
    elf->stripped = true;
    if (find_symbols(elf, SHT_DYNSYM))
        return true;
    jg__elf_close(elf);
    return false;
}

void jg__elf_close(struct jg__elf *elf)
{
    if (elf->image)
        munmap((void *)(uintptr_t)elf->image, elf->size);
    elf->image = NULL;
}

const char *jg__elf_function(const struct jg__elf *elf, uintptr_t address)
{
    for (size_t i = 0; i < elf->count; i++) {
        const ElfW(Sym) *symbol = &elf->symbols[i];
        bool holds = symbol->st_value <= address && address - symbol->st_value < symbol->st_size;
        if (holds && ELF64_ST_TYPE(symbol->st_info) == STT_FUNC && symbol->st_shndx != SHN_UNDEF &&
            symbol->st_name < elf->names_size)
            return elf->names + symbol->st_name;
    }
    return NULL;
}
