/* The load of the echo benchmark: a number of connections to each server, each of which sends its next message as soon
 * as the echo of the last is complete. Compares every byte. Servers take turns in short slices, since the speed of a
 * machine changes from second to second; each slice prints the readings of one server. The CPU time of a server is read
 * from /proc at moments when no message is under way and the server sleeps, since the kernel brings the figure of a
 * running thread up to date only now and then.
 *
 * load --server NAME:PORT:PID ... [--connections N] [--bytes N] [--messages N] [--slices N] [--think N]
 * --messages is for each slice. --think spends so many nanoseconds of this process on each message: shows whether the
 * result depends on the speed of the load. */
#include "common/measure.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Messages begin anywhere in the first bytes of the pattern; few, so that they stay in the cache. */
enum { EVENTS = 1024, STARTS = 1 << 14, MESSAGE_MOST = 1 << 20, BUFFER = 1 << 16, SERVERS_MOST = 16, NAME_BYTES = 64 };

struct connection {
    int fd;
    size_t sent, received; /* of the message under way */
    size_t pattern;        /* where its content stands in the pattern */
};

struct server {
    char name[NAME_BYTES];
    int port, pid, epoll;
    struct connection *connections;
};

static struct server servers[SERVERS_MOST];
static int server_count;
static long connection_count, think;
static size_t message_bytes;
static char pattern[STARTS + MESSAGE_MOST], buffer[BUFFER];
static long left, under_way; /* messages to start, messages started and not complete */

_Noreturn static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* Nanoseconds of CPU that all threads of a process have used. */
static int64_t cpu_of(int pid)
{
    char path[64 + NAME_MAX];
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *threads = opendir(path);
    if (!threads)
        die(path);
    int64_t sum = 0;
    for (struct dirent *thread; (thread = readdir(threads));) {
        if (thread->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", pid, thread->d_name);
        FILE *file = fopen(path, "re");
        long long nanoseconds = 0;
        if (!file || fscanf(file, "%lld", &nanoseconds) != 1)
            die(path);
        fclose(file);
        sum += nanoseconds;
    }
    closedir(threads);
    return sum;
}

static int64_t own_cpu(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

static void fill_pattern(void)
{
    uint64_t state = 88172645463325252u;
    for (size_t i = 0; i < sizeof pattern; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        pattern[i] = (char)state;
    }
}

static void connect_all(struct server *server)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)server->port)};
    int on = 1;
    server->epoll = epoll_create1(EPOLL_CLOEXEC);
    server->connections = calloc((size_t)connection_count, sizeof *server->connections);
    if (server->epoll < 0 || !server->connections)
        die("load");
    for (long i = 0; i < connection_count; i++) {
        struct connection *connection = &server->connections[i];
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
            die("connect");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = connection};
        if (epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
            die("epoll_ctl");
        *connection = (struct connection){.fd = fd, .sent = message_bytes, .received = message_bytes};
        connection->pattern = (size_t)i * 7919 % STARTS;
    }
}

static void send_more(struct connection *connection)
{
    if (connection->sent == message_bytes)
        return;
    ssize_t sent = send(connection->fd, pattern + connection->pattern + connection->sent,
                        message_bytes - connection->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN)
        die("send");
    if (sent > 0)
        connection->sent += (size_t)sent;
}

static void start_message(struct connection *connection)
{
    if (left == 0)
        return;
    left--;
    under_way++;
    connection->pattern = (connection->pattern + 5003) % STARTS;
    connection->sent = connection->received = 0;
    send_more(connection);
}

static void spend(int64_t nanoseconds)
{
    for (int64_t end = measure_clock() + nanoseconds; measure_clock() < end;)
        ;
}

static void receive(struct connection *connection)
{
    while (connection->received < connection->sent) {
        size_t missing = connection->sent - connection->received;
        ssize_t received = recv(connection->fd, buffer, missing < BUFFER ? missing : BUFFER, MSG_DONTWAIT);
        if (received < 0 && errno == EAGAIN)
            return;
        if (received <= 0)
            die("recv");
        if (memcmp(buffer, pattern + connection->pattern + connection->received, (size_t)received)) {
            fputs("load: the echo differs from the message\n", stderr);
            exit(1);
        }
        connection->received += (size_t)received;
        if (connection->received == message_bytes) {
            under_way--;
            if (think)
                spend(think);
            start_message(connection);
            return;
        }
    }
}

/* Returns how long it took, in nanoseconds. */
static int64_t exchange(struct server *server, long messages)
{
    struct epoll_event events[EVENTS];
    int64_t start = measure_clock();
    left = messages;
    for (long i = 0; i < connection_count; i++)
        start_message(&server->connections[i]);
    while (under_way > 0) {
        int count = epoll_wait(server->epoll, events, EVENTS, 10000);
        if (count == 0) {
            fprintf(stderr, "load: %s gave no answer for 10 seconds\n", server->name);
            exit(1);
        }
        for (int i = 0; i < count; i++) {
            send_more(events[i].data.ptr);
            receive(events[i].data.ptr);
        }
    }
    int64_t elapsed = measure_clock() - start;
    usleep(2000); /* the server goes to sleep */
    return elapsed;
}

static void report(const struct server *server, const char *metric, const char *unit, double value)
{
    char name[NAME_BYTES + 32];
    snprintf(name, sizeof name, "%s.%s", server->name, metric);
    measure_report(name, unit, value);
}

static void slice(struct server *server, long messages)
{
    exchange(server, messages / 10 + connection_count);
    int64_t server_start = cpu_of(server->pid), own_start = own_cpu();
    int64_t elapsed = exchange(server, messages);
    int64_t own = own_cpu() - own_start, used = cpu_of(server->pid) - server_start;
    report(server, "cpu", "ns", (double)used / (double)messages);
    report(server, "throughput", "messages/s", (double)messages * 1e9 / (double)elapsed);
    report(server, "server-busy", "%", 100 * (double)used / (double)elapsed);
    report(server, "load-busy", "%", 100 * (double)own / (double)elapsed);
}

static void find_servers(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc && server_count < SERVERS_MOST; i++) {
        struct server *server = &servers[server_count];
        if (strcmp(argv[i], "--server"))
            continue;
        if (sscanf(argv[i + 1], "%63[^:]:%d:%d", server->name, &server->port, &server->pid) != 3) {
            fputs("load: --server NAME:PORT:PID\n", stderr);
            exit(2);
        }
        server_count++;
    }
}

int main(int argc, char **argv)
{
    long messages = measure_option(argc, argv, "--messages", 10000);
    long slices = measure_option(argc, argv, "--slices", 10);
    connection_count = measure_option(argc, argv, "--connections", 50);
    message_bytes = (size_t)measure_option(argc, argv, "--bytes", 1024);
    think = measure_option(argc, argv, "--think", 0);
    find_servers(argc, argv);
    if (message_bytes == 0 || message_bytes > MESSAGE_MOST) {
        fputs("load: --bytes is out of range\n", stderr);
        return 2;
    }
    fill_pattern();
    for (int i = 0; i < server_count; i++)
        connect_all(&servers[i]);
    for (long turn = 0; turn < slices; turn++)
        for (int i = 0; i < server_count; i++)
            slice(&servers[turn % 2 ? server_count - 1 - i : i], messages);
    return 0;
}
