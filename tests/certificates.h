/* Certificates for the tests of TLS, made when a test asks for the first: files in a folder of their own that is
 * removed when the process ends. For one file of each test program. */
#ifndef JUGGLE_TESTS_CERTIFICATES_H
#define JUGGLE_TESTS_CERTIFICATES_H

#include "harness.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* What is in the folder: NAME.pem has a certificate and its key, in that order. */
static char certificate_folder[] = "/tmp/juggle-tls-XXXXXX";

struct certificate {
    const char *name;    /* of the file */
    const char *subject; /* CN */
    const char *names;   /* "DNS:localhost,IP:127.0.0.1", or NULL for an authority */
    const char *issuer;  /* the file of who signs; NULL: itself */
    long from, until;    /* seconds from now */
};

static inline const char *certificate_path(const char *name)
{
    static char paths[8][sizeof certificate_folder + 40];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s.pem", certificate_folder, name);
    return path;
}

static inline void add_extension(X509 *certificate, X509 *issuer, int id, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, id, value);
    ck_assert(extension && X509_add_ext(certificate, extension, -1));
    X509_EXTENSION_free(extension);
}

static inline void read_certificate(const char *name, X509 **certificate, EVP_PKEY **key)
{
    FILE *file = fopen(certificate_path(name), "re");
    ck_assert(file);
    *certificate = PEM_read_X509(file, NULL, NULL, NULL);
    *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    ck_assert(*certificate && *key);
    fclose(file);
}

static inline void write_certificate(const char *name, X509 *certificate, EVP_PKEY *key)
{
    FILE *file = fopen(certificate_path(name), "we");
    ck_assert(file && PEM_write_X509(file, certificate) && PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL));
    fclose(file);
}

static inline void make_certificate(const struct certificate *wanted)
{
    static long serial = 1;
    X509 *certificate = X509_new(), *issuer = certificate;
    EVP_PKEY *key = EVP_EC_gen("P-256"), *issuer_key = key;
    ck_assert(certificate && key);
    if (wanted->issuer)
        read_certificate(wanted->issuer, &issuer, &issuer_key);
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
    X509_gmtime_adj(X509_getm_notBefore(certificate), wanted->from);
    X509_gmtime_adj(X509_getm_notAfter(certificate), wanted->until);
    X509_set_pubkey(certificate, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               (const unsigned char *)wanted->subject, -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
    add_extension(certificate, issuer, NID_basic_constraints, wanted->names ? "CA:FALSE" : "critical,CA:TRUE");
    if (wanted->names)
        add_extension(certificate, issuer, NID_subject_alt_name, wanted->names);
    ck_assert(X509_sign(certificate, issuer_key, EVP_sha256()));
    write_certificate(wanted->name, certificate, key);
    if (wanted->issuer) {
        X509_free(issuer);
        EVP_PKEY_free(issuer_key);
    }
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static inline void remove_certificates(void)
{
    char command[sizeof certificate_folder + 16];
    snprintf(command, sizeof command, "rm -rf %s", certificate_folder);
    if (system(command) != 0)
        perror(command);
}

/* Makes all of them, once. */
static inline void make_certificates(void)
{
    enum { DAY = 86400 };
    static const struct certificate all[] = {
        {"ca", "Juggle Test CA", NULL, NULL, -DAY, DAY},
        {"stranger", "Some Stranger", NULL, NULL, -DAY, DAY},
        {"localhost", "localhost", "DNS:localhost,IP:127.0.0.1", "ca", -DAY, DAY},
        {"other", "other.test", "DNS:other.test,DNS:*.wild.test", "ca", -DAY, DAY},
        {"expired", "localhost", "DNS:localhost", "ca", -2 * DAY, -DAY},
        {"future", "localhost", "DNS:localhost", "ca", DAY, 2 * DAY},
        {"lonely", "localhost", "DNS:localhost", NULL, -DAY, DAY},
        {"strange", "localhost", "DNS:localhost", "stranger", -DAY, DAY},
        {"client", "a client", "DNS:client.test", "ca", -DAY, DAY},
    };
    if (!strstr(certificate_folder, "XXXXXX"))
        return;
    ck_assert(mkdtemp(certificate_folder));
    atexit(remove_certificates);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        make_certificate(&all[i]);
}

#endif
