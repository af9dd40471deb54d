/* jg_getaddrinfo, jg_getnameinfo. The C library's functions are wrapped, to see which thread calls them and to make
 * them slow. No name server is needed. */
#include "os_support.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/un.h>
#include <unistd.h>

static pid_t loop_thread;
static atomic_int on_threads; /* calls on other threads than the loop's */
static atomic_bool slow, at_work;

/* While `slow` is set, a call on a thread doesn't come back. */
static void called(void)
{
    if (!loop_thread || gettid() == loop_thread)
        return;
    on_threads++;
    at_work = true;
    while (slow)
        usleep(1000);
}

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    called();
    return real(host, service, hints, result);
}

int getnameinfo(const struct sockaddr *address, socklen_t length, char *host, socklen_t host_size, char *service,
                socklen_t service_size, int flags)
{
    int (*real)(const struct sockaddr *, socklen_t, char *, socklen_t, char *, socklen_t, int);
    *(void **)&real = dlsym(RTLD_NEXT, "getnameinfo");
    called();
    return real(address, length, host, host_size, service, service_size, flags);
}

static int run_test(void *arg)
{
    int (*body)(void);
    memcpy(&body, arg, sizeof body);
    loop_thread = gettid();
    return body();
}

/* Threads may still be about to drop what was given up. */
static void wait_until_dropped(void)
{
    for (int i = 0; i < 15000 && jg_allocated_blocks(); i++)
        usleep(1000);
}

#define NAMES_TEST(name)                              \
    static int task_##name(void);                     \
    TEST(name)                                        \
    {                                                 \
        RUN(run_test, &(int (*)(void)){task_##name}); \
        wait_until_dropped();                         \
    }                                                 \
    static int task_##name(void)

static void text_has(const char *word)
{
    ck_assert_msg(strstr(jg_error_text(), word), "\"%s\" in \"%s\"", word, jg_error_text());
}

NAMES_TEST(digits_need_no_thread)
{
    struct addrinfo *result = NULL, hints = {.ai_socktype = SOCK_DGRAM};
    errno = 77;
    ck_assert_int_eq(jg_getaddrinfo("127.0.0.1", "80", &hints, &result), 0);
    ck_assert_int_eq(errno, 77);
    const struct sockaddr_in *address = (struct sockaddr_in *)(void *)result->ai_addr;
    ck_assert_int_eq(result->ai_socktype, SOCK_DGRAM);
    ck_assert_int_eq(ntohs(address->sin_port), 80);
    ck_assert_uint_eq(ntohl(address->sin_addr.s_addr), INADDR_LOOPBACK);
    ck_assert_ptr_null(result->ai_next);
    freeaddrinfo(result);
    ck_assert_int_eq(jg_getaddrinfo("::1", NULL, NULL, &result), 0);
    ck_assert_int_eq(result->ai_family, AF_INET6);
    freeaddrinfo(result);
    hints = (struct addrinfo){.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM, .ai_family = AF_INET};
    ck_assert_int_eq(jg_getaddrinfo(NULL, "0", &hints, &result), 0);
    ck_assert_uint_eq(((struct sockaddr_in *)(void *)result->ai_addr)->sin_addr.s_addr, INADDR_ANY);
    freeaddrinfo(result);
    ck_assert_int_eq(on_threads, 0);
    return 0;
}

NAMES_TEST(names_are_looked_up_on_a_thread)
{
    struct addrinfo *result, hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM, .ai_flags = AI_CANONNAME};
    ck_assert_int_eq(jg_getaddrinfo("localhost", "http", &hints, &result), 0);
    ck_assert_int_eq(ntohs(((struct sockaddr_in *)(void *)result->ai_addr)->sin_port), 80);
    ck_assert_ptr_nonnull(result->ai_canonname);
    freeaddrinfo(result);
    ck_assert_int_eq(on_threads, 1);
    ck_assert_int_eq(jg_getaddrinfo("127.0.0.1", "http", &hints, &result), 0); /* services have names too */
    freeaddrinfo(result);
    ck_assert_int_eq(on_threads, 2);
    return 0;
}

NAMES_TEST(failures_have_the_resolvers_words)
{
    struct addrinfo *result = (void *)&result, hints = {0};
    FAILS(jg_getaddrinfo("no such name.invalid", "80", NULL, &result), ENOENT);
    text_has("no such name.invalid");
    FAILS(jg_getaddrinfo(NULL, NULL, NULL, &result), ENOENT);
    text_has("Name or service not known");
    hints.ai_family = AF_INET6;
    FAILS(jg_getaddrinfo("127.0.0.1", NULL, &hints, &result), EAFNOSUPPORT);
    hints.ai_family = 1000;
    FAILS(jg_getaddrinfo("127.0.0.1", NULL, &hints, &result), EAFNOSUPPORT);
    hints = (struct addrinfo){.ai_flags = -1};
    FAILS(jg_getaddrinfo("127.0.0.1", NULL, &hints, &result), EINVAL);
    hints = (struct addrinfo){.ai_socktype = 1000};
    FAILS(jg_getaddrinfo("127.0.0.1", NULL, &hints, &result), EINVAL);
    hints = (struct addrinfo){.ai_flags = AI_NUMERICHOST};
    FAILS(jg_getaddrinfo("localhost", NULL, &hints, &result), ENOENT);
    FAILS(jg_getaddrinfo("127.0.0.1", "no such service", NULL, &result), EINVAL);
    char name[300];
    memset(name, 'a', sizeof name);
    name[sizeof name - 1] = '\0';
    FAILS(jg_getaddrinfo(name, NULL, NULL, &result), ENAMETOOLONG);
    ck_assert_ptr_eq(result, (void *)&result); /* left alone */
    return 0;
}

static int look_up(void *arg)
{
    struct addrinfo *result;
    (void)arg;
    if (jg_getaddrinfo("localhost", "80", NULL, &result) < 0)
        return -1;
    freeaddrinfo(result);
    return 0;
}

NAMES_TEST(a_look_up_can_be_interrupted_at_once)
{
    slow = true;
    jg_task *task = jg_create_task(look_up, NULL);
    while (!at_work)
        ck_assert_int_eq(jg_sleep(0.001), 0);
    jg_cancel(task);
    FAILS(jg_await(task), ECANCELED); /* the thread is still at it */
    {
        JG_TIMEOUT(soon, 0.01);
        FAILS(look_up(NULL), ETIMEDOUT);
    }
    slow = false;
    ck_assert_int_eq(look_up(NULL), 0);
    JG_TIMEOUT(now, 0);
    FAILS(look_up(NULL), ETIMEDOUT);
    return 0;
}

NAMES_TEST(the_loop_goes_on_during_a_look_up)
{
    slow = true;
    jg_task *tasks[20];
    for (int i = 0; i < 20; i++)
        tasks[i] = jg_create_task(look_up, NULL);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(jg_sleep(0.001), 0);
    for (int i = 0; i < 20; i++)
        ck_assert(!jg_task_done(tasks[i]));
    slow = false;
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(jg_await(tasks[i]), 0);
    return 0;
}

/* ---- From addresses to names ---- */

static const struct sockaddr_in http = {.sin_family = AF_INET, .sin_port = 0x5000, .sin_addr.s_addr = 0x0100007f};

NAMES_TEST(addresses_as_digits)
{
    char host[64] = "", service[16] = "";
    int flags = NI_NUMERICHOST | NI_NUMERICSERV;
    errno = 77;
    ck_assert_int_eq(
        jg_getnameinfo((const struct sockaddr *)&http, sizeof http, host, sizeof host, service, sizeof service, flags),
        0);
    ck_assert_int_eq(errno, 77);
    ck_assert_str_eq(host, "127.0.0.1");
    ck_assert_str_eq(service, "80");
    ck_assert_int_eq(
        jg_getnameinfo((const struct sockaddr *)&http, sizeof http, host, sizeof host, NULL, 0, NI_NUMERICHOST), 0);
    struct sockaddr_un local = {.sun_family = AF_UNIX, .sun_path = "/tmp/x"};
    ck_assert_int_eq(jg_getnameinfo((struct sockaddr *)&local, sizeof local, NULL, 0, service, sizeof service, 0), 0);
    ck_assert_str_eq(service, "/tmp/x");
    ck_assert_int_eq(on_threads, 0);
    return 0;
}

NAMES_TEST(addresses_as_names)
{
    char host[64] = "", service[16] = "";
    ck_assert_int_eq(
        jg_getnameinfo((const struct sockaddr *)&http, sizeof http, host, sizeof host, service, sizeof service, 0), 0);
    ck_assert_str_eq(host, "localhost");
    ck_assert_str_eq(service, "http");
    ck_assert_int_eq(on_threads, 1);
    ck_assert_int_eq(
        jg_getnameinfo((const struct sockaddr *)&http, sizeof http, NULL, 0, service, sizeof service, NI_NUMERICHOST),
        0);
    ck_assert_int_eq(on_threads, 2); /* for the service's name */
    return 0;
}

NAMES_TEST(failures_of_the_way_back)
{
    char host[64] = "untouched", service[16];
    const struct sockaddr *address = (const struct sockaddr *)&http;
    FAILS(jg_getnameinfo(address, sizeof http, host, 4, NULL, 0, NI_NUMERICHOST), ENAMETOOLONG);
    FAILS(jg_getnameinfo(address, sizeof http, host, sizeof host, service, 2, NI_NUMERICHOST | NI_NUMERICSERV),
          ENAMETOOLONG);
    FAILS(jg_getnameinfo(address, 4, host, sizeof host, NULL, 0, NI_NUMERICHOST), EAFNOSUPPORT);
    FAILS(jg_getnameinfo(address, sizeof http, host, sizeof host, NULL, 0, -1), EINVAL);
    struct sockaddr_in nobody = http;
    inet_pton(AF_INET, "127.77.77.77", &nobody.sin_addr);
    slow = true;
    JG_TIMEOUT(soon, 0.01);
    FAILS(jg_getnameinfo((struct sockaddr *)&nobody, sizeof nobody, host, sizeof host, NULL, 0, NI_NAMEREQD),
          ETIMEDOUT);
    slow = false;
    ck_assert_str_eq(host, "untouched");
    return 0;
}
