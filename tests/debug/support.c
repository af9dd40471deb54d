#include "support.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static char text[1 << 18];

static const char *contents(int fd)
{
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    ck_assert_int_ge(n, 0);
    text[n] = '\0';
    return text;
}

const char *written_by(int (*write)(int fd))
{
    int fd = memfd_create("dump", MFD_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd), 0);
    const char *result = contents(fd);
    close(fd);
    return result;
}

static int before = -1;

void catch_stderr(void)
{
    int fd = memfd_create("stderr", MFD_CLOEXEC);
    before = dup(STDERR_FILENO);
    ck_assert_int_eq(dup2(fd, STDERR_FILENO), STDERR_FILENO);
    close(fd);
}

const char *caught_stderr(void)
{
    const char *result = contents(STDERR_FILENO);
    dup2(before, STDERR_FILENO);
    close(before);
    return result;
}

bool in_order_of(const char *whole, const char *const *parts)
{
    const char *rest = whole;
    for (; *parts; parts++) {
        const char *found = strstr(rest, *parts);
        if (!found) {
            fprintf(stderr, "\"%s\" is not, or too early, in:\n%s\n", *parts, whole);
            return false;
        }
        rest = found + strlen(*parts);
    }
    return true;
}

/* Slow steps are reported by another thread. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *wanted;
static int heard;
static char last[1024];

static void note(const jg_report *report, void *arg)
{
    (void)arg;
    pthread_mutex_lock(&lock);
    if (strstr(report->message, wanted)) {
        heard++;
        snprintf(last, sizeof last, "%s: %s", report->task_name ? report->task_name : "", report->message);
    }
    pthread_mutex_unlock(&lock);
}

void listen_to_reports(const char *part)
{
    wanted = part;
    jg_set_error_handler(note, NULL);
}

int reports_heard(void)
{
    pthread_mutex_lock(&lock);
    int count = heard;
    pthread_mutex_unlock(&lock);
    return count;
}

const char *last_report(void)
{
    return last;
}
