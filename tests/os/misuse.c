/* Calls without their object: one sentence that names the call, then an abort. */
#include "harness.h"

#include <signal.h>

#define NULL_ABORTS(name, text, call) \
    TEST_ABORTS(name, text)           \
    {                                 \
        (void)!(call);                \
    }

NULL_ABORTS(stdin_of_no_process_aborts, "jg_process_stdin: the process is NULL", jg_process_stdin(NULL))
NULL_ABORTS(stdout_of_no_process_aborts, "jg_process_stdout: the process is NULL", jg_process_stdout(NULL))
NULL_ABORTS(stderr_of_no_process_aborts, "jg_process_stderr: the process is NULL", jg_process_stderr(NULL))
NULL_ABORTS(the_pid_of_no_process_aborts, "jg_process_pid: the process is NULL", jg_process_pid(NULL))
NULL_ABORTS(the_status_of_no_process_aborts, "jg_process_status_text: the process is NULL",
            jg_process_status_text(NULL))
NULL_ABORTS(the_returncode_of_no_process_aborts, "jg_process_returncode: the process is NULL",
            jg_process_returncode(NULL, NULL))
NULL_ABORTS(waiting_for_no_process_aborts, "jg_process_wait: the process is NULL", jg_process_wait(NULL, NULL))
NULL_ABORTS(talking_to_no_process_aborts, "jg_process_communicate: the process is NULL",
            jg_process_communicate(NULL, NULL, 0, NULL))
NULL_ABORTS(signalling_no_process_aborts, "jg_process_send_signal: the process is NULL",
            jg_process_send_signal(NULL, SIGUSR1))
NULL_ABORTS(terminating_no_process_aborts, "jg_process_terminate: the process is NULL", jg_process_terminate(NULL))
NULL_ABORTS(killing_no_process_aborts, "jg_process_kill: the process is NULL", jg_process_kill(NULL))
NULL_ABORTS(the_next_of_no_watch_aborts, "jg_watch_next: the jg_watch is NULL",
            jg_watch_next(NULL, &(jg_watch_event){.directory = false}))
NULL_ABORTS(the_next_of_no_signals_aborts, "jg_next_signal: the jg_signals is NULL", jg_next_signal(NULL))

TEST(closing_nothing_does_nothing)
{
    errno = 77;
    jg_process_close(NULL);
    jg_watch_close(NULL);
    jg_signals_close(NULL);
    jg_channel_free(NULL);
    ck_assert_int_eq(errno, 77);
}
