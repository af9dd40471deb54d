/* Unix sockets: connecting to a path, and who is at the other end. */
#include "base/options.h"
#include "stream/race.h"
#include "stream/tls.h"
#include "transport/unix_path.h"

#include <juggle/unix.h>
#include <string.h>

static struct jg__stream *connect_to(struct jg__candidate *candidate, const char *path,
                                     const jg_stream_options *options, const char *call)
{
    const struct jg__candidates candidates = {candidate, 1};
    struct jg__race race = {.loop = jg_task_loop(), .candidates = &candidates, .options = options};
    struct jg__stream *stream = jg__race_run(&race, call);
    if (stream)
        return stream;
    if (errno != race.error || !*race.text)
        jg__fail_interrupted(call, errno);
    else
        jg_fail(race.error, "%s %s: %s", call, path, strerror(race.error));
    return NULL;
}

jg_stream *jg_open_unix_connection_with(const char *path, const jg_stream_options *options)
{
    static const char call[] = "jg_open_unix_connection";
    struct jg__candidate candidate = {0};
    struct sockaddr_un address;
    jg_stream_options whole;
    options = jg__whole_options(options, &whole, sizeof whole);
    if (jg__enter_wait(call) < 0 || jg__tls_check_side(options->tls, false, call) < 0 ||
        jg__unix_address(path ? path : "", &address, &candidate.length, call) < 0)
        return NULL;
    memcpy(&candidate.address, &address, sizeof address);
    jg_stream_options local = *options;
    local.local_host = NULL;
    local.local_port = 0;
    struct jg__stream *stream = connect_to(&candidate, path, &local, call);
    return stream ? jg__stream_secure(stream, options, "localhost", call, path) : NULL;
}

static int socket_option(const struct jg__stream *stream, int option, void *value, socklen_t size)
{
    return getsockopt(stream->transport.fd, SOL_SOCKET, option, value, &size);
}

int jg_peer_credentials(jg_stream *handle, pid_t *pid, uid_t *uid, gid_t *gid)
{
    static const char call[] = "jg_peer_credentials";
    const struct jg__stream *stream = jg__stream_of(handle, call);
    struct ucred peer = {0};
    int saved = errno, domain = AF_UNSPEC;
    if (stream->lost)
        return jg_fail(ENOTCONN, "%s: the connection is lost", call);
    if (socket_option(stream, SO_DOMAIN, &domain, sizeof domain) < 0 || domain != AF_UNIX)
        return jg_fail(EOPNOTSUPP, "%s: not a Unix socket", call);
    if (socket_option(stream, SO_PEERCRED, &peer, sizeof peer) < 0)
        return jg_fail(errno, "%s: %s", call, strerror(errno));
    errno = saved;
    if (pid)
        *pid = peer.pid;
    if (uid)
        *uid = peer.uid;
    if (gid)
        *gid = peer.gid;
    return 0;
}
