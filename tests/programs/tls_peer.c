/* TLS for the scripts:
 *
 *     tls_peer server CERTIFICATE [WORD=VALUE]...   echoes lines; a GET is answered as by a web server
 *     tls_peer client HOST PORT [WORD=VALUE]...     sends a line and prints what comes, to the end
 *
 * Words: ca, certificate, alpn, version (the newest), name, times, line; starttls=yes: as for mail. */
#include <errno.h>
#include <juggle.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int words_count;
static char **words;

static const char *word(const char *name, const char *otherwise)
{
    size_t length = strlen(name);
    for (int i = 0; i < words_count; i++)
        if (!strncmp(words[i], name, length) && words[i][length] == '=')
            return words[i] + length + 1;
    return otherwise;
}

static const char *shown(const char *text)
{
    return text ? text : "-";
}

static void show(jg_stream *stream)
{
    printf("protocol=%s cipher=%s alpn=%s name=%s peer=%s resumed=%d\n", shown(jg_tls_protocol(stream)),
           shown(jg_tls_cipher(stream)), shown(jg_tls_alpn(stream)), shown(jg_tls_server_name(stream)),
           shown(jg_tls_peer_name(stream)), jg_tls_resumed(stream));
}

/* ---- Server ---- */

static int greet_as_mail_server(jg_stream *client, jg_tls *tls)
{
    char line[1024];
    if (jg_printf(client, "220 juggle.test ESMTP\r\n") < 0)
        return -1;
    while (jg_read_line(client, line, sizeof line) > 0)
        if (!strncmp(line, "EHLO", 4)) {
            if (jg_printf(client, "250-juggle.test\r\n250 STARTTLS\r\n") < 0)
                return -1;
        } else if (!strncmp(line, "STARTTLS", 8)) {
            return jg_printf(client, "220 go\r\n") < 0 ? -1 : jg_start_tls(client, tls);
        }
    return jg_fail(EPROTO, "no STARTTLS");
}

static int serve(jg_stream *client, void *arg)
{
    char data[65536];
    ssize_t n;
    if (word("starttls", NULL) && greet_as_mail_server(client, arg) < 0)
        return -1;
    show(client);
    while ((n = jg_read(client, data, sizeof data)) > 0) {
        if (!strncmp(data, "GET ", 4))
            return jg_printf(client, "HTTP/1.0 200 OK\r\nContent-Length: 7\r\n\r\njuggle\n");
        if (jg_write(client, data, (size_t)n) < 0)
            return -1;
    }
    return (int)n;
}

static int serve_all(void *arg)
{
    const char *ca = word("ca", NULL), *alpn = word("alpn", NULL);
    jg_autoptr(jg_tls) tls =
        jg_tls_server(arg, NULL, .client_ca_file = ca, .require_client_certificate = ca != NULL,
                      .maximum_version = word("version", NULL), .alpn = (const char *const[]){alpn, NULL});
    if (!tls)
        return -1;
    jg_server *server = jg_start_server(serve, tls, "127.0.0.1", 0, .tls = word("starttls", NULL) ? NULL : tls);
    if (!server)
        return -1;
    printf("Listening on %s\n", jg_server_address(server, 0));
    return jg_serve_forever(server);
}

/* ---- Client ---- */

static int upgrade_as_mail_client(jg_stream *stream, jg_tls *tls, const char *name)
{
    char line[1024];
    if (jg_read_line(stream, line, sizeof line) <= 0 || jg_printf(stream, "EHLO juggle.test\r\n") < 0)
        return -1;
    do
        if (jg_read_line(stream, line, sizeof line) <= 0)
            return -1;
    while (line[3] == '-');
    if (jg_printf(stream, "STARTTLS\r\n") < 0 || jg_read_line(stream, line, sizeof line) <= 0)
        return -1;
    return jg_start_tls(stream, tls, .server_hostname = name);
}

static int converse(const char *host, int port, jg_tls *tls)
{
    char data[65536];
    ssize_t n;
    bool starttls = word("starttls", NULL);
    const char *name = word("name", "localhost");
    jg_autoptr(jg_stream) stream =
        jg_open_connection(host, port, .tls = starttls ? NULL : tls, .server_hostname = name);
    if (!stream || (starttls && upgrade_as_mail_client(stream, tls, name) < 0))
        return -1;
    show(stream);
    if (jg_printf(stream, "%s\r\n", word("line", "hello")) < 0)
        return -1;
    while ((n = jg_read(stream, data, sizeof data)) > 0)
        if (fwrite(data, 1, (size_t)n, stdout) != (size_t)n || memchr(data, '\n', (size_t)n))
            return 0;
    return (int)n;
}

static int converse_often(void *arg)
{
    char **where = arg;
    const char *alpn = word("alpn", NULL);
    jg_autoptr(jg_tls) tls =
        jg_tls_client(.ca_file = word("ca", NULL), .certificate = word("certificate", NULL),
                      .maximum_version = word("version", NULL), .alpn = (const char *const[]){alpn, NULL});
    for (int times = atoi(word("times", "1")); times > 0; times--)
        if (!tls || converse(where[0], atoi(where[1]), tls) < 0)
            return -1;
    return 0;
}

int main(int argc, char **argv)
{
    bool server = argc > 2 && !strcmp(argv[1], "server"), client = argc > 3 && !strcmp(argv[1], "client");
    if (!server && !client)
        return 2;
    words = argv + 3 + client;
    words_count = argc - 3 - client;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (jg_run(server ? serve_all : converse_often, server ? (void *)argv[2] : (void *)(argv + 2)) < 0) {
        fprintf(stderr, "tls_peer: %s\n", jg_error_text());
        return 1;
    }
    return 0;
}
