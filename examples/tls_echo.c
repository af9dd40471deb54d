/* An echo server that speaks TLS; with a certificate for trying, signed by itself:
 *
 *     openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -subj /CN=localhost \
 *         -addext subjectAltName=DNS:localhost
 *     build/release/examples/tls_echo cert.pem key.pem [port]
 *
 * then, elsewhere: openssl s_client -connect localhost:8443 -CAfile cert.pem
 *
 * kill -HUP makes it read the two files again; Ctrl-C ends it. */
#include <juggle.h>
#include <stdio.h>
#include <stdlib.h>

struct setup {
    const char *certificate, *key;
    int port;
};

static int handle_client(jg_stream *client, void *arg)
{
    (void)arg;
    char data[1024];
    ssize_t n;
    printf("Serving %s: %s, %s\n", jg_peername(client), jg_tls_protocol(client), jg_tls_cipher(client));
    while ((n = jg_read(client, data, sizeof data)) > 0)
        jg_write(client, data, (size_t)n);
    return (int)n;
}

static int reload(void *arg)
{
    jg_autoptr(jg_signals) hang_ups = jg_watch_signals(SIGHUP);
    while (hang_ups && jg_next_signal(hang_ups) > 0)
        if (jg_tls_reload(arg) < 0)
            fprintf(stderr, "tls_echo: %s\n", jg_error_text()); /* and goes on with what it has */
    return -1;
}

static int amain(void *arg)
{
    const struct setup *setup = arg;
    jg_autoptr(jg_tls) tls = jg_tls_server(setup->certificate, setup->key);
    if (!tls)
        return -1;
    jg_detach(jg_create_task(reload, tls));
    jg_server *server = jg_start_server(handle_client, NULL, "127.0.0.1", setup->port, .tls = tls);
    if (!server)
        return -1;
    printf("Listening on %s\n", jg_server_address(server, 0));
    return jg_serve_forever(server);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: %s CERTIFICATE KEY [PORT]\n", argv[0]);
        return 2;
    }
    struct setup setup = {argv[1], argv[2], argc > 3 ? atoi(argv[3]) : 8443};
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (jg_run(amain, &setup) < 0) {
        fprintf(stderr, "tls_echo: %s\n", jg_error_text());
        return 1;
    }
    return 0;
}
