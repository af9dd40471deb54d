/* Addresses as text. */
#include "harness.h"

#include "host/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/un.h>

static const char *text_of(const void *address, size_t length)
{
    static char text[JG__ADDRESS_TEXT];
    return jg__address_text(address, (socklen_t)length, text);
}

TEST(ipv4_is_address_and_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(80)};
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    ck_assert_str_eq(text_of(&address, sizeof address), "127.0.0.1:80");
    ck_assert_str_eq(text_of(&address, 4), "");
}

TEST(ipv6_stands_in_brackets_with_its_scope)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(65535)};
    inet_pton(AF_INET6, "::1", &address.sin6_addr);
    ck_assert_str_eq(text_of(&address, sizeof address), "[::1]:65535");
    inet_pton(AF_INET6, "fe80::1", &address.sin6_addr);
    address.sin6_scope_id = if_nametoindex("lo");
    ck_assert_str_eq(text_of(&address, sizeof address), "[fe80::1%lo]:65535");
    address.sin6_scope_id = 99999;
    ck_assert_str_eq(text_of(&address, sizeof address), "[fe80::1%99999]:65535");
}

TEST(a_unix_socket_is_its_path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/run/x"};
    ck_assert_str_eq(text_of(&address, sizeof address), "/run/x");
    ck_assert_str_eq(text_of(&address, offsetof(struct sockaddr_un, sun_path)), "");
    memcpy(address.sun_path, "\0hidden", 7);
    ck_assert_str_eq(text_of(&address, offsetof(struct sockaddr_un, sun_path) + 7), "@hidden");
}

TEST(what_is_unknown_is_empty_and_errno_stays)
{
    struct sockaddr address = {.sa_family = 77};
    errno = 4321;
    ck_assert_str_eq(text_of(&address, sizeof address), "");
    ck_assert_int_eq(errno, 4321);
}

TEST(a_text_tells_its_own_host_and_no_other)
{
    ck_assert(jg__address_text_tells("127.0.0.1:80", "127.0.0.1"));
    ck_assert(jg__address_text_tells("[::1]:80", "::1"));
    ck_assert(!jg__address_text_tells("127.0.0.10:80", "127.0.0.1"));
    ck_assert(!jg__address_text_tells("127.0.0.1:80", "localhost"));
    ck_assert(!jg__address_text_tells("127.0.0.1:80", NULL));
}
