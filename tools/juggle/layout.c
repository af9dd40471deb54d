#include "layout.h"

#include <juggle/common.h>
#include <string.h>

enum { NOTES_MOST = 64 * 1024 };

struct note {
    uint32_t name_size, description_size, type;
};

static uint64_t rounded(uint64_t bytes, uint64_t alignment)
{
    return (bytes + alignment - 1) & ~(alignment - 1);
}

static void take_layout(const struct process *process, struct layouts *layouts, uint64_t record, uint32_t version)
{
    struct jg__layout layout = {.library = "?"};
    bool read = process_read(process, record, layout.library, sizeof layout.library);
    layout.library[sizeof layout.library - 1] = '\0';
    if (version != JG__LAYOUT_VERSION)
        fail("process %d has Juggle %s, whose tasks are laid out in way %u; this command is of %s and knows way %d",
             (int)process->pid, layout.library, version, JG_VERSION, JG__LAYOUT_VERSION);
    if (!read || !process_read(process, record, &layout, sizeof layout) || layout.size != sizeof layout ||
        layout.task.size > TASK_SIZE_MOST || layout.wait.since > WAIT_SIZE_MOST - sizeof(int64_t))
        fail("process %d has Juggle %s, but what it says of its tasks makes no sense", (int)process->pid,
             layout.library);
    layouts->all = allocate(layouts->all, (layouts->count + 1) * sizeof *layouts->all);
    layouts->all[layouts->count++] = layout;
}

/* The description is the distance from itself to the record. */
static void read_notes(const struct process *process, struct layouts *layouts, uint64_t at, const ElfW(Phdr) * segment)
{
    uint64_t alignment = segment->p_align == 8 ? 8 : 4, end = at + segment->p_memsz;
    struct note note;
    while (segment->p_memsz <= NOTES_MOST && at + sizeof note <= end && process_read(process, at, &note, sizeof note)) {
        uint64_t description = at + rounded(sizeof note + note.name_size, alignment);
        char name[sizeof JG__LAYOUT_NOTE];
        int32_t distance;
        if (note.name_size == sizeof name && note.description_size == sizeof distance &&
            process_read(process, at + sizeof note, name, sizeof name) &&
            memcmp(name, JG__LAYOUT_NOTE, sizeof name) == 0 &&
            process_read(process, description, &distance, sizeof distance))
            take_layout(process, layouts, description + (uint64_t)(int64_t)distance, note.type);
        at = description + rounded(note.description_size, alignment);
    }
}

static void look_in_module(const struct process *process, struct layouts *layouts, const struct module *module)
{
    ElfW(Ehdr) header;
    if (!process_read(process, module->start, &header, sizeof header) || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
        return;
    for (uint64_t i = 0; i < header.e_phnum; i++) {
        ElfW(Phdr) segment;
        if (!process_read(process, module->start + header.e_phoff + i * sizeof segment, &segment, sizeof segment))
            return;
        if (segment.p_type == PT_NOTE)
            read_notes(process, layouts, module->base + segment.p_vaddr, &segment);
    }
}

void layouts_find(struct layouts *layouts, const struct process *process)
{
    *layouts = (struct layouts){0};
    for (size_t i = 0; i < process->module_count; i++)
        look_in_module(process, layouts, &process->modules[i]);
    if (layouts->count == 0)
        fail("process %d (%s) is not a Juggle program", (int)process->pid,
             process->module_count ? process->modules[0].path : "?");
}
