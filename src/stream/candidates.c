#include "stream/candidates.h"

#include "base/memory.h"
#include "host/resolver.h"
#include "task/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A task that waits for the resolver. */
struct search {
    struct jg__wait wait;
    jg__lookup *lookup; /* NULL when it is done */
    struct jg__candidates *found;
    int error;
    char text[128];
};

static int copy(struct jg__candidates *found, const struct addrinfo *addresses)
{
    size_t count = 0;
    for (const struct addrinfo *each = addresses; each; each = each->ai_next)
        count++;
    found->list = jg__allocate_zeroed(count * sizeof *found->list);
    if (!found->list)
        return ENOMEM;
    for (const struct addrinfo *each = addresses; each; each = each->ai_next) {
        struct jg__candidate *candidate = &found->list[found->count];
        if (each->ai_addrlen > sizeof candidate->address)
            continue;
        candidate->length = each->ai_addrlen;
        memcpy(&candidate->address, each->ai_addr, each->ai_addrlen);
        found->count++;
    }
    return 0;
}

static void answered(void *arg, const struct addrinfo *addresses, int error, const char *text)
{
    struct search *search = arg;
    search->lookup = NULL;
    search->error = error ? error : copy(search->found, addresses);
    snprintf(search->text, sizeof search->text, "%s", error ? text : strerror(search->error));
    jg__wake(&search->wait, 0);
}

int jg__candidates_find(struct jg__candidates *candidates, const char *host, int port, int family, int flags,
                        const char *call)
{
    *candidates = (struct jg__candidates){0};
    struct search search = {.wait = {.call = call, .object = candidates}, .found = candidates};
    jg_loop *loop = jg__loop_of(jg__running(call));
    search.lookup = jg__lookup_start(loop, host, port, family, flags, answered, &search);
    if (!search.lookup) {
        snprintf(search.text, sizeof search.text, "%s", jg_error_text());
        return jg_fail(errno, "%s: %s", call, search.text);
    }
    int result = jg__park(&search.wait);
    if (search.lookup) {
        jg__lookup_cancel(search.lookup);
        return jg__fail_interrupted(call, -result);
    }
    if (search.error)
        return jg_fail(search.error, "%s: %s, port %d: %s", call, host ? host : "this machine", port, search.text);
    return 0;
}

void jg__candidates_free(struct jg__candidates *candidates)
{
    jg__release(candidates->list);
    *candidates = (struct jg__candidates){0};
}

/* ---- Families ---- */

static bool is_of(const struct jg__candidate *candidate, int family)
{
    return candidate->address.any.sa_family == family;
}

const struct jg__candidate *jg__candidates_of_family(const struct jg__candidates *candidates, int family)
{
    for (size_t i = 0; i < candidates->count; i++)
        if (is_of(&candidates->list[i], family))
            return &candidates->list[i];
    return NULL;
}

/* The next one from `from` on that is, or is not, of the family. */
static size_t next_of(const struct jg__candidates *candidates, size_t from, int family, bool wanted)
{
    while (from < candidates->count && is_of(&candidates->list[from], family) != wanted)
        from++;
    return from;
}

int jg__candidates_interleave(struct jg__candidates *candidates)
{
    if (candidates->count < 3)
        return 0;
    struct jg__candidate *ordered = jg__allocate(candidates->count * sizeof *ordered);
    if (!ordered)
        return jg_fail(ENOMEM, "jg_open_connection: out of memory for %zu addresses", candidates->count);
    int family = candidates->list[0].address.any.sa_family;
    size_t next[2] = {next_of(candidates, 0, family, false), next_of(candidates, 0, family, true)};
    for (size_t i = 0; i < candidates->count; i++) {
        bool wanted = i % 2 == 0;
        if (next[wanted] == candidates->count)
            wanted = !wanted;
        ordered[i] = candidates->list[next[wanted]];
        next[wanted] = next_of(candidates, next[wanted] + 1, family, wanted);
    }
    jg__release(candidates->list);
    candidates->list = ordered;
    return 0;
}
