/* Files, off the loop. asyncio has no counterpart: its programs use to_thread, or aiofiles.
 *
 * The names, arguments and errors are those of POSIX, and so is their meaning: what the manual page says of open(2)
 * holds for jg_file_open. Fds are plain numbers, close-on-exec, and belong to the caller. On a loop with io_uring the
 * kernel is asked through the ring, else, and for what the kernel's ring doesn't know, a thread makes the system call;
 * the results are the same. What can be had without waiting for a disk, such as reading what is cached, is done at
 * once; for one call in 128 others run first.
 *
 * Every call waits, unless said otherwise, and can fail with ECANCELED and ETIMEDOUT; with ENOMEM; with EAGAIN when a
 * thread is needed and none can be started. Interrupted, a call that nobody has begun with is dropped; one that the
 * kernel or a thread is at work on is waited for, since they use the caller's memory; if it then succeeds, that is what
 * is returned. An fd that was opened is always handed over. Opening a FIFO waits for its other end, on a thread until
 * it comes: use jg_open_fifo.
 *
 * A write past RLIMIT_FSIZE fails with EFBIG: the first write of the process ignores SIGXFSZ, if that was at its
 * default. */
#ifndef JUGGLE_FILE_H
#define JUGGLE_FILE_H

#include <dirent.h>
#include <fcntl.h>
#include <juggle/task.h>
#include <sys/stat.h>

JG_BEGIN

/* ---- Files by fd ---- */

/* open(2) with O_CLOEXEC. `mode`, less the umask, is for files that O_CREAT or O_TMPFILE makes. Returns the fd; -1 with
 * ENOENT, EACCES, EEXIST, EISDIR, ENOTDIR, ELOOP, ENAMETOOLONG, EMFILE, ENFILE, ENOSPC, EROFS, ETXTBSY, EINVAL, ... */
JG_API int jg_file_open(const char *path, int flags, mode_t mode) JG_MUST_USE;

/* close(2). The fd is closed whatever comes, also when the task is cancelled: never interrupted. Returns 0; -1 with
 * EBADF, EIO, ENOSPC, EDQUOT: what was written may be lost. */
JG_API int jg_file_close(int fd);

/* Reads at most `size` bytes at the file's own position and moves it, or at `offset`. Less than asked for comes only at
 * the end of a regular file on a disk; 0 is the end. A call takes at most 2 GiB less a page. Returns the count; -1 with
 * EBADF, EISDIR, EIO, EINVAL (negative offset), ESPIPE (pread of a pipe). Of a pipe it waits until something is there,
 * O_NONBLOCK or not. */
JG_API ssize_t jg_file_read(int fd, void *buffer, size_t size) JG_MUST_USE;
JG_API ssize_t jg_file_pread(int fd, void *buffer, size_t size, off_t offset) JG_MUST_USE;

/* Writes all, at the file's own position, which moves, or at `offset` (O_APPEND: at the end). Returns 0; -1 with EBADF,
 * ENOSPC, EDQUOT, EFBIG, EIO, EPIPE, EINVAL, ESPIPE, and when it is interrupted: then a part may have been written, and
 * jg_error_text says how much. */
JG_API int jg_file_write(int fd, const void *data, size_t bytes) JG_MUST_USE;
JG_API int jg_file_pwrite(int fd, const void *data, size_t bytes, off_t offset) JG_MUST_USE;

/* fsync(2): what was written is on the disk. Returns 0; -1 with EBADF, EIO, ENOSPC, EINVAL (nothing to be synced). */
JG_API int jg_file_fsync(int fd) JG_MUST_USE;

/* ftruncate(2): cuts, or lengthens with a hole. Returns 0; -1 with EBADF, EINVAL, EFBIG, EISDIR. */
JG_API int jg_file_truncate(int fd, off_t length) JG_MUST_USE;

/* ---- Looking ---- */

/* stat(2), lstat(2) (a symbolic link itself) and fstat(2). Return 0; -1 with ENOENT, EACCES, ENOTDIR, ELOOP,
 * ENAMETOOLONG, EBADF; then *status is untouched. */
JG_API int jg_file_stat(const char *path, struct stat *status) JG_MUST_USE;
JG_API int jg_file_lstat(const char *path, struct stat *status) JG_MUST_USE;
JG_API int jg_file_fstat(int fd, struct stat *status) JG_MUST_USE;

/* ---- Names ---- */

/* rename(2), unlink(2), mkdir(2) and rmdir(2). Return 0; -1 with ENOENT, EACCES, EPERM, EEXIST, ENOTEMPTY, EISDIR,
 * ENOTDIR, EXDEV, EBUSY, EINVAL, ELOOP, ENAMETOOLONG, EROFS, ENOSPC. */
JG_API int jg_file_rename(const char *from, const char *to) JG_MUST_USE;
JG_API int jg_file_unlink(const char *path) JG_MUST_USE;
JG_API int jg_file_mkdir(const char *path, mode_t mode) JG_MUST_USE;
JG_API int jg_file_rmdir(const char *path) JG_MUST_USE;

/* ---- Directories ---- */

typedef struct jg_directory_entry {
    const char *name;
    unsigned char type; /* DT_REG, DT_DIR, DT_LNK, ... of <dirent.h>, never DT_UNKNOWN unless the file has vanished */
} jg_directory_entry;

typedef struct jg_directory {
    size_t count;
    jg_directory_entry *entries; /* without "." and "..", in the order of strcmp */
} jg_directory;

/* Lists a directory. Free it with jg_directory_free. Returns NULL with ENOENT, ENOTDIR, EACCES, EMFILE, ENFILE, EIO.
 * Python: os.scandir. */
JG_API jg_directory *jg_list_directory(const char *path) JG_MUST_USE;

/* Accepts NULL, preserves errno. Never waits. */
JG_API void jg_directory_free(jg_directory *directory);
static inline void jg_directory_autoptr(jg_directory **directory)
{
    jg_directory_free(*directory);
}

/* ---- Whole files ---- */

typedef struct jg_read_file_options {
    size_t size;
    size_t limit; /* bytes; a longer file fails with EFBIG. 0: 1 GiB */
} jg_read_file_options;

/* Reads everything until the end of file, whatever size the file claims to have: files of /proc and /sys, devices and
 * pipes as well; a file that grows is read to the end that it has then. *data gets the bytes, followed by a NUL, to be
 * freed with jg_free; *bytes (may be NULL) their count. Returns 0; -1 with what opening and reading say, EFBIG, ENOMEM;
 * then both are untouched. Python: pathlib.Path.read_bytes. */
#define jg_read_file(path, data, bytes, ...) \
    jg_read_file_with(path, data, bytes, JG_OPTIONS(jg_read_file_options, __VA_ARGS__))
JG_API int jg_read_file_with(const char *path, char **data, size_t *bytes,
                             const jg_read_file_options *options) JG_MUST_USE;

typedef struct jg_write_file_options {
    size_t size;
    mode_t mode; /* permission bits, exactly; 0: those of the file that is replaced, without its set-ID bits where it is
                  * another user's or group's; of a new one 0666 less umask */
    bool no_sync; /* don't wait for the disk: atomic for other processes, but not across a loss of power */
} jg_write_file_options;

/* Writes a file atomically: whoever opens `path` finds the old content or the new, whole. The data goes to a new file
 * in the same directory, named ".juggle-" and 16 hexadecimal digits, which is synced, renamed to `path`, and the
 * directory synced. On any failure, a full disk for one, the old file is as it was and the new one is removed; a crash
 * may leave it lying there. The file is a new one: its owner is this process's, other hard links keep the old content,
 * and a symbolic link at `path` is itself replaced. Interrupted before the rename, nothing has happened; from then on
 * it is not interrupted any more. Returns 0; -1 with what open, write, fsync and rename say (EISDIR for a directory);
 * when only the sync of the directory failed, the new content stands, but may not survive a loss of power. */
#define jg_write_file(path, data, bytes, ...) \
    jg_write_file_with(path, data, bytes, JG_OPTIONS(jg_write_file_options, __VA_ARGS__))
JG_API int jg_write_file_with(const char *path, const void *data, size_t bytes,
                              const jg_write_file_options *options) JG_MUST_USE;

JG_END

#endif
