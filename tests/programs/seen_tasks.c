/* What the command `juggle` is to look at: tasks that are parked, two that never stop taking turns, and a second thread
 * with tasks of its own. With the argument "stuck" a task computes for ever instead; with "idle" there is no jg_run. It
 * prints "ready", and then how it is doing, a line each tenth of a second. */
#include <juggle.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static jg_future never;
static const char *mode;
static volatile bool over;

static __attribute__((noinline)) int wait_below(int depth)
{
    int result = depth > 0 ? wait_below(depth - 1) : jg_future_wait(&never, NULL);
    __asm__ volatile("" : "+r"(result));
    return result;
}

static int parked(void *arg)
{
    (void)arg;
    int result = wait_below(2);
    __asm__ volatile("" : "+r"(result));
    return result;
}

static int parent(void *arg)
{
    int result = jg_await(jg_create_task(parked, arg, .name = "child"));
    __asm__ volatile("" : "+r"(result));
    return result;
}

static int take_turns(void *arg)
{
    (void)arg;
    while (jg_yield() == 0)
        ;
    return -1;
}

static __attribute__((noinline)) int compute(void)
{
    while (!over)
        ;
    return 0;
}

static int stuck(void *arg)
{
    (void)arg;
    int result = compute();
    __asm__ volatile("" : "+r"(result));
    return result;
}

static int tell(void *arg)
{
    (void)arg;
    for (int i = 0; jg_sleep(0.1) == 0; i++) {
        printf("%d\n", i);
        fflush(stdout);
    }
    return -1;
}

static int sleeper(void *arg)
{
    (void)arg;
    int result = jg_sleep(1000);
    __asm__ volatile("" : "+r"(result));
    return result;
}

static void *second_thread(void *arg)
{
    jg_run(sleeper, arg, .name = "second main");
    return NULL;
}

static int amain(void *arg)
{
    jg_task *family = jg_create_task(parent, arg);
    jg_task *teller = jg_create_task(tell, arg);
    bool computes = mode && strcmp(mode, "stuck") == 0;
    jg_task *busy = computes ? jg_create_task(stuck, arg) : jg_create_task(take_turns, arg, .name = "ping");
    jg_task *other = computes ? NULL : jg_create_task(take_turns, arg, .name = "pong");
    puts("ready");
    fflush(stdout);
    return computes ? jg_gather(family, teller, busy) : jg_gather(family, teller, busy, other);
}

int main(int argc, char **argv)
{
    pthread_t thread;
    mode = argc > 1 ? argv[1] : NULL;
    if (mode && strcmp(mode, "idle") == 0) {
        puts("ready");
        fflush(stdout);
        pause();
    }
    if (pthread_create(&thread, NULL, second_thread, NULL) != 0 || jg_run(amain, NULL) < 0)
        return 1;
    return 0;
}
