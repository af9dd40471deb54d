/* Does not end at the first Ctrl-C: "stuck loop" because it never waits, "stuck clean-up" because it cleans up for a
 * long time. */
#include <juggle.h>
#include <stdio.h>
#include <string.h>

static volatile bool finished; /* never */

static int loop(void *arg)
{
    (void)arg;
    puts("never waiting");
    while (!finished)
        continue;
    return 0;
}

static int clean_up(void *arg)
{
    (void)arg;
    puts("waiting");
    jg_sleep(1000);
    JG_SHIELD(undisturbed, 1000);
    puts("cleaning up");
    return jg_sleep(1000);
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    return jg_run(argc > 1 && strcmp(argv[1], "loop") == 0 ? loop : clean_up, NULL) < 0;
}
