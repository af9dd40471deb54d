/* Twenty jobs in a queue, and three workers. */
#include <juggle.h>
#include <stdio.h>

static jg_queue queue = JG_QUEUE(double, 5);
static int done[3];

static int worker(void *arg)
{
    int name = *(int *)arg;
    double seconds;
    while (jg_queue_get(&queue, &seconds) == 0) {
        jg_sleep(seconds);
        done[name]++;
        jg_queue_task_done(&queue);
    }
    return -1;
}

static int amain(void *arg)
{
    (void)arg;
    jg_autogroup group = {0};
    for (int i = 0; i < 3; i++)
        jg_group_start(&group, worker, &i, .copy = sizeof i);
    for (int i = 0; i < 20; i++)
        if (jg_queue_put(&queue, &(double){0.02}) < 0)
            return -1;
    if (jg_queue_join(&queue) < 0)
        return -1;
    jg_group_cancel(&group);
    if (jg_group_wait(&group) < 0)
        return -1;
    printf("%d jobs done by %d workers, %zu left\n", done[0] + done[1] + done[2], 3, jg_queue_size(&queue));
    jg_queue_free(&queue);
    return 0;
}

int main(void)
{
    return jg_run(amain, NULL) < 0;
}
