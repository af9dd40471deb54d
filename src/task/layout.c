/* What whoever looks at the tasks from outside starts from: all schedulers, and where the fields lie. */
#include "task/layout.h"

#include "task/scheduler.h"

struct jg__list jg__schedulers = {&jg__schedulers, &jg__schedulers};
pthread_mutex_t jg__schedulers_lock = PTHREAD_MUTEX_INITIALIZER;

#define OFFSET(type, field) (uint16_t) offsetof(struct type, field)
_Static_assert(sizeof(struct jg_loop) < UINT16_MAX, "offsets have 16 bits");

extern const struct jg__layout jg__layout; /* hidden, but not static: the note refers to it */
__attribute__((visibility("hidden"), used)) const struct jg__layout jg__layout = {
    .library = JG_VERSION,
    .size = sizeof jg__layout,
#if defined(JUGGLE_UCONTEXT) || !defined(__LP64__)
    .context = JG__CONTEXT_OTHER,
#elif defined(__x86_64__)
    .context = JG__CONTEXT_X86_64,
#elif defined(__aarch64__)
    .context = JG__CONTEXT_AARCH64,
#endif
    .schedulers = &jg__schedulers,
    .unstarted = &jg__unstarted,
    .scheduler.node = OFFSET(jg__scheduler, node),
    .scheduler.roots = OFFSET(jg__scheduler, roots),
    .scheduler.loop = OFFSET(jg__scheduler, loop),
    .scheduler.here = OFFSET(jg__scheduler, here),
    .scheduler.thread = OFFSET(jg__scheduler, thread),
    .here.task = OFFSET(jg__here, task),
    .loop.poller = OFFSET(jg_loop, poller),
    .loop.turns = OFFSET(jg_loop, statistics.turns),
    .poller.name = OFFSET(jg__poller, name),
    .task.size = sizeof(struct jg__task),
    .task.stack_pointer = OFFSET(jg__task, context.stack_pointer),
    .task.wait = OFFSET(jg__task, wait),
    .task.siblings = OFFSET(jg__task, siblings),
    .task.children = OFFSET(jg__task, children),
    .task.parent = OFFSET(jg__task, parent),
    .task.name = OFFSET(jg__task, name),
    .task.own_name = OFFSET(jg__task, own_name),
    .task.origin = OFFSET(jg__task, origin),
    .task.ended = OFFSET(jg__task, ended),
    .task.cancelled = OFFSET(jg__task, cancelled),
    .wait.call = OFFSET(jg__wait, call),
    .wait.object = OFFSET(jg__wait, object),
    .wait.task = OFFSET(jg__wait, task),
    .wait.since = OFFSET(jg__wait, since),
};

#define TEXT_OF(what) TEXT_OF_IT(what)
#define TEXT_OF_IT(what) #what

__asm__(".pushsection .note.juggle, \"a\", %note\n"
        ".balign 4\n"
        ".long 7, 4, " TEXT_OF(JG__LAYOUT_VERSION) "\n"
                                                   ".asciz \"" JG__LAYOUT_NOTE "\"\n"
                                                   ".balign 4\n"
                                                   "1: .long jg__layout - 1b\n"
                                                   ".popsection\n");
