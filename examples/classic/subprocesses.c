/* Commands whose output is read while they run, and their ends. */
#include <juggle.h>
#include <stdio.h>

static int run(const char *command)
{
    jg_autoptr(jg_process) process = jg_create_subprocess_shell(command, .out = JG_PIPE, .err = JG_PIPE);
    jg_autooutput output = {0};
    int returncode;
    if (!process || jg_process_communicate(process, NULL, 0, &output) < 0 || jg_process_wait(process, &returncode) < 0)
        return -1;
    printf("['%s' exited with %d]\n", command, returncode);
    if (output.out_size)
        printf("[stdout]\n%s", output.out);
    if (output.err_size)
        printf("[stderr]\n%s", output.err);
    return 0;
}

static int count(void)
{
    jg_autoptr(jg_process) process = jg_create_subprocess_exec(JG_ARGV("sort", "-n"), .in = JG_PIPE, .out = JG_PIPE);
    if (!process)
        return -1;
    jg_write(jg_process_stdin(process), "10\n9\n8\n", 7);
    jg_close(jg_process_stdin(process));
    char line[100];
    while (jg_read_line(jg_process_stdout(process), line, sizeof line) > 0)
        printf("sorted: %s", line);
    int returncode;
    if (jg_process_wait(process, &returncode) < 0)
        return -1;
    printf("sort exited with %d\n", returncode);
    return 0;
}

static int amain(void *arg)
{
    (void)arg;
    if (run("ls /zzz || exit 3") < 0 || run("echo one; echo two >&2") < 0 || run("kill -TERM $$") < 0)
        return -1;
    return count();
}

int main(void)
{
    return jg_run(amain, NULL) < 0;
}
