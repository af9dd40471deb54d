/* A chat with rooms.
 *
 *     build/release/examples/chat_server [port]
 *     nc 127.0.0.1 8888
 *
 * "/name Ann" and "/join garden" say who and where you are, "/who" lists the room, "/quit" leaves; everything else is
 * said to the room. Nobody waits for a slow reader: what it has no room for, it misses, and it is told how much. After
 * a hundred misses in a row it is thrown out. Clients that say nothing for ten minutes are thrown out, too. */
#include <juggle.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 1024, NAME = 32, MISSES = 100 };

struct member {
    jg_stream *stream;
    jg_task *task; /* that serves it */
    char name[NAME], room[NAME];
    unsigned missed; /* since it was last heard of */
    struct member *next;
};

static struct member *members;

/* Never waits: so nobody comes or goes while the list is walked. */
static void tell(struct member *member, const char *text)
{
    char notice[64];
    if (member->missed) {
        int bytes = snprintf(notice, sizeof notice, "* you missed %u messages\n", member->missed);
        if (jg_try_write(member->stream, notice, (size_t)bytes) == 0)
            member->missed = 0;
    }
    if (jg_try_write(member->stream, text, strlen(text)) < 0 && ++member->missed == MISSES)
        jg_cancel(member->task); /* it may be parked in a read for ever */
}

static void tell_room(const struct member *from, const char *text)
{
    for (struct member *member = members; member; member = member->next)
        if (member != from && strcmp(member->room, from->room) == 0)
            tell(member, text);
}

static void announce(const struct member *who, const char *what)
{
    char text[2 * NAME + 32];
    snprintf(text, sizeof text, "* %s %s %s\n", who->name, what, who->room);
    tell_room(who, text);
}

static void enter(struct member *self, const char *room)
{
    if (self->room[0])
        announce(self, "has left");
    snprintf(self->room, sizeof self->room, "%.*s", NAME - 1, room);
    announce(self, "has come to");
}

static void list_room(struct member *self)
{
    char text[NAME + 8];
    for (const struct member *member = members; member; member = member->next) {
        if (strcmp(member->room, self->room) == 0) {
            snprintf(text, sizeof text, "* %s\n", member->name);
            tell(self, text);
        }
    }
}

/* Returns false for /quit. */
static bool obey(struct member *self, char *line)
{
    char text[LINE + NAME + 8];
    if (strncmp(line, "/name ", 6) == 0) {
        snprintf(self->name, sizeof self->name, "%.*s", NAME - 1, line + 6);
    } else if (strncmp(line, "/join ", 6) == 0) {
        enter(self, line + 6);
    } else if (strcmp(line, "/who") == 0) {
        list_room(self);
    } else if (strcmp(line, "/quit") == 0) {
        return false;
    } else if (line[0] == '/') {
        tell(self, "* /name NAME, /join ROOM, /who, /quit\n");
    } else {
        snprintf(text, sizeof text, "%s: %s\n", self->name, line);
        tell_room(self, text);
    }
    return true;
}

static void leave(struct member *self)
{
    struct member **place = &members;
    while (*place != self)
        place = &(*place)->next;
    *place = self->next;
    announce(self, "has left");
}

static int chat(jg_stream *client, void *arg)
{
    (void)arg;
    static unsigned guests;
    struct member self = {.stream = client, .task = jg_current_task(), .next = members};
    snprintf(self.name, sizeof self.name, "guest%u", ++guests);
    members = &self;
    enter(&self, "hall");
    tell(&self, "* welcome to the hall\n");
    char line[LINE];
    ssize_t n;
    while ((n = jg_read_line(client, line, sizeof line)) > 0) {
        line[strcspn(line, "\r\n")] = '\0';
        if (line[0] && !obey(&self, line))
            break;
    }
    leave(&self); /* no handler's stack is looked at by others after its end */
    if (self.missed >= MISSES)
        jg_abort(client);
    return n < 0 ? -1 : 0;
}

static int amain(void *arg)
{
    jg_server *server = jg_start_server(chat, NULL, "127.0.0.1", *(int *)arg, .idle_timeout = 600, .write_timeout = 10);
    if (!server)
        return -1;
    printf("Chatting on %s\n", jg_server_address(server, 0));
    fflush(stdout);
    return jg_serve_forever(server);
}

int main(int argc, char **argv)
{
    int port = argc > 1 ? atoi(argv[1]) : 8888;
    if (jg_run(amain, &port) < 0) {
        fprintf(stderr, "chat_server: %s\n", jg_error_text());
        return 1;
    }
    return 0;
}
