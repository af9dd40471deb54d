#include "outcome.h"

#include <arpa/inet.h>
#include <stdlib.h>

void finish(jg_operation *operation, int result)
{
    struct outcome *outcome = operation->arg;
    ck_assert(!outcome->done);
    outcome->result = result;
    outcome->done = true;
    outcome->calls++;
}

void collect(jg_operation *operation, int result)
{
    struct outcome *outcome = operation->arg;
    outcome->calls++;
    if (!operation->more) {
        ck_assert(!outcome->done);
        outcome->result = result;
        outcome->done = true;
    } else if (operation->opcode == JG_OP_ACCEPT) {
        outcome->fds[outcome->fd_count++] = result;
    } else {
        ck_assert_uint_eq(operation->length, (size_t)result);
        ck_assert_uint_le(outcome->length + operation->length, sizeof outcome->received);
        memcpy(outcome->received + outcome->length, operation->buffer, operation->length);
        outcome->length += operation->length;
        if (outcome->cancel_after && outcome->length >= outcome->cancel_after)
            jg_cancel_operation(outcome->loop, operation);
    }
}

struct outcome *make(jg_loop *loop, jg_opcode opcode, int fd)
{
    struct outcome *outcome = calloc(1, sizeof *outcome);
    outcome->loop = loop;
    outcome->operation = (jg_operation){.opcode = opcode, .fd = fd, .done = finish, .arg = outcome};
    return outcome;
}

int await_result(struct outcome *outcome)
{
    run_until(outcome->loop, &outcome->done);
    outcome->done = false;
    return outcome->result;
}

int listen_on_loopback(struct sockaddr_in *address)
{
    socklen_t length = sizeof *address;
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)address, length), 0);
    ck_assert_int_eq(listen(fd, 64), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)address, &length), 0);
    return fd;
}

struct outcome *receive_all(jg_loop *loop, int fd)
{
    struct outcome *receive = make(loop, JG_OP_RECV, fd);
    receive->operation.multishot = true;
    receive->operation.done = collect;
    return receive;
}
