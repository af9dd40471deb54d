/* Directories, listed on a thread. */
#include <juggle/file.h>

#include "base/memory.h"
#include "os/file_wait.h"
#include "task/internal.h"

#include <stdlib.h>
#include <string.h>

struct listing {
    struct jg__file file;
    jg_directory *directory;
    size_t room;
};

static bool is_itself_or_parent(const char *name)
{
    return !strcmp(name, ".") || !strcmp(name, "..");
}

/* Some file systems leave it to others to say what a name is. */
static unsigned char type_of(DIR *stream, const struct dirent *entry)
{
    struct stat status;
    if (entry->d_type != DT_UNKNOWN || fstatat(dirfd(stream), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return entry->d_type;
    return (unsigned char)IFTODT(status.st_mode);
}

static bool make_room(struct listing *listing)
{
    jg_directory *directory = listing->directory;
    if (directory->count < listing->room)
        return true;
    size_t room = listing->room ? listing->room * 2 : 64;
    jg_directory_entry *entries = jg__reallocate(directory->entries, room * sizeof *entries);
    if (!entries)
        return false;
    directory->entries = entries;
    listing->room = room;
    return true;
}

static int add(struct listing *listing, const char *name, unsigned char type)
{
    size_t length = strlen(name) + 1;
    char *copy = make_room(listing) ? jg__allocate(length) : NULL;
    if (!copy)
        return -ENOMEM;
    memcpy(copy, name, length);
    listing->directory->entries[listing->directory->count++] = (jg_directory_entry){.name = copy, .type = type};
    return 0;
}

static int read_all(struct listing *listing, DIR *stream)
{
    struct dirent *entry;
    int result = 0;
    errno = 0;
    while (result == 0 && (entry = readdir(stream))) {
        if (!jg__file_wanted())
            return -ECANCELED;
        if (!is_itself_or_parent(entry->d_name))
            result = add(listing, entry->d_name, type_of(stream, entry));
        errno = 0;
    }
    return result ? result : -errno;
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const jg_directory_entry *)a)->name, ((const jg_directory_entry *)b)->name);
}

static int list(struct jg__file *file)
{
    struct listing *listing = jg__container_of(file, struct listing, file);
    DIR *stream = opendir(file->path);
    if (!stream)
        return -errno;
    int result = read_all(listing, stream);
    closedir(stream);
    if (result == 0 && listing->directory->count)
        qsort(listing->directory->entries, listing->directory->count, sizeof(jg_directory_entry), compare);
    return result;
}

jg_directory *jg_list_directory(const char *path)
{
    if (jg__enter_wait("jg_list_directory") < 0)
        return NULL;
    struct listing listing = {.file = {.call = JG__FILE_WORK, .work = list, .path = path},
                              .directory = jg__allocate_zeroed(sizeof(jg_directory))};
    if (!listing.directory) {
        jg_fail(ENOMEM, "jg_list_directory: %s: out of memory", path);
        return NULL;
    }
    if (jg__file_run("jg_list_directory", &listing.file) == 0)
        return listing.directory;
    jg_directory_free(listing.directory);
    return NULL;
}

/* The names are the library's own copies. */
void jg_directory_free(jg_directory *directory)
{
    if (!directory)
        return;
    for (size_t i = 0; i < directory->count; i++)
        jg__release((void *)(uintptr_t)directory->entries[i].name); // NOLINT(performance-no-int-to-ptr)
    jg__release(directory->entries);
    jg__release(directory);
}
