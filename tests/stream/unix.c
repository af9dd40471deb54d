/* Unix sockets. */
#include "support.h"

#include <stddef.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>

static char path[100];

static const char *fresh_path(void)
{
    snprintf(path, sizeof path, "/tmp/juggle-test-socket-%d", (int)getpid());
    unlink(path);
    return path;
}

static bool exists(const char *name)
{
    struct stat status;
    return lstat(name, &status) == 0;
}

/* A bare socket bound to the path; listens if `backlog` is not negative. */
static int bare_socket(const char *name, int type, int backlog)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    strncpy(address.sun_path, name, sizeof address.sun_path - 1);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    if (backlog >= 0)
        ck_assert_int_eq(listen(fd, backlog), 0);
    return fd;
}

static int echo(jg_stream *client, void *arg)
{
    char data[4096];
    ssize_t count;
    (void)arg;
    while ((count = jg_read(client, data, sizeof data)) > 0)
        if (jg_write(client, data, (size_t)count) < 0)
            return -1;
    return count < 0 ? -1 : 0;
}

static jg_server *echo_server(const char *name)
{
    jg_server *server = jg_start_unix_server(echo, NULL, name);
    ck_assert_msg(server, "%s", jg_error_text());
    return server;
}

static void check_echo(jg_stream *stream)
{
    char line[16];
    ck_assert_int_eq(jg_printf(stream, "hello\n"), 0);
    ck_assert_int_eq(jg_read_line(stream, line, sizeof line), 6);
    ck_assert_str_eq(line, "hello\n");
}

static jg_stream *connected(const char *name)
{
    jg_stream *stream = jg_open_unix_connection(name);
    ck_assert_msg(stream, "%s", jg_error_text());
    return stream;
}

TASK_TEST(a_connection_over_a_path)
{
    jg_server *server = echo_server(fresh_path());
    ck_assert_int_eq(jg_server_port(server), 0);
    ck_assert_str_eq(jg_server_address(server, 0), path);
    jg_stream *stream = connected(path);
    check_echo(stream);
    ck_assert_str_eq(jg_peername(stream), path);
    ck_assert_str_eq(jg_sockname(stream), "");
    ck_assert_int_eq(jg_write_eof(stream), 0);
    ck_assert_int_eq(jg_read(stream, path, 1), 0);
    ck_assert_int_eq(jg_close(stream), 0);
    jg_server_close(server);
    ck_assert(!exists(fresh_path()));
    return 0;
}

TASK_TEST(a_connection_over_an_abstract_name)
{
    char name[64];
    snprintf(name, sizeof name, "@juggle-test-%d", (int)getpid());
    jg_server *server = echo_server(name);
    ck_assert_str_eq(jg_server_address(server, 0), name);
    ck_assert(!exists(name));
    jg_stream *stream = connected(name);
    check_echo(stream);
    ck_assert_str_eq(jg_peername(stream), name);
    FAILS_WITH_NULL(jg_start_unix_server(echo, NULL, name), EADDRINUSE);
    ck_assert_int_eq(jg_close(stream), 0);
    jg_server_close(server);
    FAILS_WITH_NULL(jg_open_unix_connection(name), ECONNREFUSED);
    return 0;
}

TASK_TEST(a_stale_socket_file_is_replaced)
{
    close(bare_socket(fresh_path(), SOCK_STREAM, 1));
    ck_assert(exists(path));
    FAILS_WITH_NULL(jg_open_unix_connection(path), ECONNREFUSED);
    TEXT_HAS(path);
    jg_server *server = echo_server(path);
    jg_stream *stream = connected(path);
    check_echo(stream);
    jg_abort(stream);
    jg_server_close(server);
    return 0;
}

TASK_TEST(a_live_one_is_in_use)
{
    int other = bare_socket(fresh_path(), SOCK_STREAM, 1);
    FAILS_WITH_NULL(jg_start_unix_server(echo, NULL, path), EADDRINUSE);
    TEXT_HAS(path);
    jg_stream *stream = connected(path);
    FAILS_WITH_NULL(jg_start_unix_server(echo, NULL, path), EADDRINUSE); /* though its backlog is full */
    jg_abort(stream);
    close(other);
    int datagrams = bare_socket(fresh_path(), SOCK_DGRAM, -1);
    FAILS_WITH_NULL(jg_start_unix_server(echo, NULL, path), EADDRINUSE);
    FAILS_WITH_NULL(jg_open_unix_connection(path), EPROTOTYPE);
    close(datagrams);
    return unlink(path);
}

TASK_TEST(a_file_that_is_no_socket_is_left_alone)
{
    int fd = open(fresh_path(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    ck_assert_int_eq(close(fd), 0);
    FAILS_WITH_NULL(jg_start_unix_server(echo, NULL, path), EADDRINUSE);
    FAILS_WITH_NULL(jg_open_unix_connection(path), ECONNREFUSED);
    ck_assert(exists(path));
    return unlink(path);
}

TASK_TEST(a_file_that_became_somebody_elses_stays)
{
    jg_server *server = echo_server(fresh_path());
    ck_assert_int_eq(unlink(path), 0);
    int other = bare_socket(path, SOCK_STREAM, 1);
    jg_server_close(server);
    ck_assert(exists(path));
    close(other);
    return unlink(path);
}

TASK_TEST(the_file_has_the_mode_that_was_asked_for)
{
    struct stat status;
    umask(0);
    jg_server *server = jg_start_unix_server(echo, NULL, fresh_path(), .mode = 0620);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_int_eq(status.st_mode & 07777, 0620);
    jg_server_close(server);
    umask(0077);
    server = echo_server(path);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_int_eq(status.st_mode & 07777, 0700);
    jg_server_close(server);
    server = jg_start_unix_server(echo, NULL, path, .mode = 0666);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_int_eq(status.st_mode & 07777, 0666);
    jg_server_close(server);
    return 0;
}

TASK_TEST(names_that_cannot_be)
{
    char name[109];
    memset(name, 'x', sizeof name - 1);
    name[108] = '\0';
    FAILS_WITH_NULL(jg_open_unix_connection(name), ENAMETOOLONG);
    FAILS_WITH_NULL(jg_start_unix_server(echo, NULL, name), ENAMETOOLONG);
    TEXT_HAS("108");
    FAILS_WITH_NULL(jg_open_unix_connection(""), EINVAL);
    FAILS_WITH_NULL(jg_start_unix_server(echo, NULL, ""), EINVAL);
    FAILS_WITH_NULL(jg_start_unix_server(echo, NULL, "@"), EINVAL);
    FAILS_WITH_NULL(jg_start_unix_server(NULL, NULL, "@x"), EINVAL);
    FAILS_WITH_NULL(jg_open_unix_connection("/tmp/juggle-test-nobody"), ENOENT);
    FAILS_WITH_NULL(jg_open_unix_connection("/dev/null/x"), ENOTDIR);
    FAILS_WITH_NULL(jg_start_unix_server(echo, NULL, "/tmp/juggle-test-nobody/x"), ENOENT);
    FAILS_WITH_NULL(jg_start_unix_server(echo, NULL, "/dev/null/x"), ENOTDIR);
    name[107] = '\0';
    memcpy(name, "/tmp/", 5);
    jg_server *server = echo_server(name);
    jg_stream *stream = connected(name);
    check_echo(stream);
    jg_abort(stream);
    jg_server_close(server);
    return 0;
}

TASK_TEST(permission_is_asked_for)
{
    jg_server *server = jg_start_unix_server(echo, NULL, fresh_path(), .mode = 0600);
    if (geteuid() == 0)
        ck_assert_int_eq(seteuid(65534), 0);
    else
        ck_assert_int_eq(chmod(path, 0), 0);
    FAILS_WITH_NULL(jg_open_unix_connection(path), EACCES);
    TEXT_HAS("Permission denied");
    FAILS_WITH_NULL(jg_start_unix_server(echo, NULL, "/proc/juggle"), ENOENT);
    FAILS_WITH_NULL(jg_start_unix_server(echo, NULL, "/usr/juggle-test"), EACCES);
    if (geteuid() == 65534)
        ck_assert_int_eq(seteuid(0), 0);
    jg_server_close(server);
    return 0;
}

static int accept_later(void *arg)
{
    int fd = *(int *)arg;
    jg_sleep(0.05);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_gt(jg_wait_fd(fd, POLLIN), 0);
        close(accept(fd, NULL, NULL));
        jg_sleep(0.01);
    }
    return 0;
}

TASK_TEST(a_full_backlog_is_waited_for)
{
    int listener = bare_socket(fresh_path(), SOCK_STREAM, 0);
    jg_stream *first = connected(path), *third;
    {
        JG_TIMEOUT(limit, 0.03);
        FAILS_WITH_NULL(jg_open_unix_connection(path), ETIMEDOUT);
    }
    jg_task *acceptor = start(accept_later, &listener);
    jg_stream *second = connected(path);
    ck_assert_ptr_nonnull(third = connected(path));
    ck_assert_int_eq(jg_await(acceptor), 0);
    jg_abort(first);
    jg_abort(second);
    jg_abort(third);
    close(listener);
    return unlink(path);
}

TASK_TEST(credentials_of_the_peer)
{
    jg_server *server = echo_server(fresh_path());
    jg_stream *stream = connected(path);
    pid_t pid = 0;
    uid_t uid = 77;
    gid_t gid = 77;
    ck_assert_int_eq(jg_peer_credentials(stream, &pid, &uid, &gid), 0);
    ck_assert_int_eq(pid, getpid());
    ck_assert_int_eq(uid, geteuid());
    ck_assert_int_eq(gid, getegid());
    ck_assert_int_eq(jg_peer_credentials(stream, NULL, NULL, NULL), 0);
    jg_server_abort_clients(server);
    char byte;
    ck_assert_int_eq(jg_read(stream, &byte, 1), 0);
    jg_abort(stream);
    jg_server_close(server);
    int peer;
    stream = stream_with_peer(&peer);
    FAILS(jg_peer_credentials(stream, &pid, NULL, NULL), EOPNOTSUPP);
    reset_peer(peer);
    FAILS(jg_read(stream, &byte, 1), ECONNRESET);
    FAILS(jg_peer_credentials(stream, &pid, NULL, NULL), ENOTCONN);
    jg_abort(stream);
    return 0;
}

TASK_TEST(large_transfers_over_unix_sockets)
{
    enum { BYTES = 3 << 20 };
    jg_server *server = echo_server(fresh_path());
    jg_stream *stream = connected(path);
    char *data = pattern(BYTES), *back = malloc(BYTES);
    for (size_t done = 0; done < BYTES; done += 65536) {
        ck_assert_int_eq(jg_write(stream, data + done, 65536), 0);
        ck_assert_int_eq(jg_read_exactly(stream, back + done, 65536), 65536);
    }
    check_pattern(back, 0, BYTES);
    free(data);
    free(back);
    ck_assert_int_eq(jg_close(stream), 0);
    jg_server_close(server);
    return 0;
}

TASK_TEST(interrupted_before_anything)
{
    JG_TIMEOUT(limit, 0);
    FAILS_WITH_NULL(jg_open_unix_connection("/x"), ETIMEDOUT);
    FAILS_WITH_NULL(jg_start_unix_server(echo, NULL, "/x"), ETIMEDOUT);
    return 0;
}

/* A receive on a Unix stream stops short before a message with ancillary data; what follows must not wait for another
 * event. */
TASK_TEST(ancillary_data_does_not_hold_up_what_follows)
{
    int pair[2];
    char data[16];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    jg_stream *stream = jg_stream_from_fd(pair[0]);
    char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec part = {(char *)"def", 3};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    *CMSG_FIRSTHDR(&message) =
        (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
    memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &(int){2}, sizeof(int));
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(send(pair[1], "abc", 3, 0), 3);
        ck_assert_int_eq(sendmsg(pair[1], &message, 0), 3);
        ck_assert_int_eq(send(pair[1], "ghi", 3, 0), 3);
        JG_TIMEOUT(limit, 10);
        ck_assert_int_eq(jg_read_exactly(stream, data, 9), 9);
        ck_assert_mem_eq(data, "abcdefghi", 9);
    }
    close(pair[1]);
    return jg_close(stream);
}

/* ---- Servers ---- */

struct ends {
    int reads, writes;
};

static int watch_ends(jg_stream *client, void *arg)
{
    struct ends *ends = arg;
    char data[16];
    ssize_t count;
    while ((count = jg_read(client, data, sizeof data)) > 0) {
    }
    ends->reads = count < 0 ? errno : -1;
    ends->writes = jg_write(client, "x", 1) < 0 ? errno : -1;
    return 0;
}

TASK_TEST(the_clients_of_a_server_are_closed_or_aborted)
{
    struct ends ends = {0};
    char byte;
    jg_server *server = jg_start_unix_server(watch_ends, &ends, fresh_path());
    jg_stream *stream = connected(path);
    YIELD_UNTIL(jg_server_connections(server) == 1);
    jg_sleep(0.01);
    jg_server_close_clients(server);
    YIELD_UNTIL(ends.writes);
    ck_assert_int_eq(ends.reads, -1);
    ck_assert_int_eq(ends.writes, EPIPE);
    ck_assert_int_eq(jg_read(stream, &byte, 1), 0);
    jg_abort(stream);
    ends = (struct ends){0};
    stream = connected(path);
    YIELD_UNTIL(jg_server_connections(server) == 1);
    jg_sleep(0.01);
    jg_server_abort_clients(server);
    YIELD_UNTIL(ends.writes);
    ck_assert_int_eq(ends.reads, ECONNRESET);
    ck_assert_int_eq(ends.writes, EPIPE);
    jg_abort(stream);
    ck_assert(jg_server_is_serving(server));
    YIELD_UNTIL(jg_server_connections(server) == 0);
    jg_server_close_clients(server);
    jg_server_close(server);
    return 0;
}

static int close_own_stream(jg_stream *client, void *arg)
{
    (void)arg;
    jg_close(client);
    return jg_sleep(0.05);
}

TASK_TEST(clients_whose_handlers_have_closed_them_are_left_alone)
{
    jg_server *server = jg_start_unix_server(close_own_stream, NULL, fresh_path(), .grace = 5);
    jg_stream *stream = connected(path), *other = NULL;
    char byte;
    ck_assert_int_eq(jg_read(stream, &byte, 1), 0);
    other = connected(path);
    jg_server_close_clients(server);
    jg_server_abort_clients(server);
    jg_abort(stream);
    jg_abort(other);
    jg_server_close(server);
    return 0;
}

static int wait_closed(void *arg)
{
    return jg_server_wait_closed(arg);
}

TASK_TEST(the_end_of_a_server_can_be_waited_for)
{
    jg_server *server = jg_start_unix_server(echo, NULL, fresh_path(), .paused = true);
    ck_assert(!jg_server_is_serving(server));
    jg_start_serving(server);
    ck_assert(jg_server_is_serving(server));
    jg_task *first = start(wait_closed, server), *second = start(wait_closed, server),
            *third = start(wait_closed, server);
    {
        JG_TIMEOUT(limit, 0.02);
        FAILS(jg_server_wait_closed(server), ETIMEDOUT);
    }
    jg_cancel(second);
    FAILS(jg_await(second), ECANCELED);
    jg_server_close(server);
    jg_cancel(third); /* too late */
    ck_assert_int_eq(jg_await(first), 0);
    ck_assert_int_eq(jg_await(third), 0);
    return 0;
}

TASK_TEST(a_listening_unix_socket_of_others_is_served)
{
    int fd = bare_socket(fresh_path(), SOCK_STREAM, 5);
    jg_server *server = jg_start_unix_server(echo, NULL, "ignored", .fd = fd);
    jg_stream *stream = connected(path);
    check_echo(stream);
    jg_abort(stream);
    jg_server_close(server);
    ck_assert(exists(path)); /* not its own */
    return unlink(path);
}

/* ---- Without memory, without fds ---- */

static int without_memory(void *arg)
{
    (void)arg;
    jg_server *server = NULL;
    jg_stream *stream = NULL;
    fresh_path();
    for (long allowed = 0; !server; allowed++) {
        fail_allocations_after(allowed);
        server = jg_start_unix_server(echo, NULL, path);
        int error = errno;
        fail_allocations_after(-1);
        ck_assert(server || error == ENOMEM);
        ck_assert_int_eq(exists(path), server != NULL);
        ck_assert_int_lt(allowed, 50);
    }
    for (long allowed = 0; !stream; allowed++) {
        fail_allocations_after(allowed);
        stream = jg_open_unix_connection(path);
        int error = errno;
        fail_allocations_after(-1);
        ck_assert_msg(stream || error == ENOMEM, "%s", strerror(error));
        ck_assert_int_lt(allowed, 50);
    }
    check_echo(stream);
    jg_abort(stream);
    jg_server_close(server);
    return 0;
}

TEST(unix_sockets_without_memory_are_ENOMEM)
{
    install_failing_allocator();
    fail_allocations_after(-1);
    RUN(without_memory, NULL);
}

TASK_TEST(unix_sockets_without_fds_are_EMFILE)
{
    jg_server *server = echo_server(fresh_path());
    struct rlimit before, limit;
    int taken[256], count = 0;
    getrlimit(RLIMIT_NOFILE, &before);
    limit = (struct rlimit){64, before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    while ((taken[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        count++;
    FAILS_WITH_NULL(jg_open_unix_connection(path), EMFILE);
    FAILS_WITH_NULL(jg_start_unix_server(echo, NULL, "@juggle-test-fds"), EMFILE);
    while (count)
        close(taken[--count]);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    jg_stream *stream = connected(path);
    check_echo(stream);
    jg_abort(stream);
    jg_server_close(server);
    return 0;
}
