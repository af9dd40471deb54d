/* A whole conversation with a child: all that it shall read, all that it writes, and its end. */
#include "os/process.h"

#include "base/memory.h"
#include "base/options.h"

#include <juggle/group.h>
#include <stdio.h>
#include <string.h>

static const char call[] = "jg_process_communicate";

enum { ROOM_LEAST = 4096, PARTS = 3 };

/* One of the pipes, each the business of a task of its own: whoever reads only one of them waits for a child that waits
 * for the other one to be read. */
struct part {
    jg_coroutine run;
    jg_stream *stream;
    const void *data; /* input */
    size_t bytes;
    struct jg__collected *collected; /* output */
    size_t limit;
};

/* ---- The parts ---- */

static int fail_closed(void)
{
    return jg_fail(EBADF, "%s: the process was closed meanwhile", call);
}

/* Another task may close the process between any two calls. */
static int check_stream(const struct part *part)
{
    return jg__process_stream(part->stream) ? 0 : fail_closed();
}

static int feed(void *arg)
{
    const struct part *part = arg;
    int saved = errno, result = check_stream(part);
    if (result == 0 && part->bytes)
        result = jg_write(part->stream, part->data, part->bytes);
    if (result == 0 && (result = check_stream(part)) == 0)
        result = jg_close(part->stream);
    else if (errno == EPIPE || errno == ECONNRESET)
        jg__process_drop_stream(part->stream);
    if (result == 0 || (errno != EPIPE && errno != ECONNRESET))
        return result;
    errno = saved; /* it has not read all: its own business */
    return 0;
}

/* One byte more than what it holds, for the NUL. */
static int make_room(struct jg__collected *collected)
{
    if (collected->data && collected->size < collected->room)
        return 0;
    size_t room = collected->room < ROOM_LEAST ? ROOM_LEAST : collected->room * 2;
    char *larger = jg__reallocate(collected->data, room + 1);
    if (!larger)
        return jg_fail(ENOMEM, "%s: out of memory after %zu bytes", call, collected->size);
    collected->data = larger;
    collected->room = room;
    return 0;
}

static int collect(void *arg)
{
    const struct part *part = arg;
    struct jg__collected *collected = part->collected;
    for (;;) {
        if (collected->size > part->limit)
            return jg_fail(EMSGSIZE, "%s: the process has written more than %zu bytes", call, part->limit);
        if (check_stream(part) < 0 || make_room(collected) < 0)
            return -1;
        ssize_t n = jg_read(part->stream, collected->data + collected->size, collected->room - collected->size);
        if (n <= 0)
            return (int)n;
        collected->size += (size_t)n;
    }
}

/* ---- The whole ---- */

static int add_input(struct part *parts, jg_process *process, const void *data, size_t bytes)
{
    jg_stream *stream = jg_process_stdin(process);
    if (!stream)
        return 0;
    parts[0] = (struct part){.run = feed, .stream = stream, .data = data, .bytes = data ? bytes : 0};
    return 1;
}

static int add_output(struct part *parts, jg_stream *stream, struct jg__collected *collected, size_t limit)
{
    if (!stream)
        return 0;
    parts[0] =
        (struct part){.run = collect, .stream = stream, .collected = collected, .limit = limit ? limit : SIZE_MAX};
    return 1;
}

static int run_parts(struct part *parts, int count)
{
    if (count == 1)
        return parts[0].run(&parts[0]);
    jg_group group = {0};
    for (int i = 0; i < count; i++)
        jg_group_start(&group, parts[i].run, &parts[i], .name = "communicate");
    return count ? jg_group_wait(&group) : 0;
}

static void hand_out(struct jg_process *process, jg_process_output *output)
{
    struct jg__collected *out = &process->collected[0], *err = &process->collected[1];
    for (int i = 0; i < 2; i++)
        if (process->collected[i].data)
            process->collected[i].data[process->collected[i].size] = '\0';
    if (!output)
        return;
    *output = (jg_process_output){.out = out->data, .out_size = out->size, .err = err->data, .err_size = err->size};
    *out = *err = (struct jg__collected){0};
}

static int communicate(jg_process *process, const void *data, size_t bytes, jg_process_output *output, size_t limit)
{
    struct part parts[PARTS];
    if (jg__enter_wait(call) < 0)
        return -1;
    if (process->closing)
        return fail_closed();
    int count = add_input(parts, process, data, bytes);
    count += add_output(parts + count, jg_process_stdout(process), &process->collected[0], limit);
    count += add_output(parts + count, jg_process_stderr(process), &process->collected[1], limit);
    if (run_parts(parts, count) < 0)
        return -1;
    for (int i = 0; i < count; i++)
        jg__process_drop_stream(parts[i].stream);
    if (jg_process_wait(process, NULL) < 0)
        return -1;
    hand_out(process, output);
    return 0;
}

int jg_process_communicate_with(jg_process *process, const void *data, size_t bytes, jg_process_output *output,
                                const jg_communicate_options *options)
{
    jg_communicate_options whole;
    options = jg__whole_options(options, &whole, sizeof whole);
    jg__refuse_null(process, call, "process");
    jg__process_use(process);
    int result = communicate(process, data, bytes, output, options->limit);
    jg__process_leave(process);
    return result;
}

void jg_process_output_free(jg_process_output *output)
{
    jg__release(output->out);
    jg__release(output->err);
    *output = (jg_process_output){0};
}
