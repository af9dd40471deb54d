/* One jg_tls in several threads: connections begin while it is changed. */
#ifdef HAVE_OPENSSL
#include "tls_support.h"

#include <pthread.h>
#include <stdatomic.h>

enum { THREADS = 3, CONNECTIONS = 30 };

/* OpenSSL is not built with ThreadSanitizer, which therefore does not see how sessions that are shared are counted. */
#ifdef __SANITIZE_THREAD__
enum { NO_RESUMPTION = true };
#else
enum { NO_RESUMPTION = false };
#endif

static jg_tls *client, *server;
static atomic_int running;

static int greet(jg_stream *stream, void *arg)
{
    (void)arg;
    return jg_write(stream, "hello", 5);
}

static int converse(void *arg)
{
    (void)arg;
    char got[5];
    jg_autoptr(jg_server) greeter = jg_start_server(greet, NULL, "127.0.0.1", 0, .tls = server);
    ck_assert_ptr_nonnull(greeter);
    for (int i = 0; i < CONNECTIONS; i++) {
        const char *name = i % 2 ? "localhost" : "other.test";
        jg_autoptr(jg_stream) stream =
            jg_open_connection("127.0.0.1", jg_server_port(greeter), .tls = client, .server_hostname = name);
        if (!stream || jg_read_exactly(stream, got, 5) != 5)
            return -1;
    }
    return 0;
}

static void *run(void *unused)
{
    (void)unused;
    int result = jg_run(converse, NULL);
    atomic_fetch_sub(&running, 1);
    return result == 0 ? NULL : "it has failed";
}

TEST(a_context_is_shared_by_threads_and_changed_meanwhile)
{
    pthread_t threads[THREADS];
    client = client_tls(.no_resumption = NO_RESUMPTION);
    server = server_tls();
    ck_assert_int_eq(jg_tls_add_server_name(server, "other.test", certificate("other"), NULL), 0);
    atomic_store(&running, THREADS);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, run, NULL), 0);
    while (atomic_load(&running)) {
        ck_assert_int_eq(jg_tls_reload(server), 0);
        ck_assert_int_eq(jg_tls_reload(client), 0);
        ck_assert_int_eq(jg_tls_add_server_name(server, "other.test", certificate("other"), NULL), 0);
        usleep(1000);
    }
    for (int i = 0; i < THREADS; i++) {
        void *failure;
        ck_assert_int_eq(pthread_join(threads[i], &failure), 0);
        ck_assert_ptr_null(failure);
    }
    jg_tls_free(client);
    jg_tls_free(server);
}
#else
typedef int nothing_to_test;
#endif
