/* What the tests of transports share: a side of a connection that notes every callback, and peers that are bare
 * sockets. */
#ifndef JUGGLE_TESTS_TRANSPORT_SUPPORT_H
#define JUGGLE_TESTS_TRANSPORT_SUPPORT_H

#include "harness.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* One end of a connection. The letters of `order` say what was called: M made, D data, B buffer, E end of file, P and R
 * pause and resume writing, L lost. */
struct side {
    jg_transport *transport;
    char order[64];
    int made, ends, pauses, resumes, lost, error;
    size_t received, deliveries;
    char *kept; /* the bytes received, if there is memory for them */
    char *offer;
    size_t offer_size;
    void (*on_made)(struct side *side);
    void (*on_data)(struct side *side, const char *data, size_t bytes);
    void (*on_end)(struct side *side);
    void (*on_resume)(struct side *side);
    void *extra;
};

extern const jg_protocol side_protocol; /* without get_buffer */
extern const jg_protocol side_protocol_with_buffer;

jg_loop *new_loop(void);
bool on_epoll(const jg_loop *loop);

/* Check notes every assertion that it makes by a system call; where there are thousands, only failures are worth that.
 */
#define REQUIRE(condition)                  \
    do {                                    \
        if (!(condition))                   \
            ck_abort_msg("%s", #condition); \
    } while (0)

/* Runs turns until the condition holds; fails when that takes too many. */
#define RUN_UNTIL(loop, condition)                                     \
    do {                                                               \
        for (int turns_left = 1000000; !(condition); turns_left--) {   \
            if (turns_left == 0)                                       \
                ck_abort_msg("it never came to this: %s", #condition); \
            REQUIRE(jg_loop_run_once(loop, 1) == 0);                   \
        }                                                              \
    } while (0)

/* Runs so many turns that don't wait, as many as any effect needs that is to come at all. */
void run_some(jg_loop *loop);

/* A connected pair of TCP sockets on loopback, non-blocking; and one with small buffers. */
void tcp_pair(int pair[2]);
void small_tcp_pair(int pair[2]);

/* A bare listening socket on a free port of 127.0.0.1, and that address. */
int bare_listener(struct sockaddr_in *address, int backlog);

/* Runs the loop until bytes have come from the bare socket: as many as asked for. */
void receive_exactly(jg_loop *loop, int fd, char *data, size_t bytes);

/* Runs the loop until the bare socket is at its end (returns 0) or fails (returns its errno), discarding what comes. */
int receive_end(jg_loop *loop, int fd, size_t *discarded);

/* Makes the bare socket's close a reset. */
void reset_fd(int fd);

/* Bytes that tell their place. */
static inline char byte_at(size_t place)
{
    return (char)(place * 2654435761u >> 13);
}
char *pattern(size_t bytes);
void check_pattern(const char *data, size_t from, size_t bytes);

/* Closes the transport of a side that nobody has closed yet, waits for its end, and frees what it kept. */
void finish_side(jg_loop *loop, struct side *side);

/* From now on every allocation after the next `count` fails; negative: none. */
void fail_allocations_after(int count);

/* Only the one after the next `count` fails. */
void fail_one_allocation_after(int count);

/* Has it come to that? */
bool allocation_failed(void);

#endif
