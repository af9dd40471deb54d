/* Name look-up: literals, this machine's own names, failures, and cancelling at every stage. No name server is needed.
 */
#include "harness.h"

#include "host/resolver.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct answer {
    jg__lookup *lookup;
    int calls, error, count;
    int families[8], port;
    char text[128], address[INET6_ADDRSTRLEN];
};

static void answered(void *arg, const struct addrinfo *addresses, int error, const char *text)
{
    struct answer *answer = arg;
    answer->calls++;
    answer->error = error;
    ck_assert((addresses != NULL) == (error == 0));
    snprintf(answer->text, sizeof answer->text, "%s", text);
    for (; addresses && answer->count < 8; addresses = addresses->ai_next) {
        const void *bytes = &((struct sockaddr_in *)(void *)addresses->ai_addr)->sin_addr;
        if (addresses->ai_family == AF_INET6)
            bytes = &((struct sockaddr_in6 *)(void *)addresses->ai_addr)->sin6_addr;
        if (answer->count == 0)
            inet_ntop(addresses->ai_family, bytes, answer->address, sizeof answer->address);
        ck_assert_int_eq(addresses->ai_socktype, SOCK_STREAM);
        answer->port = ntohs(((struct sockaddr_in *)(void *)addresses->ai_addr)->sin_port);
        answer->families[answer->count++] = addresses->ai_family;
    }
}

static jg_loop *new_loop(void)
{
    jg_loop *loop = jg_loop_new();
    ck_assert_ptr_nonnull(loop);
    return loop;
}

static void look_up(jg_loop *loop, struct answer *answer, const char *host, int family)
{
    *answer = (struct answer){0};
    answer->lookup = jg__lookup_start(loop, host, 80, family, 0, answered, answer);
    ck_assert_msg(answer->lookup != NULL, "%s", jg_error_text());
    ck_assert_int_eq(answer->calls, 0); /* never inside the call */
    while (!answer->calls)
        ck_assert_int_eq(jg_loop_run_once(loop, 15), 0);
    ck_assert_int_eq(answer->calls, 1);
}

/* Waits until the threads have dropped what was withdrawn. */
static void wait_until_dropped(size_t blocks)
{
    for (int i = 0; i < 15000 && jg_allocated_blocks() > blocks; i++)
        usleep(1000);
    ck_assert_uint_eq(jg_allocated_blocks(), blocks);
}

TEST(numeric_addresses_are_answered_from_a_later_turn)
{
    struct answer answer;
    jg_loop *loop = new_loop();
    look_up(loop, &answer, "127.0.0.1", 0);
    ck_assert_int_eq(answer.error, 0);
    ck_assert_int_eq(answer.count, 1);
    ck_assert_int_eq(answer.families[0], AF_INET);
    ck_assert_str_eq(answer.address, "127.0.0.1");
    ck_assert_int_eq(answer.port, 80);
    ck_assert_str_eq(answer.text, "");
    look_up(loop, &answer, "::1", 0);
    ck_assert_int_eq(answer.families[0], AF_INET6);
    ck_assert_str_eq(answer.address, "::1");
    look_up(loop, &answer, "fe80::1%lo", 0);
    ck_assert_int_eq(answer.error, 0);
    ck_assert_int_eq(answer.families[0], AF_INET6);
    jg_loop_close(loop);
}

TEST(a_numeric_address_of_another_family_is_eafnosupport)
{
    struct answer answer;
    jg_loop *loop = new_loop();
    look_up(loop, &answer, "127.0.0.1", AF_INET6);
    ck_assert_int_eq(answer.error, EAFNOSUPPORT);
    ck_assert_str_ne(answer.text, "");
    look_up(loop, &answer, "::1", AF_INET);
    ck_assert_int_eq(answer.error, EAFNOSUPPORT);
    jg_loop_close(loop);
}

TEST(localhost_is_found_off_the_loop)
{
    struct answer answer;
    jg_loop *loop = new_loop();
    look_up(loop, &answer, "localhost", AF_INET);
    ck_assert_int_eq(answer.error, 0);
    ck_assert_str_eq(answer.address, "127.0.0.1");
    ck_assert_int_eq(answer.port, 80);
    jg_loop_close(loop);
}

TEST(no_host_is_this_machine_or_any_address)
{
    struct answer answer = {0};
    jg_loop *loop = new_loop();
    look_up(loop, &answer, NULL, AF_INET);
    ck_assert_str_eq(answer.address, "127.0.0.1");
    answer = (struct answer){0};
    ck_assert_ptr_nonnull(jg__lookup_start(loop, NULL, 80, AF_INET, AI_PASSIVE, answered, &answer));
    while (!answer.calls)
        ck_assert_int_eq(jg_loop_run_once(loop, 5), 0);
    ck_assert_str_eq(answer.address, "0.0.0.0");
    jg_loop_close(loop);
}

TEST(an_unknown_name_fails_with_the_resolvers_words)
{
    struct answer answer;
    jg_loop *loop = new_loop();
    look_up(loop, &answer, "no-such-host.invalid", 0);
    ck_assert_msg(answer.error == ENOENT || answer.error == EAGAIN, "%d %s", answer.error, answer.text);
    ck_assert_str_ne(answer.text, "");
    jg_loop_close(loop);
}

TEST(bad_arguments_fail_at_once)
{
    char name[300];
    struct answer answer = {0};
    jg_loop *loop = new_loop();
    memset(name, 'a', sizeof name);
    name[299] = '\0';
    ck_assert_ptr_null(jg__lookup_start(loop, name, 80, 0, 0, answered, &answer));
    ck_assert_int_eq(errno, ENAMETOOLONG);
    ck_assert_ptr_null(jg__lookup_start(loop, "localhost", 65536, 0, 0, answered, &answer));
    ck_assert_int_eq(errno, EINVAL);
    ck_assert_ptr_null(jg__lookup_start(loop, "localhost", -1, 0, 0, answered, &answer));
    ck_assert_int_eq(errno, EINVAL);
    jg_loop_run_once(loop, 0);
    ck_assert_int_eq(answer.calls, 0);
    jg_loop_close(loop);
}

TEST(success_leaves_errno)
{
    struct answer answer = {0};
    jg_loop *loop = new_loop();
    errno = 1234;
    answer.lookup = jg__lookup_start(loop, "localhost", 80, 0, 0, answered, &answer);
    ck_assert_int_eq(errno, 1234);
    jg__lookup_cancel(answer.lookup);
    ck_assert_int_eq(errno, 1234);
    jg_loop_close(loop);
    wait_until_dropped(0);
}

TEST(a_cancelled_look_up_never_answers)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost", "no-such-host.invalid"};
    jg_loop *loop = new_loop();
    for (int wait = 0; wait < 3; wait++) {
        for (size_t i = 0; i < 3; i++) {
            struct answer answer = {0};
            answer.lookup = jg__lookup_start(loop, hosts[i], 80, 0, 0, answered, &answer);
            usleep(wait == 0 ? 0 : wait == 1 ? 100 : 30000); /* queued, at work, answered but not yet delivered */
            jg__lookup_cancel(answer.lookup);
            for (int turn = 0; turn < 5; turn++)
                ck_assert_int_eq(jg_loop_run_once(loop, 0.001), 0);
            ck_assert_int_eq(answer.calls, 0);
        }
    }
    jg_loop_close(loop);
    wait_until_dropped(0);
}

TEST(many_at_once_are_all_answered)
{
    enum { COUNT = 200 };
    static struct answer answers[COUNT];
    jg_loop *loop = new_loop();
    for (int i = 0; i < COUNT; i++)
        ck_assert_ptr_nonnull(
            jg__lookup_start(loop, i % 3 ? "localhost" : "127.0.0.1", 80, AF_INET, 0, answered, &answers[i]));
    for (int i = 0; i < COUNT; i++) {
        while (!answers[i].calls)
            ck_assert_int_eq(jg_loop_run_once(loop, 5), 0);
        ck_assert_int_eq(answers[i].error, 0);
        ck_assert_str_eq(answers[i].address, "127.0.0.1");
    }
    jg_loop_close(loop);
}

TEST(half_of_many_cancelled_the_others_are_answered)
{
    enum { COUNT = 100 };
    static struct answer answers[COUNT];
    jg_loop *loop = new_loop();
    for (int i = 0; i < COUNT; i++)
        answers[i].lookup = jg__lookup_start(loop, "localhost", 80, AF_INET, 0, answered, &answers[i]);
    for (int i = 0; i < COUNT; i += 2)
        jg__lookup_cancel(answers[i].lookup);
    for (int i = 1; i < COUNT; i += 2)
        while (!answers[i].calls)
            ck_assert_int_eq(jg_loop_run_once(loop, 5), 0);
    for (int i = 0; i < COUNT; i++)
        ck_assert_int_eq(answers[i].calls, i % 2);
    jg_loop_close(loop);
    wait_until_dropped(0);
}

TEST(a_loop_may_be_closed_under_its_look_ups)
{
    static struct answer answers[30];
    for (int wait = 0; wait < 3; wait++) {
        jg_loop *loop = new_loop();
        for (int i = 0; i < 30; i++)
            ck_assert_ptr_nonnull(
                jg__lookup_start(loop, i % 2 ? "localhost" : "no-such-host.invalid", 80, 0, 0, answered, &answers[i]));
        usleep((unsigned)wait * 1000);
        jg_loop_close(loop);
    }
    for (int i = 0; i < 30; i++)
        ck_assert_int_eq(answers[i].calls, 0);
    wait_until_dropped(0);
}

TEST(two_loops_share_the_threads)
{
    struct answer first, second;
    jg_loop *one = new_loop(), *other = new_loop();
    look_up(one, &first, "localhost", AF_INET);
    look_up(other, &second, "localhost", AF_INET);
    jg_loop_close(one);
    look_up(other, &second, "localhost", AF_INET);
    ck_assert_int_eq(second.error, 0);
    jg_loop_close(other);
}

/* ---- Out of memory ---- */

static int allocations_left = -1;

static void *allocate(size_t bytes, void *arg)
{
    (void)arg;
    if (allocations_left == 0)
        return NULL;
    allocations_left -= allocations_left > 0;
    return malloc(bytes);
}

static void *reallocate(void *block, size_t bytes, void *arg)
{
    (void)arg;
    return allocations_left == 0 ? NULL : realloc(block, bytes);
}

static void release(void *block, void *arg)
{
    (void)arg;
    free(block);
}

TEST(without_memory_a_look_up_fails_with_enomem)
{
    static const jg_allocator failing = {allocate, reallocate, release, NULL};
    struct answer answer = {0};
    ck_assert_int_eq(jg_set_allocator(&failing), 0);
    jg_loop *loop = new_loop();
    for (int i = 0; i < 2; i++) {
        allocations_left = i;
        ck_assert_ptr_null(jg__lookup_start(loop, "localhost", 80, 0, 0, answered, &answer));
        ck_assert_int_eq(errno, ENOMEM);
    }
    allocations_left = -1;
    look_up(loop, &answer, "localhost", AF_INET);
    ck_assert_int_eq(answer.error, 0);
    jg_loop_close(loop);
}

/* ---- From addresses to names ---- */

static void named(void *arg, const char *host, const char *service, int error, const char *text)
{
    struct answer *answer = arg;
    answer->calls++;
    answer->error = error;
    snprintf(answer->address, sizeof answer->address, "%s", host);
    snprintf(answer->text, sizeof answer->text, "%s%s", service, text);
}

static const struct sockaddr_in http = {.sin_family = AF_INET, .sin_port = 0x5000, .sin_addr.s_addr = 0x0100007f};

TEST(an_address_is_answered_from_a_later_turn)
{
    struct answer answer = {0};
    jg_loop *loop = new_loop();
    for (int flags = NI_NUMERICHOST | NI_NUMERICSERV; answer.calls < 2; flags = NI_NAMEREQD) {
        int calls = answer.calls;
        ck_assert_ptr_nonnull(
            jg__lookup_name(loop, (const struct sockaddr *)&http, sizeof http, true, true, flags, named, &answer));
        ck_assert_int_eq(answer.calls, calls);
        while (answer.calls == calls)
            ck_assert_int_eq(jg_loop_run_once(loop, 15), 0);
        ck_assert_int_eq(answer.error, 0);
        ck_assert_str_eq(answer.address, flags & NI_NAMEREQD ? "localhost" : "127.0.0.1");
        ck_assert_str_eq(answer.text, flags & NI_NAMEREQD ? "http" : "80");
    }
    jg_loop_close(loop);
}

TEST(a_cancelled_look_up_of_an_address_never_answers)
{
    struct answer answer = {0};
    jg_loop *loop = new_loop();
    for (int i = 0; i < 20; i++) {
        int flags = i % 2 ? NI_NUMERICHOST | NI_NUMERICSERV : 0;
        jg__lookup *lookup =
            jg__lookup_name(loop, (const struct sockaddr *)&http, sizeof http, true, true, flags, named, &answer);
        ck_assert_ptr_nonnull(lookup);
        usleep((useconds_t)(i * 50));
        jg__lookup_cancel(lookup);
    }
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(jg_loop_run_once(loop, 0.001), 0);
    ck_assert_int_eq(answer.calls, 0);
    jg_loop_close(loop);
    wait_until_dropped(0);
}

TEST(without_memory_a_look_up_of_an_address_fails_with_enomem)
{
    static const jg_allocator failing = {allocate, reallocate, release, NULL};
    struct answer answer = {0};
    ck_assert_int_eq(jg_set_allocator(&failing), 0);
    jg_loop *loop = new_loop();
    for (int i = 0; i < 2; i++) {
        allocations_left = i;
        ck_assert_ptr_null(
            jg__lookup_name(loop, (const struct sockaddr *)&http, sizeof http, true, true, 0, named, &answer));
        ck_assert_int_eq(errno, ENOMEM);
    }
    allocations_left = -1;
    jg_loop_close(loop);
}
