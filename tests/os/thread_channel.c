/* Jobs of jg_to_thread that are blocked in a channel. */
#include "os_support.h"

#include <unistd.h>

static atomic_int freed;

static void free_counted(void *arg)
{
    free(arg);
    atomic_fetch_add(&freed, 1);
}

struct blocked {
    jg_channel *channel;
    int (*block)(jg_channel *channel);
    atomic_int inside;
};

static int put_twice(jg_channel *channel)
{
    return jg_channel_put(channel, &(int){1}) < 0 ? -1 : jg_channel_put(channel, &(int){2});
}

static int get_one(jg_channel *channel)
{
    int number;
    return jg_channel_get(channel, &number);
}

static int get_for_long(jg_channel *channel)
{
    int number;
    return jg_channel_get_for(channel, &number, 1000);
}

static int block(void *arg)
{
    struct blocked *blocked = arg;
    atomic_store(&blocked->inside, 1);
    int result = blocked->block(blocked->channel);
    CHECK(result == -1 && errno == ECANCELED && strstr(jg_error_text(), "nobody waits for the job any more"));
    bool full = jg_channel_size(blocked->channel) == 1; /* what is there is still given, and the next one refused */
    CHECK(!full || jg_channel_get(blocked->channel, &(int){0}) == 0);
    CHECK(jg_channel_get(blocked->channel, &(int){0}) == -1 && errno == ECANCELED);
    atomic_store(&blocked->inside, 0);
    errno = ECANCELED;
    return -1;
}

static int block_in_every_way(void *arg)
{
    (void)arg;
    int (*const ways[])(jg_channel *) = {put_twice, get_one, get_for_long};
    for (int i = 0; i < 3; i++) {
        jg_autoptr(jg_channel) channel = jg_channel_new(sizeof(int), 1);
        struct blocked blocked = {.channel = channel, .block = ways[i]};
        JG_TIMEOUT(soon, 0.05);
        FAILS(jg_to_thread(block, &blocked), ETIMEDOUT);
        ck_assert_int_eq(atomic_load(&blocked.inside), 0);
    }
    return 0;
}

TEST(a_job_that_is_blocked_in_a_channel_hears_of_the_interruption)
{
    RUN(block_in_every_way, NULL);
}

static int job_that_gets(void *arg)
{
    int number;
    return jg_channel_get(arg, &number) == 0 ? number : -1;
}

static int get_on_thread(void *arg)
{
    return jg_to_thread(job_that_gets, arg);
}

static int serve_jobs(void *arg)
{
    (void)arg;
    jg_autoptr(jg_channel) channel = jg_channel_new(sizeof(int), 1);
    int number = 7;
    jg_task *job = jg_create_task(get_on_thread, channel);
    ck_assert_int_eq(jg_sleep(0.02), 0);
    ck_assert_int_eq(jg_channel_put(channel, &number), 0);
    ck_assert_int_eq(jg_await(job), 7);
    return 0;
}

TEST(a_job_that_is_blocked_in_a_channel_is_served)
{
    RUN(serve_jobs, NULL);
}

struct abandoned {
    jg_channel *channel;
};

static int get_abandoned(void *arg)
{
    const struct abandoned *job = arg;
    CHECK(job_that_gets(job->channel) == -1 && errno == ECANCELED);
    return -1;
}

static int wait_for_abandoned(void *arg)
{
    (void)arg;
    jg_autoptr(jg_channel) channel = jg_channel_new(sizeof(int), 1);
    for (int i = 0; i < 100; i++) { /* at every stage: the channel must outlive the thread in it */
        struct abandoned *job = malloc(sizeof *job);
        *job = (struct abandoned){.channel = channel};
        JG_TIMEOUT(soon, i * 0.0001);
        FAILS(jg_to_thread(get_abandoned, job, .abandon = free_counted), ETIMEDOUT);
    }
    while (atomic_load(&freed) != 100)
        usleep(500);
    return 0;
}

TEST(an_abandoned_job_leaves_its_channel)
{
    RUN(wait_for_abandoned, NULL);
}
