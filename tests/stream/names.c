/* Questions to a stream. */
#include "support.h"

TASK_TEST(both_ends_know_each_others_names)
{
    jg_stream *pair[2];
    stream_pair(pair);
    ck_assert_int_eq(strncmp(jg_peername(pair[0]), "127.0.0.1:", 10), 0);
    ck_assert_str_eq(jg_peername(pair[0]), jg_sockname(pair[1]));
    ck_assert_str_eq(jg_sockname(pair[0]), jg_peername(pair[1]));
    ck_assert_ptr_eq(jg_peername(pair[0]), jg_peername(pair[0])); /* valid while the stream is */
    jg_close(pair[0]);
    return jg_close(pair[1]);
}

TASK_TEST(addresses_as_the_kernel_has_them)
{
    jg_stream *pair[2];
    struct sockaddr_in peer, own;
    socklen_t length = sizeof peer;
    stream_pair(pair);
    ck_assert_int_eq(jg_peer_address(pair[0], (struct sockaddr *)&peer, &length), 0);
    ck_assert_uint_eq(length, sizeof peer);
    ck_assert_int_eq(jg_own_address(pair[1], (struct sockaddr *)&own, &length), 0);
    ck_assert_mem_eq(&peer, &own, sizeof own);
    ck_assert_int_eq(peer.sin_family, AF_INET);
    jg_close(pair[0]);
    return jg_close(pair[1]);
}

TASK_TEST(a_lost_connection_keeps_the_name_that_was_asked_for_before)
{
    int peers[2];
    char byte;
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    jg_stream *stream = stream_with_peer(&peers[0]), *other = stream_with_peer(&peers[1]);
    const char *name = jg_peername(stream);
    reset_peer(peers[0]);
    reset_peer(peers[1]);
    FAILS(jg_read(stream, &byte, 1), ECONNRESET);
    FAILS(jg_read(other, &byte, 1), ECONNRESET);
    ck_assert_str_eq(jg_peername(stream), name);
    ck_assert_int_eq(strncmp(name, "127.0.0.1:", 10), 0);
    errno = EXDEV;
    ck_assert_str_eq(jg_peername(other), "");
    ck_assert_str_eq(jg_sockname(other), "");
    ck_assert_int_eq(errno, EXDEV);
    FAILS(jg_peer_address(stream, (struct sockaddr *)&address, &length), ENOTCONN);
    FAILS(jg_own_address(stream, (struct sockaddr *)&address, &length), ENOTCONN);
    jg_close(other);
    return jg_close(stream);
}

TASK_TEST(pending_bytes_and_limits)
{
    int peer;
    jg_stream *stream = stream_with_peer(&peer);
    static char data[70000];
    ck_assert_uint_eq(jg_write_pending(stream), 0);
    FAILS(jg_try_write(stream, data, 65537), EAGAIN); /* 64 KiB by default */
    jg_set_write_limits(stream, 65537, 99999999);
    ck_assert_int_eq(jg_try_write(stream, data, 65537), 0);
    jg_flush(stream);
    close(peer);
    jg_close(stream);
    stream = stream_with_peer(&peer);
    jg_set_write_limits(stream, 10, 5);
    ck_assert_int_eq(jg_try_write(stream, data, 10), 0);
    ck_assert_uint_eq(jg_write_pending(stream), 10);
    ck_assert_int_eq(jg_drain(stream), 0);
    ck_assert_uint_le(jg_write_pending(stream), 5);
    close(peer);
    return jg_close(stream);
}
