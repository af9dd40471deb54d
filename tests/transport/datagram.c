/* UDP transports: what goes out and comes in, sizes, errors, pausing, closing. */
#include "datagram_support.h"

#include <ifaddrs.h>
#include <net/if.h>

#define FAILS(expression, expected)                                                 \
    do {                                                                            \
        ck_assert_int_eq(expression, -1);                                           \
        ck_assert_msg(errno == (expected), "%s: %s", #expression, strerror(errno)); \
    } while (0)

static void answer(struct post *post)
{
    REQUIRE(jg_datagram_sendto(post->transport, post->last, post->last_bytes, (struct sockaddr *)&post->from,
                               post->from_length) == 0);
}

TEST(datagrams_go_there_and_back)
{
    jg_autoptr(jg_loop) loop = new_loop();
    struct post here = {0}, there = {.on_datagram = answer};
    open_post(loop, &here);
    open_post(loop, &there);
    ck_assert_int_eq(here.made, 0);
    ck_assert_int_eq(send_to(&here, &there, "hello", 5), 0); /* before it is told that it is open */
    RUN_UNTIL(loop, here.datagrams == 1);
    ck_assert_str_eq(here.last, "hello");
    struct sockaddr_in from;
    memcpy(&from, &here.from, sizeof from);
    ck_assert_int_eq(from.sin_port, address_of(there.transport).sin_port);
    ck_assert_int_eq(here.from_length, sizeof from);
    ck_assert_ptr_eq(jg_datagram_loop(here.transport), loop);
    ck_assert_uint_eq(jg_datagram_pending(here.transport), 0);
    finish_post(loop, &here);
    finish_post(loop, &there);
    ck_assert_str_eq(here.order, "MDL");
    ck_assert_int_eq(here.error, 0);
}

TEST(an_empty_datagram_is_one)
{
    jg_autoptr(jg_loop) loop = new_loop();
    struct post here = {0}, there = {.on_datagram = answer};
    open_post(loop, &here);
    open_post(loop, &there);
    ck_assert_int_eq(send_to(&here, &there, NULL, 0), 0);
    ck_assert_int_eq(send_to(&here, &there, "", 0), 0);
    RUN_UNTIL(loop, here.datagrams == 2);
    ck_assert_uint_eq(here.bytes, 0);
    finish_post(loop, &here);
    finish_post(loop, &there);
}

TEST(what_a_turn_sends_leaves_when_it_ends)
{
    jg_autoptr(jg_loop) loop = new_loop();
    struct sockaddr_in address;
    char byte;
    int bare = bare_udp(&address);
    struct post post = {0};
    open_post(loop, &post);
    run_some(loop);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(jg_datagram_sendto(post.transport, "x", 1, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_uint_gt(jg_datagram_pending(post.transport), 3);
    FAILS(recv(bare, &byte, 1, 0), EAGAIN);
    run_some(loop);
    ck_assert_uint_eq(jg_datagram_pending(post.transport), 0);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(recv(bare, &byte, 1, 0), 1);
    ck_assert_int_eq(jg_datagram_sendto(post.transport, "y", 1, (struct sockaddr *)&address, sizeof address), 0);
    jg_datagram_flush(post.transport);
    ck_assert_uint_eq(jg_datagram_pending(post.transport), 0);
    ck_assert_int_eq(recv(bare, &byte, 1, 0), 1);
    ck_assert_int_eq(byte, 'y');
    finish_post(loop, &post);
    close(bare);
}

/* More than one batch, of many sizes, in order. */
TEST(a_thousand_datagrams_keep_their_order)
{
    jg_autoptr(jg_loop) loop = new_loop();
    struct post here = {0}, there = {0};
    unsigned sent = 0;
    open_post(loop, &here);
    open_post(loop, &there);
    while (sent < 1000) {
        for (int i = 0; i < 50; i++, sent++)
            REQUIRE(send_number(&here, &there, sent, 4 + sent % 700) == 0);
        RUN_UNTIL(loop, (unsigned)there.datagrams == sent);
    }
    ck_assert_uint_eq(there.next, sent);
    ck_assert_uint_eq(there.truncated, 0);
    finish_post(loop, &here);
    finish_post(loop, &there);
}

static void check_largest(int family, size_t most)
{
    jg_autoptr(jg_loop) loop = new_loop();
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct post here = {0}, there = {0};
    char *data = pattern(70000);
    if (family == AF_INET) {
        open_post(loop, &here);
        open_post(loop, &there);
    } else {
        here.transport = jg_datagram_open(loop, (struct sockaddr *)&any, sizeof any, &post_protocol, &here);
        if (!here.transport)
            SKIP("no IPv6 here");
        there.transport = jg_datagram_open(loop, (struct sockaddr *)&any, sizeof any, &post_protocol, &there);
    }
    FAILS(send_to(&here, &there, data, 70000), EMSGSIZE);
    FAILS(send_to(&here, &there, data, most + 1), EMSGSIZE);
    ck_assert_int_eq(send_to(&here, &there, data, most), 0);
    RUN_UNTIL(loop, there.datagrams == 1);
    ck_assert_uint_eq(there.bytes, most);
    ck_assert_uint_eq(there.truncated, 0);
    ck_assert_int_eq(here.errors, 0);
    finish_post(loop, &here);
    finish_post(loop, &there);
    free(data);
}

TEST(the_largest_of_ipv4)
{
    check_largest(AF_INET, 65507);
}

TEST(the_largest_of_ipv6)
{
    check_largest(AF_INET6, 65527);
}

TEST(wrong_addresses_are_refused)
{
    jg_autoptr(jg_loop) loop = new_loop();
    struct post post = {0};
    open_post(loop, &post);
    struct sockaddr_in address = address_of(post.transport);
    struct sockaddr_in6 other = {.sin6_family = AF_INET6, .sin6_port = htons(1)};
    const struct sockaddr *to = (struct sockaddr *)&address;
    FAILS(jg_datagram_sendto(post.transport, "x", 1, NULL, 0), EDESTADDRREQ);
    FAILS(jg_datagram_sendto(post.transport, "x", 1, (struct sockaddr *)&other, sizeof other), EAFNOSUPPORT);
    FAILS(jg_datagram_sendto(post.transport, "x", 1, to, 4), EINVAL);
    FAILS(jg_datagram_sendto(post.transport, "x", 1, to, 0), EINVAL);
    FAILS(jg_datagram_sendto(post.transport, "x", 1, to, 1000), EINVAL);
    FAILS(jg_datagram_sendto(post.transport, NULL, 1, to, sizeof address), EINVAL);
    ck_assert_uint_eq(jg_datagram_pending(post.transport), 0);
    ck_assert_ptr_null(jg_datagram_open(loop, NULL, 0, &post_protocol, NULL));
    ck_assert_int_eq(errno, EINVAL);
    ck_assert_ptr_null(jg_datagram_open(loop, &(struct sockaddr){.sa_family = AF_PACKET}, 2, &post_protocol, NULL));
    ck_assert_int_eq(errno, EAFNOSUPPORT);
    ck_assert_ptr_null(jg_datagram_open(loop, to, sizeof address, &post_protocol, NULL));
    ck_assert_int_eq(errno, EADDRINUSE);
    finish_post(loop, &post);
}

static void open_connected(jg_loop *loop, struct post *post, const struct sockaddr_in *to)
{
    post->transport =
        jg_datagram_open(loop, NULL, 0, &post_protocol, post, .remote_address = (const struct sockaddr *)to,
                         .remote_address_length = sizeof *to);
    ck_assert_ptr_nonnull(post->transport);
}

TEST(a_refusal_is_told_once_and_the_transport_goes_on)
{
    jg_autoptr(jg_loop) loop = new_loop();
    struct sockaddr_in address;
    int bare = bare_udp(&address);
    struct post post = {0};
    close(bare);
    open_connected(loop, &post, &address);
    ck_assert_int_eq(jg_datagram_sendto(post.transport, "x", 1, NULL, 0), 0);
    RUN_UNTIL(loop, post.errors);
    ck_assert_int_eq(post.last_error, ECONNREFUSED);
    run_some(loop);
    ck_assert_int_eq(post.errors, 1);
    bare = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(bare, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(jg_datagram_sendto(post.transport, "y", 1, NULL, 0), 0);
    struct sockaddr_in own = address_of(post.transport);
    ck_assert_int_eq(sendto(bare, "z", 1, 0, (struct sockaddr *)&own, sizeof own), 1);
    RUN_UNTIL(loop, post.datagrams == 1);
    char byte;
    ck_assert_int_eq(recv(bare, &byte, 1, 0), 1);
    ck_assert_int_eq(byte, 'y');
    ck_assert_int_eq(post.errors, 1);
    finish_post(loop, &post);
    close(bare);
}

TEST(an_error_costs_only_its_own_datagram)
{
    jg_autoptr(jg_loop) loop = new_loop();
    struct post here = {0}, there = {0};
    open_post(loop, &here);
    open_post(loop, &there);
    struct sockaddr_in broadcast = {
        .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_BROADCAST)};
    ck_assert_int_eq(send_number(&here, &there, 0, 10), 0);
    ck_assert_int_eq(jg_datagram_sendto(here.transport, "x", 1, (struct sockaddr *)&broadcast, sizeof broadcast), 0);
    ck_assert_int_eq(send_number(&here, &there, 1, 10), 0);
    RUN_UNTIL(loop, here.errors == 1 && there.datagrams == 2);
    ck_assert_int_eq(here.last_error, EACCES);
    ck_assert_uint_eq(there.next, 2);
    finish_post(loop, &here);
    finish_post(loop, &there);
}

TEST(broadcasts_need_the_option)
{
    jg_autoptr(jg_loop) loop = new_loop();
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
    struct post here = {0}, there = {0};
    open_post(loop, &here);
    there.transport = jg_datagram_open(loop, (struct sockaddr *)&any, sizeof any, &post_protocol, &there);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = address_of(there.transport).sin_port,
                             .sin_addr.s_addr = htonl(0x7fffffff)}; /* that of lo: 127.255.255.255 */
    ck_assert_int_eq(jg_datagram_sendto(here.transport, "x", 1, (struct sockaddr *)&to, sizeof to), 0);
    RUN_UNTIL(loop, here.errors);
    ck_assert_int_eq(here.last_error, EACCES);
    finish_post(loop, &here);
    here = (struct post){0};
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    here.transport =
        jg_datagram_open(loop, (struct sockaddr *)&any, sizeof any, &post_protocol, &here, .broadcast = true);
    ck_assert_int_eq(jg_datagram_sendto(here.transport, "x", 1, (struct sockaddr *)&to, sizeof to), 0);
    RUN_UNTIL(loop, there.datagrams == 1);
    finish_post(loop, &here);
    finish_post(loop, &there);
}

static void pause_at_the_third(struct post *post)
{
    if (post->datagrams == 3)
        jg_datagram_pause_reading(post->transport);
}

TEST(pausing_takes_effect_at_once_and_loses_nothing)
{
    jg_autoptr(jg_loop) loop = new_loop();
    struct post here = {0}, there = {.on_datagram = pause_at_the_third};
    open_post(loop, &here);
    open_post(loop, &there);
    for (unsigned i = 0; i < 10; i++)
        ck_assert_int_eq(send_number(&here, &there, i, 100), 0);
    RUN_UNTIL(loop, there.datagrams == 3);
    run_some(loop);
    ck_assert_int_eq(there.datagrams, 3);
    for (unsigned i = 10; i < 20; i++)
        ck_assert_int_eq(send_number(&here, &there, i, 100), 0);
    run_some(loop);
    ck_assert_int_eq(there.datagrams, 3);
    jg_datagram_resume_reading(there.transport);
    ck_assert_int_eq(there.datagrams, 3); /* never from inside the call */
    RUN_UNTIL(loop, there.datagrams == 20);
    ck_assert_uint_eq(there.next, 20);
    finish_post(loop, &here);
    finish_post(loop, &there);
}

TEST(what_nobody_reads_is_bounded_and_counted)
{
    jg_autoptr(jg_loop) loop = new_loop();
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct post here = {0}, there = {0};
    unsigned sent = 0;
    open_post(loop, &here);
    there.transport =
        jg_datagram_open(loop, (struct sockaddr *)&any, sizeof any, &post_protocol, &there, .receive_limit = 65536);
    run_some(loop);
    jg_datagram_pause_reading(there.transport);
    ck_assert_uint_eq(jg_datagram_dropped(there.transport), 0);
    for (; sent < 2000; sent++)
        REQUIRE(send_number(&here, &there, sent, 512) == 0);
    run_some(loop);
    uint64_t dropped = jg_datagram_dropped(there.transport);
    ck_assert_uint_gt(dropped, 1000);
    jg_datagram_resume_reading(there.transport);
    RUN_UNTIL(loop, there.datagrams + (int)dropped == (int)sent);
    run_some(loop);
    ck_assert_int_eq(there.datagrams + (int)jg_datagram_dropped(there.transport), (int)sent);
    finish_post(loop, &here);
    finish_post(loop, &there);
}

static void abort_it(struct post *post)
{
    jg_datagram_abort(post->transport);
}

static void close_it(struct post *post)
{
    jg_datagram_close(post->transport);
    ck_assert(jg_datagram_is_closing(post->transport));
    FAILS(jg_datagram_sendto(post->transport, "x", 1, (struct sockaddr *)&post->from, post->from_length), EPIPE);
}

static void check_end_inside(void (*end)(struct post *post))
{
    jg_autoptr(jg_loop) loop = new_loop();
    struct post here = {0}, there = {.on_datagram = end};
    open_post(loop, &here);
    open_post(loop, &there);
    for (unsigned i = 0; i < 10; i++)
        ck_assert_int_eq(send_number(&here, &there, i, 100), 0);
    RUN_UNTIL(loop, there.lost);
    ck_assert_str_eq(there.order, "MDL");
    finish_post(loop, &here);
}

TEST(nothing_is_delivered_after_a_close_or_an_abort)
{
    check_end_inside(abort_it);
    check_end_inside(close_it);
}

TEST(close_sends_what_is_queued_and_abort_drops_it)
{
    jg_autoptr(jg_loop) loop = new_loop();
    struct sockaddr_in address;
    char byte;
    int bare = bare_udp(&address);
    struct post closed = {0}, aborted = {0};
    open_post(loop, &closed);
    open_post(loop, &aborted);
    run_some(loop);
    ck_assert_int_eq(jg_datagram_sendto(closed.transport, "c", 1, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(jg_datagram_sendto(aborted.transport, "a", 1, (struct sockaddr *)&address, sizeof address), 0);
    jg_datagram_abort(aborted.transport);
    jg_datagram_close(closed.transport);
    jg_datagram_close(closed.transport);
    RUN_UNTIL(loop, closed.lost && aborted.lost);
    ck_assert_int_eq(recv(bare, &byte, 1, 0), 1);
    ck_assert_int_eq(byte, 'c');
    FAILS(recv(bare, &byte, 1, 0), EAGAIN);
    close(bare);
}

TEST(a_transport_on_a_socket_of_somebody_else)
{
    jg_autoptr(jg_loop) loop = new_loop();
    int pair[2], stream[2], ends[2];
    struct post post = {0};
    char byte;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stream), 0);
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    ck_assert_ptr_null(jg_datagram_from_fd(loop, stream[0], &post_protocol, &post));
    ck_assert_int_eq(errno, ENOTSOCK);
    ck_assert_ptr_null(jg_datagram_from_fd(loop, ends[0], &post_protocol, &post));
    ck_assert_int_eq(errno, ENOTSOCK);
    ck_assert_ptr_null(jg_datagram_from_fd(loop, -1, &post_protocol, &post));
    ck_assert_int_eq(errno, EBADF);
    post.transport = jg_datagram_from_fd(loop, pair[0], &post_protocol, &post, .receive_limit = 10000);
    ck_assert_ptr_nonnull(post.transport);
    ck_assert_int_eq(jg_datagram_fileno(post.transport), pair[0]);
    ck_assert_int_eq(fcntl(pair[0], F_GETFD), FD_CLOEXEC);
    ck_assert_int_eq(send(pair[1], "in", 2, 0), 2);
    ck_assert_int_eq(jg_datagram_sendto(post.transport, "o", 1, NULL, 0), 0); /* it is connected */
    RUN_UNTIL(loop, post.datagrams == 1);
    ck_assert_int_eq(post.from_length, sizeof(sa_family_t)); /* the peer has no name */
    ck_assert_int_eq(post.from.ss_family, AF_UNIX);
    ck_assert_int_eq(recv(pair[1], &byte, 1, 0), 1);
    finish_post(loop, &post);
    close(pair[1]);
    close(stream[0]);
    close(stream[1]);
    close(ends[0]);
    close(ends[1]);
}

TEST(a_socket_that_others_have_too_is_forgotten)
{
    jg_autoptr(jg_loop) loop = new_loop();
    int pair[2];
    struct post post = {0};
    jg_loop_statistics before, after;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
    int copy = dup(pair[0]);
    post.transport = jg_datagram_from_fd(loop, pair[0], &post_protocol, &post);
    ck_assert_int_eq(send(pair[1], "x", 1, 0), 1);
    RUN_UNTIL(loop, post.datagrams == 1);
    finish_post(loop, &post);
    ck_assert_int_eq(send(pair[1], "y", 1, 0), 1);
    jg_loop_get_statistics(loop, &before);
    run_some(loop);
    jg_loop_get_statistics(loop, &after);
    ck_assert_uint_eq(after.completions, before.completions);
    close(copy);
    close(pair[1]);
}

static void check_multicast(int family, const char *text, unsigned interface)
{
    jg_autoptr(jg_loop) loop = new_loop();
    union {
        struct sockaddr any;
        struct sockaddr_in ip4;
        struct sockaddr_in6 ip6;
    } bound = {.any.sa_family = (sa_family_t)family}, group = {.any.sa_family = (sa_family_t)family};
    socklen_t length = family == AF_INET ? sizeof bound.ip4 : sizeof bound.ip6;
    ck_assert_int_eq(
        inet_pton(family, text, family == AF_INET ? (void *)&group.ip4.sin_addr : (void *)&group.ip6.sin6_addr), 1);
    struct post member = {0}, stranger = {0}, sender = {0}, silent = {0};
    member.transport = jg_datagram_open(loop, &bound.any, length, &post_protocol, &member,
                                        .multicast_group = &group.any, .multicast_interface = interface);
    if (!member.transport && (errno == ENODEV || errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT))
        SKIP("no multicast on lo here");
    ck_assert_msg(member.transport != NULL, "%s", jg_error_text());
    socklen_t own = sizeof bound;
    getsockname(jg_datagram_fileno(member.transport), &bound.any, &own);
    group.ip4.sin_port = bound.ip4.sin_port; /* at the same place in both */
    /* Another group on the same port: not told of this one. */
    struct sockaddr_in6 *other = &(struct sockaddr_in6){0};
    memcpy(other, &group, sizeof *other);
    if (family == AF_INET)
        ((struct sockaddr_in *)(void *)other)->sin_addr.s_addr ^= htonl(1);
    else
        other->sin6_addr.s6_addr[15] ^= 1;
    stranger.transport =
        jg_datagram_open(loop, &bound.any, length, &post_protocol, &stranger,
                         .multicast_group = (struct sockaddr *)other, .multicast_interface = interface);
    ck_assert_msg(stranger.transport != NULL, "%s", jg_error_text());
    bound.ip4.sin_port = 0;
    sender.transport = jg_datagram_open(loop, &bound.any, length, &post_protocol, &sender,
                                        .multicast_interface = interface, .multicast_ttl = 3);
    silent.transport = jg_datagram_open(loop, &bound.any, length, &post_protocol, &silent,
                                        .multicast_interface = interface, .multicast_no_loop = true);
    ck_assert(sender.transport && silent.transport);
    ck_assert_int_eq(jg_datagram_sendto(sender.transport, "m", 1, &group.any, length), 0);
    RUN_UNTIL(loop, member.datagrams == 1);
    ck_assert_str_eq(member.last, "m");
    run_some(loop);
    ck_assert_int_eq(member.datagrams, 1);
    ck_assert_int_eq(stranger.datagrams, 0);
    int level = family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6, ttl = 0, loops = 1;
    getsockopt(jg_datagram_fileno(sender.transport), level, family == AF_INET ? IP_MULTICAST_TTL : IPV6_MULTICAST_HOPS,
               &ttl, &(socklen_t){sizeof ttl});
    ck_assert_int_eq(ttl, 3);
    /* What is sent on lo itself comes back in any case. */
    getsockopt(jg_datagram_fileno(silent.transport), level, family == AF_INET ? IP_MULTICAST_LOOP : IPV6_MULTICAST_LOOP,
               &loops, &(socklen_t){sizeof loops});
    ck_assert_int_eq(loops, 0);
    finish_post(loop, &member);
    finish_post(loop, &stranger);
    finish_post(loop, &sender);
    finish_post(loop, &silent);
}

TEST(multicast_of_ipv4)
{
    check_multicast(AF_INET, "239.255.77.6", if_nametoindex("lo"));
}

TEST(multicast_of_ipv6)
{
    struct ifaddrs *all, *each;
    unsigned index = 0;
    ck_assert_int_eq(getifaddrs(&all), 0);
    for (each = all; each && !index; each = each->ifa_next)
        if (each->ifa_addr && each->ifa_addr->sa_family == AF_INET6 && each->ifa_flags & IFF_UP &&
            each->ifa_flags & IFF_MULTICAST)
            index = if_nametoindex(each->ifa_name);
    freeifaddrs(all);
    if (!index)
        SKIP("no interface with multicast of IPv6"); /* lo has no route for it */
    check_multicast(AF_INET6, "ff01::4a:6", index);
}

TEST(a_port_may_be_shared)
{
    jg_autoptr(jg_loop) loop = new_loop();
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct post first = {0}, second = {0};
    first.transport =
        jg_datagram_open(loop, (struct sockaddr *)&any, sizeof any, &post_protocol, &first, .reuse_port = true);
    any = address_of(first.transport);
    second.transport =
        jg_datagram_open(loop, (struct sockaddr *)&any, sizeof any, &post_protocol, &second, .reuse_port = true);
    ck_assert(first.transport && second.transport);
    for (int i = 0; i < 64; i++) {
        struct sockaddr_in address;
        int bare = bare_udp(&address);
        ck_assert_int_eq(sendto(bare, "x", 1, 0, (struct sockaddr *)&any, sizeof any), 1);
        close(bare);
    }
    RUN_UNTIL(loop, first.datagrams + second.datagrams == 64);
    ck_assert(first.datagrams && second.datagrams);
    finish_post(loop, &first);
    finish_post(loop, &second);
}

TEST(a_loop_that_closes_frees_its_transports)
{
    jg_loop *loop = new_loop();
    struct post here = {0}, there = {.on_datagram = pause_at_the_third};
    open_post(loop, &here);
    open_post(loop, &there);
    for (unsigned i = 0; i < 10; i++)
        ck_assert_int_eq(send_number(&here, &there, i, 100), 0);
    RUN_UNTIL(loop, there.datagrams == 3);
    ck_assert_int_eq(send_number(&here, &there, 0, 10000), 0);
    jg_loop_close(loop); /* one has datagrams to be sent, the other to be delivered */
    ck_assert_int_eq(there.lost, 0);
}

TEST(without_fds_there_is_no_transport)
{
    jg_autoptr(jg_loop) loop = new_loop();
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct rlimit before, none;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    ck_assert_ptr_null(jg_datagram_open(loop, (struct sockaddr *)&any, sizeof any, &post_protocol, NULL));
    int error = errno;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert_int_eq(error, EMFILE);
}
