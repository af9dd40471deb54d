/* The system calls behind the operations, for pollers that make them themselves. */
#ifndef JUGGLE_LOOP_PERFORM_H
#define JUGGLE_LOOP_PERFORM_H

#include <juggle/loop.h>

/* Makes one system call. Returns the result of what is complete, a negated errno, or JG__AGAIN when the fd has to
 * become ready first; a send keeps what it has sent in operation->result. `resumed`: a connect has been started and its
 * fd is ready. */
enum { JG__AGAIN = -4096 };
int jg__perform(jg_operation *operation, bool resumed);

/* recv or read, accept4 for multishot operations: a count or an fd, a negated errno, or JG__AGAIN. */
int jg__receive(const jg_operation *operation, void *buffer, size_t length);
int jg__accept(int fd, struct sockaddr *address, socklen_t *length);

/* Is it one whose call the loop's thread makes when the fd is ready, whatever the poller? */
static inline bool jg__is_performed_here(const jg_operation *operation)
{
    return operation->opcode == JG_OP_READ || operation->opcode == JG_OP_WRITE || operation->opcode == JG_OP_WRITEV ||
           operation->opcode == JG_OP_SENDFILE;
}

/* As many of these bytes as a result, which is an int, can tell of. */
size_t jg__clamp(size_t length);

/* What a send has left to be sent, in bytes. */
size_t jg__send_left(const jg_operation *operation);

/* Counts what a send has sent, and takes it off a message. True if something is left. */
bool jg__send_goes_on(jg_operation *operation, size_t sent);

/* The poll(2) events that hold on the fd now, or a negated errno. */
int jg__poll_now(int fd, short events);

#endif
