/* 100 tasks that are parked in several calls, a few frames below the function that they were created with, and a chain
 * of tasks that wait for each other, with a name that is cut in the middle of a character. Then it calls all_parked(),
 * for a debugger to stop at. */
#include <errno.h>
#include <juggle.h>
#include <stdio.h>

enum { TASKS = 99, /* and main */ LINKS = 1200 };

static jg_future never, chain_complete;

void all_parked(void);

__attribute__((noinline)) void all_parked(void)
{
    __asm__ volatile("" ::: "memory");
}

static __attribute__((noinline)) int wait_somehow(int number)
{
    int result = number % 2 ? jg_sleep(1000) : jg_future_wait(&never, NULL);
    __asm__ volatile("" : "+r"(result));
    return result;
}

static __attribute__((noinline)) int descend(int number, int depth)
{
    int result = depth > 0 ? descend(number, depth - 1) : wait_somehow(number);
    __asm__ volatile("" : "+r"(result));
    return result;
}

static int parked_worker(void *arg)
{
    int number = *(int *)arg;
    int result = descend(number, number % 5);
    __asm__ volatile("" : "+r"(result));
    return result;
}

static int chain_link(void *arg)
{
    int below = *(int *)arg - 1;
    if (below > 0)
        return jg_await(jg_create_task(chain_link, &below, .name = "thirty bytes, and a character: \u00e4"));
    jg_future_set_result(&chain_complete, NULL);
    return jg_future_wait(&never, NULL);
}

static int stop_when_parked(void *arg)
{
    (void)arg;
    jg_yield();
    all_parked();
    jg_future_set_error(&never, ECANCELED);
    return 0;
}

static int amain(void *arg)
{
    (void)arg;
    jg_autogroup group = {0};
    for (int i = 0; i < TASKS; i++) {
        char name[32];
        snprintf(name, sizeof name, "worker-%d", i);
        if (jg_group_start(&group, parked_worker, &i, .name = name, .copy = sizeof i) < 0)
            return -1;
    }
    int links = LINKS;
    if (jg_group_start(&group, chain_link, &links) < 0 || jg_future_wait(&chain_complete, NULL) < 0)
        return -1;
    jg_task *stopper = jg_create_task(stop_when_parked, NULL);
    return jg_await(stopper);
}

int main(void)
{
    if (jg_run(amain, NULL) < 0) {
        perror("parked_tasks");
        return 1;
    }
    return 0;
}
