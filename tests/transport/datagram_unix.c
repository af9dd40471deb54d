/* Unix datagrams: names, the socket's file, back-pressure that loses nothing. */
#include "datagram_support.h"

#include <stdio.h>
#include <sys/stat.h>

static char directory[] = "/tmp/juggle-datagram-XXXXXX";
static char place[64], other_place[64];

static void make_directory(void)
{
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(place, sizeof place, "%s/a", directory);
    snprintf(other_place, sizeof other_place, "%s/b", directory);
}

static void answer(struct post *post)
{
    REQUIRE(jg_datagram_sendto(post->transport, post->last, post->last_bytes, (struct sockaddr *)&post->from,
                               post->from_length) == 0);
}

static void check_round_trip(const char *one, const char *two)
{
    jg_autoptr(jg_loop) loop = new_loop();
    struct post here = {0}, there = {.on_datagram = answer};
    ck_assert_msg(open_unix(loop, &here, one) && open_unix(loop, &there, two), "%s", jg_error_text());
    ck_assert_int_eq(send_to(&here, &there, "hello", 5), 0);
    RUN_UNTIL(loop, here.datagrams == 1);
    ck_assert_str_eq(here.last, "hello");
    finish_post(loop, &here);
    finish_post(loop, &there);
}

TEST(paths_and_abstract_names)
{
    make_directory();
    check_round_trip(place, other_place);
    ck_assert_int_eq(rmdir(directory), 0); /* the files were removed */
    char one[64], other[64];               /* that no other process of the tests has */
    snprintf(one, sizeof one, "@juggle-test-%d-1", (int)getpid());
    snprintf(other, sizeof other, "@juggle-test-%d-2", (int)getpid());
    check_round_trip(one, other);
    check_round_trip("", "");
}

TEST(a_file_left_behind_is_taken_over_and_a_live_one_is_not)
{
    jg_autoptr(jg_loop) loop = new_loop();
    struct post first = {0}, second = {0};
    struct sockaddr_un address;
    make_directory();
    socklen_t length = unix_address(place, &address);
    int dead = socket(AF_UNIX, SOCK_DGRAM, 0);
    ck_assert_int_eq(bind(dead, (struct sockaddr *)&address, length), 0);
    close(dead);
    ck_assert_ptr_nonnull(open_unix(loop, &first, place));
    ck_assert_ptr_null(open_unix(loop, &second, place));
    ck_assert_int_eq(errno, EADDRINUSE);
    /* The file is somebody else's by now: it stays. */
    ck_assert_int_eq(unlink(place), 0);
    ck_assert_ptr_nonnull(open_unix(loop, &second, place));
    finish_post(loop, &first);
    ck_assert_int_eq(access(place, F_OK), 0);
    finish_post(loop, &second);
    ck_assert_int_eq(access(place, F_OK), -1);
    /* Nor is a file replaced that is no socket. */
    close(open(place, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    ck_assert_ptr_null(open_unix(loop, &second, place));
    ck_assert_int_eq(errno, EADDRINUSE);
    ck_assert_int_eq(unlink(place), 0);
    ck_assert_int_eq(rmdir(directory), 0);
}

/* The sender waits for the receiver, and nothing is lost. */
static void check_back_pressure(bool connected)
{
    jg_autoptr(jg_loop) loop = new_loop();
    struct post here = {0}, there = {0};
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    enum { COUNT = 3000, BYTES = 1000 };
    ck_assert_ptr_nonnull(open_unix(loop, &there, ""));
    ck_assert_int_eq(getsockname(jg_datagram_fileno(there.transport), (struct sockaddr *)&address, &length), 0);
    if (connected)
        here.transport =
            jg_datagram_open(loop, NULL, 0, &post_protocol, &here, .remote_address = (struct sockaddr *)&address,
                             .remote_address_length = length);
    else
        open_unix(loop, &here, "");
    ck_assert_ptr_nonnull(here.transport);
    jg_datagram_set_write_limits(here.transport, 100000, 10000);
    jg_datagram_pause_reading(there.transport);
    for (unsigned i = 0; i < COUNT; i++)
        REQUIRE(send_number(&here, &there, i, BYTES) == 0);
    run_some(loop);
    ck_assert_int_eq(here.pauses, 1);
    ck_assert_int_eq(here.resumes, 0);
    ck_assert_uint_gt(jg_datagram_pending(here.transport), 100000);
    ck_assert_int_eq(there.datagrams, 0);
    jg_datagram_resume_reading(there.transport);
    RUN_UNTIL(loop, there.datagrams == COUNT);
    ck_assert_uint_eq(there.next, COUNT);
    ck_assert_int_eq(here.resumes, 1);
    ck_assert_int_eq(here.errors, 0);
    ck_assert_uint_eq(jg_datagram_dropped(there.transport), 0);
    /* Closing waits for the receiver too. */
    jg_datagram_pause_reading(there.transport);
    for (unsigned i = 0; i < COUNT; i++)
        REQUIRE(send_number(&here, &there, COUNT + i, BYTES) == 0);
    jg_datagram_close(here.transport);
    run_some(loop);
    ck_assert_int_eq(here.lost, 0);
    jg_datagram_resume_reading(there.transport);
    RUN_UNTIL(loop, here.lost);
    RUN_UNTIL(loop, there.datagrams == 2 * COUNT);
    ck_assert_uint_eq(there.next, 2 * COUNT);
    finish_post(loop, &there);
}

TEST(a_receiver_that_is_behind_holds_up_a_connected_sender)
{
    check_back_pressure(true);
}

TEST(a_receiver_that_is_behind_holds_up_a_sender_that_is_not_connected)
{
    check_back_pressure(false);
}

TEST(abort_drops_what_a_receiver_holds_up)
{
    jg_autoptr(jg_loop) loop = new_loop();
    struct post here = {0}, there = {0};
    ck_assert(open_unix(loop, &here, "") && open_unix(loop, &there, ""));
    jg_datagram_pause_reading(there.transport);
    for (unsigned i = 0; i < 3000; i++)
        REQUIRE(send_number(&here, &there, i, 1000) == 0);
    run_some(loop);
    jg_datagram_abort(here.transport);
    RUN_UNTIL(loop, here.lost);
    ck_assert_int_eq(here.error, 0);
    finish_post(loop, &there);
}

TEST(a_receiver_that_is_gone)
{
    jg_autoptr(jg_loop) loop = new_loop();
    struct post here = {0};
    struct sockaddr_un address;
    socklen_t length = unix_address("@juggle-test-nobody", &address);
    ck_assert_ptr_nonnull(open_unix(loop, &here, ""));
    ck_assert_int_eq(jg_datagram_sendto(here.transport, "x", 1, (struct sockaddr *)&address, length), 0);
    RUN_UNTIL(loop, here.errors);
    ck_assert_int_eq(here.last_error, ECONNREFUSED);
    length = unix_address("/tmp/there-is-no-such-socket", &address);
    ck_assert_int_eq(jg_datagram_sendto(here.transport, "x", 1, (struct sockaddr *)&address, length), 0);
    RUN_UNTIL(loop, here.errors == 2);
    ck_assert_int_eq(here.last_error, ENOENT);
    finish_post(loop, &here);
}

TEST(large_datagrams_between_unix_sockets)
{
    jg_autoptr(jg_loop) loop = new_loop();
    struct post here = {0}, there = {0};
    int size = 4 * 1024 * 1024, bare[2];
    char *data = pattern(300000);
    ck_assert(open_unix(loop, &here, "") && open_unix(loop, &there, ""));
    ck_assert_int_eq(send_to(&here, &there, data, 150000), 0);
    RUN_UNTIL(loop, there.datagrams == 1);
    ck_assert_uint_eq(there.bytes, 150000);
    ck_assert_int_eq(send_to(&here, &there, data, 262145), -1);
    ck_assert_int_eq(errno, EMSGSIZE);
    finish_post(loop, &here);
    finish_post(loop, &there);
    /* One that is larger is cut, and told. */
    there = (struct post){0};
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, bare), 0);
    setsockopt(bare[1], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
    there.transport = jg_datagram_from_fd(loop, bare[0], &post_protocol, &there);
    if (send(bare[1], data, 300000, 0) == 300000) {
        RUN_UNTIL(loop, there.datagrams == 1);
        ck_assert_uint_eq(there.bytes, 262144);
        ck_assert_uint_eq(there.truncated, 300000 - 262144);
    }
    finish_post(loop, &there);
    close(bare[1]);
    free(data);
}
