/* jg_select: looks at all cases, and if none can happen, waits in all their lines at once until one has claimed it. */
#include "sync/select.h"

#include "base/memory.h"

#include <limits.h>
#include <string.h>

enum { ENTRIES_ON_STACK = 8 };

/* ---- While it waits ---- */

bool jg__selection_claim(struct jg__selection *selection)
{
    return !atomic_exchange(&selection->claimed, true);
}

static void leave_all(struct jg__selection *selection)
{
    selection->decided = true;
    for (size_t i = 0; i < selection->count; i++)
        if (selection->entries[i].waiting)
            jg__case_kinds[selection->cases[i].kind].leave(&selection->entries[i]);
}

static void wake_when_free(struct jg__selection *selection)
{
    if (selection->decided && selection->in_kernel == 0)
        jg__wake(&selection->wait, 0);
}

void jg__selection_returned(struct jg__selection *selection)
{
    selection->in_kernel--;
    wake_when_free(selection);
}

void jg__selection_decide(struct jg__entry *winner, int result)
{
    struct jg__selection *selection = winner->selection;
    selection->winner = (size_t)(winner - selection->entries);
    selection->result = result;
    leave_all(selection);
    wake_when_free(selection);
}

void jg__selection_happens(struct jg__entry *winner, int result)
{
    if (jg__selection_claim(winner->selection))
        jg__selection_decide(winner, result);
}

static void interrupt_selection(struct jg__wait *wait, int reason)
{
    struct jg__selection *selection = jg__container_of(wait, struct jg__selection, wait);
    if (!jg__selection_claim(selection))
        return;
    selection->reason = -reason;
    leave_all(selection);
    wake_when_free(selection);
}

/* `winner` and `result` are there already. */
static void arrive(void *arg)
{
    struct jg__selection *selection = arg;
    leave_all(selection);
    wake_when_free(selection);
}

/* ---- Before it waits ---- */

/* Marsaglia's xorshift, of each thread. */
static uint32_t random_below(uint32_t limit)
{
    static _Thread_local uint32_t state = 2463534242u;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return (uint32_t)((uint64_t)state * limit >> 32);
}

/* One of those that can happen, each with the same chance; `count` if there is none. */
static size_t choose(const struct jg__selection *selection, int *result)
{
    size_t chosen = selection->count;
    uint32_t able = 0;
    for (size_t i = 0; i < selection->count; i++) {
        int came = jg__case_kinds[selection->cases[i].kind].look(&selection->cases[i], selection);
        if (came == -EAGAIN || random_below(++able) != 0)
            continue;
        chosen = i;
        *result = came;
    }
    return chosen;
}

/* The time that has passed already is the last resort. */
static size_t choose_default(const struct jg__selection *selection)
{
    size_t i = 0;
    while (i < selection->count && !(selection->cases[i].kind == JG_CASE_AFTER && selection->cases[i].seconds <= 0))
        i++;
    return i;
}

/* Lets a case happen, if one can without waiting. */
static bool happens_at_once(struct jg__selection *selection)
{
    do {
        selection->result = 0;
        selection->winner = choose(selection, &selection->result);
        if (selection->winner == selection->count) {
            selection->winner = choose_default(selection);
            return selection->winner < selection->count;
        }
        const jg_case *chosen = &selection->cases[selection->winner];
        if (jg__case_kinds[chosen->kind].happen)
            selection->result = jg__case_kinds[chosen->kind].happen(chosen);
    } while (selection->result == -EAGAIN);
    return true;
}

static void wait_for_first(struct jg__selection *selection)
{
    for (size_t i = 0; i < selection->count && !selection->decided; i++) {
        selection->entries[i].selection = selection;
        selection->entries[i].waiting = true;
        jg__case_kinds[selection->cases[i].kind].enter(&selection->entries[i]);
    }
    if (!selection->decided || selection->in_kernel > 0)
        jg__park(&selection->wait);
}

/* ---- The call ---- */

static int check(const jg_case *cases, size_t count)
{
    if (count == 0 || count > INT_MAX)
        return jg_fail(EINVAL, "jg_select: %zu cases", count);
    for (size_t i = 0; i < count; i++) {
        const struct jg__case_kind *kind = &jg__case_kinds[cases[i].kind];
        if (kind->valid && !kind->valid(&cases[i]))
            return jg_fail(EINVAL, "jg_select: case %zu: a NULL task, or a time that is not a number", i);
    }
    return 0;
}

static int wait_with_memory(struct jg__selection *selection)
{
    struct jg__entry few[ENTRIES_ON_STACK];
    size_t bytes = selection->count * sizeof few[0];
    struct jg__entry *entries = selection->count <= ENTRIES_ON_STACK ? few : jg__allocate(bytes);
    if (!entries)
        return jg_fail(ENOMEM, "jg_select: out of memory for %zu cases", selection->count);
    memset(entries, 0, bytes);
    selection->entries = entries;
    wait_for_first(selection);
    selection->entries = NULL;
    if (entries != few)
        jg__release(entries);
    return selection->reason ? jg__fail_interrupted("jg_select", selection->reason) : 0;
}

int jg_select(jg_case *cases, size_t count)
{
    if (jg__enter("jg_select") < 0 || check(cases, count) < 0)
        return -1;
    struct jg__selection selection = {.wait = {.call = "jg_select", .object = cases, .interrupt = interrupt_selection},
                                      .cases = cases,
                                      .count = count,
                                      .loop = jg__here.loop,
                                      .now = jg__clock(),
                                      .arrival = {.fn = arrive, .arg = &selection}};
    for (size_t i = 0; i < count; i++)
        cases[i].result = 0;
    if (!happens_at_once(&selection) && wait_with_memory(&selection) < 0)
        return -1;
    cases[selection.winner].result = selection.result;
    if (selection.result < 0)
        return jg_fail(-selection.result, "jg_select: case %zu: %s", selection.winner, strerror(-selection.result));
    return (int)selection.winner;
}
