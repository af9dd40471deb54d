#ifndef JUGGLE_TESTS_DEBUG_SUPPORT_H
#define JUGGLE_TESTS_DEBUG_SUPPORT_H

#include "harness.h"

#ifdef JUGGLE_UCONTEXT
static const bool frames_can_be_seen = false;
#else
static const bool frames_can_be_seen = true;
#endif

/* What `write` has written to the file descriptor that it is given. Valid until the next call. */
const char *written_by(int (*write)(int fd));

/* What came to stderr between these two. */
void catch_stderr(void);
const char *caught_stderr(void);

/* Does the text contain these, in this order? */
#define in_order(text, ...) in_order_of((text), (const char *const[]){__VA_ARGS__, NULL})
bool in_order_of(const char *text, const char *const *parts);

/* What the error handler was told; only reports that contain `text` are counted. */
void listen_to_reports(const char *text);
int reports_heard(void);
const char *last_report(void);

#endif
