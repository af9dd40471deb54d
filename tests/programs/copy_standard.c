/* Copies standard input to standard output, as cat does, and tells on standard error how much that was. */
#include <juggle.h>
#include <stdio.h>

static int amain(void *arg)
{
    (void)arg;
    jg_stream *in = jg_stdin(), *out = jg_stdout(), *errors = jg_stderr();
    if (!in || !out || !errors)
        return -1;
    ssize_t bytes = jg_splice(in, out, 0);
    return bytes < 0 ? -1 : jg_printf(errors, "%zd bytes\n", bytes);
}

int main(void)
{
    if (jg_run(amain, NULL) == 0)
        return 0;
    fprintf(stderr, "%s\n", jg_error_text());
    return 1;
}
