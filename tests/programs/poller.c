/* Says whether this machine allows a poller, by its exit code: poller epoll|io_uring */
#include <juggle.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    jg_autoptr(jg_loop) loop = jg_loop_new(.poller = argc > 1 ? argv[1] : NULL);
    if (!loop) {
        perror("poller");
        return 1;
    }
    puts(jg_loop_poller(loop));
    return 0;
}
