/* What every function of the preloadable library is made of: is this a call that parks, and what does libc do? */
#ifndef JUGGLE_POSIX_INTERPOSE_H
#define JUGGLE_POSIX_INTERPOSE_H

#include <juggle.h>

#define JG__EXPORT __attribute__((visibility("default")))

/* libc's function, behind the one of the same name here. */
#define JG__REAL(name)                                          \
    __extension__({                                             \
        static void *jg__found;                                 \
        (__typeof__(&(name)))jg__posix_real(&jg__found, #name); \
    })
void *jg__posix_real(void **found, const char *name);

/* In an exported function: was it called in a task that may wait, and not by libjuggle itself? */
#define JG__PARKS() jg__posix_parks(__builtin_return_address(0))
bool jg__posix_parks(const void *caller);

/* Has the caller itself asked not to block on this fd? Also true for what is no fd: libc shall say so. */
bool jg__posix_nonblocking(int fd);

/* The check that every call makes which parks if need be: 0, or -1 with ECANCELED, ETIMEDOUT. Yields now and then. */
int jg__posix_enter(void);

/* ---- Waiting; `until` is a time of jg_time, infinity for never ---- */

/* For one of the events on one fd, or on one of several: 1, 0 when the time has come, or -1 with errno. */
int jg__posix_wait(int fd, short events, double until);
int jg__posix_wait_any(const struct pollfd *fds, nfds_t count, double until);

/* As poll. */
int jg__posix_poll(struct pollfd *fds, nfds_t count, double until);

/* `seconds` from now. */
double jg__posix_until(double seconds);

/* From now: the end of SO_RCVTIMEO or SO_SNDTIMEO, which `option` is. */
double jg__posix_socket_limit(int fd, int option);

/* ---- Memory in pieces ---- */

enum { JG__FEW_PIECES = 8 };

/* A copy of an iovec that can be used up from its beginning. */
struct jg__pieces {
    struct iovec few[JG__FEW_PIECES];
    struct iovec *memory; /* few, or on the heap */
    struct iovec *next;
    size_t count;
};
int jg__pieces_copy(struct jg__pieces *pieces, const struct iovec *vector, size_t count);
void jg__pieces_advance(struct jg__pieces *pieces, size_t bytes);
void jg__pieces_free(struct jg__pieces *pieces);
size_t jg__posix_bytes(const struct iovec *vector, size_t count);

/* ---- Moving ---- */

/* On a blocking socket, as recvmsg and sendmsg. */
ssize_t jg__posix_receive(int fd, struct msghdr *message, int flags);
ssize_t jg__posix_send(int fd, const struct msghdr *message, int flags);

#endif
