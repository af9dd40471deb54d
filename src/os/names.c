/* jg_getaddrinfo, jg_getnameinfo. */
#include "host/resolver.h"
#include "task/internal.h"

#include <juggle/names.h>
#include <stdio.h>
#include <string.h>

enum { SUBJECT = 64 };

/* A task that waits for the resolver. */
struct question {
    struct jg__wait wait;
    jg__lookup *lookup; /* NULL when it is answered */
    struct addrinfo **addresses;
    char *host, *service; /* the caller's */
    size_t host_size, service_size;
    int error;
    char text[128];
};

static void answered(struct question *question, int error, const char *text)
{
    question->error = error;
    snprintf(question->text, sizeof question->text, "%s", text);
    question->lookup = NULL;
    jg__wake(&question->wait, 0);
}

/* Waits for the answer. `subject` is for the error text. */
static int ask(struct question *question, jg__lookup *lookup, const char *call, const char *subject)
{
    if (!lookup) {
        snprintf(question->text, sizeof question->text, "%s", jg_error_text());
        return jg_fail(errno, "%s: %s", call, question->text);
    }
    question->lookup = lookup;
    question->wait.call = call;
    int result = jg__park(&question->wait);
    if (question->lookup) {
        jg__lookup_cancel(question->lookup);
        return jg__fail_interrupted(call, -result);
    }
    return question->error ? jg_fail(question->error, "%s: %.*s: %s", call, SUBJECT, subject, question->text) : 0;
}

/* ---- Addresses ---- */

static void addresses_came(void *arg, const struct addrinfo *addresses, int error, const char *text)
{
    struct question *question = arg;
    if (addresses)
        *question->addresses = jg__lookup_keep(question->lookup);
    answered(question, error, text);
}

int jg_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
    static const char call[] = "jg_getaddrinfo";
    struct question question = {.addresses = result};
    if (jg__enter_wait(call) < 0)
        return -1;
    jg__lookup *lookup = jg__lookup_addresses(jg_task_loop(), host, service, hints, addresses_came, &question);
    return ask(&question, lookup, call, host ? host : service ? service : "neither a host nor a service");
}

/* ---- Names ---- */

static bool fits(const char *text, const char *place, size_t size)
{
    return !place || strlen(text) < size;
}

static void put(char *place, const char *text)
{
    if (place)
        strcpy(place, text); // NOLINT: it fits
}

static void names_came(void *arg, const char *host, const char *service, int error, const char *text)
{
    struct question *question = arg;
    if (!error && !(fits(host, question->host, question->host_size) &&
                    fits(service, question->service, question->service_size))) {
        error = ENAMETOOLONG;
        text = "the name does not fit";
    }
    if (!error) {
        put(question->host, host);
        put(question->service, service);
    }
    answered(question, error, text);
}

int jg_getnameinfo(const struct sockaddr *address, socklen_t length, char *host, socklen_t host_size, char *service,
                   socklen_t service_size, int flags)
{
    static const char call[] = "jg_getnameinfo";
    struct question question = {
        .host = host_size ? host : NULL,
        .host_size = host_size,
        .service = service_size ? service : NULL,
        .service_size = service_size,
    };
    if (jg__enter_wait(call) < 0)
        return -1;
    jg__lookup *lookup =
        jg__lookup_name(jg_task_loop(), address, length, question.host, question.service, flags, names_came, &question);
    return ask(&question, lookup, call, "the address");
}
