#include "base/symbols.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int note_module(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    struct jg__symbols *symbols = arg;
    if (symbols->count == JG__MODULES_MOST)
        return 1;
    struct jg__module *module = &symbols->modules[symbols->count++];
    *module = (struct jg__module){.base = info->dlpi_addr, .path = info->dlpi_name};
    if (!*info->dlpi_name)
        module->path = "/proc/self/exe";
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        uintptr_t end = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz;
        if (info->dlpi_phdr[i].p_type == PT_LOAD && module->end < end)
            module->end = end;
    }
    return 0;
}

void jg__symbols_open(struct jg__symbols *symbols)
{
    symbols->count = 0;
    memset(symbols->cache, 0, sizeof symbols->cache);
    dl_iterate_phdr(note_module, symbols);
}

void jg__symbols_close(struct jg__symbols *symbols)
{
    for (size_t i = 0; i < symbols->count; i++)
        jg__elf_close(&symbols->modules[i].elf);
}

/* The nearest one below: of a program that is not relocatable the base is 0, which is below all others. */
static struct jg__module *module_at(struct jg__symbols *symbols, uintptr_t address)
{
    struct jg__module *found = NULL;
    for (size_t i = 0; i < symbols->count; i++) {
        struct jg__module *module = &symbols->modules[i];
        if (module->base <= address && address < module->end && (!found || module->base > found->base))
            found = module;
    }
    return found;
}

static const char *look_up(struct jg__symbols *symbols, uintptr_t address)
{
    struct jg__module *module = module_at(symbols, address);
    if (!module)
        return NULL;
    int saved = errno;
    if (!module->asked)
        jg__elf_open(&module->elf, module->path);
    module->asked = true;
    errno = saved;
    return jg__elf_function(&module->elf, address - module->base);
}

const char *jg__function_name(struct jg__symbols *symbols, const void *return_address, char name[JG__FUNCTION_SIZE])
{
    uintptr_t address = (uintptr_t)return_address - 1;
    size_t slot = address % JG__SYMBOLS_CACHED;
    if (symbols->cache[slot].address != address) {
        symbols->cache[slot].address = address;
        symbols->cache[slot].name = look_up(symbols, address);
    }
    const char *symbol = symbols->cache[slot].name;
    if (symbol)
        snprintf(name, JG__FUNCTION_SIZE, "%.*s", (int)strcspn(symbol, "."), symbol); /* "parse.part.0" */
    else
        snprintf(name, JG__FUNCTION_SIZE, "%p", return_address);
    return name;
}
