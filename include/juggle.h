/* Juggle: asyncio for C.
 *
 * Conventions, stated once:
 * - A call fails with -1 or NULL and errno; jg_error_text() says in words what errno cannot.
 * - Every entry says whether it waits. Between two calls that wait, a task runs undisturbed by other tasks.
 * - Calls that wait fail with ECANCELED once their task is cancelled, with ETIMEDOUT past an enclosing deadline;
 * entries list only further errors. Success leaves errno as it was.
 * - Bugs of the caller (awaiting twice, waiting outside jg_run, a stale handle) abort with one sentence on stderr.
 * - Seconds are double, sizes are bytes, text is NUL-terminated; what is not said to be owned is borrowed for the call.
 * - The zero value of a public struct is ready to use, except of a jg_queue and a jg_barrier, which have macros for
 *   that: JG_QUEUE, JG_BARRIER. Fields marked private are the library's.
 * - A coroutine that needs no argument says `(void)arg;`. A compound literal among the arguments of a macro needs
 * parentheses of its own: jg_create_task(fn, (&(struct job){1, 2})).
 * - Options are designated initialisers after the arguments: jg_create_task(fn, arg, .name = "reader").
 *   Macros with options are for C only, also when none is given; C++ and bindings call the function with _with at its
 *   end, which takes them as a struct (NULL: defaults).
 * - Tasks, streams and servers belong to the thread and to the jg_run that made them; no handle outlives it. */
#ifndef JUGGLE_H
#define JUGGLE_H

#include <juggle/channel.h>
#include <juggle/common.h>
#include <juggle/context.h>
#include <juggle/datagram.h>
#include <juggle/debug.h>
#include <juggle/error.h>
#include <juggle/file.h>
#include <juggle/future.h>
#include <juggle/gather.h>
#include <juggle/group.h>
#include <juggle/loop.h>
#include <juggle/memory.h>
#include <juggle/names.h>
#include <juggle/pipe.h>
#include <juggle/process.h>
#include <juggle/queue.h>
#include <juggle/runner.h>
#include <juggle/select.h>
#include <juggle/server.h>
#include <juggle/signal.h>
#include <juggle/socket.h>
#include <juggle/stream.h>
#include <juggle/sync.h>
#include <juggle/task.h>
#include <juggle/thread.h>
#include <juggle/timeout.h>
#include <juggle/tls.h>
#include <juggle/transport.h>
#include <juggle/unix.h>
#include <juggle/watch.h>
#include <juggle/workers.h>

#endif
