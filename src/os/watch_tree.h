/* The directories that a jg_watch watches, and those that it has yet to look into. */
#ifndef JUGGLE_OS_WATCH_TREE_H
#define JUGGLE_OS_WATCH_TREE_H

#include "base/list.h"

struct jg__watched;

/* A path on a list; relative to the root, "" for the root itself. */
struct jg__watch_path {
    struct jg__list node;
    bool directory;
    bool tell; /* a directory to be looked into: tell of what is found */
    char *path;
};

struct jg__watch_tree {
    int fd; /* of inotify */
    int root;
    uint32_t mask;
    bool recursive;
    char *path;                  /* of the root */
    struct jg__watched *watched; /* in the order of their numbers */
    size_t count, room;
    struct jg__list unseen; /* directories to be looked into */
    struct jg__list found;  /* what was found there, to be told */
};

/* Opens inotify and watches the root. 0, or -1 with errno and words. */
int jg__watch_tree_open(struct jg__watch_tree *tree, const char *path);
void jg__watch_tree_close(struct jg__watch_tree *tree);

/* The path of a watched directory, or NULL. */
const char *jg__watch_tree_find(const struct jg__watch_tree *tree, int number);

/* It is not watched any more. */
void jg__watch_tree_forget(struct jg__watch_tree *tree, int number);

/* A directory has appeared. Puts it on the list of the unseen. 0, or -1 with ENOMEM. */
int jg__watch_tree_add(struct jg__watch_tree *tree, const char *path, bool tell);

/* A directory was moved. 0, or -1 with ENOMEM. */
int jg__watch_tree_rename(struct jg__watch_tree *tree, const char *from, const char *to);

/* A directory has left the tree, and may live on elsewhere. */
void jg__watch_tree_leave(struct jg__watch_tree *tree, const char *path);

/* Looks into the unseen; waits. 0, or -1: interrupted, it can be called again. */
int jg__watch_tree_look(struct jg__watch_tree *tree);

/* parent/name, on the heap; NULL with ENOMEM. */
char *jg__watch_join(const char *parent, const char *name);

#endif
