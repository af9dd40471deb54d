/* What TCP itself says of a connection; in a file of its own since the kernel's header and the C library's exclude each
 * other. */
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

unsigned data_segments_out(int fd);

unsigned data_segments_out(int fd)
{
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 ? info.tcpi_data_segs_out : 0;
}
