/* Writes to a peer that leaves until that fails, and says how: write_to_gone_peer port */
#include <errno.h>
#include <juggle.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int amain(void *arg)
{
    jg_autoptr(jg_stream) peer = jg_open_connection("127.0.0.1", *(int *)arg);
    if (!peer)
        return -1;
    while (jg_write(peer, "Are you there?\n", 15) == 0)
        if (jg_sleep(0.01) < 0)
            return -1;
    printf("write: %s\n", strerrorname_np(errno));
    return 0;
}

int main(int argc, char **argv)
{
    int port = argc > 1 ? atoi(argv[1]) : 0;
    if (jg_run(amain, &port) < 0) {
        perror("write_to_gone_peer");
        return 1;
    }
    return 0;
}
