/* An operation and what came of it. */
#ifndef JUGGLE_TESTS_LOOP_OUTCOME_H
#define JUGGLE_TESTS_LOOP_OUTCOME_H

#include "support.h"

#include <netinet/in.h>

struct outcome {
    jg_operation operation;
    jg_loop *loop;
    bool done;
    int result, calls;
    char received[1 << 17];
    size_t length;
    int fds[64], fd_count;
    size_t cancel_after;
};

/* For an operation with one result, and for a multishot one. */
void finish(jg_operation *operation, int result);
void collect(jg_operation *operation, int result);

/* Not submitted yet; to be freed. */
struct outcome *make(jg_loop *loop, jg_opcode opcode, int fd);

/* A multishot receive. */
struct outcome *receive_all(jg_loop *loop, int fd);

/* Runs the loop until it is done, and makes it ready to be submitted again. */
int await_result(struct outcome *outcome);

/* A non-blocking listener on a free port. */
int listen_on_loopback(struct sockaddr_in *address);

#endif
