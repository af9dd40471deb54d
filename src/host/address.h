/* Socket addresses as text. */
#ifndef JUGGLE_HOST_ADDRESS_H
#define JUGGLE_HOST_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

enum { JG__ADDRESS_TEXT = 128 };

/* "127.0.0.1:80", "[::1]:80", "[fe80::1%eth0]:80", a path for a Unix socket, "" for what is unknown. Returns text.
 * Preserves errno. */
const char *jg__address_text(const struct sockaddr *address, socklen_t length, char text[JG__ADDRESS_TEXT]);

/* Does such a text begin with this host, which then need not be told besides? */
bool jg__address_text_tells(const char *text, const char *host);

#endif
