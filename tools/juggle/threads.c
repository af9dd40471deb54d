#include "threads.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>

enum { PATIENCE = 500 }; /* milliseconds */

static bool wait_for_stop(struct stopped *stopped)
{
    for (int i = 0; i < PATIENCE; i++) {
        int status;
        pid_t pid = waitpid(stopped->thread, &status, __WALL | WNOHANG);
        if (pid == stopped->thread && WIFSTOPPED(status)) {
            stopped->signal = status >> 16 == PTRACE_EVENT_STOP ? 0 : WSTOPSIG(status);
            return true;
        }
        if (pid != 0) {
            errno = ESRCH;
            return false;
        }
        nanosleep(&(struct timespec){.tv_nsec = 1000 * 1000}, NULL);
    }
    errno = ETIMEDOUT;
    return false;
}

bool thread_stop(struct stopped *stopped, pid_t thread)
{
    *stopped = (struct stopped){.thread = thread};
    if (ptrace(PTRACE_SEIZE, thread, NULL, NULL) < 0)
        return false;
    if (ptrace(PTRACE_INTERRUPT, thread, NULL, NULL) == 0 && wait_for_stop(stopped))
        return true;
    int error = errno;
    thread_continue(stopped);
    errno = error;
    return false;
}

void thread_continue(const struct stopped *stopped)
{
    ptrace(PTRACE_DETACH, stopped->thread, NULL, (void *)(uintptr_t)stopped->signal);
}

bool thread_registers(const struct stopped *stopped, struct registers *registers)
{
    struct user_regs_struct user;
    struct iovec vector = {&user, sizeof user};
    if (ptrace(PTRACE_GETREGSET, stopped->thread, NT_PRSTATUS, &vector) < 0)
        return false;
#if defined(__x86_64__)
    const uint64_t value[REGISTERS] = {user.rax, user.rdx, user.rcx, user.rbx, user.rsi, user.rdi,
                                       user.rbp, user.rsp, user.r8,  user.r9,  user.r10, user.r11,
                                       user.r12, user.r13, user.r14, user.r15, user.rip};
    memcpy(registers->value, value, sizeof value);
    return true;
#elif defined(__aarch64__)
    memcpy(registers->value, user.regs, sizeof user.regs);
    registers->value[STACK_POINTER] = user.sp;
    registers->value[PROGRAM_COUNTER] = user.pc;
    return true;
#else
    (void)registers;
    return false;
#endif
}
