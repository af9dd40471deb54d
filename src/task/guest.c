#include "task/guest.h"

#include "task/scheduler.h"

static struct jg__list all = {&all, &all};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- Life ---- */

void jg__guests_open(struct jg__guests *guests, const jg_loop *loop)
{
    jg__list_init(&guests->list);
    guests->loop = loop;
    guests->shut = false;
    pthread_mutex_lock(&lock);
    jg__list_append(&all, &guests->node);
    pthread_mutex_unlock(&lock);
}

void jg__guests_shut(struct jg__guests *guests)
{
    pthread_mutex_lock(&lock);
    guests->shut = true;
    pthread_mutex_unlock(&lock);
}

void jg__guests_close(struct jg__guests *guests)
{
    pthread_mutex_lock(&lock);
    jg__list_remove(&guests->node);
    pthread_mutex_unlock(&lock);
}

bool jg__guests_left(const struct jg__scheduler *scheduler)
{
    return !jg__list_empty(&scheduler->guests.list);
}

/* The lock may be held, by a thread that the child does not have. */
static void start_afresh(void)
{
    pthread_mutex_init(&lock, NULL);
    jg__list_init(&all);
}

void jg__guests_setup(void)
{
    pthread_atfork(NULL, NULL, start_afresh);
}

/* ---- Coming and going ---- */

static struct jg__guests *find(const jg_loop *loop)
{
    for (struct jg__list *node = all.next; node != &all; node = node->next)
        if (jg__container_of(node, struct jg__guests, node)->loop == loop)
            return jg__container_of(node, struct jg__guests, node);
    return NULL;
}

bool jg__guest_enter(const jg_loop *loop, struct jg__list *guest, jg_handle *handle)
{
    pthread_mutex_lock(&lock);
    struct jg__guests *guests = find(loop);
    bool welcome = guests && !guests->shut;
    if (welcome) {
        jg__list_append(&guests->list, guest);
        jg_call_soon_threadsafe((jg_loop *)loop, handle);
    }
    pthread_mutex_unlock(&lock);
    return welcome;
}

void jg__guest_leave(struct jg__list *guest)
{
    pthread_mutex_lock(&lock);
    jg__list_remove(guest);
    pthread_mutex_unlock(&lock);
}
