/* The tools that watch memory and threads. AddressSanitizer and ThreadSanitizer have to be told of every switch,
 * Valgrind only of every stack. */
#ifndef JUGGLE_CORO_SANITIZERS_H
#define JUGGLE_CORO_SANITIZERS_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __has_feature
#define JG__HAS_FEATURE(name) __has_feature(name)
#else
#define JG__HAS_FEATURE(name) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || JG__HAS_FEATURE(address_sanitizer)
#define JG__ASAN 1
#else
#define JG__ASAN 0
#endif

#if defined(__SANITIZE_THREAD__) || JG__HAS_FEATURE(thread_sanitizer)
#define JG__TSAN 1
#else
#define JG__TSAN 0
#endif

#define JG__SANITIZED (JG__ASAN || JG__TSAN)

struct jg__sanitizers {
#if JG__ASAN
    void *fake_stack; /* where the locals of suspended frames live under detect_stack_use_after_return */
    const void *bottom;
    size_t size;
#endif
#if JG__TSAN
    void *fiber;
#endif
#if JG__SANITIZED
    void (*entry)(void *arg);
    void *arg;
#endif
};

/* Does Valgrind run this process? */
bool jg__on_valgrind(void);

/* Does somebody want to know of stacks? */
static inline bool jg__stacks_watched(void)
{
    return JG__ASAN || jg__on_valgrind();
}

/* A stack exists from now on; returns what jg__unwatch_stack wants to know. */
unsigned jg__watch_stack(char *bottom, char *top);
void jg__unwatch_stack(unsigned id, char *bottom, char *top);

/* A stack that was used before is about to be used again: what frames were there is forgotten. */
void jg__wipe_stack(char *bottom, char *top);

#endif
