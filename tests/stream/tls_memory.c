/* Memory of TLS: what an idle connection holds, and what happens when there is none. */
#ifdef HAVE_OPENSSL
#include "tls_support.h"

#include <malloc.h>

/* ---- Idle connections ---- */

static size_t openssl_bytes, openssl_blocks_of_records;

static void *count_block(void *block)
{
    size_t size = block ? malloc_usable_size(block) : 0;
    openssl_bytes += size;
    openssl_blocks_of_records += size >= 16 * 1024;
    return block;
}

static void uncount_block(void *block)
{
    size_t size = block ? malloc_usable_size(block) : 0;
    openssl_bytes -= size;
    openssl_blocks_of_records -= size >= 16 * 1024;
}

static void *counting_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return count_block(malloc(size));
}

static void *counting_realloc(void *block, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    uncount_block(block);
    return count_block(realloc(block, size));
}

static void counting_free(void *block, const char *file, int line)
{
    (void)file;
    (void)line;
    uncount_block(block);
    free(block);
}

static void exchange_some(jg_stream *pair[2], size_t bytes)
{
    char *data = pattern(bytes);
    for (int i = 0; i < 2; i++) {
        for (size_t done = 0; done < bytes; done += 10000)
            ck_assert_int_eq(jg_write(pair[i], data + done, 10000), 0);
        ck_assert_int_eq(jg_read_exactly(pair[!i], data, bytes), (ssize_t)bytes);
    }
    free(data);
    jg_sleep(0.02);
}

static int be_idle(void *arg)
{
    (void)arg;
    enum { PAIRS = 20 };
    jg_stream *pairs[PAIRS][2];
    tls_pair(pairs[0]);
    exchange_some(pairs[0], 50000);
    size_t records = openssl_blocks_of_records, blocks = jg_allocated_blocks(), bytes = openssl_bytes;
    for (int i = 1; i < PAIRS; i++) {
        tls_pair(pairs[i]);
        exchange_some(pairs[i], 50000);
    }
    ck_assert_uint_le(openssl_blocks_of_records, records);
    size_t each = (openssl_bytes - bytes) / (2 * (PAIRS - 1));
    ck_assert_msg(each < 40000, "%zu bytes of OpenSSL's for each end", each); /* two thirds of it are its own context */
    ck_assert_uint_le(jg_allocated_blocks() - blocks, 10 * (PAIRS - 1));      /* contexts, connections, names */
    blocks = jg_allocated_blocks();
    bytes = openssl_bytes;
    for (int i = 0; i < PAIRS; i++)
        exchange_some(pairs[i], 50000);
    ck_assert_uint_le(jg_allocated_blocks(), blocks); /* nothing has stayed */
    ck_assert_uint_le(openssl_bytes, bytes);
    for (int i = 0; i < PAIRS; i++)
        for (int k = 0; k < 2; k++)
            ck_assert_int_eq(jg_close(pairs[i][k]), 0);
    return 0;
}

TEST(an_idle_connection_holds_no_buffer)
{
    ck_assert_int_eq(CRYPTO_set_mem_functions(counting_malloc, counting_realloc, counting_free), 1);
    RUN(be_idle, NULL);
}

/* ---- No memory ---- */

static long openssl_allocations_left = -1;

static bool openssl_may_allocate(void)
{
    if (openssl_allocations_left < 0)
        return true;
    return openssl_allocations_left > 0 && openssl_allocations_left-- > 0;
}

static void *scarce_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return openssl_may_allocate() ? malloc(size) : NULL;
}

static void *scarce_realloc(void *block, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return openssl_may_allocate() ? realloc(block, size) : NULL;
}

static void scarce_free(void *block, const char *file, int line)
{
    (void)file;
    (void)line;
    free(block);
}

static int exchange(void *arg)
{
    jg_stream **pair = arg;
    static char data[40000], got[40000];
    if (jg_write(pair[0], data, sizeof data) < 0 || jg_write(pair[0], "x", 1) < 0)
        return -1;
    if (jg_read_exactly(pair[1], got, sizeof got) < 0 || jg_read_exactly(pair[1], got, 1) < 0)
        return -1;
    return jg_write_eof(pair[0]) == 0 && jg_read(pair[1], got, 1) == 0 ? 0 : -1;
}

struct starting {
    jg_stream *stream;
    jg_tls *tls;
    bool failed;
};

static int start_client(void *arg)
{
    struct starting *starting = arg;
    starting->failed =
        jg_start_tls(starting->stream, starting->tls, .server_hostname = "localhost", .handshake_timeout = 5) < 0;
    return 0;
}

static int start_server_side(void *arg)
{
    struct starting *starting = arg;
    return jg_start_tls(starting->stream, starting->tls, .handshake_timeout = 5);
}

static struct {
    long library, openssl; /* how many allocations succeed; negative: all */
    bool failed;
    jg_tls *client, *server;
} scarcity;

static int converse_in_scarcity(void *arg)
{
    (void)arg;
    jg_stream *pair[2];
    stream_pair(pair);
    struct starting client = {pair[0], scarcity.client, false}, server = {pair[1], scarcity.server, false};
    fail_allocations_after(scarcity.library);
    openssl_allocations_left = scarcity.openssl;
    jg_task *task = jg_create_task(start_server_side, &server);
    start_client(&client);
    if (client.failed)
        jg_abort(pair[0]);
    int result = task ? jg_await(task) : -1;
    if (!client.failed && result == 0)
        result = exchange(pair);
    else
        result = -1;
    fail_allocations_after(-1);
    openssl_allocations_left = -1;
    if (!client.failed)
        jg_abort(pair[0]);
    jg_abort(pair[1]);
    return scarcity.failed = result < 0, 0;
}

static bool fails_in_scarcity(long library, long openssl)
{
    scarcity.library = library;
    scarcity.openssl = openssl;
    ck_assert_int_eq(jg_run(converse_in_scarcity, NULL), 0);
    return scarcity.failed;
}

TEST(a_handshake_without_memory_fails_and_leaks_nothing)
{
    install_failing_allocator();
    keep_reports();
    scarcity.client = client_tls(.no_resumption = true);
    scarcity.server = server_tls();
    long k = 0;
    while (fails_in_scarcity(k, -1))
        ck_assert_int_lt(k++, 200);
    ck_assert_int_gt(k, 3);
    jg_tls_free(scarcity.client);
    jg_tls_free(scarcity.server);
}

TEST(openssl_without_memory_fails_the_connection_alone)
{
    ck_assert_int_eq(CRYPTO_set_mem_functions(scarce_malloc, scarce_realloc, scarce_free), 1);
    keep_reports();
    scarcity.client = client_tls(.no_resumption = true);
    scarcity.server = server_tls();
    ck_assert(!fails_in_scarcity(-1, -1)); /* now it has what it makes once */
    for (long k = 0; k < 1500 && fails_in_scarcity(-1, k); k += 1 + k / 20)
        continue;
    ck_assert(!fails_in_scarcity(-1, -1));
    jg_tls_free(scarcity.client);
    jg_tls_free(scarcity.server);
}

TEST(contexts_without_memory_are_ENOMEM)
{
    install_failing_allocator();
    const char *file = certificate("localhost");
    long k = 0;
    for (;; k++) {
        fail_allocations_after(k);
        jg_tls *tls = jg_tls_server(file, NULL, .alpn = (const char *const[]){"h2", NULL});
        if (tls && jg_tls_add_server_name(tls, "other.test", file, file) == 0 && jg_tls_reload(tls) == 0) {
            fail_allocations_after(-1);
            jg_tls_free(tls);
            break;
        }
        ck_assert_int_eq(errno, ENOMEM);
        fail_allocations_after(-1);
        jg_tls_free(tls);
        ck_assert_uint_eq(jg_allocated_blocks(), 0);
        ck_assert_int_lt(k, 100);
    }
    ck_assert_int_gt(k, 5);
}
#else
typedef int nothing_to_test;
#endif
