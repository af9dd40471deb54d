/* Three greetings at once: all say "Hello," after one second and "World!" two seconds later; the program takes three
 * seconds, not nine.
 *
 *     build/release/examples/hello */
#include <juggle.h>
#include <stdio.h>

static int hello_world(void *arg)
{
    (void)arg;
    jg_sleep(1);
    puts("Hello,");
    jg_sleep(2);
    puts("World!");
    return 0;
}

static int amain(void *arg)
{
    (void)arg;
    return jg_gather(jg_create_task(hello_world, NULL), jg_create_task(hello_world, NULL),
                     jg_create_task(hello_world, NULL));
}

int main(void)
{
    return jg_run(amain, NULL) < 0;
}
