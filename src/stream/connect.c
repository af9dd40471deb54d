/* jg_open_connection. */
#include "host/address.h"
#include "stream/race.h"
#include "stream/tls.h"
#include "task/task.h"

#include <errno.h>
#include <stdio.h>

static const char call[] = "jg_open_connection";

static struct jg__stream *race_to(const char *host, int port, struct jg__race *race)
{
    struct jg__stream *stream = jg__race_run(race, call);
    if (stream)
        return stream;
    if (errno != race->error || !*race->text)
        jg__fail_interrupted(call, errno);
    else if (jg__address_text_tells(race->text, host))
        jg_fail(race->error, "%s %s", call, race->text);
    else
        jg_fail(race->error, "%s %s:%d: %s", call, host ? host : "this machine", port, race->text);
    return NULL;
}

static struct jg__stream *connect_from(const char *host, int port, const struct jg__candidates *candidates,
                                       const jg_stream_options *options)
{
    struct jg__candidates local = {0};
    struct jg__race race = {.loop = jg_task_loop(), .candidates = candidates, .options = options};
    if (options->local_host) {
        if (jg__candidates_find(&local, options->local_host, options->local_port, options->family, 0, call) < 0)
            return NULL;
        race.local = &local;
    }
    struct jg__stream *stream = race_to(host, port, &race);
    jg__candidates_free(&local);
    return stream;
}

static jg_stream *secure(struct jg__stream *stream, const char *host, int port, const jg_stream_options *options)
{
    char where[128];
    host = host ? host : "localhost";
    snprintf(where, sizeof where, "%s:%d", host, port);
    return jg__stream_secure(stream, options, host, call, where);
}

jg_stream *jg_open_connection_with(const char *host, int port, const jg_stream_options *options)
{
    struct jg__candidates candidates;
    struct jg__stream *stream = NULL;
    jg_stream_options whole;
    options = jg__whole_options(options, &whole, sizeof whole);
    if (jg__enter_wait(call) < 0 || jg__tls_check_side(options->tls, false, call) < 0)
        return NULL;
    if (options->local_port < 0 || options->local_port > 65535) {
        jg_fail(EINVAL, "%s: local port %d is not within 0 to 65535", call, options->local_port);
        return NULL;
    }
    if (jg__candidates_find(&candidates, host, port, options->family, 0, call) < 0)
        return NULL;
    if (jg__candidates_interleave(&candidates) == 0)
        stream = connect_from(host, port, &candidates, options);
    jg__candidates_free(&candidates);
    return stream ? secure(stream, host, port, options) : NULL;
}
