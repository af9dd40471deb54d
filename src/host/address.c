#include "host/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

static void ipv4_text(const struct sockaddr_in *address, char text[JG__ADDRESS_TEXT])
{
    char host[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &address->sin_addr, host, sizeof host);
    snprintf(text, JG__ADDRESS_TEXT, "%s:%d", host, ntohs(address->sin_port));
}

static void ipv6_text(const struct sockaddr_in6 *address, char text[JG__ADDRESS_TEXT])
{
    char host[INET6_ADDRSTRLEN], scope[IF_NAMESIZE + 1] = "";
    inet_ntop(AF_INET6, &address->sin6_addr, host, sizeof host);
    if (address->sin6_scope_id) {
        scope[0] = '%';
        if (!if_indextoname(address->sin6_scope_id, scope + 1))
            snprintf(scope + 1, sizeof scope - 1, "%u", address->sin6_scope_id);
    }
    snprintf(text, JG__ADDRESS_TEXT, "[%s%s]:%d", host, scope, ntohs(address->sin6_port));
}

/* The path need not end in a NUL; an abstract name begins with one, shown as '@'. */
static void unix_text(const struct sockaddr_un *address, socklen_t length, char text[JG__ADDRESS_TEXT])
{
    size_t room = length - offsetof(struct sockaddr_un, sun_path);
    if (room > sizeof address->sun_path)
        room = sizeof address->sun_path;
    if (room && !address->sun_path[0])
        snprintf(text, JG__ADDRESS_TEXT, "@%.*s", (int)room - 1, address->sun_path + 1);
    else
        snprintf(text, JG__ADDRESS_TEXT, "%.*s", (int)room, address->sun_path);
}

const char *jg__address_text(const struct sockaddr *address, socklen_t length, char text[JG__ADDRESS_TEXT])
{
    int saved = errno;
    text[0] = '\0';
    if (length >= sizeof(struct sockaddr_in) && address->sa_family == AF_INET)
        ipv4_text((const struct sockaddr_in *)(const void *)address, text);
    else if (length >= sizeof(struct sockaddr_in6) && address->sa_family == AF_INET6)
        ipv6_text((const struct sockaddr_in6 *)(const void *)address, text);
    else if (length > offsetof(struct sockaddr_un, sun_path) && address->sa_family == AF_UNIX)
        unix_text((const struct sockaddr_un *)(const void *)address, length, text);
    errno = saved;
    return text;
}

bool jg__address_text_tells(const char *text, const char *host)
{
    size_t length = host ? strlen(host) : 0;
    text += *text == '[';
    return length && strncmp(text, host, length) == 0 && (text[length] == ':' || text[length] == ']');
}
