/* The event loop, with plain callbacks and no coroutine. asyncio's counterpart: AbstractEventLoop.
 *
 * One turn of the loop is: poll the kernel, queue the callbacks of what happened, queue the timers that are due, then
 * run exactly those callbacks that were ready at that moment, first in first out. What they schedule runs in the next
 * turn. Callbacks run on the stack of whoever runs the loop, one after the other, never inside the call that caused
 * them. A loop belongs to one thread: the one that first runs it, which closes it too unless it has ended before. Only
 * jg_call_soon_threadsafe may be called from others.
 *
 * Handles, timers and operations are structs of the caller's; nothing is copied or allocated, so scheduling cannot
 * fail. Their memory has to stay where it is until the callback has run or was cancelled. Zero-initialise them, set
 * the public fields, and leave those that are marked private alone.
 *
 * Nothing in this header waits, except the jg_loop_run functions, which block the thread. */
#ifndef JUGGLE_LOOP_H
#define JUGGLE_LOOP_H

#include <juggle/common.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

JG_BEGIN

typedef struct jg_loop jg_loop;

/* A callback that can be scheduled. asyncio: Handle. */
typedef struct jg_handle {
    void (*fn)(void *arg);
    void *arg;
    struct jg_handle *next, *previous; /* private: neighbours in a queue; next is NULL when not scheduled */
} jg_handle;

/* A callback with a time. asyncio: TimerHandle. */
typedef struct jg_timer {
    jg_handle handle;
    int64_t when;               /* private: nanoseconds of the loop's clock */
    struct jg_timer_slot *slot; /* private: where it is queued, NULL when it is not */
} jg_timer;

/* ---- Life ---- */

typedef struct jg_loop_options {
    size_t size;
    const char *poller; /* "epoll", "io_uring" or NULL: $JUGGLE_POLLER, else what is best here */
    unsigned entries;   /* io_uring: submission slots; 0: 256. Fewer slots cost system calls, never events. */
} jg_loop_options;

/* Creates a loop; jg_loop_close frees it. It may be created on one thread and run on another.
 * Returns NULL with ENOMEM, EMFILE, ENFILE; EINVAL when the poller has no such name; ENOTSUP when io_uring was asked
 * for by name and is not allowed or not built in. Without a name the fall-back to epoll is silent. asyncio:
 * new_event_loop. */
#define jg_loop_new(...) jg_loop_new_with(JG_OPTIONS(jg_loop_options, __VA_ARGS__))
JG_API jg_loop *jg_loop_new_with(const jg_loop_options *options) JG_MUST_USE;

/* Frees the loop. What is still scheduled is dropped without a call; operations in the kernel are cancelled and waited
 * for, their callbacks are not called. Aborts when the loop is running. Accepts NULL, preserves errno.
 * asyncio: loop.close. */
JG_API void jg_loop_close(jg_loop *loop);
static inline void jg_loop_autoptr(jg_loop **loop)
{
    jg_loop_close(*loop);
}

/* The loop that runs on this thread, or NULL. asyncio: get_running_loop. */
JG_API jg_loop *jg_get_running_loop(void);

/* The poller in use: "epoll" or "io_uring". */
JG_API const char *jg_loop_poller(const jg_loop *loop);

/* ---- Running ---- */

/* Runs until jg_loop_stop. Returns 0, or -1 with the errno of a poll that failed for good, or with that of an
 * `interrupted` hook that returned -1. Aborts when called from inside a running loop. asyncio: loop.run_forever. */
JG_API int jg_loop_run_forever(jg_loop *loop);

/* Runs until done(arg) returns true (asked before each turn) or the loop is stopped. asyncio: run_until_complete. */
JG_API int jg_loop_run_until(jg_loop *loop, bool (*done)(void *arg), void *arg);

/* Runs one turn that waits at most `max_wait` seconds for something to happen (0: not at all; negative: for ever). */
JG_API int jg_loop_run_once(jg_loop *loop, double max_wait);

/* Ends the run after the current turn; callbacks scheduled meanwhile stay queued for the next run. Called before a run,
 * that run makes one turn. asyncio: loop.stop. */
JG_API void jg_loop_stop(jg_loop *loop);

JG_API bool jg_loop_is_running(const jg_loop *loop);

/* Seconds on the loop's clock, CLOCK_MONOTONIC, read now; the same for all loops. asyncio: loop.time. */
JG_API double jg_loop_time(const jg_loop *loop);

/* ---- Scheduling ---- */

/* Queues the handle for the next turn. A handle that is queued already stays where it is. asyncio: call_soon. */
JG_API void jg_call_soon(jg_loop *loop, jg_handle *handle);

/* Takes the handle out of whatever queue it is in; a handle that is in none is left alone. The callback will not run.
 * O(1). asyncio: Handle.cancel. */
JG_API void jg_handle_cancel(jg_loop *loop, jg_handle *handle);

/* Is it queued? */
static inline bool jg_handle_pending(const jg_handle *handle)
{
    return handle->next != NULL;
}

/* Like jg_call_soon, from any thread and from signal handlers; wakes a loop that sleeps. The handle must not be
 * scheduled already. asyncio: call_soon_threadsafe. */
JG_API void jg_call_soon_threadsafe(jg_loop *loop, jg_handle *handle);

/* Calls the timer's handle `delay` seconds from now, or when the loop's clock reads `when`; never early. Timers run in
 * the order of their times, equal times in the order of scheduling. A timer that is pending is moved. Infinite and
 * NaN times never come. O(1). asyncio: call_later, call_at. */
JG_API void jg_call_later(jg_loop *loop, jg_timer *timer, double delay);
JG_API void jg_call_at(jg_loop *loop, jg_timer *timer, double when);

/* Cancels a timer that is pending or already queued to run; does nothing otherwise. O(1). asyncio: TimerHandle.cancel.
 */
JG_API void jg_timer_cancel(jg_loop *loop, jg_timer *timer);

/* ---- Watching fds ---- */

/* Calls fn(arg) once a turn for as long as the fd is readable, or writable (level-triggered). One reader and one writer
 * an fd; setting it again replaces the callback. The fd must be removed before it is closed.
 * Returns 0, or -1 with EBADF, ENOMEM, or EPERM for a file that cannot be polled. asyncio: add_reader, add_writer. */
JG_API int jg_add_reader(jg_loop *loop, int fd, void (*fn)(void *arg), void *arg);
JG_API int jg_add_writer(jg_loop *loop, int fd, void (*fn)(void *arg), void *arg);

/* Ends that; the callback is not called any more, not even if it was queued. Returns whether there was one.
 * asyncio: remove_reader, remove_writer. */
JG_API bool jg_remove_reader(jg_loop *loop, int fd);
JG_API bool jg_remove_writer(jg_loop *loop, int fd);

/* ---- Operations ---- */

/* What an operation does. All take effect as the system call of that name; fds should be non-blocking. */
typedef enum jg_opcode {
    JG_OP_POLL,    /* wait until one of .events is true; the result is what is: POLLIN, POLLOUT, POLLHUP, ... */
    JG_OP_ACCEPT,  /* accept4(fd, SOCK_NONBLOCK | SOCK_CLOEXEC); with .multishot one call of done for each connection */
    JG_OP_CONNECT, /* connect(fd, .address, .address_length) */
    JG_OP_RECV,    /* recv(fd, .buffer, .length); with .multishot and .buffer NULL: data as it comes, see below */
    JG_OP_SEND,    /* send(fd, .buffer, .length), until all is sent or an error comes; the result is what was sent */
    JG_OP_SENDMSG, /* the same for .message, whose parts are used up on the way */
    /* For fds that are no sockets. The loop's thread makes these calls itself as soon as the fd is ready for them, so
     * that the kernel never holds on to memory for a device that does not answer. */
    JG_OP_READ,     /* read(fd, .buffer, .length); with .multishot and .buffer NULL: data as it comes, as RECV */
    JG_OP_WRITE,    /* write(fd, .buffer, .length), until all is written or an error comes; the result is what was */
    JG_OP_WRITEV,   /* the same for the parts of .message, which are used up on the way */
    JG_OP_SENDFILE, /* sendfile(fd, .source, .offset, .count), also to a non-blocking socket, until all is sent, the
                       file ends or an error comes; with .offset -1 splice(.source, fd, .count), from a pipe; the result
                       is what was sent */
} jg_opcode;

typedef struct jg_operation jg_operation;

/* An operation: submitted once, its `done` is called exactly once (multishot: until `more` is false) with a result of 0
 * or more, or a negated errno. Until then the kernel may use the struct and every buffer that it names. */
struct jg_operation {
    jg_opcode opcode;
    int fd;
    void (*done)(jg_operation *operation, int result);
    void *arg; /* the owner's */
    __extension__ union {
        __extension__ struct {
            void *buffer; /* RECV, SEND, READ, WRITE */
            size_t length;
        };
        __extension__ struct {
            const struct sockaddr *address; /* CONNECT */
            socklen_t address_length;
        };
        __extension__ struct {
            off_t offset; /* SENDFILE */
            size_t count;
            int source;
        };
        struct msghdr *message; /* SENDMSG, WRITEV */
        short events;           /* POLL */
    };
    bool multishot; /* ACCEPT, RECV, READ: goes on until it fails, is cancelled, or the peer ends */
    bool blocking;  /* READ, WRITE, WRITEV: the fd isn't non-blocking. It is polled before each step, and written to in
                       steps of at most 4096 bytes. */
    /* RECV and READ with .multishot: `done` finds the bytes in .buffer and .length, valid during the call only, and
     * result == length; 0 is end of file. If `offer` is set, it is asked first for memory of the owner's to receive
     * into: it returns it and sets *length, or returns NULL for none. It must not submit or cancel. */
    void *(*offer)(jg_operation *operation, size_t *length);
    bool more;           /* in `done`: another call will follow */
    unsigned char state; /* private */
    unsigned char flags; /* private */
    int result;          /* private */
    jg_handle handle;    /* private */
    void *reserved[2];   /* private */
};

/* Starts it; `done` is called from a later turn, never from inside this call, even if it completed at once. Errors of
 * any kind come as the result. */
JG_API void jg_submit(jg_loop *loop, jg_operation *operation);

/* Asks for its end. `done` is still called: with -ECANCELED, or with what happened if that was faster (of a send: the
 * bytes sent). Does nothing if the operation isn't under way. */
JG_API void jg_cancel_operation(jg_loop *loop, jg_operation *operation);

/* Tells the loop that an fd, used in operations that are all done, is about to be closed, so that a later fd of the
 * same number starts afresh. */
JG_API void jg_forget_fd(jg_loop *loop, int fd);

/* ---- Around the poll ---- */

typedef struct jg_loop_hooks {
    void (*before_poll)(void *arg); /* before a poll that may block: here Python's lock is released */
    void (*after_poll)(void *arg);  /* after it, before any callback */
    int (*interrupted)(void *arg);  /* a signal handler ran during the poll; -1 with errno ends the run */
    void *arg;
} jg_loop_hooks;

/* Sets the hooks (copied); NULL removes them. */
JG_API void jg_loop_set_hooks(jg_loop *loop, const jg_loop_hooks *hooks);

/* For a loop inside another one. The fd becomes readable when something happened in the kernel. Before the outer loop
 * sleeps, it calls jg_loop_prepare, which hands pending work to the kernel and returns how many seconds it may sleep at
 * most (negative: for ever; 0: something is ready); then jg_loop_run_once(loop, 0). jg_loop_fileno returns -1 with
 * EMFILE, ENFILE, ENOMEM. */
JG_API int jg_loop_fileno(const jg_loop *loop);
JG_API double jg_loop_prepare(jg_loop *loop);

/* ---- Counters ---- */

enum { JG_LAG_BUCKETS = 24 };

typedef struct jg_loop_statistics {
    const char *poller;         /* as jg_loop_poller has it */
    uint64_t turns;             /* turns made */
    uint64_t polls;             /* system calls that waited for or fetched events */
    uint64_t callbacks;         /* handles run */
    uint64_t operations;        /* operations submitted */
    uint64_t completions;       /* completions fetched from the kernel, or events of epoll */
    uint64_t multishots_armed;  /* io_uring: multishot operations handed to the kernel */
    uint64_t buffers_received;  /* io_uring: receives that used the buffer ring */
    uint64_t buffers_exhausted; /* io_uring: receives that found the buffer ring empty */
    uint64_t registrations;     /* epoll: epoll_ctl calls */
    uint64_t timers;            /* timers run */
    uint64_t wakeups;           /* times that another thread, or a signal handler, has woken the loop */
    uint64_t ready;             /* callbacks and tasks that are ready to run now */
    /* How long turns took, which is how late the last of what they ran came to run: lag[0] counts those under 1 us,
     * lag[1] those under 2 us, lag[i] those under 2^i us that are not in lag[i - 1]; the last one, all that took
     * longer. A turn that is followed by another one at once includes the look at the kernel between them. */
    uint64_t lag[JG_LAG_BUCKETS];
} jg_loop_statistics;

/* The counters since the loop was made. Takes as long as it takes to count what is ready. */
JG_API void jg_loop_get_statistics(const jg_loop *loop, jg_loop_statistics *statistics);

JG_END

#endif
