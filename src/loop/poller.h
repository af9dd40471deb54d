/* What a poller is: the siblings epoll.c and io_uring.c, and later a simulated one, behind one table. */
#ifndef JUGGLE_LOOP_POLLER_H
#define JUGGLE_LOOP_POLLER_H

#include <juggle/loop.h>

struct jg__poller {
    const char *name;
    int (*open)(jg_loop *loop, const jg_loop_options *options); /* 0, or -1 with errno */
    int (*start)(jg_loop *loop);                                /* a run begins on this thread; 0, or -1 with errno */
    void (*close)(jg_loop *loop); /* cancels and reaps whatever is in the kernel, then frees */
    void (*submit)(jg_loop *loop, jg_operation *operation);
    void (*cancel)(jg_loop *loop, jg_operation *operation);  /* it is submitted and not cancelled yet */
    bool (*attempt)(jg_loop *loop, jg_operation *operation); /* see jg__operation_try; NULL: never */
    /* NULL: nothing is kept for an fd. `shared`: it is closed, but others keep the open file. */
    void (*forget)(jg_loop *loop, int fd, bool shared);
    /* Hands pending work to the kernel, waits until something happens or the time (nanoseconds, JG__NEVER) is over, and
     * queues what happened. Returns 0, or -1 with errno (EINTR included). */
    int (*poll)(jg_loop *loop, int64_t timeout);
    void (*flush)(jg_loop *loop); /* hands pending work to the kernel */
    int (*fileno)(const jg_loop *loop);
};

extern const struct jg__poller jg__epoll;
extern const struct jg__poller jg__io_uring;

#endif
