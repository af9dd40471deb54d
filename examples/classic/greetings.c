/* Three greetings at once. */
#include <juggle.h>
#include <stdio.h>
#include <string.h>

static int hello_world(void *arg)
{
    const char *name = arg;
    printf("Hello, %s\n", name);
    jg_sleep(0.1);
    printf("Goodbye, %s\n", name);
    return (int)strlen(name);
}

static int amain(void *arg)
{
    (void)arg;
    jg_task *tasks[] = {jg_create_task(hello_world, "Ann"), jg_create_task(hello_world, "Bob"),
                        jg_create_task(hello_world, "Charlotte")};
    int lengths[3];
    if (jg_gatherv(tasks, 3, .results = lengths) < 0)
        return -1;
    printf("lengths: %d %d %d\n", lengths[0], lengths[1], lengths[2]);
    return 0;
}

int main(void)
{
    return jg_run(amain, NULL) < 0;
}
