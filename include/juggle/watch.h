/* Watching files and directories for changes, by inotify(7). asyncio has no counterpart; Python's is watchdog. */
#ifndef JUGGLE_WATCH_H
#define JUGGLE_WATCH_H

#include <juggle/task.h>

JG_BEGIN

typedef struct jg_watch jg_watch;

/* What happened; bits, of which an event has exactly one. */
typedef enum jg_change {
    JG_CREATED = 1,    /* a name has appeared: made, linked, or moved in from outside */
    JG_MODIFIED = 2,   /* content was written or cut */
    JG_WRITTEN = 4,    /* somebody who had it open for writing has closed it */
    JG_ATTRIBUTES = 8, /* mode, owner, times or links have changed */
    JG_DELETED = 16,   /* a name has vanished: removed, or moved to the outside */
    JG_RENAMED = 32,   /* from .from to .path, both watched */
    JG_OVERFLOW = 64,  /* told always: the kernel had to drop events; look at the files yourself */
    JG_GONE = 128,     /* told always: the watched path itself was removed, renamed or unmounted; the last event */
} jg_change;

typedef struct jg_watch_event {
    jg_change change;
    bool directory;   /* `path` is one */
    const char *path; /* relative to the watched directory; "" is the watched file or directory itself */
    const char *from; /* RENAMED: the path before; else NULL */
} jg_watch_event;

typedef struct jg_watch_options {
    size_t size;
    unsigned changes; /* those to be told, jg_change joined by |; 0: all but JG_ATTRIBUTES */
    bool recursive;   /* directories below as well, also those that appear later; symbolic links are not followed */
} jg_watch_options;

/* Watches a file, or a directory and what is in it, from now on. A symbolic link is followed. Recursive, it waits for
 * the directories to be read, else never. It belongs to the running loop, whose closing frees it. Returns NULL with
 * ENOENT, EACCES, ENOTDIR (recursive on a file), ENOSPC (the user's limit of watches), EMFILE (also: of instances; see
 * inotify(7)), ENFILE, ENOMEM, ENAMETOOLONG, ELOOP. */
#define jg_watch_path(path, ...) jg_watch_path_with(path, JG_OPTIONS(jg_watch_options, __VA_ARGS__))
JG_API jg_watch *jg_watch_path_with(const char *path, const jg_watch_options *options) JG_MUST_USE;

/* Waits for the next change. The texts in *event are valid until the next call. Changes that come before they are
 * asked for are kept by the kernel, up to its limit (fs.inotify.max_queued_events). One task at a time; a second one
 * aborts with a sentence. The two halves of a rename are joined; one half that comes alone is told a hundredth of a
 * second later as JG_CREATED or JG_DELETED. Of a directory that is made while its parent is watched recursively, what
 * is in it already is told as JG_CREATED, perhaps twice. Interrupted, nothing is lost. Returns 0; -1 with ENOENT
 * after JG_GONE, EBADF when it is closed meanwhile, ENOSPC, ENOMEM. */
JG_API int jg_watch_next(jg_watch *watch, jg_watch_event *event) JG_MUST_USE;

/* Ends it; a task that waits is woken with EBADF. Accepts NULL, preserves errno. Never waits. */
JG_API void jg_watch_close(jg_watch *watch);
static inline void jg_watch_autoptr(jg_watch **watch)
{
    jg_watch_close(*watch);
}

JG_END

#endif
