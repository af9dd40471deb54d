/* Seeing what happens. asyncio's counterparts: debug mode, Task.get_stack, Task.print_stack, `python -m asyncio ps`.
 *
 * Every task knows its name, where it was created, what it waits for and since when; this costs nothing that could be
 * measured and is always there. From outside, without the program's help and also when its loop is stuck, `juggle ps
 * PID` and `juggle pstree PID` show the same; gdb does by tools/gdb/juggle.py.
 *
 * Nothing in this header waits. What it writes goes to a file descriptor by write(2), which blocks the thread where
 * that blocks; nothing is allocated for it. */
#ifndef JUGGLE_DEBUG_H
#define JUGGLE_DEBUG_H

#include <juggle/task.h>

JG_BEGIN

/* ---- The tasks of this thread ---- */

/* Writes the tree of the tasks of this thread's jg_run: each with its name, what it waits for and for how long, where
 * it was created, and the functions that it is in, from the call that waits outwards:
 *
 *     main: waits in jg_gather, 12.3 s
 *         at jg_gather
 *         at amain
 *       reader: waits in jg_read on 0x7f52c8000b70, 0.5 s, created at server.c:31
 *           at jg_read
 *           at read_frame
 *           at reader
 *
 * The time is that since the last poll before it began to wait: exact to a turn. Static functions have names too, read
 * from the program's file; in a stripped program they have addresses, as they have where contexts are switched by
 * ucontext and frames cannot be seen at all. A task that has ended and was not awaited yet is shown as such. Outside of
 * jg_run the tree is empty. Returns 0, or -1 with the errno of write. asyncio: print_call_graph for all_tasks. */
JG_API int jg_dump_tasks(int fd);

/* Lets a signal, such as SIGUSR1, write the trees of all threads' tasks to stderr: each thread's loop writes its own as
 * soon as the step that it is in is over. (A loop that is stuck never does: `juggle pstree` sees it all the same.)
 * Replaces the signal's handler until it is called with another one, for the same signal, of the program's. Belongs to
 * the process and holds for later jg_runs too; between them the signal does nothing. A thread of the library's passes
 * it on, started at the first call. Returns 0, or -1 with EINVAL for a signal that cannot be caught, EAGAIN when that
 * thread cannot be started. asyncio: faulthandler.register. */
JG_API int jg_dump_on_signal(int signum);

/* Where the task is: stores up to `capacity` return addresses, from the innermost frame (one of the library's own)
 * outwards, and returns how many there are; 0 for a task that has not begun or has ended, or where contexts are
 * switched by ucontext. As backtrace(3) has it, for backtrace_symbols(3) and addr2line(1). asyncio: Task.get_stack. */
JG_API size_t jg_task_backtrace(jg_task *task, void **addresses, size_t capacity);

/* Writes one task as jg_dump_tasks does, without its children. Returns 0, or -1 with the errno of write. asyncio:
 * Task.print_stack. */
JG_API int jg_print_stack(jg_task *task, int fd);

/* Where the task was created, "server.c:31" as the compiler was told the file's name; "" when it was created by other
 * means than the macros. Valid while the task is. asyncio: Task.get_coro().cr_frame. */
JG_API const char *jg_task_created_at(jg_task *task);

/* ---- Debug mode ---- */

/* Turns debug mode on or off, for the process. It is on from the start when the environment has JUGGLE_DEBUG=1 (or
 * anything but 0 and nothing). While it is on, the error handler is told, beside what it hears of in any case:
 *
 * - of slow steps: a task, or a callback of the loop, that has run for more than 100 ms without waiting, with the
 *   functions that it was in at that moment; and, when that step is over, how long it took, to about a quarter of the
 *   100 ms. At most five steps a minute; of more than that only their number. A thread of the library's looks for them
 *   and reports them: it, not the loop's, calls the error handler. It interrupts the thread by a real-time signal, the
 *   highest one that was free, to see where it is; of a thread that blocks that signal nothing is told;
 * - of streams, servers and endpoints that were never closed when jg_run ends, with the task and the functions that had
 *   made them.
 *
 * Off, it costs nothing. Returns 0; -1 with EAGAIN or ENOMEM when that thread cannot be started, or with EBUSY when no
 * real-time signal is free: then slow steps are not reported. asyncio: loop.set_debug, PYTHONASYNCIODEBUG. */
JG_API int jg_set_debug(bool on);

/* Is it on? asyncio: loop.get_debug. */
JG_API bool jg_get_debug(void);

/* How many seconds make a step a slow one: 0.1 at first. Returns 0, or -1 with EINVAL unless it is more than 0.
 * asyncio: loop.slow_callback_duration. */
JG_API int jg_set_slow_step(double seconds);

JG_END

#endif
