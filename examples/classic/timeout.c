/* Time limits: for a block, nested, and for one task. */
#include <errno.h>
#include <juggle.h>
#include <stdio.h>

static int long_running(void *arg)
{
    (void)arg;
    int result = jg_sleep(3600);
    printf("cleaned up\n");
    return result;
}

static const char *boolean(bool value)
{
    return value ? "True" : "False";
}

static int amain(void *arg)
{
    (void)arg;
    {
        JG_TIMEOUT(limit, 0.1);
        if (long_running(NULL) < 0 && errno == ETIMEDOUT)
            printf("The long operation timed out, but we've handled it.\n");
    }
    {
        JG_TIMEOUT(outer, 60);
        JG_TIMEOUT(inner, 0.1);
        if (long_running(NULL) < 0 && errno == ETIMEDOUT)
            printf("outer expired: %s, inner expired: %s\n", boolean(jg_timeout_expired(&outer)),
                   boolean(jg_timeout_expired(&inner)));
    }
    if (jg_wait_for(jg_create_task(long_running, NULL), 0.1) < 0 && errno == ETIMEDOUT)
        printf("timeout!\n");
    printf("This statement will run regardless.\n");
    return 0;
}

int main(void)
{
    return jg_run(amain, NULL) < 0;
}
