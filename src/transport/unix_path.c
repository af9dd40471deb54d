#include "transport/unix_path.h"

#include "base/diagnostics.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

enum { PATH_AT = offsetof(struct sockaddr_un, sun_path) };

int jg__unix_address(const char *path, struct sockaddr_un *address, socklen_t *length, const char *call)
{
    size_t characters = strlen(path);
    bool abstract = path[0] == '@';
    if (characters == abstract)
        return jg_fail(EINVAL, "%s: the path is empty", call);
    if (characters >= sizeof address->sun_path)
        return jg_fail(ENAMETOOLONG, "%s: %.32s...: %zu bytes are more than the %zu of a path", call, path, characters,
                       sizeof address->sun_path - 1);
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(address->sun_path, path, characters);
    if (abstract)
        address->sun_path[0] = '\0';
    *length = (socklen_t)(PATH_AT + characters + !abstract);
    return 0;
}

static bool is_file(const struct sockaddr *address, socklen_t length)
{
    return length > PATH_AT && ((const struct sockaddr_un *)(const void *)address)->sun_path[0];
}

static const char *path_of(const struct sockaddr *address)
{
    return ((const struct sockaddr_un *)(const void *)address)->sun_path;
}

/* A socket file whose owner is gone. */
static bool is_stale(int fd, const struct sockaddr *address, socklen_t length)
{
    int type = SOCK_STREAM;
    struct stat status;
    if (stat(path_of(address), &status) < 0 || !S_ISSOCK(status.st_mode) ||
        getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &(socklen_t){sizeof type}) < 0)
        return false;
    int probe = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (probe < 0)
        return false;
    bool refused = connect(probe, address, length) < 0 && errno == ECONNREFUSED;
    close(probe);
    return refused;
}

int jg__unix_bind(int fd, const struct sockaddr *address, socklen_t length, struct jg__unix_file *file)
{
    *file = (struct jg__unix_file){0};
    int result = bind(fd, address, length);
    if (result < 0 && errno == EADDRINUSE && is_file(address, length)) {
        if (is_stale(fd, address, length) && unlink(path_of(address)) == 0)
            result = bind(fd, address, length);
        else
            errno = EADDRINUSE;
    }
    struct stat status;
    if (result == 0 && is_file(address, length) && stat(path_of(address), &status) == 0)
        *file = (struct jg__unix_file){status.st_dev, status.st_ino};
    return result;
}

void jg__unix_unlink(int fd, struct jg__unix_file file)
{
    struct sockaddr_un address = {0};
    socklen_t length = sizeof address - 1; /* the path ends in a NUL then */
    struct stat status;
    int saved = errno;
    if (file.inode && getsockname(fd, (struct sockaddr *)&address, &length) == 0 &&
        stat(address.sun_path, &status) == 0 && status.st_dev == file.device && status.st_ino == file.inode)
        unlink(address.sun_path);
    errno = saved;
}
