/* Files: the calls of POSIX, as waits. */
#include <juggle/file.h>

#include "os/file_wait.h"
#include "task/internal.h"

#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static int run(const char *call, struct jg__file *file)
{
    return jg__enter_wait(call) < 0 ? -1 : jg__file_run(call, file);
}

int jg_file_open(const char *path, int flags, mode_t mode)
{
    struct jg__file file = {.call = JG__FILE_OPEN, .path = path, .flags = flags, .mode = mode};
    return run("jg_file_open", &file);
}

int jg_file_close(int fd)
{
    jg__running_to_wait("jg_file_close");
    struct jg__file file = {.call = JG__FILE_CLOSE, .fd = fd};
    int result = jg__file_finish("jg_file_close", &file);
    return result < 0 ? jg_fail(-result, "jg_file_close: fd %d: %s", fd, strerror(-result)) : 0;
}

/* ---- Reading ---- */

/* A ring would ignore the offset of a pipe. Returns 0, or -1 with errno. */
static int check_offset(const char *call, int fd, int64_t offset)
{
    int saved = errno;
    if (offset == JG__FILE_OWN_POSITION)
        return 0;
    if (offset < 0)
        return jg_fail(EINVAL, "%s: the offset %lld is negative", call, (long long)offset);
    if (lseek(fd, 0, SEEK_CUR) < 0 && errno == ESPIPE)
        return jg_fail(ESPIPE, "%s: fd %d: %s", call, fd, strerror(ESPIPE));
    errno = saved;
    return 0;
}

static ssize_t read_at(const char *call, int fd, void *buffer, size_t size, int64_t offset)
{
    if (jg__enter_wait(call) < 0 || check_offset(call, fd, offset) < 0)
        return -1;
    struct jg__file file = {.call = JG__FILE_READ, .fd = fd, .buffer = buffer, .length = size, .offset = offset};
    return jg__file_read(call, &file);
}

ssize_t jg_file_read(int fd, void *buffer, size_t size)
{
    return read_at("jg_file_read", fd, buffer, size, JG__FILE_OWN_POSITION);
}

ssize_t jg_file_pread(int fd, void *buffer, size_t size, off_t offset)
{
    return read_at("jg_file_pread", fd, buffer, size, offset);
}

/* ---- Writing ---- */

static int write_at(const char *call, int fd, const void *data, size_t bytes, int64_t offset)
{
    if (jg__enter_wait(call) < 0 || check_offset(call, fd, offset) < 0)
        return -1;
    struct jg__file file = {.call = JG__FILE_WRITE, .fd = fd, .length = bytes, .offset = offset};
    memcpy(&file.buffer, &data, sizeof data); /* it is only read */
    return jg__file_write(call, &file);
}

int jg_file_write(int fd, const void *data, size_t bytes)
{
    return write_at("jg_file_write", fd, data, bytes, JG__FILE_OWN_POSITION);
}

int jg_file_pwrite(int fd, const void *data, size_t bytes, off_t offset)
{
    return write_at("jg_file_pwrite", fd, data, bytes, offset);
}

int jg_file_fsync(int fd)
{
    struct jg__file file = {.call = JG__FILE_FSYNC, .fd = fd};
    return run("jg_file_fsync", &file);
}

int jg_file_truncate(int fd, off_t length)
{
    struct jg__file file = {.call = JG__FILE_TRUNCATE, .fd = fd, .offset = length};
    return run("jg_file_truncate", &file);
}

/* ---- Looking ---- */

static struct timespec time_of(struct statx_timestamp time)
{
    return (struct timespec){.tv_sec = time.tv_sec, .tv_nsec = time.tv_nsec};
}

static void convert(const struct statx *from, struct stat *to)
{
    *to = (struct stat){
        .st_dev = makedev(from->stx_dev_major, from->stx_dev_minor),
        .st_ino = from->stx_ino,
        .st_mode = from->stx_mode,
        .st_nlink = from->stx_nlink,
        .st_uid = from->stx_uid,
        .st_gid = from->stx_gid,
        .st_rdev = makedev(from->stx_rdev_major, from->stx_rdev_minor),
        .st_size = (off_t)from->stx_size,
        .st_blksize = (blksize_t)from->stx_blksize,
        .st_blocks = (blkcnt_t)from->stx_blocks,
        .st_atim = time_of(from->stx_atime),
        .st_mtim = time_of(from->stx_mtime),
        .st_ctim = time_of(from->stx_ctime),
    };
}

static int status_of(const char *call, int fd, const char *path, int flags, struct stat *status)
{
    struct statx extended;
    struct jg__file file = {.call = JG__FILE_STAT, .fd = fd, .path = path, .flags = flags, .status = &extended};
    if (run(call, &file) < 0)
        return -1;
    convert(&extended, status);
    return 0;
}

int jg_file_stat(const char *path, struct stat *status)
{
    return status_of("jg_file_stat", AT_FDCWD, path, 0, status);
}

int jg_file_lstat(const char *path, struct stat *status)
{
    return status_of("jg_file_lstat", AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, status);
}

int jg_file_fstat(int fd, struct stat *status)
{
    if (fd < 0) /* AT_FDCWD would be the working directory */
        return jg_fail(EBADF, "jg_file_fstat: fd %d: %s", fd, strerror(EBADF));
    return status_of("jg_file_fstat", fd, "", AT_EMPTY_PATH, status);
}

/* ---- Names ---- */

int jg_file_rename(const char *from, const char *to)
{
    struct jg__file file = {.call = JG__FILE_RENAME, .path = from, .to = to};
    return run("jg_file_rename", &file);
}

int jg_file_unlink(const char *path)
{
    struct jg__file file = {.call = JG__FILE_UNLINK, .path = path};
    return run("jg_file_unlink", &file);
}

int jg_file_mkdir(const char *path, mode_t mode)
{
    struct jg__file file = {.call = JG__FILE_MKDIR, .path = path, .mode = mode};
    return run("jg_file_mkdir", &file);
}

int jg_file_rmdir(const char *path)
{
    struct jg__file file = {.call = JG__FILE_UNLINK, .path = path, .flags = AT_REMOVEDIR};
    return run("jg_file_rmdir", &file);
}
