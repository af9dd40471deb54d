/* Watching for changes: what inotify tells, in the words of watch.h. */
#include <juggle/watch.h>

#include "base/memory.h"
#include "os/watch_tree.h"
#include "task/internal.h"

#include <juggle/file.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

enum { ROOM = 16 * 1024 };
static const double PAIR_SECONDS = 0.01; /* the halves of a rename come together, but are not queued at once */

static const char call[] = "jg_watch_next";

struct waiter {
    struct jg__wait wait;
    jg_operation operation;
    jg_timer limit;
    int reason; /* of an interruption */
};

struct jg_watch {
    struct jg__resident resident;
    struct jg__watch_tree tree;
    unsigned changes; /* those to be told */
    bool is_file;
    bool gone;
    bool busy;   /* a task is inside jg_watch_next... */
    bool closed; /* ...and frees it when it leaves */
    struct waiter *waiter;
    char *path, *from; /* the texts of the last event */
    struct {
        char *path; /* NULL: there is none */
        uint32_t cookie;
        bool directory;
    } half;           /* of a rename: where it went from */
    size_t next, end; /* what was read and not yet told, in `room` */
    _Alignas(struct inotify_event) char room[ROOM];
};

/* ---- Waiting ---- */

static void polled(jg_operation *operation, int result)
{
    struct waiter *waiter = jg__container_of(operation, struct waiter, operation);
    jg__wake(&waiter->wait, result);
}

static void limit_passed(void *arg)
{
    struct waiter *waiter = arg;
    jg_cancel_operation(jg__here.loop, &waiter->operation);
}

static void interrupt_waiter(struct jg__wait *wait, int reason)
{
    struct waiter *waiter = jg__container_of(wait, struct waiter, wait);
    waiter->reason = -reason;
    jg_cancel_operation(jg__here.loop, &waiter->operation);
}

/* Until there is something to be read; with half a rename, not for long. 1, 0 when it was too long, or -1. */
static int wait_for_more(jg_watch *watch)
{
    jg_loop *loop = jg__here.loop;
    struct waiter waiter = {
        .wait = {.call = call, .object = watch, .interrupt = interrupt_waiter},
        .operation = {.opcode = JG_OP_POLL, .fd = watch->tree.fd, .events = POLLIN, .done = polled},
        .limit = {.handle = {.fn = limit_passed, .arg = &waiter}},
    };
    if (watch->half.path)
        jg_call_later(loop, &waiter.limit, PAIR_SECONDS);
    watch->waiter = &waiter;
    jg_submit(loop, &waiter.operation);
    int result = jg__park(&waiter.wait);
    watch->waiter = NULL;
    jg_timer_cancel(loop, &waiter.limit);
    jg_forget_fd(loop, watch->tree.fd);
    if (result >= 0)
        return 1;
    if (waiter.reason)
        return jg__fail_interrupted(call, waiter.reason);
    return result == -ECANCELED ? 0 : jg_fail(-result, "%s: inotify: %s", call, strerror(-result));
}

/* 1, 0 as above, or -1. */
static int read_more(jg_watch *watch)
{
    for (;;) {
        int saved = errno;
        ssize_t count = read(watch->tree.fd, watch->room, ROOM);
        if (count > 0) {
            watch->next = 0;
            watch->end = (size_t)count;
            errno = saved;
            return 1;
        }
        if (errno != EAGAIN && errno != EINTR)
            return jg_fail(errno, "%s: inotify: %s", call, strerror(errno));
        errno = saved;
        int result = wait_for_more(watch);
        if (result <= 0 || watch->closed)
            return result;
    }
}

/* ---- Events ---- */

/* Tells of it, if it is to be told. The path is taken over. */
static int tell(jg_watch *watch, jg_watch_event *event, jg_change change, bool directory, char *path)
{
    if (!(watch->changes & change)) {
        jg__release(path);
        return 0;
    }
    jg__release(watch->path);
    watch->path = path;
    *event = (jg_watch_event){.change = change, .directory = directory, .path = path ? path : ""};
    return 1;
}

static int tell_of_end(jg_watch *watch, jg_watch_event *event)
{
    watch->gone = true;
    return tell(watch, event, JG_GONE, !watch->is_file, NULL);
}

/* The half of a rename that came alone: it went out of sight. */
static int tell_half(jg_watch *watch, jg_watch_event *event)
{
    char *path = watch->half.path;
    watch->half.path = NULL;
    if (watch->half.directory)
        jg__watch_tree_leave(&watch->tree, path);
    return tell(watch, event, JG_DELETED, watch->half.directory, path);
}

static int tell_rename(jg_watch *watch, jg_watch_event *event, char *path)
{
    if (watch->half.directory && watch->tree.recursive &&
        jg__watch_tree_rename(&watch->tree, watch->half.path, path) < 0) {
        jg__release(path);
        return -1;
    }
    jg__release(watch->from);
    watch->from = watch->half.path;
    watch->half.path = NULL;
    int told = tell(watch, event, JG_RENAMED, watch->half.directory, path);
    if (told)
        event->from = watch->from;
    return told;
}

static int tell_of_new(jg_watch *watch, jg_watch_event *event, bool directory, char *path)
{
    if (directory && watch->tree.recursive && jg__watch_tree_add(&watch->tree, path, true) < 0) {
        jg__release(path);
        return -1;
    }
    return tell(watch, event, JG_CREATED, directory, path);
}

/* A file that somebody has open is gone when its last name is, though inotify says so only when it is closed. */
static bool has_lost_its_name(const jg_watch *watch)
{
    struct stat status;
    int saved = errno;
    bool lost = watch->is_file && stat(watch->tree.path, &status) < 0 && errno == ENOENT;
    errno = saved;
    return lost;
}

static int tell_of_root(jg_watch *watch, jg_watch_event *event, uint32_t mask)
{
    if (mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED))
        return tell_of_end(watch, event);
    if (mask & IN_ATTRIB && has_lost_its_name(watch))
        return tell_of_end(watch, event);
    jg_change change = mask & IN_MODIFY ? JG_MODIFIED : mask & IN_CLOSE_WRITE ? JG_WRITTEN : JG_ATTRIBUTES;
    return tell(watch, event, change, !watch->is_file, NULL);
}

static int tell_of_name(jg_watch *watch, jg_watch_event *event, const struct inotify_event *raw, char *path)
{
    bool directory = raw->mask & IN_ISDIR;
    if (raw->mask & (IN_CREATE | IN_MOVED_TO))
        return tell_of_new(watch, event, directory, path);
    if (raw->mask & IN_MOVED_FROM) {
        watch->half.path = path;
        watch->half.cookie = raw->cookie;
        watch->half.directory = directory;
        return 0;
    }
    jg_change change = raw->mask & IN_DELETE        ? JG_DELETED
                       : raw->mask & IN_MODIFY      ? JG_MODIFIED
                       : raw->mask & IN_CLOSE_WRITE ? JG_WRITTEN
                                                    : JG_ATTRIBUTES;
    return tell(watch, event, change, directory, path);
}

static int tell_of_overflow(jg_watch *watch, jg_watch_event *event)
{
    if (watch->tree.recursive && jg__watch_tree_add(&watch->tree, "", false) < 0)
        return -1;
    return tell(watch, event, JG_OVERFLOW, false, NULL);
}

/* Returns 1 when *event is filled, 0 when there is nothing to tell, -1 with ENOMEM. */
static int translate(jg_watch *watch, jg_watch_event *event, const struct inotify_event *raw)
{
    const char *parent = jg__watch_tree_find(&watch->tree, raw->wd);
    if (raw->mask & IN_Q_OVERFLOW)
        return tell_of_overflow(watch, event);
    if (!parent)
        return 0;
    if (raw->len == 0 && raw->wd == watch->tree.root)
        return tell_of_root(watch, event, raw->mask);
    if (raw->len == 0) { /* the parent tells of it, too */
        if (raw->mask & IN_IGNORED)
            jg__watch_tree_forget(&watch->tree, raw->wd);
        return 0;
    }
    char *path = jg__watch_join(parent, raw->name);
    if (!path)
        return jg_fail(ENOMEM, "%s: out of memory", call);
    if (watch->half.path)
        return tell_rename(watch, event, path);
    return tell_of_name(watch, event, raw, path);
}

static int tell_of_found(jg_watch *watch, jg_watch_event *event)
{
    struct jg__watch_path *found = jg__container_of(watch->tree.found.next, struct jg__watch_path, node);
    jg__list_remove(&found->node);
    int told = tell(watch, event, JG_CREATED, found->directory, found->path);
    jg__release(found);
    return told;
}

/* 1, 0 or -1 as above. */
static int next_event(jg_watch *watch, jg_watch_event *event)
{
    if (!jg__list_empty(&watch->tree.found))
        return tell_of_found(watch, event);
    if (watch->next == watch->end) {
        int more = read_more(watch);
        return more == 0 && watch->half.path && !watch->closed ? tell_half(watch, event) : more < 0 ? -1 : 0;
    }
    const struct inotify_event *raw = (const struct inotify_event *)(const void *)(watch->room + watch->next);
    if (watch->half.path && !(raw->mask & IN_MOVED_TO && raw->cookie == watch->half.cookie))
        return tell_half(watch, event);
    int told = translate(watch, event, raw);
    if (told >= 0)
        watch->next += sizeof *raw + raw->len;
    return told;
}

/* ---- The calls ---- */

static void free_watch(jg_watch *watch)
{
    if (jg__listed(&watch->resident.node))
        jg__list_remove(&watch->resident.node);
    jg__watch_tree_close(&watch->tree);
    jg__release(watch->half.path);
    jg__release(watch->path);
    jg__release(watch->from);
    jg__release(watch);
}

/* The loop is closed. */
static void evict(struct jg__resident *resident)
{
    free_watch(jg__container_of(resident, jg_watch, resident));
}

static int next_to_be_told(jg_watch *watch, jg_watch_event *event)
{
    int told = 0;
    while (told == 0 && !watch->closed) {
        if (watch->gone)
            return jg_fail(ENOENT, "%s: %s is gone", call, watch->tree.path);
        if (jg__watch_tree_look(&watch->tree) < 0)
            return -1;
        if (!watch->closed)
            told = next_event(watch, event);
    }
    return told;
}

int jg_watch_next(jg_watch *watch, jg_watch_event *event)
{
    jg__refuse_null(watch, call, "jg_watch");
    if (watch->busy)
        jg__die("%s: another task waits for this watch already", call);
    watch->busy = true;
    int told = jg__enter_wait(call) < 0 ? -1 : next_to_be_told(watch, event), error = errno;
    watch->busy = false;
    if (!watch->closed)
        return told > 0 ? 0 : -1;
    free_watch(watch);
    errno = error;
    return jg_fail(EBADF, "%s: it was closed meanwhile", call);
}

static uint32_t mask_of(unsigned changes)
{
    return IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | (changes & JG_MODIFIED ? IN_MODIFY : 0) |
           (changes & JG_WRITTEN ? IN_CLOSE_WRITE : 0) | (changes & JG_ATTRIBUTES ? IN_ATTRIB : 0);
}

static int open_watch(jg_watch *watch, const char *path)
{
    struct stat status;
    int saved = errno;
    if (jg__watch_tree_open(&watch->tree, path) < 0)
        return -1;
    watch->is_file = stat(path, &status) < 0 || !S_ISDIR(status.st_mode);
    if (jg__watch_tree_look(&watch->tree) < 0)
        return -1;
    errno = saved;
    return 0;
}

jg_watch *jg_watch_path_with(const char *path, const jg_watch_options *options)
{
    jg_watch_options whole;
    options = jg__whole_options(options, &whole, sizeof whole);
    jg__running("jg_watch_path");
    jg_watch *watch = jg__allocate_zeroed(sizeof *watch);
    if (!watch) {
        jg_fail(ENOMEM, "jg_watch_path: %s: out of memory", path);
        return NULL;
    }
    unsigned all = JG_CREATED | JG_MODIFIED | JG_WRITTEN | JG_DELETED | JG_RENAMED;
    watch->changes = (options->changes ? options->changes : all) | JG_OVERFLOW | JG_GONE;
    watch->tree.mask = mask_of(watch->changes);
    watch->tree.recursive = options->recursive;
    watch->resident.evict = evict;
    jg__list_append(&jg__here.loop->residents, &watch->resident.node);
    if (open_watch(watch, path) == 0)
        return watch;
    int error = errno;
    free_watch(watch);
    errno = error;
    return NULL;
}

void jg_watch_close(jg_watch *watch)
{
    int saved = errno;
    if (!watch)
        return;
    watch->closed = true;
    if (watch->waiter)
        jg_cancel_operation(jg__here.loop, &watch->waiter->operation);
    if (!watch->busy)
        free_watch(watch);
    errno = saved;
}
