#include "stream/race.h"

#include "host/address.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const double ATTEMPT_DELAY = 0.25;

static void note_failure(struct jg__race *race, const struct jg__candidate *candidate, int error)
{
    char address[JG__ADDRESS_TEXT];
    size_t length = strlen(race->text);
    jg__address_text(&candidate->address.any, candidate->length, address);
    snprintf(race->text + length, sizeof race->text - length, "%s%s: %s", length ? "; " : "", address, strerror(error));
    race->error = error;
}

/* Where to connect from: 0, or an errno. `any` is room for the wildcard address. */
static int choose_local(const struct jg__race *race, int family, struct jg__candidate *any,
                        jg_transport_options *options)
{
    const struct jg__candidate *local = any;
    if (race->local) {
        local = jg__candidates_of_family(race->local, family);
        if (!local)
            return EADDRNOTAVAIL;
    } else if (!race->options->local_port) {
        return 0;
    } else {
        memset(any, 0, sizeof *any);
        any->address.any.sa_family = (sa_family_t)family;
        any->length = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
        in_port_t port = htons((uint16_t)race->options->local_port);
        memcpy(any->address.any.sa_data, &port, sizeof port); /* in both families it comes first */
    }
    options->local_address = &local->address.any;
    options->local_address_length = local->length;
    return 0;
}

/* Starts to connect: 0, or an errno. */
static int attempt(struct jg__race *race, const struct jg__candidate *candidate)
{
    struct jg__candidate any;
    jg_transport_options options = {
        .size = sizeof options, .keep_alive = race->options->keep_alive, .receive_fds = race->options->receive_fds};
    int error = choose_local(race, candidate->address.any.sa_family, &any, &options);
    if (error)
        return error;
    struct jg__stream *stream = jg__stream_new(race->loop, true, race->options->high_water, race->options->low_water);
    if (!stream)
        return ENOMEM;
    if (jg__transport_connect(&stream->transport, &candidate->address.any, candidate->length, &options) < 0) {
        error = errno;
        jg__stream_put_back(stream);
        return error;
    }
    stream->connecting = true;
    stream->race = race;
    stream->candidate = candidate;
    jg__list_append(&race->attempts, &stream->node);
    return 0;
}

static void start_next(struct jg__race *race)
{
    jg_timer_cancel(race->loop, &race->delay);
    while (race->next < race->candidates->count) {
        const struct jg__candidate *candidate = &race->candidates->list[race->next++];
        int error = attempt(race, candidate);
        if (error) {
            note_failure(race, candidate, error);
            continue;
        }
        if (race->next < race->candidates->count)
            jg_call_later(race->loop, &race->delay,
                          race->options->attempt_delay > 0 ? race->options->attempt_delay : ATTEMPT_DELAY);
        return;
    }
}

static void start_another(void *arg)
{
    start_next(arg);
}

static struct jg__race *take_out(struct jg__stream *stream)
{
    struct jg__race *race = stream->race;
    jg__list_remove(&stream->node);
    stream->connecting = false;
    stream->race = NULL;
    stream->candidate = NULL;
    return race;
}

void jg__race_won(struct jg__stream *stream)
{
    if (!stream->connecting) /* the race is over */
        return;
    struct jg__race *race = take_out(stream);
    if (race->winner) {
        jg__stream_retire(stream);
        jg_transport_abort(&stream->transport);
        return;
    }
    race->winner = stream;
    jg__wake(&race->wait, 0);
}

void jg__race_lost(struct jg__stream *stream, int error)
{
    const struct jg__candidate *candidate = stream->candidate;
    struct jg__race *race = take_out(stream);
    jg__stream_retire(stream);
    note_failure(race, candidate, error);
    if (race->winner)
        return;
    start_next(race);
    if (jg__list_empty(&race->attempts))
        jg__wake(&race->wait, 0);
}

static void give_up_the_rest(struct jg__race *race)
{
    jg_timer_cancel(race->loop, &race->delay);
    while (!jg__list_empty(&race->attempts)) {
        struct jg__stream *stream = jg__container_of(race->attempts.next, struct jg__stream, node);
        take_out(stream);
        jg__stream_retire(stream);
        jg_transport_abort(&stream->transport);
    }
}

struct jg__stream *jg__race_run(struct jg__race *race, const char *call)
{
    int saved = errno, result = 0;
    race->wait = (struct jg__wait){.call = call, .object = race};
    race->delay.handle = (jg_handle){.fn = start_another, .arg = race};
    jg__list_init(&race->attempts);
    start_next(race);
    if (!jg__list_empty(&race->attempts))
        result = jg__park(&race->wait);
    give_up_the_rest(race);
    errno = race->winner ? saved : result < 0 ? -result : race->error;
    return race->winner;
}
