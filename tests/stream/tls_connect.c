/* Handshakes: who is believed, who is refused and in which words, and what both ends know of each other. */
#ifdef HAVE_OPENSSL
#include "tls_support.h"

/* ---- A server, and a client that greets it ---- */

static char seen[512]; /* what the handler saw */

static const char *text_or_none(const char *text)
{
    return text ? text : "none";
}

static int greet(jg_stream *client, void *arg)
{
    char line[64];
    (void)arg;
    snprintf(seen, sizeof seen, "%s %s %s %s %s", jg_tls_protocol(client), text_or_none(jg_tls_alpn(client)),
             text_or_none(jg_tls_server_name(client)), text_or_none(jg_tls_peer_name(client)),
             jg_tls_resumed(client) ? "resumed" : "new");
    ssize_t count = jg_read_line(client, line, sizeof line);
    return count > 0 ? jg_printf(client, "%s", line) : (int)count;
}

static jg_server *start_greeter(jg_tls *tls)
{
    jg_server *server = jg_start_server(greet, NULL, "127.0.0.1", 0, .tls = tls);
    ck_assert_msg(server, "%s", jg_error_text());
    return server;
}

static jg_stream *open_to(jg_server *server, jg_tls *tls, const char *name)
{
    return jg_open_connection("127.0.0.1", jg_server_port(server), .tls = tls, .server_hostname = name);
}

static void converse(jg_stream *stream)
{
    char line[64];
    ck_assert_msg(stream, "%s", jg_error_text());
    ck_assert_int_eq(jg_printf(stream, "hello\n"), 0);
    ck_assert_msg(jg_read_line(stream, line, sizeof line) == 6, "%s", jg_error_text());
    ck_assert_str_eq(line, "hello\n");
    ck_assert_int_eq(jg_read(stream, line, sizeof line), 0);
}

static void converse_with(jg_server *server, jg_tls *tls, const char *name)
{
    jg_stream *stream = open_to(server, tls, name);
    converse(stream);
    ck_assert_int_eq(jg_close(stream), 0);
}

TASK_TEST(a_client_and_a_server_converse)
{
    jg_autoptr(jg_tls) client = client_tls();
    jg_autoptr(jg_tls) tls = server_tls();
    jg_autoptr(jg_server) server = start_greeter(tls);
    jg_autoptr(jg_stream) stream =
        jg_open_connection("localhost", jg_server_port(server), .tls = client, .family = AF_INET);
    errno = 77;
    converse(stream);
    ck_assert_int_eq(errno, 77);
    ck_assert_str_eq(jg_tls_protocol(stream), "TLSv1.3");
    ck_assert_ptr_nonnull(strstr(jg_tls_cipher(stream), "TLS_"));
    ck_assert_ptr_null(jg_tls_alpn(stream));
    ck_assert_str_eq(jg_tls_server_name(stream), "localhost");
    ck_assert_str_eq(jg_tls_peer_name(stream), "CN=localhost");
    ck_assert_int_eq(strncmp(jg_tls_peer_certificate(stream), "-----BEGIN CERTIFICATE-----\n", 28), 0);
    ck_assert(!jg_tls_resumed(stream));
    ck_assert_str_eq(seen, "TLSv1.3 none localhost none new");
    return 0;
}

TASK_TEST(a_stream_without_tls_has_nothing_to_tell)
{
    jg_stream *pair[2];
    stream_pair(pair);
    ck_assert_ptr_null(jg_tls_protocol(pair[0]));
    ck_assert_ptr_null(jg_tls_cipher(pair[0]));
    ck_assert_ptr_null(jg_tls_peer_certificate(pair[0]));
    ck_assert(!jg_tls_resumed(pair[0]));
    jg_close(pair[0]);
    jg_close(pair[1]);
    return 0;
}

TASK_TEST(an_address_can_be_the_name)
{
    jg_autoptr(jg_tls) client = client_tls();
    jg_autoptr(jg_tls) tls = server_tls();
    jg_autoptr(jg_server) server = start_greeter(tls);
    converse_with(server, client, NULL);
    ck_assert_str_eq(seen, "TLSv1.3 none none none new"); /* addresses are not told */
    return 0;
}

/* ---- Certificates that are refused ---- */

static void refuses(jg_tls *client, const char *file, const char *name, const char *word, const char *another)
{
    jg_tls *tls = check_tls(jg_tls_server(certificate(file), NULL));
    jg_server *server = start_greeter(tls);
    FAILS_WITH_NULL(open_to(server, client, name), EKEYREJECTED);
    TEXT_HAS("jg_open_connection");
    TEXT_HAS(word);
    TEXT_HAS(another);
    jg_server_close(server);
    jg_tls_free(tls);
}

TASK_TEST(certificates_are_refused_for_reasons_told_apart)
{
    jg_autoptr(jg_tls) client = client_tls();
    keep_reports();
    refuses(client, "other", "localhost", "wrong name: the certificate is for other.test, *.wild.test, not for", "");
    refuses(client, "localhost", "127.0.0.2", "wrong name", "not for 127.0.0.2");
    refuses(client, "expired", "localhost", "expired: the certificate was valid until 20", " UTC");
    refuses(client, "future", "localhost", "not yet valid", " UTC");
    refuses(client, "lonely", "localhost", "self-signed", "");
    refuses(client, "strange", "localhost", "unknown issuer", "CN=Some Stranger");
    return 0;
}

TASK_TEST(the_system_does_not_trust_the_tests)
{
    keep_reports();
    jg_autoptr(jg_tls) client = check_tls(jg_tls_client());
    refuses(client, "localhost", "localhost", "unknown issuer", "CN=Juggle Test CA");
    return 0;
}

TASK_TEST(an_insecure_client_believes_everything)
{
    jg_autoptr(jg_tls) client = check_tls(jg_tls_client(.insecure = true));
    jg_autoptr(jg_tls) tls = check_tls(jg_tls_server(certificate("strange"), certificate("strange")));
    jg_autoptr(jg_server) server = start_greeter(tls);
    converse_with(server, client, "nobody.test");
    return 0;
}

TASK_TEST(an_empty_name_is_not_checked_but_the_chain_is)
{
    keep_reports();
    jg_autoptr(jg_tls) client = client_tls();
    jg_autoptr(jg_tls) tls = check_tls(jg_tls_server(certificate("other"), NULL));
    jg_autoptr(jg_server) server = start_greeter(tls);
    converse_with(server, client, "");
    ck_assert_str_eq(seen, "TLSv1.3 none none none new");
    refuses(client, "strange", "", "unknown issuer", "");
    return 0;
}

/* ---- Versions, ciphers, ALPN ---- */

TASK_TEST(versions_and_ciphers_can_be_chosen)
{
    jg_autoptr(jg_tls) client = client_tls(.maximum_version = "TLSv1.2",
                                           .ciphers = "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256");
    jg_autoptr(jg_tls) tls = server_tls(.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256");
    jg_autoptr(jg_server) server = start_greeter(tls);
    jg_autoptr(jg_stream) stream = open_to(server, client, "localhost");
    converse(stream);
    ck_assert_str_eq(jg_tls_protocol(stream), "TLSv1.2");
    ck_assert_str_eq(jg_tls_cipher(stream), "ECDHE-ECDSA-AES128-GCM-SHA256");
    jg_autoptr(jg_tls) newest =
        client_tls(.minimum_version = "TLSv1.3", .ciphersuites = "TLS_CHACHA20_POLY1305_SHA256");
    jg_autoptr(jg_stream) another = open_to(server, newest, "localhost");
    converse(another);
    ck_assert_str_eq(jg_tls_cipher(another), "TLS_CHACHA20_POLY1305_SHA256");
    return 0;
}

TASK_TEST(no_version_in_common_is_EPROTO_with_the_alert)
{
    keep_reports();
    jg_autoptr(jg_tls) client = client_tls(.maximum_version = "TLSv1.2");
    jg_autoptr(jg_tls) tls = server_tls(.minimum_version = "TLSv1.3");
    jg_autoptr(jg_server) server = start_greeter(tls);
    FAILS_WITH_NULL(open_to(server, client, "localhost"), EPROTO);
    TEXT_HAS("the peer has refused: tlsv1 alert protocol version");
    return 0;
}

TASK_TEST(alpn_takes_what_the_server_prefers)
{
    jg_autoptr(jg_tls) client = client_tls(.alpn = (const char *const[]){"http/1.1", "h2", NULL});
    jg_autoptr(jg_tls) tls = server_tls(.alpn = (const char *const[]){"spdy/3", "h2", "http/1.1", NULL});
    jg_autoptr(jg_server) server = start_greeter(tls);
    jg_autoptr(jg_stream) stream = open_to(server, client, "localhost");
    converse(stream);
    ck_assert_str_eq(jg_tls_alpn(stream), "h2");
    ck_assert_str_eq(seen, "TLSv1.3 h2 localhost none new");
    return 0;
}

TASK_TEST(without_a_protocol_in_common_there_is_none)
{
    jg_autoptr(jg_tls) client = client_tls(.alpn = (const char *const[]){"http/1.1", NULL});
    jg_autoptr(jg_tls) tls = server_tls(.alpn = (const char *const[]){"h2", NULL});
    jg_autoptr(jg_server) server = start_greeter(tls);
    converse_with(server, client, "localhost");
    ck_assert_str_eq(seen, "TLSv1.3 none localhost none new");
    return 0;
}

/* ---- Server names ---- */

static void has_name(jg_server *server, jg_tls *client, const char *asked, const char *subject)
{
    jg_stream *stream = open_to(server, client, asked);
    converse(stream);
    ck_assert_str_eq(jg_tls_peer_name(stream), subject);
    jg_close(stream);
}

TASK_TEST(the_name_that_the_client_asks_for_chooses_the_certificate)
{
    jg_autoptr(jg_tls) client = client_tls(.no_resumption = true);
    jg_autoptr(jg_tls) insecure = check_tls(jg_tls_client(.insecure = true));
    jg_autoptr(jg_tls) tls = server_tls();
    ck_assert_int_eq(jg_tls_add_server_name(tls, "other.test", certificate("client"), NULL), 0);
    ck_assert_int_eq(jg_tls_add_server_name(tls, "*.wild.test", certificate("other"), NULL), 0);
    ck_assert_int_eq(jg_tls_add_server_name(tls, "OTHER.test", certificate("other"), certificate("other")), 0);
    ck_assert_int_eq(jg_tls_add_server_name(tls, "special.wild.test", certificate("client"), NULL), 0);
    jg_autoptr(jg_server) server = start_greeter(tls);
    has_name(server, client, "localhost", "CN=localhost");
    has_name(server, client, "other.test", "CN=other.test");
    has_name(server, client, "a.wild.test", "CN=other.test");
    has_name(server, insecure, "special.wild.test", "CN=a client");
    has_name(server, insecure, "a.b.wild.test", "CN=localhost");
    has_name(server, insecure, "wild.test", "CN=localhost");
    return 0;
}

TASK_TEST(server_names_need_a_server_a_name_and_files)
{
    jg_autoptr(jg_tls) client = client_tls();
    jg_autoptr(jg_tls) tls = server_tls();
    FAILS(jg_tls_add_server_name(client, "x", certificate("other"), NULL), EINVAL);
    FAILS(jg_tls_add_server_name(NULL, "x", certificate("other"), NULL), EINVAL);
    FAILS(jg_tls_add_server_name(tls, "", certificate("other"), NULL), EINVAL);
    FAILS(jg_tls_add_server_name(tls, "x", NULL, NULL), EINVAL);
    FAILS(jg_tls_add_server_name(tls, "x", "/nowhere/at/all.pem", NULL), ENOENT);
    TEXT_HAS("/nowhere/at/all.pem");
    return 0;
}

/* ---- Client certificates ---- */

TASK_TEST(a_client_shows_its_certificate_when_asked)
{
    jg_autoptr(jg_tls) client = client_tls(.certificate = certificate("client"));
    jg_autoptr(jg_tls) nobody = client_tls();
    jg_autoptr(jg_tls) tls = server_tls(.client_ca_file = certificate("ca"));
    jg_autoptr(jg_server) server = start_greeter(tls);
    converse_with(server, client, "localhost");
    ck_assert_str_eq(seen, "TLSv1.3 none localhost CN=a client new");
    converse_with(server, nobody, "localhost");
    ck_assert_str_eq(seen, "TLSv1.3 none localhost none new");
    return 0;
}

static void is_refused(jg_server *server, jg_tls *client, const char *alert)
{
    char byte;
    jg_stream *stream = open_to(server, client, "localhost");
    if (stream) { /* with TLS 1.3 the client's part is over before the server has looked */
        FAILS(jg_read(stream, &byte, 1), EPROTO);
        TEXT_HAS(alert);
        FAILS(jg_write(stream, "x", 1), EPIPE);
        jg_close(stream);
    } else {
        ck_assert_int_eq(errno, EPROTO);
        TEXT_HAS(alert);
    }
}

static void refuses_clients(const char *version)
{
    keep_reports();
    jg_autoptr(jg_tls) nobody = client_tls(.maximum_version = version);
    jg_autoptr(jg_tls) stranger = client_tls(.maximum_version = version, .certificate = certificate("strange"));
    jg_autoptr(jg_tls) tls = server_tls(.client_ca_file = certificate("ca"), .require_client_certificate = true);
    jg_autoptr(jg_server) server = start_greeter(tls);
    *seen = '\0';
    is_refused(server, nobody, strcmp(version, "TLSv1.3") == 0 ? "certificate required" : "handshake failure");
    is_refused(server, stranger, "unknown ca");
    ck_assert_str_eq(seen, "");
    ck_assert_int_eq(reports, 1); /* of the two failures; the second within the same minute */
    ck_assert_int_eq(last_report_error, EKEYREJECTED);
    ck_assert_ptr_nonnull(strstr(last_report, "the client has no certificate"));
    ck_assert_ptr_nonnull(strstr(last_report, "127.0.0.1:"));
}

TASK_TEST(a_server_refuses_clients_without_a_good_certificate_in_TLS_1_3)
{
    refuses_clients("TLSv1.3");
    return 0;
}

TASK_TEST(a_server_refuses_clients_without_a_good_certificate_in_TLS_1_2)
{
    refuses_clients("TLSv1.2");
    return 0;
}

/* ---- Resumption and reloading ---- */

static void converse_as(jg_server *server, jg_tls *client, bool resumed)
{
    jg_stream *stream = open_to(server, client, "localhost");
    converse(stream);
    ck_assert_int_eq(jg_tls_resumed(stream), resumed);
    ck_assert_str_eq(jg_tls_peer_name(stream), "CN=localhost");
    jg_close(stream);
}

static void resumes(const char *version)
{
    jg_autoptr(jg_tls) client = client_tls(.maximum_version = version);
    jg_autoptr(jg_tls) fresh = client_tls(.maximum_version = version, .no_resumption = true);
    jg_autoptr(jg_tls) tls = server_tls();
    jg_autoptr(jg_server) server = start_greeter(tls);
    converse_as(server, client, false);
    converse_as(server, client, true);
    ck_assert_ptr_nonnull(strstr(seen, "resumed"));
    converse_as(server, client, true);
    converse_as(server, fresh, false);
    converse_as(server, fresh, false);
    ck_assert_int_eq(jg_tls_reload(client), 0);
    converse_as(server, client, false);
    ck_assert_int_eq(jg_tls_reload(tls), 0); /* with it go the keys of the tickets */
    converse_as(server, client, false);
}

TASK_TEST(sessions_are_resumed_in_TLS_1_3)
{
    resumes("TLSv1.3");
    return 0;
}

TASK_TEST(sessions_are_resumed_in_TLS_1_2)
{
    resumes("TLSv1.2");
    return 0;
}

TASK_TEST(a_server_may_refuse_to_resume)
{
    jg_autoptr(jg_tls) client = client_tls();
    jg_autoptr(jg_tls) tls = server_tls(.no_resumption = true);
    jg_autoptr(jg_server) server = start_greeter(tls);
    converse_as(server, client, false);
    converse_as(server, client, false);
    return 0;
}

TASK_TEST(a_resumed_session_keeps_the_certificate_of_the_client)
{
    jg_autoptr(jg_tls) client = client_tls(.certificate = certificate("client"));
    jg_autoptr(jg_tls) tls = server_tls(.client_ca_file = certificate("ca"), .require_client_certificate = true);
    jg_autoptr(jg_server) server = start_greeter(tls);
    converse_as(server, client, false);
    converse_as(server, client, true);
    ck_assert_str_eq(seen, "TLSv1.3 none localhost CN=a client resumed");
    return 0;
}

TASK_TEST(more_servers_than_there_are_places_for_sessions)
{
    jg_autoptr(jg_tls) client = check_tls(jg_tls_client(.insecure = true));
    jg_autoptr(jg_tls) tls = server_tls();
    jg_autoptr(jg_server) server = start_greeter(tls);
    char name[32];
    for (int i = 0; i < 70; i++) {
        snprintf(name, sizeof name, "n%d.test", i);
        converse_with(server, client, name);
    }
    converse_with(server, client, "n69.test");
    ck_assert_ptr_nonnull(strstr(seen, "resumed"));
    converse_with(server, client, "n0.test");
    ck_assert_ptr_null(strstr(seen, "resumed"));
    return 0;
}

static void copy_file(const char *from, const char *to)
{
    char data[8192];
    FILE *input = fopen(from, "re"), *output = fopen(to, "we");
    ck_assert(input && output);
    size_t count = fread(data, 1, sizeof data, input);
    ck_assert_uint_eq(fwrite(data, 1, count, output), count);
    fclose(input);
    fclose(output);
}

TASK_TEST(certificates_are_read_again_without_a_restart)
{
    const char *file = certificate("changing");
    jg_autoptr(jg_tls) insecure = check_tls(jg_tls_client(.insecure = true, .no_resumption = true));
    copy_file(certificate("localhost"), file);
    jg_autoptr(jg_tls) tls = check_tls(jg_tls_server(file, NULL));
    ck_assert_int_eq(jg_tls_add_server_name(tls, "x.test", file, file), 0);
    jg_autoptr(jg_server) server = start_greeter(tls);
    jg_autoptr(jg_stream) old = open_to(server, insecure, "localhost");
    copy_file(certificate("other"), file);
    has_name(server, insecure, "localhost", "CN=localhost");
    ck_assert_int_eq(jg_tls_reload(tls), 0);
    has_name(server, insecure, "localhost", "CN=other.test");
    has_name(server, insecure, "x.test", "CN=other.test");
    converse(old);
    FILE *broken = fopen(file, "we");
    fputs("nonsense\n", broken);
    fclose(broken);
    FAILS(jg_tls_reload(tls), EBADMSG);
    TEXT_HAS("jg_tls_reload");
    has_name(server, insecure, "localhost", "CN=other.test");
    unlink(file);
    FAILS(jg_tls_reload(tls), ENOENT);
    return 0;
}

/* ---- Options ---- */

TEST(options_that_make_no_sense_are_EINVAL)
{
    const char *file = certificate("localhost");
    FAILS_WITH_NULL(jg_tls_server(file, NULL, .ca_file = file), EINVAL);
    FAILS_WITH_NULL(jg_tls_server(file, NULL, .insecure = true), EINVAL);
    FAILS_WITH_NULL(jg_tls_server(file, NULL, .require_client_certificate = true), EINVAL);
    FAILS_WITH_NULL(jg_tls_server(NULL, NULL), EINVAL);
    FAILS_WITH_NULL(jg_tls_client(.client_ca_file = file), EINVAL);
    FAILS_WITH_NULL(jg_tls_client(.key = file), EINVAL);
    FAILS_WITH_NULL(jg_tls_client(.minimum_version = "SSLv3"), EINVAL);
    FAILS_WITH_NULL(jg_tls_client(.minimum_version = "TLSv1.3", .maximum_version = "TLSv1.2"), EINVAL);
    FAILS_WITH_NULL(jg_tls_client(.ciphers = "ROT13"), EINVAL);
    FAILS_WITH_NULL(jg_tls_client(.ciphersuites = "ROT13"), EINVAL);
    FAILS_WITH_NULL(jg_tls_client(.alpn = (const char *const[]){"", NULL}), EINVAL);
    FAILS(jg_tls_reload(NULL), EINVAL);
    jg_tls_free(NULL);
}

TEST(files_that_are_wrong_are_named)
{
    FAILS_WITH_NULL(jg_tls_server("/nowhere/cert.pem", NULL), ENOENT);
    TEXT_HAS("/nowhere/cert.pem");
    FAILS_WITH_NULL(jg_tls_server(certificate("localhost"), "/nowhere/key.pem"), ENOENT);
    TEXT_HAS("/nowhere/key.pem");
    FAILS_WITH_NULL(jg_tls_server("/etc/passwd", NULL), EBADMSG);
    FAILS_WITH_NULL(jg_tls_server(certificate("localhost"), certificate("other")), EBADMSG); /* another's key */
    FAILS_WITH_NULL(jg_tls_client(.ca_file = "/nowhere/ca.pem"), ENOENT);
    FAILS_WITH_NULL(jg_tls_server(certificate("localhost"), NULL, .client_ca_file = "/etc/passwd"), EBADMSG);
}

static void encrypt_key(const char *from, const char *to, const char *password)
{
    char command[512];
    snprintf(command, sizeof command, "openssl ec -in %s -out %s -aes128 -passout pass:%s 2>/dev/null", from, to,
             password);
    ck_assert_int_eq(system(command), 0);
}

TEST(keys_may_be_encrypted)
{
    const char *key = certificate("encrypted");
    encrypt_key(certificate("localhost"), key, "sesame");
    jg_tls *tls = check_tls(jg_tls_server(certificate("localhost"), key, .key_password = "sesame"));
    ck_assert_int_eq(jg_tls_reload(tls), 0);
    jg_tls_free(tls);
    FAILS_WITH_NULL(jg_tls_server(certificate("localhost"), key, .key_password = "wrong"), EBADMSG);
    FAILS_WITH_NULL(jg_tls_server(certificate("localhost"), key), EBADMSG); /* nobody is asked */
}

TASK_TEST(contexts_of_the_wrong_side_are_EINVAL)
{
    jg_autoptr(jg_tls) client = client_tls();
    jg_autoptr(jg_tls) tls = server_tls();
    FAILS_WITH_NULL(jg_start_server(greet, NULL, "127.0.0.1", 0, .tls = client), EINVAL);
    FAILS_WITH_NULL(jg_open_connection("127.0.0.1", 1, .tls = tls), EINVAL);
    return 0;
}

TASK_TEST(a_context_lives_as_long_as_it_is_used)
{
    jg_tls *client = client_tls(), *tls = server_tls();
    jg_server *server = start_greeter(tls);
    jg_tls_free(tls);
    jg_stream *stream = open_to(server, client, "localhost");
    jg_tls_free(client);
    converse(stream);
    jg_server_close(server);
    jg_close(stream);
    return 0;
}
#else
typedef int nothing_to_test;
#endif
