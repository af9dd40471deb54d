#include "os/watch_tree.h"

#include "base/diagnostics.h"
#include "base/memory.h"

#include <errno.h>
#include <juggle/file.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

struct jg__watched {
    int number;
    char *path;
};

/* ---- Paths ---- */

static char *concatenate(const char *first, const char *between, const char *last)
{
    size_t size = strlen(first) + strlen(between) + strlen(last) + 1;
    char *text = jg__allocate(size);
    if (text)
        snprintf(text, size, "%s%s%s", first, between, last);
    return text;
}

char *jg__watch_join(const char *parent, const char *name)
{
    return concatenate(parent, *parent && *name ? "/" : "", name);
}

/* What follows `parent` in a path that is inside of it, or is it; else NULL. */
static const char *rest_inside(const char *path, const char *parent)
{
    size_t length = strlen(parent);
    return strncmp(path, parent, length) == 0 && (path[length] == '/' || !path[length]) ? path + length : NULL;
}

static struct jg__watch_path *path_of(struct jg__list *node)
{
    return jg__container_of(node, struct jg__watch_path, node);
}

static void drop_path(struct jg__watch_path *entry)
{
    jg__list_remove(&entry->node);
    jg__release(entry->path);
    jg__release(entry);
}

/* Takes the path, also when it fails. */
static int append(struct jg__list *list, char *path, bool directory, bool tell)
{
    struct jg__watch_path *entry = path ? jg__allocate_zeroed(sizeof *entry) : NULL;
    if (!entry) {
        jg__release(path);
        return jg_fail(ENOMEM, "jg_watch_next: out of memory");
    }
    entry->path = path;
    entry->directory = directory;
    entry->tell = tell;
    jg__list_append(list, &entry->node);
    return 0;
}

/* ---- What is watched ---- */

/* Where it is, or would be. */
static size_t position_of(const struct jg__watch_tree *tree, int number)
{
    size_t low = 0, high = tree->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (tree->watched[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const char *jg__watch_tree_find(const struct jg__watch_tree *tree, int number)
{
    size_t i = position_of(tree, number);
    return i < tree->count && tree->watched[i].number == number ? tree->watched[i].path : NULL;
}

static void remove_at(struct jg__watch_tree *tree, size_t i)
{
    jg__release(tree->watched[i].path);
    memmove(&tree->watched[i], &tree->watched[i + 1], (--tree->count - i) * sizeof *tree->watched);
}

void jg__watch_tree_forget(struct jg__watch_tree *tree, int number)
{
    if (jg__watch_tree_find(tree, number))
        remove_at(tree, position_of(tree, number));
}

static bool make_room(struct jg__watch_tree *tree)
{
    if (tree->count < tree->room)
        return true;
    size_t room = tree->room ? tree->room * 2 : 8;
    struct jg__watched *watched = jg__reallocate(tree->watched, room * sizeof *watched);
    if (!watched)
        return false;
    tree->watched = watched;
    tree->room = room;
    return true;
}

/* One that is watched already keeps its number, and may have got another path. */
static int keep(struct jg__watch_tree *tree, int number, const char *path)
{
    char *copy = make_room(tree) ? concatenate(path, "", "") : NULL;
    if (!copy)
        return -1;
    jg__watch_tree_forget(tree, number);
    size_t i = position_of(tree, number);
    memmove(&tree->watched[i + 1], &tree->watched[i], (tree->count++ - i) * sizeof *tree->watched);
    tree->watched[i] = (struct jg__watched){number, copy};
    return 0;
}

/* ---- The root ---- */

static int fail(const char *path, int error)
{
    if (error == ENOSPC)
        return jg_fail(error, "jg_watch_path: %s: no more watches (fs.inotify.max_user_watches)", path);
    if (error == EMFILE)
        return jg_fail(error, "jg_watch_path: %s: no more fds, or instances (fs.inotify.max_user_instances)", path);
    return jg_fail(error, "jg_watch_path: %s: %s", path, strerror(error));
}

static int watch_root(struct jg__watch_tree *tree, const char *path)
{
    uint32_t own = IN_DELETE_SELF | IN_MOVE_SELF | IN_ATTRIB | (tree->recursive ? IN_ONLYDIR : 0);
    tree->path = concatenate(path, "", "");
    tree->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (!tree->path || tree->fd < 0)
        return fail(path, errno);
    tree->root = inotify_add_watch(tree->fd, path, tree->mask | own);
    if (tree->root < 0 || keep(tree, tree->root, "") < 0)
        return fail(path, errno);
    return tree->recursive ? jg__watch_tree_add(tree, "", false) : 0;
}

int jg__watch_tree_open(struct jg__watch_tree *tree, const char *path)
{
    tree->fd = -1;
    jg__list_init(&tree->unseen);
    jg__list_init(&tree->found);
    if (watch_root(tree, path) == 0)
        return 0;
    int error = errno;
    jg__watch_tree_close(tree);
    errno = error;
    return -1;
}

void jg__watch_tree_close(struct jg__watch_tree *tree)
{
    while (tree->count)
        remove_at(tree, tree->count - 1);
    jg__release(tree->watched);
    jg__release(tree->path);
    tree->watched = NULL;
    tree->path = NULL;
    while (!jg__list_empty(&tree->unseen))
        drop_path(path_of(tree->unseen.next));
    while (!jg__list_empty(&tree->found))
        drop_path(path_of(tree->found.next));
    if (tree->fd >= 0)
        close(tree->fd);
    tree->fd = -1;
}

/* ---- What happens to directories below ---- */

int jg__watch_tree_add(struct jg__watch_tree *tree, const char *path, bool tell)
{
    return append(&tree->unseen, concatenate(path, "", ""), true, tell);
}

/* 1 if it was inside. */
static int move(char **path, const char *from, const char *to)
{
    const char *rest = rest_inside(*path, from);
    char *moved = rest ? concatenate(to, "", rest) : NULL;
    if (!rest)
        return 0;
    if (!moved)
        return jg_fail(ENOMEM, "jg_watch_next: out of memory");
    jg__release(*path);
    *path = moved;
    return 1;
}

int jg__watch_tree_rename(struct jg__watch_tree *tree, const char *from, const char *to)
{
    for (size_t i = 0; i < tree->count; i++)
        if (move(&tree->watched[i].path, from, to) < 0)
            return -1;
    for (struct jg__list *node = tree->unseen.next; node != &tree->unseen; node = node->next)
        if (move(&path_of(node)->path, from, to) < 0)
            return -1;
    return 0;
}

void jg__watch_tree_leave(struct jg__watch_tree *tree, const char *path)
{
    for (size_t i = tree->count; i-- > 0;) {
        if (!rest_inside(tree->watched[i].path, path))
            continue;
        inotify_rm_watch(tree->fd, tree->watched[i].number);
        remove_at(tree, i);
    }
}

/* ---- Looking into directories ---- */

static int take_in(struct jg__watch_tree *tree, const struct jg__watch_path *unseen, const jg_directory *directory)
{
    for (size_t i = 0; i < directory->count; i++) {
        const jg_directory_entry *entry = &directory->entries[i];
        bool is_directory = entry->type == DT_DIR;
        if (unseen->tell && append(&tree->found, jg__watch_join(unseen->path, entry->name), is_directory, false) < 0)
            return -1;
        if (is_directory && append(&tree->unseen, jg__watch_join(unseen->path, entry->name), true, unseen->tell) < 0)
            return -1;
    }
    return 0;
}

/* It may be gone, or be another one, by the time that we look. */
static int look_into(struct jg__watch_tree *tree, const struct jg__watch_path *unseen, const char *full)
{
    int number = tree->root;
    if (*unseen->path)
        number = inotify_add_watch(tree->fd, full, tree->mask | IN_ONLYDIR | IN_DONT_FOLLOW);
    if (number < 0)
        return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : fail(full, errno);
    if (keep(tree, number, unseen->path) < 0)
        return fail(full, errno);
    jg_autoptr(jg_directory) directory = jg_list_directory(full);
    if (directory)
        return take_in(tree, unseen, directory);
    return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
}

/* An interruption leaves the directory on the list; any other failure does not, lest it came again for ever. */
int jg__watch_tree_look(struct jg__watch_tree *tree)
{
    int saved = errno, result = 0;
    while (result == 0 && !jg__list_empty(&tree->unseen)) {
        struct jg__watch_path *unseen = path_of(tree->unseen.next);
        char *full = jg__watch_join(tree->path, unseen->path);
        if (!full)
            return jg_fail(ENOMEM, "jg_watch_next: out of memory");
        result = look_into(tree, unseen, full);
        jg__release(full);
        if (result == 0 || (errno != ECANCELED && errno != ETIMEDOUT))
            drop_path(unseen);
    }
    if (result == 0)
        errno = saved;
    return result;
}
