/* What a server is, for the files of this folder. */
#ifndef JUGGLE_STREAM_SERVER_H
#define JUGGLE_STREAM_SERVER_H

#include "host/address.h"
#include "stream/pool.h"
#include "task/task.h"

#include <juggle/server.h>
#include <juggle/transport.h>

struct jg__listening {
    jg_listener *listener;
    int port;
    char text[JG__ADDRESS_TEXT];
};

struct jg__server {
    struct jg__pooled pooled;
    jg_loop *loop;
    jg_connection_handler handler;
    void *arg;
    jg_server_options options; /* pointers in it are not valid any more */
    char name[JG__NAME_SIZE];
    struct jg__context_value *values; /* the task-locals of who started it, for the handlers */
    struct jg__listening *listening;
    size_t listening_count;
    struct jg__list connections; /* being served */
    size_t connection_count;
    struct jg__list waiting;     /* accepted while there were as many as there may be */
    struct jg__wait *waiter;     /* the task that serves forever, or closes it */
    struct jg__list watchers;    /* the tasks in jg_server_wait_closed */
    unsigned failed_handshakes;  /* not reported yet */
    int64_t handshakes_reported; /* when some were; 0: never */
    bool serving;                /* it shall accept... */
    bool accepting;              /* ...and does */
    bool stopped;
    bool closing;
};

static inline jg_server *jg__server_handle(struct jg__server *server)
{
    return jg__handle_of(&server->pooled);
}

/* The server behind a handle; aborts with a sentence that names the call when it is stale. */
struct jg__server *jg__server_of(const jg_server *handle, const char *call);

/* Gives back what it has on the heap. */
void jg__server_free_heap(struct jg__pooled *pooled);

/* Where a server listens. */
struct jg__place {
    const char *host;
    int port;
    const char *path; /* of a Unix socket, instead; or NULL */
};

/* listening.c: one listener for each address of the host and of options->hosts, or one at the path. Waits, if for a
 * name. Returns 0, or -1 with errno, then nothing listens. */
int jg__server_listen(struct jg__server *server, const struct jg__place *place, const jg_server_options *options,
                      const char *call);

/* Stops listening, for good. */
void jg__server_close_listeners(struct jg__server *server);

/* connection.c: a connection came. */
void jg__server_accepted(jg_listener *listener, int fd, void *arg);

/* Accepts, or lets the backlog wait while there are as many connections as there may be. */
void jg__server_update_listeners(struct jg__server *server);

/* Closes those that wait to be served, cancels those that are. */
void jg__server_drop_waiting(struct jg__server *server);
void jg__server_cancel_connections(struct jg__server *server);

/* Does the running task serve one of the server's connections, or a task that will join it? */
bool jg__server_is_served_by_caller(const struct jg__server *server);

#endif
