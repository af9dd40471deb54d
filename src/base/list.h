/* Intrusive doubly linked lists; and the same for handles, whose links are public fields. An entry that is in no list
 * has next == NULL. */
#ifndef JUGGLE_BASE_LIST_H
#define JUGGLE_BASE_LIST_H

#include <juggle/loop.h>
#include <stdbool.h>
#include <stddef.h>

#define jg__container_of(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

struct jg__list {
    struct jg__list *next, *previous;
};

static inline void jg__list_init(struct jg__list *head)
{
    head->next = head->previous = head;
}

static inline bool jg__list_empty(const struct jg__list *head)
{
    return head->next == head;
}

static inline bool jg__listed(const struct jg__list *entry)
{
    return entry->next != NULL;
}

static inline void jg__list_append(struct jg__list *head, struct jg__list *entry)
{
    struct jg__list *last = head->previous;
    entry->next = head;
    entry->previous = last;
    last->next = entry;
    head->previous = entry;
}

static inline void jg__list_remove(struct jg__list *entry)
{
    entry->previous->next = entry->next;
    entry->next->previous = entry->previous;
    entry->next = NULL;
}

/* Moves all entries of `from` to the end of `to`. */
static inline void jg__list_splice(struct jg__list *to, struct jg__list *from)
{
    if (jg__list_empty(from))
        return;
    from->next->previous = to->previous;
    to->previous->next = from->next;
    from->previous->next = to;
    to->previous = from->previous;
    jg__list_init(from);
}

static inline void jg__queue_init(jg_handle *head)
{
    head->next = head->previous = head;
}

static inline bool jg__queue_empty(const jg_handle *head)
{
    return head->next == head;
}

static inline void jg__queue_append(jg_handle *head, jg_handle *handle)
{
    jg_handle *last = head->previous;
    handle->next = head;
    last->next = handle; /* here, lest the compiler joins two stores that are soon to be read one by one */
    handle->previous = last;
    head->previous = handle;
}

/* Takes the first one out. Does not need its `previous`, which the ready queue doesn't keep for tasks. */
static inline jg_handle *jg__queue_pop(jg_handle *head)
{
    jg_handle *first = head->next;
    head->next = first->next;
    first->next->previous = head;
    first->next = NULL;
    return first;
}

static inline void jg__queue_remove(jg_handle *handle)
{
    handle->previous->next = handle->next;
    handle->next->previous = handle->previous;
    handle->next = NULL;
}

#endif
