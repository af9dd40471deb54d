#include "process.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

void fail(const char *format, ...)
{
    va_list arguments;
    fflush(stdout);
    fputs("juggle: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

void *allocate(void *block, size_t bytes)
{
    void *result = realloc(block, bytes);
    if (!result)
        fail("out of memory");
    return result;
}

/* ---- Opening ---- */

static _Noreturn void fail_not_permitted(pid_t pid)
{
    int scope = 0;
    FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
    if (file && fscanf(file, "%d", &scope) != 1)
        scope = 0;
    if (file)
        fclose(file);
    if (scope)
        fail("not permitted to look into process %d: kernel.yama.ptrace_scope is %d; try as root", (int)pid, scope);
    fail("not permitted to look into process %d: it is another user's, or protected; try as root", (int)pid);
}

/* Zombies and threads of the kernel have no memory. */
static _Noreturn void fail_without_memory(pid_t pid)
{
    char path[64], state = '?';
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (file && fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
        state = '?';
    if (file)
        fclose(file);
    fail("process %d %s", (int)pid,
         state == 'Z' ? "has ended; its parent has not asked for its exit status yet"
                      : "has no memory: it is the kernel's");
}

/* The mappings of one file are one module. */
static void note_mapping(struct process *process, uint64_t start, uint64_t end, uint64_t offset, const char *path)
{
    struct module *last = process->module_count ? &process->modules[process->module_count - 1] : NULL;
    if (last && strcmp(last->path, path) == 0 && offset != 0) {
        last->end = end;
        return;
    }
    process->modules = allocate(process->modules, (process->module_count + 1) * sizeof *process->modules);
    struct module *module = &process->modules[process->module_count++];
    *module = (struct module){.start = start, .end = end, .path = strdup(path)};
}

static void read_mappings(struct process *process)
{
    char path[64], *line = NULL;
    size_t size = 0, lines = 0;
    snprintf(path, sizeof path, "/proc/%d/maps", (int)process->pid);
    FILE *file = fopen(path, "re");
    if (!file && (errno == EACCES || errno == EPERM))
        fail_not_permitted(process->pid);
    if (!file)
        fail("there is no process %d", (int)process->pid);
    while (getline(&line, &size, file) > 0) {
        unsigned long start, end, offset;
        int name = 0;
        lines++;
        if (sscanf(line, "%lx-%lx %*s %lx %*s %*s %n", &start, &end, &offset, &name) < 3 || line[name] != '/')
            continue;
        line[strcspn(line, "\n")] = '\0';
        note_mapping(process, start, end, offset, line + name);
    }
    bool denied = ferror(file) && (errno == EACCES || errno == EPERM);
    free(line);
    fclose(file);
    if (denied)
        fail_not_permitted(process->pid);
    if (lines == 0)
        fail_without_memory(process->pid);
}

/* Proves that its memory can be read, and finds out what is added to the addresses in the files. */
static void read_headers(struct process *process)
{
    for (size_t i = 0; i < process->module_count; i++) {
        struct module *module = &process->modules[i];
        ElfW(Ehdr) header;
        ElfW(Phdr) segment;
        errno = 0;
        if (!process_read(process, module->start, &header, sizeof header)) {
            if (errno == EPERM)
                fail_not_permitted(process->pid);
            continue;
        }
        if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
            continue;
        if (header.e_ident[EI_CLASS] != ELFCLASS64)
            fail("process %d is a program of 32 bits", (int)process->pid);
        for (uint64_t n = 0; n < header.e_phnum; n++) {
            if (!process_read(process, module->start + header.e_phoff + n * sizeof segment, &segment, sizeof segment))
                break;
            if (segment.p_type != PT_LOAD)
                continue;
            module->base = module->start - (segment.p_vaddr - segment.p_offset);
            break;
        }
    }
}

void process_open(struct process *process, pid_t pid)
{
    *process = (struct process){.pid = pid};
    read_mappings(process);
    read_headers(process);
}

/* ---- Threads ---- */

/* The last one of "NSpid: 4711 12": as the innermost namespace has it. */
static pid_t id_inside(const struct process *process, pid_t thread)
{
    char path[64], line[256];
    pid_t inside = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/status", (int)process->pid, (int)thread);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file)) {
        const char *last = strrchr(line, '\t');
        if (last && strncmp(line, "NSpid:", 6) == 0)
            inside = (pid_t)strtol(last, NULL, 10);
    }
    if (file)
        fclose(file);
    return inside;
}

pid_t process_thread(const struct process *process, pid_t inside)
{
    char path[64];
    pid_t found = id_inside(process, inside) == inside ? inside : 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)process->pid);
    DIR *threads = found ? NULL : opendir(path);
    for (const struct dirent *entry; threads && !found && (entry = readdir(threads));) {
        pid_t thread = (pid_t)strtol(entry->d_name, NULL, 10); /* 0 of "." */
        found = thread && id_inside(process, thread) == inside ? thread : 0;
    }
    if (threads)
        closedir(threads);
    return found;
}

/* ---- Memory ---- */

bool process_read(const struct process *process, uint64_t address, void *buffer, size_t size)
{
    struct iovec to = {buffer, size}, from = {(void *)(uintptr_t)address, size};
    return process_vm_readv(process->pid, &to, 1, &from, 1, 0) == (ssize_t)size;
}

enum { PAGE = 4096, PAGES_AT_FIRST = 1024 };

struct page {
    uint64_t address; /* 0: none; a page that could not be read has no bytes */
    char *bytes;
};

static struct page *slot_for(struct page *pages, size_t room, uint64_t address)
{
    size_t slot = (size_t)(address / PAGE * UINT64_C(0x9e3779b97f4a7c15)) % room;
    while (pages[slot].address && pages[slot].address != address)
        slot = (slot + 1) % room;
    return &pages[slot];
}

static void grow(struct process *process)
{
    size_t room = process->page_room ? process->page_room * 2 : PAGES_AT_FIRST;
    struct page *pages = allocate(NULL, room * sizeof *pages);
    memset(pages, 0, room * sizeof *pages);
    for (size_t i = 0; i < process->page_room; i++)
        if (process->pages[i].address)
            *slot_for(pages, room, process->pages[i].address) = process->pages[i];
    free(process->pages);
    process->pages = pages;
    process->page_room = room;
}

static const char *page_at(struct process *process, uint64_t address)
{
    if (address == 0)
        return NULL;
    if (process->page_count * 2 >= process->page_room)
        grow(process);
    struct page *page = slot_for(process->pages, process->page_room, address);
    if (page->address == address)
        return page->bytes;
    char *bytes = allocate(NULL, PAGE);
    if (!process_read(process, address, bytes, PAGE)) {
        free(bytes);
        bytes = NULL;
    }
    *page = (struct page){address, bytes};
    process->page_count++;
    return bytes;
}

bool process_read_kept(struct process *process, uint64_t address, void *buffer, size_t size)
{
    char *to = buffer;
    while (size > 0) {
        size_t offset = address % PAGE, part = PAGE - offset < size ? PAGE - offset : size;
        const char *page = page_at(process, address - offset);
        if (!page)
            return false;
        memcpy(to, page + offset, part);
        to += part;
        address += part;
        size -= part;
    }
    return true;
}

void process_read_text(struct process *process, uint64_t address, char *buffer, size_t size)
{
    for (size_t i = 0; i + 1 < size; i++) {
        if (!process_read_kept(process, address + i, &buffer[i], 1)) {
            snprintf(buffer, size, "?");
            return;
        }
        if (buffer[i] == '\0')
            return;
    }
    buffer[size - 1] = '\0';
}

/* ---- Functions ---- */

struct module *process_module(struct process *process, uint64_t address)
{
    for (size_t i = 0; i < process->module_count; i++)
        if (process->modules[i].start <= address && address < process->modules[i].end)
            return &process->modules[i];
    return NULL;
}

/* In the root directory of the process, which may be another one; the program itself also when it was replaced. */
static void open_symbols(const struct process *process, struct module *module)
{
    char path[4096 + 64], program[4096];
    snprintf(path, sizeof path, "/proc/%d/exe", (int)process->pid);
    ssize_t n = readlink(path, program, sizeof program - 1);
    program[n < 0 ? 0 : n] = '\0';
    if (strcmp(program, module->path) != 0)
        snprintf(path, sizeof path, "/proc/%d/root%.4000s", (int)process->pid, module->path);
    module->asked = true;
    jg__elf_open(&module->elf, path);
}

const char *process_function(struct process *process, uint64_t address)
{
    struct module *module = process_module(process, address - 1);
    if (!module)
        return NULL;
    if (!module->asked)
        open_symbols(process, module);
    return jg__elf_function(&module->elf, address - 1 - module->base);
}
