/* Collects readings that many sensors send by UDP, and prints averages of the last ten seconds, each second.
 *
 *     build/release/examples/sensors [port]        then, elsewhere: echo "7 21.5" | nc -u -w0 127.0.0.1 8889
 *
 * A reading is one datagram: the number of the sensor and a value. A window of ten buckets slides over the time: each
 * second the oldest one is emptied and becomes the newest. Port 0 takes one that is free. */
#include <juggle.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SENSORS = 10000, SECONDS = 10 };

struct sum {
    double total;
    long count;
};

static struct sum readings[SECONDS][SENSORS];
static int newest; /* the bucket of this second */
static long strange;

static void add(struct sum *sum, struct sum other)
{
    sum->total += other.total;
    sum->count += other.count;
}

static double average(struct sum sum)
{
    return sum.total / (double)sum.count;
}

static void take(const char *text)
{
    double value;
    int sensor;
    if (sscanf(text, "%d %lf", &sensor, &value) == 2 && sensor >= 0 && sensor < SENSORS)
        add(&readings[newest][sensor], (struct sum){value, 1});
    else
        strange++;
}

static int collect(void *arg)
{
    char text[64];
    ssize_t bytes;
    while ((bytes = jg_recvfrom(arg, text, sizeof text - 1, NULL, NULL)) >= 0) {
        text[bytes] = '\0';
        take(text);
    }
    return -1;
}

static void print_averages(jg_endpoint *endpoint)
{
    struct sum all = {0}, highest = {0};
    int sensors = 0, highest_sensor = 0;
    for (int sensor = 0; sensor < SENSORS; sensor++) {
        struct sum sum = {0};
        for (int bucket = 0; bucket < SECONDS; bucket++)
            add(&sum, readings[bucket][sensor]);
        if (!sum.count)
            continue;
        add(&all, sum);
        if (sensors++ == 0 || average(sum) > average(highest)) {
            highest = sum;
            highest_sensor = sensor;
        }
    }
    if (sensors)
        printf("average %.3f of %ld readings from %d sensors, highest %.3f of sensor %d", average(all), all.count,
               sensors, average(highest), highest_sensor);
    else
        printf("no readings");
    printf("; %ld strange, %llu lost\n", strange, (unsigned long long)jg_endpoint_dropped(endpoint));
}

/* The times are those of the plan, however long printing takes. */
static int report(void *arg)
{
    double start = jg_time();
    for (int second = 1; jg_sleep_until(start + second) == 0; second++) {
        print_averages(arg);
        newest = second % SECONDS;
        memset(readings[newest], 0, sizeof readings[newest]);
    }
    return -1;
}

static int amain(void *arg)
{
    jg_autoptr(jg_endpoint) endpoint = jg_open_endpoint(NULL, *(int *)arg, .receive_limit = 4 << 20);
    if (!endpoint)
        return -1;
    printf("Collecting on %s\n", jg_endpoint_sockname(endpoint));
    return jg_gather(jg_create_task(collect, endpoint), jg_create_task(report, endpoint));
}

int main(int argc, char **argv)
{
    int port = argc > 1 ? atoi(argv[1]) : 8889;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (jg_run(amain, &port) < 0) {
        fprintf(stderr, "sensors: %s\n", jg_error_text()); /* a port that is in use, Ctrl-C, ... */
        return 1;
    }
    return 0;
}
