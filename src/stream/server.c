/* Servers: their life, and the task that waits for them. */
#include "stream/server.h"

#include "base/memory.h"
#include "stream/tls.h"
#include "task/error_text.h"
#include "task/scheduler.h"

#include <errno.h>
#include <juggle/unix.h>
#include <string.h>

struct jg__server *jg__server_of(const jg_server *handle, const char *call)
{
    const jg_loop *loop = jg_get_running_loop();
    if (!loop)
        jg__die("%s: called outside jg_run", call);
    struct jg__server *server = (struct jg__server *)jg__pooled_of(handle);
    if (!server)
        jg__die("%s: the server %s", call, handle ? "was closed" : "is NULL");
    if (server->loop != loop)
        jg__die("%s: the server belongs to another thread", call);
    return server;
}

/* ---- Starting ---- */

static struct jg__server *new_server(jg_loop *loop, jg_connection_handler handler, void *arg,
                                     const jg_server_options *options)
{
    struct jg__pools *pools = jg__pools_of(loop);
    struct jg__server *server = pools ? jg__pool_get(&pools->servers) : NULL;
    if (!server)
        return NULL;
    server->loop = loop;
    server->handler = handler;
    server->arg = arg;
    server->options = *options;
    jg__tls_hold(options->tls);
    const char *name = options->name ? options->name : options->function ? options->function : "connection";
    strncpy(server->name, name, sizeof server->name - 1);
    if (jg__here.task->values)
        server->values = jg__context_share(jg__here.task->values);
    jg__list_init(&server->connections);
    jg__list_init(&server->waiting);
    jg__list_init(&server->watchers);
    return server;
}

void jg__server_free_heap(struct jg__pooled *pooled)
{
    struct jg__server *server = (struct jg__server *)pooled;
    jg__server_drop_waiting(server);
    jg__release(server->listening);
    jg_tls_free(server->options.tls);
    if (server->values)
        jg__context_drop(server->values);
}

static void free_server(struct jg__server *server)
{
    jg__server_free_heap(&server->pooled);
    jg__pool_put(&server->loop->pools->servers, &server->pooled);
}

static jg_server *start_server(jg_connection_handler handler, void *arg, const struct jg__place *place,
                               const jg_server_options *options, const char *call)
{
    if (jg__enter_wait(call) < 0 || jg__tls_check_side(options->tls, true, call) < 0)
        return NULL;
    if (!handler) {
        jg_fail(EINVAL, "%s: the handler is NULL", call);
        return NULL;
    }
    struct jg__server *server = new_server(jg_task_loop(), handler, arg, options);
    if (!server) {
        jg_fail(ENOMEM, "%s: out of memory", call);
        return NULL;
    }
    if (jg__server_listen(server, place, options, call) < 0) {
        free_server(server);
        return NULL;
    }
    if (!options->paused)
        jg_start_serving(jg__server_handle(server));
    return jg__server_handle(server);
}

jg_server *jg_start_server_with(jg_connection_handler handler, void *arg, const char *host, int port,
                                const jg_server_options *options)
{
    jg_server_options whole;
    options = jg__whole_options(options, &whole, sizeof whole);
    return start_server(handler, arg, &(struct jg__place){.host = host, .port = port}, options, "jg_start_server");
}

jg_server *jg_start_unix_server_with(jg_connection_handler handler, void *arg, const char *path,
                                     const jg_server_options *options)
{
    jg_server_options whole;
    options = jg__whole_options(options, &whole, sizeof whole);
    return start_server(handler, arg, &(struct jg__place){.path = path ? path : ""}, options, "jg_start_unix_server");
}

/* ---- Serving ---- */

void jg_start_serving(jg_server *handle)
{
    struct jg__server *server = jg__server_of(handle, "jg_start_serving");
    int saved = errno;
    server->serving = true;
    jg__server_update_listeners(server);
    errno = saved;
}

void jg_server_stop(jg_server *handle)
{
    struct jg__server *server = jg__server_of(handle, "jg_server_stop");
    server->stopped = true;
    if (server->waiter && !server->closing)
        jg__wake(server->waiter, 0);
}

static int wait_for(struct jg__server *server, struct jg__wait *wait)
{
    wait->object = server;
    server->waiter = wait;
    int result = jg__park(wait);
    server->waiter = NULL;
    return result;
}

/* ---- Closing ---- */

/* A task that waits for the end of the server; on its stack. */
struct watcher {
    struct jg__wait wait;
    struct jg__list node; /* in server->watchers */
};

/* The handlers get the grace period, then they are cancelled. */
static void wait_for_handlers(struct jg__server *server, const char *call)
{
    if (server->connection_count && server->options.grace > 0) {
        JG_TIMEOUT(grace, server->options.grace);
        wait_for(server, &(struct jg__wait){.call = call});
    }
    jg__server_cancel_connections(server);
    while (server->connection_count)
        wait_for(server, &(struct jg__wait){.call = call, .interrupt = jg__not_now});
}

static void wake_watchers(struct jg__server *server)
{
    while (!jg__list_empty(&server->watchers)) {
        struct jg__list *node = server->watchers.next;
        jg__list_remove(node);
        jg__wake(&jg__container_of(node, struct watcher, node)->wait, 0);
    }
}

static void close_server(struct jg__server *server, const char *call)
{
    JG__KEEP_REASON(reason);
    if (jg__server_is_served_by_caller(server))
        jg__die("%s: called by a handler of the same server, or by a task that it created, for which it would wait: "
                "see jg_server_stop",
                call);
    server->closing = true;
    jg__server_close_listeners(server);
    jg__server_drop_waiting(server);
    wait_for_handlers(server, call);
    wake_watchers(server);
    free_server(server);
}

int jg_serve_forever(jg_server *handle)
{
    static const char call[] = "jg_serve_forever";
    int saved = errno, reason = jg__enter_wait(call) < 0 ? errno : 0;
    struct jg__server *server = jg__server_of(handle, call); /* not before: the check may let others run */
    if (server->waiter)
        jg__die("%s: another task serves or closes this server already", call);
    jg_start_serving(handle);
    if (!reason && !server->stopped)
        reason = -wait_for(server, &(struct jg__wait){.call = call});
    if (reason) {
        JG_SHIELD(grace, server->options.grace);
        close_server(server, call);
    } else {
        close_server(server, call);
    }
    errno = saved;
    return reason ? jg__fail_interrupted(call, reason) : 0;
}

int jg_server_wait_closed(jg_server *handle)
{
    static const char call[] = "jg_server_wait_closed";
    struct jg__server *server = jg__server_of(handle, call);
    if (jg__enter_wait(call) < 0)
        return -1;
    if (!jg__pooled_of(handle)) /* the check let others run */
        return 0;
    struct watcher watcher = {.wait = {.call = call, .object = server}};
    jg__list_append(&server->watchers, &watcher.node);
    int result = jg__park(&watcher.wait);
    if (!jg__listed(&watcher.node)) /* it is closed, whatever else came to pass */
        return 0;
    jg__list_remove(&watcher.node);
    return jg__fail_interrupted(call, -result);
}

void jg_server_close(jg_server *handle)
{
    static const char call[] = "jg_server_close";
    if (!handle)
        return;
    struct jg__server *server = jg__server_of(handle, call);
    jg__running(call);
    if (server->waiter)
        jg__die("%s: another task serves or closes this server already: see jg_server_stop", call);
    close_server(server, call);
}

void jg_server_autoptr(jg_server **server)
{
    JG_SHIELD(shield, JG__AUTOPTR_SECONDS);
    jg_server_close(*server);
}

/* ---- Looking ---- */

int jg_server_port(jg_server *handle)
{
    const struct jg__server *server = jg__server_of(handle, "jg_server_port");
    return server->listening[0].port;
}

const char *jg_server_address(jg_server *handle, size_t index)
{
    const struct jg__server *server = jg__server_of(handle, "jg_server_address");
    return index < server->listening_count ? server->listening[index].text : NULL;
}

bool jg_server_is_serving(jg_server *handle)
{
    const struct jg__server *server = jg__server_of(handle, "jg_server_is_serving");
    return server->serving && !server->closing;
}

size_t jg_server_connections(jg_server *handle)
{
    return jg__server_of(handle, "jg_server_connections")->connection_count;
}
