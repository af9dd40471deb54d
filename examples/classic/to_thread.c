/* A call that blocks, beside a task that doesn't. */
#include <juggle.h>
#include <stdio.h>
#include <unistd.h>

static int blocking_io(void *arg)
{
    (void)arg;
    printf("start blocking_io\n");
    usleep(200000);
    printf("blocking_io complete\n");
    return 42;
}

static int in_thread(void *arg)
{
    return jg_to_thread(blocking_io, arg);
}

static int ticker(void *arg)
{
    (void)arg;
    for (int tick = 0; tick < 3; tick++) {
        jg_sleep(0.05);
        printf("tick %d\n", tick);
    }
    return 0;
}

static int amain(void *arg)
{
    (void)arg;
    printf("started main\n");
    jg_task *tasks[] = {jg_create_task(in_thread, NULL), jg_create_task(ticker, NULL)};
    int results[2];
    if (jg_gatherv(tasks, 2, .results = results) < 0)
        return -1;
    printf("result: %d\n", results[0]);
    printf("finished main\n");
    return 0;
}

int main(void)
{
    return jg_run(amain, NULL) < 0;
}
