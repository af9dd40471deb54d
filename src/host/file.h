/* Operations on files, with callbacks: by the loop's ring where it has one that can, else by a thread. */
#ifndef JUGGLE_HOST_FILE_H
#define JUGGLE_HOST_FILE_H

#include "loop/internal.h"

#include <juggle/thread.h>
#include <sys/stat.h>

enum jg__file_call {
    JG__FILE_OPEN,     /* path, flags, mode: the result is an fd, close-on-exec */
    JG__FILE_CLOSE,    /* fd */
    JG__FILE_READ,     /* fd, buffer, length, offset: the result is the count */
    JG__FILE_WRITE,    /* the same */
    JG__FILE_FSYNC,    /* fd */
    JG__FILE_TRUNCATE, /* fd, offset: its length */
    JG__FILE_CHMOD,    /* fd, mode */
    JG__FILE_STAT,     /* fd, path ("" for the fd's own file), flags of statx, status */
    JG__FILE_RENAME,   /* path, to */
    JG__FILE_UNLINK,   /* path, flags: AT_REMOVEDIR for a directory */
    JG__FILE_MKDIR,    /* path, mode */
    JG__FILE_WORK,     /* work, on a thread: the result is what it returns */
};

/* The owner sets `call`, what the call needs, and `done`; the memory is the kernel's or a thread's until `done`. */
struct jg__file {
    enum jg__file_call call;
    int fd;
    const char *path, *to;
    const char *subject; /* for the words, where it is not the path; or NULL */
    void *buffer;
    size_t length;
    int64_t offset; /* JG__FILE_OWN_POSITION, or where */
    int flags;
    mode_t mode;
    struct statx *status;
    int (*work)(struct jg__file *file); /* 0 or more, or a negated errno */
    bool must;                          /* where no thread can be had, the loop's own waits for the system call */

    /* From a turn of the loop: 0 or more, or a negated errno; -ECANCELED only after jg__file_cancel. */
    void (*done)(struct jg__file *file, int result);
    void *arg;

    /* Private. */
    jg_loop *loop;
    int result;
    bool ended;
    int64_t start; /* where a transfer by the ring began that moves the file's own position, or -1 */
    bool cancelled;
    bool polled; /* it was ready once: a thread does not wait for it again, but answers EAGAIN */
    enum { JG__FILE_IDLE, JG__FILE_IN_RING, JG__FILE_POLLED, JG__FILE_ON_THREAD, JG__FILE_ANSWERED } where;
    jg_handle answer;
    union {
        struct jg__ring_operation ring;
        jg_operation poll;
        jg_job job;
    };
};

#define JG__FILE_OWN_POSITION INT64_MIN

/* No more bytes than this at a time. */
enum { JG__FILE_MOST = 0x7ffff000 };

/* Starts it; `done` is called from a later turn. Closing the loop waits until nobody uses the memory any more, and
 * calls nothing: of a JG__FILE_OPEN the fd is lost then. (Tasks have all ended, and so have theirs.) */
void jg__file_submit(jg_loop *loop, struct jg__file *file);

/* Asks for its end; `done` is still called, with -ECANCELED, or with what happened if that was faster. */
void jg__file_cancel(struct jg__file *file);

/* Is anybody waiting for the result of this JG__FILE_WORK? For the thread. */
bool jg__file_wanted(void);

/* Reads what is cached, without waiting. True: file->result is the whole result. False: submit it for the rest of the
 * buffer, if a part was read. file->ended: the end was seen. */
bool jg__file_read_cached(struct jg__file *file);

/* Opens a path that is cached, without waiting; O_NONBLOCK should be among the flags, lest a FIFO waits. True:
 * file->result is the result. False: submit it. */
bool jg__file_open_cached(struct jg__file *file);

/* file_call.c: makes the system call. */
int jg__file_perform(struct jg__file *file);

/* file_ring.c: hands it to the ring. False: there is none, or it has no such call. */
bool jg__file_submit_to_ring(struct jg__file *file);

/* For both: the answer of the ring or of a thread. */
void jg__file_answer(struct jg__file *file, int result);

#endif
