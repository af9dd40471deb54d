#include "host/process.h"

#include "base/diagnostics.h"

#include <errno.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

static const double RETRY_SECONDS = 0.05;

/* ---- Its end ---- */

/* Returns whether it has ended. */
static bool reap(struct jg__child *child, int flags)
{
    siginfo_t info = {.si_pid = 0};
    int result;
    do
        result = waitid(P_PIDFD, (id_t)child->pidfd, &info, WEXITED | flags);
    while (result < 0 && errno == EINTR);
    if (result == 0 && info.si_pid == 0)
        return false;
    child->code = result == 0 ? info.si_code : JG__STATUS_LOST;
    child->status = result == 0 ? info.si_status : 0;
    return true;
}

/* Until it is reaped its number is nobody else's, nor is its group's. */
static bool unreaped(const struct jg__child *child, bool *ended)
{
    siginfo_t info = {.si_pid = 0};
    if (waitid(P_PIDFD, (id_t)child->pidfd, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
        return false;
    *ended = info.si_pid != 0;
    return true;
}

static void let_go(struct jg__child *child)
{
    if (child->pidfd < 0)
        return;
    jg_forget_fd(child->loop, child->pidfd);
    close(child->pidfd);
    child->pidfd = -1;
}

static void look(struct jg__child *child)
{
    bool ended = false;
    if (child->takes_group_along && unreaped(child, &ended) && ended)
        kill(-child->pid, SIGKILL);
    if (!reap(child, WNOHANG)) { /* a debugger has it still, or it could not be polled */
        jg_call_later(child->loop, &child->retry, RETRY_SECONDS);
        return;
    }
    let_go(child);
    child->exited(child);
}

static void polled(jg_operation *operation, int events)
{
    (void)events;
    look(operation->arg);
}

static void retried(void *arg)
{
    look(arg);
}

/* ---- Its life ---- */

void jg__process_release(struct jg__child *child)
{
    jg__list_remove(&child->resident.node);
}

static void evict(struct jg__resident *resident)
{
    struct jg__child *child = jg__container_of(resident, struct jg__child, resident);
    if (child->pidfd >= 0) {
        jg__process_signal_group(child, SIGKILL);
        reap(child, 0);
        close(child->pidfd);
    }
    child->evicted(child);
}

static void watch(jg_loop *loop, struct jg__child *child)
{
    child->loop = loop;
    child->resident.evict = evict;
    child->retry.handle = (jg_handle){.fn = retried, .arg = child};
    child->poll =
        (jg_operation){.opcode = JG_OP_POLL, .fd = child->pidfd, .events = POLLIN, .done = polled, .arg = child};
    jg__list_append(&loop->residents, &child->resident.node);
    if (child->pidfd >= 0)
        jg__submit(loop, &child->poll, JG__OWN_FD);
    else
        jg_call_later(loop, &child->retry, 0);
}

static int fail_without_pidfd(const char *program, int error)
{
    if (error == EMFILE || error == ENFILE || error == ENOMEM)
        return jg_fail(error, "jg_create_subprocess_exec: %s: %s", program, strerror(error));
    return jg_fail(ENOSYS, "jg_create_subprocess_exec: %s: this system has no pidfds: %s", program, strerror(error));
}

/* It runs, but there is no way to watch it. */
static int give_up(pid_t pid, const char *program, int error)
{
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return fail_without_pidfd(program, error);
}

int jg__process_spawn(jg_loop *loop, struct jg__child *child, const char *const *argv,
                      const jg_process_options *options)
{
    int saved = errno;
    int place = pidfd_open(getpid(), 0); /* so that there will be an fd for the child's */
    if (place < 0)
        return fail_without_pidfd(argv[0], errno);
    child->pid = jg__spawn(argv, options);
    int error = errno;
    close(place);
    errno = error;
    if (child->pid < 0)
        return -1;
    child->pidfd = pidfd_open(child->pid, 0);
    if (child->pidfd < 0 && errno != ESRCH) /* which means that it has ended, and was reaped by someone else */
        return give_up(child->pid, argv[0], errno);
    child->leads_group = options->new_session || options->process_group == JG_NEW_GROUP;
    watch(loop, child);
    errno = saved;
    return 0;
}

/* ---- Signals ---- */

static int fail_to_signal(const struct jg__child *child, int signal_number)
{
    if (errno == ESRCH)
        return jg_fail(ESRCH, "signal %d to process %d: it has ended", signal_number, (int)child->pid);
    return jg_fail(errno, "signal %d to process %d: %s", signal_number, (int)child->pid, strerror(errno));
}

int jg__process_signal(struct jg__child *child, int signal_number)
{
    errno = ESRCH;
    if (child->pidfd < 0 || pidfd_send_signal(child->pidfd, signal_number, NULL, 0) < 0)
        return fail_to_signal(child, signal_number);
    return 0;
}

int jg__process_signal_group(struct jg__child *child, int signal_number)
{
    bool ended;
    if (!child->leads_group)
        return jg__process_signal(child, signal_number);
    errno = ESRCH;
    if (child->pidfd < 0 || !unreaped(child, &ended) || kill(-child->pid, signal_number) < 0)
        return fail_to_signal(child, signal_number);
    return 0;
}
