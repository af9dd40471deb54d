#include "many.h"

#include <signal.h>

struct jg__stack many[MANY];

void get_many(struct jg__stacks *stacks, int from, int to)
{
    for (int i = from; i < to; i++)
        ck_assert(jg__stacks_get(stacks, 0, &many[i]));
}

void put_many(struct jg__stacks *stacks, int from, int to)
{
    for (int i = to; i-- > from;)
        jg__stacks_put(stacks, &many[i]);
}

void touch_many(int from, int to)
{
    for (int i = from; i < to; i++)
        many[i].top[-1] = 't';
}

int resident_tops(int from, int to)
{
    int resident = 0;
    for (int i = from; i < to; i++)
        resident += resident_pages(many[i].bottom, many[i].top) > 0;
    return resident;
}

void write_to(void *address)
{
    signal(SIGSEGV, SIG_DFL); /* a sanitizer's handler would exit instead */
    *(volatile char *)address = 'w';
}
