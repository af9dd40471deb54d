/* Which ports of a host are open?
 *
 *     build/release/examples/port_scanner HOST [FIRST LAST [AT_ONCE [SECONDS]]]
 *
 * A task for each port, but only so many connections at once: a semaphore lets them through, in order. Each attempt has
 * a time limit of its own, since a firewall may drop it without a word. */
#include <errno.h>
#include <juggle.h>
#include <stdio.h>
#include <stdlib.h>

static struct {
    const char *host;
    int first, last, at_once;
    double seconds;
} settings = {"127.0.0.1", 1, 1024, 200, 1.0};

static jg_semaphore places;
static int open_ports, closed_ports, silent_ports;
static bool is_open[65536];

static int attempt(int port)
{
    JG_TIMEOUT(limit, settings.seconds);
    jg_autoptr(jg_stream) stream = jg_open_connection(settings.host, port);
    if (stream) {
        is_open[port] = true;
        open_ports++;
    } else if (jg_timeout_expired(&limit)) {
        silent_ports++;
    } else if (errno == ECONNREFUSED) {
        closed_ports++;
    } else {
        return -1; /* this is about the host, not about the port */
    }
    return 0;
}

static int scan(void *arg)
{
    JG_ACQUIRED(place, &places);
    return place ? attempt(*(int *)arg) : -1;
}

static int amain(void *arg)
{
    (void)arg;
    jg_autogroup group = {0};
    places = (jg_semaphore)JG_SEMAPHORE(settings.at_once);
    for (int port = settings.first; port <= settings.last; port++)
        jg_group_start(&group, scan, &port, .copy = sizeof port, .stack_size = 32 * 1024);
    if (jg_group_wait(&group) < 0)
        return -1;
    for (int port = settings.first; port <= settings.last; port++)
        if (is_open[port])
            printf("%d is open\n", port);
    printf("%d open, %d closed, %d without an answer\n", open_ports, closed_ports, silent_ports);
    return 0;
}

int main(int argc, char **argv)
{
    settings.host = argc > 1 ? argv[1] : settings.host;
    settings.first = argc > 2 ? atoi(argv[2]) : settings.first;
    settings.last = argc > 3 ? atoi(argv[3]) : settings.last;
    settings.at_once = argc > 4 ? atoi(argv[4]) : settings.at_once;
    settings.seconds = argc > 5 ? atof(argv[5]) : settings.seconds;
    if (settings.first < 1 || settings.last > 65535 || settings.at_once < 1 || settings.seconds <= 0) {
        fprintf(stderr, "usage: port_scanner HOST [FIRST LAST [AT_ONCE [SECONDS]]], ports from 1 to 65535\n");
        return 2;
    }
    if (jg_run(amain, NULL) < 0) {
        fprintf(stderr, "port_scanner: %s\n", jg_error_text());
        return 1;
    }
    return 0;
}
