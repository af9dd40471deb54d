/* Many default stacks at once. */
#ifndef JUGGLE_TESTS_MANY_H
#define JUGGLE_TESTS_MANY_H

#include "coroutine.h"

enum { MANY = 3000 };

extern struct jg__stack many[MANY];

/* Those of `many` from one index up to another. The last is put first, so that it is the coldest. */
void get_many(struct jg__stacks *stacks, int from, int to);
void put_many(struct jg__stacks *stacks, int from, int to);
void touch_many(int from, int to);

/* How many of them have a page of memory. */
int resident_tops(int from, int to);

/* Writes to an address, in a child process that may die of it. */
void write_to(void *address);

#endif
