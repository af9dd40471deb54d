/* Datagrams while memory runs out: one allocation after the other fails; nothing hangs, crashes or leaks. */
#include "datagram_support.h"

/* Returns whether all went well. */
static bool converse(void)
{
    jg_autoptr(jg_loop) loop = jg_loop_new();
    struct post here = {0}, there = {0};
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    bool well = loop;
    if (!loop)
        return false;
    here.transport = jg_datagram_open(loop, (struct sockaddr *)&any, sizeof any, &post_protocol, &here);
    ck_assert(here.transport || errno == ENOMEM);
    there.transport = jg_datagram_open(loop, (struct sockaddr *)&any, sizeof any, &post_protocol, &there);
    ck_assert(there.transport || errno == ENOMEM);
    well = here.transport && there.transport;
    for (unsigned i = 0; i < 20 && well; i++) {
        well = send_number(&here, &there, i, 3000) == 0;
        ck_assert(well || errno == ENOMEM);
    }
    for (int turns = 0; turns < 20; turns++)
        jg_loop_run_once(loop, 0);
    ck_assert(!well || there.datagrams == 20 || (there.errors && there.last_error == ENOMEM) || there.error == ENOMEM);
    well = well && there.datagrams == 20;
    if (here.transport && !here.lost)
        finish_post(loop, &here);
    if (there.transport && !there.lost)
        finish_post(loop, &there);
    return well;
}

TEST(datagrams_while_memory_runs_out)
{
    int count = 0;
    do {
        fail_allocations_after(count++);
        ck_assert_int_lt(count, 200);
    } while (!converse());
    fail_allocations_after(-1);
}

TEST(datagrams_while_one_allocation_fails)
{
    int count = 0;
    do {
        fail_one_allocation_after(count++);
        converse();
        ck_assert_int_lt(count, 200);
    } while (allocation_failed());
    fail_allocations_after(-1);
}

static void pause_it(struct post *post)
{
    jg_datagram_pause_reading(post->transport);
}

/* A transport holds the spare batch; the next one finds no memory for its own. */
TEST(without_memory_what_comes_is_dropped_and_counted)
{
    fail_allocations_after(-1);
    jg_autoptr(jg_loop) loop = new_loop();
    struct post here = {0}, holder = {.on_datagram = pause_it}, there = {0};
    open_post(loop, &here);
    open_post(loop, &holder);
    open_post(loop, &there);
    for (unsigned i = 0; i < 2; i++)
        ck_assert_int_eq(send_number(&here, &holder, i, 100), 0);
    RUN_UNTIL(loop, holder.datagrams == 1);
    for (unsigned i = 0; i < 3; i++)
        ck_assert_int_eq(send_number(&here, &there, i, 100), 0);
    fail_allocations_after(0);
    RUN_UNTIL(loop, there.errors == 3);
    fail_allocations_after(-1);
    ck_assert_int_eq(there.last_error, ENOMEM);
    ck_assert_uint_eq(jg_datagram_dropped(there.transport), 3);
    ck_assert_int_eq(send_number(&here, &there, 0, 100), 0);
    RUN_UNTIL(loop, there.datagrams == 1);
    finish_post(loop, &here);
    finish_post(loop, &holder);
    finish_post(loop, &there);
}
