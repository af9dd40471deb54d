/* A whole conversation in which one allocation after the other fails: it may fail, it must not hang, crash or leak. */
#include "support.h"

enum { BYTES = 300000 };

struct conversation {
    jg_loop *loop;
    struct side server, client;
    bool refused;
};

static void accepted(jg_listener *listener, int fd, void *arg)
{
    struct conversation *conversation = arg;
    (void)listener;
    conversation->server.transport =
        jg_transport_from_fd(conversation->loop, fd, &side_protocol, &conversation->server);
    if (conversation->server.transport)
        return;
    ck_assert_int_eq(errno, ENOMEM);
    conversation->refused = true;
    close(fd);
}

static void talk(struct side *side)
{
    static char data[BYTES];
    for (int i = 0; i < 3; i++)
        if (jg_transport_write(side->transport, data, BYTES / 3) < 0) {
            ck_assert(errno == ENOMEM || errno == EPIPE); /* the other side may have given up already */
            jg_transport_abort(side->transport);
            return;
        }
    jg_transport_write_eof(side->transport);
}

static void end(struct side *side)
{
    jg_transport_close(side->transport);
}

static bool over(const struct conversation *conversation)
{
    bool server_over = conversation->server.lost || conversation->refused;
    return conversation->client.lost && (server_over || !conversation->server.transport);
}

/* Returns whether all went well. */
static bool converse(void)
{
    struct conversation conversation = {.server = {.on_made = talk, .on_end = end},
                                        .client = {.on_made = talk, .on_end = end}};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    jg_loop *loop = conversation.loop = jg_loop_new();
    if (!loop)
        return false;
    jg_listener *listener = jg_listen(loop, (struct sockaddr *)&address, sizeof address, accepted, &conversation);
    if (listener) {
        address.sin_port = htons((uint16_t)jg_listener_port(listener));
        conversation.client.transport = jg_transport_connect(loop, (struct sockaddr *)&address, sizeof address,
                                                             &side_protocol, &conversation.client);
    }
    if (conversation.client.transport)
        for (int turns = 0; !over(&conversation); turns++) {
            REQUIRE(turns < 3000);
            jg_loop_run_once(loop, 0.01);
            if (turns == 300) /* what no memory came for: the owner loses patience */
                for (int i = 0; i < 2; i++) {
                    struct side *side = i ? &conversation.server : &conversation.client;
                    if (side->transport)
                        jg_transport_abort(side->transport);
                }
        }
    bool well = conversation.client.received == BYTES && conversation.server.received == BYTES &&
                !conversation.client.error && !conversation.server.error;
    jg_listener_close(listener);
    jg_loop_close(loop);
    return well;
}

static void ignore(const jg_report *report, void *arg)
{
    (void)report;
    (void)arg;
}

static void sweep(void (*make_fail)(int count))
{
    jg_set_error_handler(ignore, NULL);
    fail_allocations_after(-1);
    ck_assert(converse());
    int failures = 0;
    for (int count = 0;; count++) {
        make_fail(count);
        bool well = converse();
        bool failed = allocation_failed();
        fail_allocations_after(-1);
        ck_assert_uint_eq(jg_allocated_blocks(), 0);
        if (!failed) {
            ck_assert(well);
            break;
        }
        failures++;
    }
    ck_assert_int_gt(failures, 5);
    ck_assert(converse());
    jg_set_error_handler(NULL, NULL);
}

TEST(each_allocation_of_a_conversation_may_fail)
{
    sweep(fail_one_allocation_after);
}

TEST(memory_may_run_out_for_good_at_any_moment)
{
    sweep(fail_allocations_after);
}
