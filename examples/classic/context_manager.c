/* What is opened is closed, however the block is left; and a lock is held for a block. */
#include <errno.h>
#include <juggle.h>
#include <stdio.h>

static jg_lock lock;

typedef const char session;

static session *session_open(const char *name)
{
    jg_sleep(0.01);
    printf("%s: opened\n", name);
    return name;
}

static void session_autoptr(session **opened)
{
    JG_SHIELD(closing, 1); /* asyncio cancels the task once; here every wait after a cancellation would fail */
    jg_sleep(0.01);
    printf("%s: closed\n", *opened);
}

struct user {
    const char *name;
    bool fails;
};

static int user(void *arg)
{
    const struct user *self = arg;
    JG_LOCKED(held, &lock);
    if (!held)
        return -1;
    jg_autoptr(session) opened = session_open(self->name);
    printf("%s: used\n", opened);
    if (self->fails)
        return jg_fail(ECONNRESET, "%s: reset", opened);
    printf("%s: finished\n", opened);
    return 0;
}

static int amain(void *arg)
{
    (void)arg;
    struct user users[] = {{"first", false}, {"second", true}, {"third", false}};
    jg_task *tasks[3];
    int results[3];
    for (int i = 0; i < 3; i++)
        tasks[i] = jg_create_task(user, &users[i]);
    if (jg_gatherv(tasks, 3, .results = results, .all = true) < 0)
        return -1;
    for (int i = 0; i < 3; i++)
        printf("%s\n", results[i] < 0 ? "failed" : "ok");
    return 0;
}

int main(void)
{
    return jg_run(amain, NULL) < 0;
}
