#include "debug/describe.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *jg__describe_duration(char text[JG__DURATION_SIZE], int64_t nanoseconds)
{
    int64_t milliseconds = nanoseconds > 0 ? nanoseconds / 1000000 : 0, minutes = milliseconds / 60000;
    if (milliseconds < 1000)
        snprintf(text, JG__DURATION_SIZE, "%d ms", (int)milliseconds);
    else if (minutes < 2)
        snprintf(text, JG__DURATION_SIZE, "%d.%d s", (int)(milliseconds / 1000), (int)(milliseconds / 100 % 10));
    else if (minutes < 120)
        snprintf(text, JG__DURATION_SIZE, "%d min", (int)minutes);
    else
        snprintf(text, JG__DURATION_SIZE, "%" PRId64 " h", minutes / 60);
    return text;
}

static void describe_wait(char text[JG__LINE_SIZE], const struct jg__seen *seen)
{
    char duration[JG__DURATION_SIZE], object[64] = "";
    if (seen->awaits)
        snprintf(object, sizeof object, " for %.31s", seen->awaits);
    else if (seen->object)
        snprintf(object, sizeof object, " on %#" PRIx64, seen->object);
    snprintf(text, JG__LINE_SIZE, "waits in %.60s%s, %s", seen->call, object,
             jg__describe_duration(duration, seen->waiting));
}

const char *jg__describe_state(char text[JG__LINE_SIZE], const struct jg__seen *seen)
{
    static const char *const words[] = {[JG__RUNS] = "runs",
                                        [JG__READY] = "is ready to run",
                                        [JG__NOT_BEGUN] = "has not begun",
                                        [JG__ENDED] = "has ended"};
    if (seen->state == JG__WAITS)
        describe_wait(text, seen);
    else
        strcpy(text, words[seen->state]);
    if (seen->cancelled && seen->state != JG__ENDED)
        strcat(text, ", cancelled");
    return text;
}

const char *jg__describe_task(char text[JG__LINE_SIZE], const struct jg__seen *seen)
{
    char state[JG__LINE_SIZE];
    jg__describe_state(state, seen);
    snprintf(text, JG__LINE_SIZE, "%.31s: %.200s%s%.250s", seen->name, state, *seen->created_at ? ", created at " : "",
             seen->created_at);
    return text;
}

static bool internal(const char *name)
{
    return strncmp(name, "jg__", 4) == 0;
}

static size_t find_frame(const struct jg__frames *frames, size_t from, size_t count, const char *name)
{
    while (from < count && strcmp(frames->names[from], name) != 0)
        from++;
    return from;
}

void jg__trim_frames(struct jg__frames *frames, size_t count, const char *call)
{
    frames->first = 0;
    while (frames->first < count && internal(frames->names[frames->first]))
        frames->first++;
    size_t called = call ? find_frame(frames, frames->first, count, call) : count;
    if (called < count)
        frames->first = called;
    else if (call && strncmp(call, "jg_", 3) == 0 && frames->first < count) /* it went on by a tail call */
        snprintf(frames->names[frames->first], JG__FRAME_SIZE, "%s", call);
    frames->end = find_frame(frames, frames->first, count, "jg__task_entry");
}
